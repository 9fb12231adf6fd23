"""The copy of AWS's managed policies has all of them, with everything that decides."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.iam import parse_policy
from permission_guard.needs.event_sources import EVENT_SOURCES
from permission_guard.needs.features import FEATURES
from permission_guard.offline.managed_policies import FILE, managed_policies, managed_policy
from tests.paths import REPOSITORY
from tools import generate_managed_policies
from tools.generate import is_current

MOTO: dict[str, Any] = json.loads(aws_managed_policies_data)


def listed(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of a document, without their names."""
    found = document["Statement"]
    statements = found if isinstance(found, list) else [found]
    return [{key: value for key, value in one.items() if key != "Sid"} for one in statements]


def test_every_policy_has_the_statements_that_aws_gives_it() -> None:
    """Effect, actions, resources and conditions are those of the copy that moto has."""
    known = managed_policies().policies
    assert len(known) == len(MOTO) > 1500
    for name, one in MOTO.items():
        path = one["Path"].removeprefix("/")
        assert known[f"{path}{name}"] == listed(one["Document"])
        policy = managed_policy(f"arn:aws:iam::aws:policy/{path}{name}")
        assert policy is not None
        assert (
            policy.statements
            == parse_policy({"Version": "2012-10-17", "Statement": listed(one["Document"])}).statements
        )


def test_the_policies_that_lambda_needs_are_known() -> None:
    """A remedy attaches only policies that a later check knows."""
    names = {*(source.managed_policy for source in EVENT_SOURCES), *(feature.managed_policy for feature in FEATURES)}
    assert names - {""} <= set(managed_policies().policies)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/AmazonNewAccess",
        "arn:aws:iam::123456789012:policy/AdministratorAccess",
        "AdministratorAccess",
    ],
)
def test_another_arn_is_unknown(arn: str) -> None:
    """The path is a part of the name, and the account must be that of AWS."""
    assert managed_policy(arn) is None


def test_the_resources_of_a_policy_are_in_the_partition_of_its_arn() -> None:
    """AWS writes its policies with the ARNs of the partition."""
    policy = managed_policy("arn:aws-cn:iam::aws:policy/AWSLambdaExecute")
    assert policy is not None
    assert '"arn:aws-cn:s3:::*"' in json.dumps(policy.document)
    assert '"arn:aws:' not in json.dumps(policy.document)


def test_the_file_is_small_current_and_not_in_the_layer() -> None:
    """`make generate` writes it, and the deployed functions do not need it."""
    assert FILE.stat().st_size <= 500_000
    content = generate_managed_policies.compiled()
    assert is_current(FILE, content)
    assert not is_current(FILE, content.replace("AdministratorAccess", "Administrator"))
    build = (REPOSITORY / "Makefile").read_text().partition("build-PermissionGuardLayer:")[2]
    assert 'rm "$(ARTIFACTS_DIR)"/python/permission_guard/offline/*.json.xz' in build
