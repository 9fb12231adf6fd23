"""Writing to resource-based policies: each call names the revision that was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from permission_guard.aws.writers.fixes import FixWriter
from permission_guard.aws.writers.invoke_policies import InvokePolicyWriter
from permission_guard.aws.writers.roles import RoleWriter
from permission_guard.aws.writers.writer import _finding
from permission_guard.errors import RetryableError, WriteFailedError
from tests.fakes import FUNCTION_ARN, SQS_POLICY_ARN

if TYPE_CHECKING:
    from tests.unit.aws.conftest import Answers

REVISION = "3d1e44e0-8e5f-4d2b-9d2a-6a5f2f3e7c01"
ADDED = {
    "FunctionName": FUNCTION_ARN,
    "Qualifier": "live",
    "StatementId": "permission-guard-s3-1a2b",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
    "SourceArn": "arn:aws:s3:::uploads",
    "SourceAccount": "123456789012",
}
REMOVED = {"FunctionName": FUNCTION_ARN, "StatementId": "uploads"}
PUT = {"ResourceArn": FUNCTION_ARN, "Policy": '{"Statement":[]}'}
CALLS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("add_permission", ADDED, {"Statement": "{}"}),
    ("remove_permission", REMOVED, {}),
    ("put_resource_policy", PUT, {"Policy": "{}", "RevisionId": REVISION}),
]


@pytest.mark.parametrize(("operation", "parameters", "reply"), CALLS)
def test_each_call_names_the_revision(
    lambda_answers: Answers, operation: str, parameters: dict[str, str], reply: dict[str, Any]
) -> None:
    """AWS then rejects it if anybody changed the policy since."""
    lambda_answers.say(operation, reply, **parameters, RevisionId=REVISION)
    getattr(InvokePolicyWriter(lambda_answers.client).for_finding("f"), operation)(parameters, REVISION)


def test_the_first_statement_of_a_policy_has_no_revision_to_name(lambda_answers: Answers) -> None:
    """There is no policy yet."""
    lambda_answers.say("add_permission", {"Statement": "{}"}, **ADDED)
    InvokePolicyWriter(lambda_answers.client).add_permission(ADDED, "")


@pytest.mark.parametrize("code", ["PreconditionFailedException", "ResourceConflictException"])
def test_a_policy_that_was_changed_meanwhile_is_read_again(lambda_answers: Answers, code: str) -> None:
    """The message is delivered again."""
    lambda_answers.fail("add_permission", code, "The Revision Id provided does not match", 412)
    with pytest.raises(RetryableError, match="lambda:AddPermission failed with"):
        InvokePolicyWriter(lambda_answers.client).add_permission(ADDED, REVISION)


@pytest.mark.parametrize("code", ["AccessDeniedException", "PolicyLengthExceededException", "PublicPolicyException"])
def test_a_permanent_failure_carries_the_message_of_aws(lambda_answers: Answers, code: str) -> None:
    """The message is recorded in the finding."""
    lambda_answers.fail("remove_permission", code, "no")
    with pytest.raises(WriteFailedError, match=f"lambda:RemovePermission failed with {code}: no"):
        InvokePolicyWriter(lambda_answers.client).remove_permission(REMOVED, REVISION)


def test_a_transient_failure_is_raised_unchanged(lambda_answers: Answers) -> None:
    """No fix is recorded as failed."""
    lambda_answers.fail("put_resource_policy", "TooManyRequestsException", status=429)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        InvokePolicyWriter(lambda_answers.client).put_resource_policy(PUT, REVISION)


def test_the_call_names_its_finding(lambda_answers: Answers) -> None:
    """`writer.py` puts it into the user agent, which CloudTrail records."""

    class Client:
        meta = lambda_answers.client.meta

        def remove_permission(self, **_parameters: str) -> None:
            named.append(_finding.get())

    named: list[str] = []
    client: Any = Client()
    InvokePolicyWriter(client).for_finding("b49c3e").remove_permission(REMOVED, REVISION)
    assert named == ["b49c3e"]


def test_an_older_sdk_cannot_replace_policies(lambda_answers: Answers) -> None:
    """The runtime's can be older than the API."""
    assert InvokePolicyWriter(lambda_answers.client).can_replace
    client: Any = type("Old", (), {"meta": lambda_answers.client.meta})()
    assert not InvokePolicyWriter(client).can_replace


def test_one_writer_changes_roles_and_policies(lambda_answers: Answers, iam_answers: Answers) -> None:
    """Each with the client of its service, for one finding."""
    writer = FixWriter(RoleWriter(iam_answers.client), InvokePolicyWriter(lambda_answers.client)).for_finding("f")
    for operation, parameters, reply in CALLS:
        lambda_answers.say(operation, reply, **parameters, RevisionId=REVISION)
        getattr(writer, operation)(parameters, REVISION)
    for operation in ("attach_role_policy", "detach_role_policy"):
        iam_answers.say(operation, {}, RoleName="orders-role", PolicyArn=SQS_POLICY_ARN)
        getattr(writer, operation)("orders-role", SQS_POLICY_ARN)
