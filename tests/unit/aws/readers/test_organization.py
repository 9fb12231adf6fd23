"""The own organization: asked for once, and an account in none is no error."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.aws.readers.organization import OrganizationReader
from permission_guard.model.state import Unread
from tests.fakes import QUEUE_ARN, REGION, ROLE_ARN
from tests.unit.aws.conftest import Answers

ORGANIZATION = {"Organization": {"Id": "o-exampleorgid", "FeatureSet": "ALL"}}


def nobody() -> Any:
    """Fail: that client is not to be used."""
    raise AssertionError("another service is asked")


@pytest.fixture
def answers() -> Answers:
    """Return a client of Organizations whose answers are given."""
    return Answers("organizations")


def test_the_organization_is_asked_for_once(answers: Answers) -> None:
    """However many functions name one."""
    answers.say("describe_organization", ORGANIZATION)
    reader = OrganizationReader(lambda: answers.client, nobody)
    assert [reader.own_organization() for _ in range(3)] == ["o-exampleorgid"] * 3


def test_an_account_in_no_organization_has_none(answers: Answers) -> None:
    """AWS says so by an error."""
    answers.fail("describe_organization", "AWSOrganizationsNotInUseException")
    assert OrganizationReader(lambda: answers.client, nobody).own_organization() is None


def test_an_organization_that_may_not_be_read_is_unread(answers: Answers) -> None:
    """What rests on it is unknown."""
    answers.fail("describe_organization", "AccessDeniedException")
    found = OrganizationReader(lambda: answers.client, nobody).own_organization()
    assert found == Unread("organizations:DescribeOrganization", "AccessDeniedException", "no", denied=True)


# ── What its policies deny a role ────────────────────────────────────────────────────────────────────────────────────

RECEIVE, DELETE = "sqs:ReceiveMessage", "sqs:DeleteMessage"
KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/1"


def result(action: str, *, allowed: bool | None = True, missing: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return an evaluation result; `allowed` is None where the account is in no organization."""
    detail = {} if allowed is None else {"OrganizationsDecisionDetail": {"AllowedByOrganizations": allowed}}
    return {
        "EvalActionName": action,
        "EvalDecision": "allowed" if allowed else "implicitDeny",
        "MissingContextValues": list(missing),
        **detail,
    }


def denied(answers: Answers, *asked: tuple[str, str]) -> frozenset[tuple[str, str]] | Unread:
    """Ask."""
    return OrganizationReader(nobody, lambda: answers.client).denied(ROLE_ARN, asked, REGION)


def test_what_the_organization_denies_is_told_by_action_and_resource(iam_answers: Answers) -> None:
    """One call for each resource, with the keys that a call of Lambda's certainly has."""
    asked: list[dict[str, Any]] = []
    iam_answers.client.meta.events.register(
        "provide-client-params.iam.SimulatePrincipalPolicy", lambda params, **_: asked.append(params)
    )
    iam_answers.say(
        "simulate_principal_policy", {"EvaluationResults": [result(RECEIVE, allowed=False), result(DELETE)]}
    )
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": [result("kms:Decrypt")]})
    found = denied(iam_answers, (RECEIVE, QUEUE_ARN), ("kms:Decrypt", KEY_ARN), (DELETE, QUEUE_ARN))
    assert found == frozenset({(RECEIVE, QUEUE_ARN)})
    assert [(call["ActionNames"], call["ResourceArns"]) for call in asked] == [
        ([RECEIVE, DELETE], [QUEUE_ARN]),
        (["kms:Decrypt"], [KEY_ARN]),
    ]
    keys = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in asked[0]["ContextEntries"]}
    assert (keys["aws:RequestedRegion"], keys["aws:SecureTransport"]) == ([REGION], ["true"])


def test_what_hangs_on_a_key_that_only_a_real_call_has_is_not_told(iam_answers: Answers) -> None:
    """A deny of all networks but one's own would look as if it held."""
    results = [result(RECEIVE, allowed=False, missing=("aws:SourceVpc",))]
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": results})
    assert denied(iam_answers, (RECEIVE, QUEUE_ARN)) == frozenset()


def test_an_account_of_no_organization_has_nothing_denied(iam_answers: Answers) -> None:
    """What the role itself lacks is not the organization's."""
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": [result(RECEIVE, allowed=None)]})
    assert denied(iam_answers, (RECEIVE, QUEUE_ARN)) == frozenset()


def test_every_page_is_read(iam_answers: Answers) -> None:
    """IAM may answer in pages."""
    first = {"EvaluationResults": [result(RECEIVE)], "IsTruncated": True, "Marker": "2"}
    iam_answers.say("simulate_principal_policy", first)
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": [result(DELETE, allowed=False)]})
    assert denied(iam_answers, (RECEIVE, QUEUE_ARN), (DELETE, QUEUE_ARN)) == frozenset({(DELETE, QUEUE_ARN)})


def test_a_simulator_that_may_not_be_asked_is_unread(iam_answers: Answers) -> None:
    """That says nothing of the role."""
    iam_answers.fail("simulate_principal_policy", "AccessDenied")
    unread = denied(iam_answers, (RECEIVE, QUEUE_ARN))
    assert isinstance(unread, Unread)
    assert (unread.action, unread.denied) == ("iam:SimulatePrincipalPolicy", True)


def test_a_role_that_is_gone_meanwhile_is_denied_nothing(iam_answers: Answers) -> None:
    """The next look sees that it is."""
    iam_answers.fail("simulate_principal_policy", "NoSuchEntity")
    assert denied(iam_answers, (RECEIVE, QUEUE_ARN)) == frozenset()


def test_nothing_is_asked_for_nothing(iam_answers: Answers) -> None:
    """No call."""
    assert denied(iam_answers) == frozenset()
