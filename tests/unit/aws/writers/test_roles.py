"""Writing to roles: permanent failures are distinguished from transient ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from permission_guard.aws.writers.roles import RoleWriter
from permission_guard.errors import WriteFailedError
from tests.fakes import SQS_POLICY_ARN, TRUST_LAMBDA, allow

if TYPE_CHECKING:
    from tests.unit.aws.conftest import Answers


def test_a_policy_is_attached_and_attaching_it_again_changes_nothing(moto_account: None) -> None:
    """A retry after a crash may find the policy attached."""
    iam = boto3.client("iam")
    iam.create_role(RoleName="orders-role", AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))
    own = iam.create_policy(PolicyName="orders", PolicyDocument=json.dumps(allow("sqs:*")))["Policy"]["Arn"]
    for _ in range(2):
        RoleWriter(iam).attach_role_policy("orders-role", own)
    attached = iam.list_attached_role_policies(RoleName="orders-role")["AttachedPolicies"]
    assert [policy.get("PolicyArn") for policy in attached] == [own]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDenied", 403),
        ("LimitExceeded", 409),
        ("NoSuchEntity", 404),
        ("UnmodifiableEntity", 400),
        ("PolicyNotAttachable", 400),
    ],
)
def test_a_permanent_failure_carries_the_message_of_aws(iam_answers: Answers, code: str, status: int) -> None:
    """The message is recorded in the finding."""
    iam_answers.fail("attach_role_policy", code, "Cannot exceed quota for PoliciesPerRole: 20", status)
    with pytest.raises(WriteFailedError) as failed:
        RoleWriter(iam_answers.client).attach_role_policy("orders-role", SQS_POLICY_ARN)
    assert str(failed.value) == (
        f"iam:AttachRolePolicy failed with {code}: Cannot exceed quota for PoliciesPerRole: 20"
    )


@pytest.mark.parametrize(
    ("code", "status"), [("Throttling", 400), ("ConcurrentModification", 409), ("ServiceFailure", 500)]
)
def test_a_transient_failure_is_raised_unchanged(iam_answers: Answers, code: str, status: int) -> None:
    """The message is retried, and no fix is recorded as failed."""
    iam_answers.fail("attach_role_policy", code, status=status)
    with pytest.raises(ClientError, match=code):
        RoleWriter(iam_answers.client).attach_role_policy("orders-role", SQS_POLICY_ARN)
