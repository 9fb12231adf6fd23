"""The account's organization: read once, and an account without one is no error."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.aws.readers.organization import OrganizationReader
from permission_guard.model.state import Unread
from tests.fakes import QUEUE_ARN, REGION, ROLE_ARN
from tests.unit.aws.conftest import Answers

ORGANIZATION = {"Organization": {"Id": "o-exampleorgid", "FeatureSet": "ALL"}}


def unused() -> Any:
    """Fail: this client must not be used."""
    raise AssertionError("another service is asked")


@pytest.fixture
def answers() -> Answers:
    """Return a stubbed client of Organizations."""
    return Answers("organizations")


def test_the_organization_is_read_once(answers: Answers) -> None:
    """Any number of functions may refer to it."""
    answers.say("describe_organization", ORGANIZATION)
    reader = OrganizationReader(lambda: answers.client, unused)
    assert [reader.own_organization() for _ in range(3)] == ["o-exampleorgid"] * 3


def test_an_account_outside_an_organization_has_none(answers: Answers) -> None:
    """AWS returns an error for it."""
    answers.fail("describe_organization", "AWSOrganizationsNotInUseException")
    assert OrganizationReader(lambda: answers.client, unused).own_organization() is None


def test_an_organization_whose_read_is_denied_is_unread(answers: Answers) -> None:
    """Outcomes that depend on it are unknown."""
    answers.fail("describe_organization", "AccessDeniedException")
    found = OrganizationReader(lambda: answers.client, unused).own_organization()
    assert found == Unread("organizations:DescribeOrganization", "AccessDeniedException", "no", denied=True)


# ── Denials of the organization ──────────────────────────────────────────────────────────────────────────────────────

RECEIVE, DELETE = "sqs:ReceiveMessage", "sqs:DeleteMessage"
KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/1"


def result(action: str, *, allowed: bool | None = True, missing: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return an evaluation result; `allowed` is None for an account outside an organization."""
    detail = {} if allowed is None else {"OrganizationsDecisionDetail": {"AllowedByOrganizations": allowed}}
    return {
        "EvalActionName": action,
        "EvalDecision": "allowed" if allowed else "implicitDeny",
        "MissingContextValues": list(missing),
        **detail,
    }


def denied(answers: Answers, *asked: tuple[str, str]) -> frozenset[tuple[str, str]] | Unread:
    """Return what the organization denies the role."""
    return OrganizationReader(unused, lambda: answers.client).denied(ROLE_ARN, asked, REGION)


def test_denials_of_the_organization_are_returned_by_action_and_resource(iam_answers: Answers) -> None:
    """Each resource takes one call, with the context keys that every call of Lambda has."""
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


def test_a_denial_that_depends_on_an_unknown_context_key_is_unread(iam_answers: Answers) -> None:
    """A deny for all other networks would seem to apply to every call, or to none."""
    results = [result(RECEIVE, allowed=False, missing=("aws:SourceVpc",)), result(DELETE)]
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": results})
    unread = denied(iam_answers, (RECEIVE, QUEUE_ARN), (DELETE, QUEUE_ARN))
    assert isinstance(unread, Unread)
    assert (unread.denied, "a denial depends on aws:SourceVpc" in unread.message) == (True, True)


def test_an_uncertain_denial_does_not_hide_a_certain_one(iam_answers: Answers) -> None:
    """Only the certain one is returned."""
    results = [result(RECEIVE, allowed=False, missing=("aws:SourceVpc",)), result(DELETE, allowed=False)]
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": results})
    assert denied(iam_answers, (RECEIVE, QUEUE_ARN), (DELETE, QUEUE_ARN)) == frozenset({(DELETE, QUEUE_ARN)})


def test_an_account_outside_an_organization_has_no_denials(iam_answers: Answers) -> None:
    """A permission that the role lacks is not a denial of the organization."""
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": [result(RECEIVE, allowed=None)]})
    assert denied(iam_answers, (RECEIVE, QUEUE_ARN)) == frozenset()


def test_every_page_is_read(iam_answers: Answers) -> None:
    """The simulator returns its results in pages."""
    first = {"EvaluationResults": [result(RECEIVE)], "IsTruncated": True, "Marker": "2"}
    iam_answers.say("simulate_principal_policy", first)
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": [result(DELETE, allowed=False)]})
    assert denied(iam_answers, (RECEIVE, QUEUE_ARN), (DELETE, QUEUE_ARN)) == frozenset({(DELETE, QUEUE_ARN)})


def test_a_denied_simulator_call_is_unread(iam_answers: Answers) -> None:
    """The denial says nothing about the role."""
    iam_answers.fail("simulate_principal_policy", "AccessDenied")
    unread = denied(iam_answers, (RECEIVE, QUEUE_ARN))
    assert isinstance(unread, Unread)
    assert (unread.action, unread.denied) == ("iam:SimulatePrincipalPolicy", True)


def test_a_role_deleted_meanwhile_has_no_denials(iam_answers: Answers) -> None:
    """The next check finds the role missing."""
    iam_answers.fail("simulate_principal_policy", "NoSuchEntity")
    assert denied(iam_answers, (RECEIVE, QUEUE_ARN)) == frozenset()


def test_no_actions_take_no_call(iam_answers: Answers) -> None:
    """The stubbed client would fail on a call."""
    assert denied(iam_answers) == frozenset()
