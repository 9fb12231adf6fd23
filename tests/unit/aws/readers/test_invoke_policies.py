"""Reading a resource-based policy with its revision."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from permission_guard.aws.readers.invoke_policies import InvokePolicyReader
from permission_guard.fixes.invoke_policies import InvokePolicy
from permission_guard.model.state import Unread
from tests.fakes import FUNCTION_ARN

if TYPE_CHECKING:
    from tests.unit.aws.conftest import Answers

STATEMENT = {"Sid": "uploads", "Effect": "Allow"}
DOCUMENT = {"Version": "2012-10-17", "Id": "default", "Statement": [STATEMENT]}


@pytest.mark.parametrize("qualifier", ["", "live"])
def test_the_policy_of_the_qualifier_is_read_with_its_revision(lambda_answers: Answers, qualifier: str) -> None:
    """Each qualifier has its own."""
    named = {"FunctionName": FUNCTION_ARN, **({"Qualifier": qualifier} if qualifier else {})}
    lambda_answers.say("get_policy", {"Policy": json.dumps(DOCUMENT), "RevisionId": "7"}, **named)
    arn = f"{FUNCTION_ARN}:{qualifier}".rstrip(":")
    policy = InvokePolicyReader(lambda_answers.client).policy(arn)
    assert policy == InvokePolicy(arn, "7", (STATEMENT,), {"Version": "2012-10-17", "Id": "default"})
    assert policy.with_statements(policy.statements) == DOCUMENT


def test_without_a_policy_there_is_no_revision(lambda_answers: Answers) -> None:
    """GetPolicy is an error then."""
    lambda_answers.fail("get_policy", "ResourceNotFoundException", status=404)
    assert InvokePolicyReader(lambda_answers.client).policy(FUNCTION_ARN) == InvokePolicy(FUNCTION_ARN, "", (), {})


@pytest.mark.parametrize(("code", "denied"), [("AccessDeniedException", True), ("TooManyRequestsException", False)])
def test_what_cannot_be_read_is_unread(lambda_answers: Answers, code: str, denied: bool) -> None:
    """A denied read refuses a fix, and a throttled one is retried."""
    lambda_answers.fail("get_policy", code)
    assert InvokePolicyReader(lambda_answers.client).policy(FUNCTION_ARN) == Unread(
        "lambda:GetPolicy", code, "no", denied=denied
    )


@pytest.mark.parametrize("text", ["[]", "no JSON"])
def test_a_policy_of_another_shape_is_unread(lambda_answers: Answers, text: str) -> None:
    """No statement of it can be compared."""
    lambda_answers.say("get_policy", {"Policy": text, "RevisionId": "7"}, FunctionName=FUNCTION_ARN)
    policy = InvokePolicyReader(lambda_answers.client).policy(FUNCTION_ARN)
    assert isinstance(policy, Unread)
    assert policy.denied
