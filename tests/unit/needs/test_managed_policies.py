"""The table of AWS managed policies against the documents that AWS publishes, from moto's copy."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.needs.event_sources import EVENT_SOURCES
from permission_guard.needs.features import FEATURES
from permission_guard.needs.managed_policies import MANAGED_POLICIES, Grant, ManagedPolicy

PUBLISHED: Final[dict[str, Any]] = json.loads(aws_managed_policies_data)


def listed(value: str | list[str]) -> tuple[str, ...]:
    """Return what a statement has as text or as a list."""
    return (value,) if isinstance(value, str) else tuple(value)


@pytest.mark.parametrize("policy", MANAGED_POLICIES, ids=lambda policy: policy.path)
def test_a_policy_grants_what_aws_publishes(policy: ManagedPolicy) -> None:
    """No more and no less, on the same resources; statements with conditions are left out."""
    published = PUBLISHED[policy.path.rpartition("/")[2]]
    assert published["Path"].strip("/") == policy.path.rpartition("/")[0]
    statements = [one for one in published["Document"]["Statement"] if "Condition" not in one]
    assert all(one["Effect"] == "Allow" and "NotAction" not in one for one in statements)
    grants = {
        (action, resource)
        for one in statements
        for action in listed(one["Action"])
        for resource in listed(one["Resource"])
    }
    assert sorted(policy.permissions()) == sorted(grants)


def test_each_policy_that_a_remedy_names_is_in_the_table() -> None:
    """The fix attaches what the finding names, or one that allows less."""
    named = {source.managed_policy for source in EVENT_SOURCES} | {feature.managed_policy for feature in FEATURES}
    assert named - {""} <= {policy.path for policy in MANAGED_POLICIES}


def test_a_policy_is_for_services_of_its_actions() -> None:
    """Of a policy that is for logs and another service, both must be missing."""
    for policy in MANAGED_POLICIES:
        services = {action.partition(":")[0] for action, _ in policy.permissions()}
        assert policy.services <= services or not policy.grants


def test_a_grant_is_on_every_resource_unless_it_names_one() -> None:
    """As in most of AWS's policies."""
    assert list(ManagedPolicy("A", frozenset({"sqs"}), (Grant(("sqs:A",)),)).permissions()) == [("sqs:A", "*")]
