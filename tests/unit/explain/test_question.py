"""One question: whether a principal, for a source, may invoke the function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from permission_guard.errors import InputError
from permission_guard.explain.explanation import Answer
from permission_guard.explain.question import may_invoke
from permission_guard.model.state import FunctionUrl, Inventory, Unread
from tests.fakes import ACCOUNT, FUNCTION_ARN, statement
from tests.unit.explain.accounts import (
    FOREIGN_ROLE,
    INVOKE,
    INVOKE_URL,
    LIST_DENIED,
    OTHER_ACCOUNT,
    POLICY_DENIED,
    ROLE,
    URL,
    USER,
    a_caller,
    a_state,
    granting,
    policy_on,
)

if TYPE_CHECKING:
    from permission_guard.explain.state import FunctionState

BUCKET = "arn:aws:s3:::photos"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:news"
FROM_BUCKET = {"ArnLike": {"aws:SourceArn": BUCKET}}
FROM_OWN_BUCKET = {**FROM_BUCKET, "StringEquals": {"aws:SourceAccount": ACCOUNT}}
S3 = {"Service": "s3.amazonaws.com"}
ANYONE_BY_URL = (
    granting("*", INVOKE_URL, Sid="url", Condition={"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}),
    granting("*", INVOKE, Sid="via", Condition={"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}),
)
PUBLIC_URL = {"function_urls": (FunctionUrl(None, URL, "NONE"),)}
SIGNED_URL = {"function_urls": (FunctionUrl(None, URL, "AWS_IAM"),)}
OWN_BUCKETS = {"inventories": (Inventory("s3", "s3.amazonaws.com", frozenset({BUCKET})),)}


@dataclass(frozen=True)
class Case:
    """An account, a question about it, and the right answer with a part of its reason."""

    state: FunctionState
    principal: str
    answer: str
    reason: str
    source: str = ""


def from_role(*statements: object, answer: str, reason: str, policies: tuple[object, ...] = (), **more: object) -> Case:
    """Return the question whether the role of the account may invoke the function."""
    state = a_state(*policies, callers=(a_caller(*statements, **more),))  # type: ignore[arg-type] # of a_caller and a_state
    return Case(state, ROLE, answer, reason)


BY_ROLE = policy_on(granting({"AWS": ROLE}))
BY_FOREIGN_ROLE = policy_on(granting({"AWS": FOREIGN_ROLE}))

CASES = {
    "the same account, by the identity's side alone": from_role(
        statement(INVOKE, resource=FUNCTION_ARN, Sid="own"),
        answer="allowed",
        reason="statement 'own' of the identity policy 'inline'",
    ),
    "the same account, by the function's side alone": from_role(
        policies=(BY_ROLE,), answer="allowed", reason="statement 'granted' of the resource policy"
    ),
    "the same account, by neither side": from_role(
        statement("lambda:GetFunction"), answer="denied", reason="no identity-based policy allows it"
    ),
    "the account in the function's policy delegates, and does not allow": from_role(
        policies=(policy_on(granting({"AWS": ACCOUNT})),), answer="denied", reason="no identity-based policy allows it"
    ),
    "an explicit deny of the identity": from_role(
        statement(INVOKE),
        statement(INVOKE, effect="Deny", Sid="never"),
        answer="denied",
        reason="Explicitly denied by statement 'never' of the identity policy",
    ),
    "an explicit deny of the function": from_role(
        statement(INVOKE),
        policies=(policy_on(granting({"AWS": ROLE}, effect="Deny")),),
        answer="denied",
        reason="Explicitly denied by statement 'granted' of the resource policy",
    ),
    "a boundary that does not allow": from_role(
        statement(INVOKE),
        boundary=statement("s3:*"),
        answer="denied",
        reason="the permissions boundary does not allow it",
    ),
    "a boundary that was not read": from_role(
        statement(INVOKE),
        boundary=LIST_DENIED,
        answer="unknown",
        reason="the permissions boundary could not be read",
    ),
    "a condition that a call decides": from_role(
        statement(INVOKE, Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
        answer="unknown",
        reason="the unknown condition key aws:SourceIp",
    ),
    "a condition on a tag that the role has": from_role(
        statement(INVOKE, Condition={"StringEquals": {"aws:PrincipalTag/team": "shop"}}),
        tags={"team": "shop"},
        answer="allowed",
        reason="statement 1 of the identity policy",
    ),
    "a condition on a tag that a session can change": from_role(
        statement(INVOKE, Condition={"StringEquals": {"aws:PrincipalTag/team": "shop"}}),
        tags={"team": "books"},
        trust={
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
            ],
        },
        answer="unknown",
        reason="aws:PrincipalTag/team",
    ),
    "a policy of the role that was not read": from_role(
        unread=LIST_DENIED, answer="unknown", reason="an identity policy could not be read"
    ),
    "a condition that only services satisfy": from_role(
        statement(INVOKE, Condition={"ArnLike": {"aws:SourceArn": TOPIC}}),
        answer="denied",
        reason="no identity-based policy allows it",
    ),
    "a condition on a tag of the function": Case(
        a_state(
            callers=(a_caller(statement(INVOKE, Condition={"StringEquals": {"aws:ResourceTag/team": "shop"}})),),
            tags={"team": "shop"},
        ),
        ROLE,
        "allowed",
        "statement 1 of the identity policy",
    ),
    "a user": Case(a_state(callers=(a_caller(statement("lambda:*"), arn=USER),)), USER, "allowed", "identity policy"),
    "a session of a role": Case(
        a_state(callers=(a_caller(statement(INVOKE)),)),
        f"arn:aws:sts::{ACCOUNT}:assumed-role/caller/deploy",
        "allowed",
        "identity policy",
    ),
    "only a version by its number": Case(
        a_state(callers=(a_caller(statement(INVOKE, resource=f"{FUNCTION_ARN}:7")),), versions=("6", "7")),
        ROLE,
        "allowed",
        "For version 7: Allowed by statement 1",
    ),
    "a version that does not exist": Case(
        a_state(callers=(a_caller(statement(INVOKE, resource=f"{FUNCTION_ARN}:7")),), versions=("6",)),
        ROLE,
        "denied",
        "no identity-based policy allows it",
    ),
    "a version, and which exist was not read": Case(
        a_state(callers=(a_caller(statement(INVOKE, resource=f"{FUNCTION_ARN}:7")),), versions=None),
        ROLE,
        "unknown",
        "Which of them exist was not read",
    ),
    "every version and alias, and which exist was not read": Case(
        a_state(callers=(a_caller(statement(INVOKE, resource=f"{FUNCTION_ARN}:*")),), versions=None),
        ROLE,
        "unknown",
        "Which of them exist was not read",
    ),
    "an alias without a policy of its own": Case(
        a_state(callers=(a_caller(statement(INVOKE, resource=f"{FUNCTION_ARN}:live")),), aliases=("live",)),
        ROLE,
        "allowed",
        "statement 1 of the identity policy",
    ),
    "a version that only the boundary does not allow": Case(
        a_state(callers=(a_caller(statement(INVOKE), boundary=statement("s3:*")),), versions=None),
        ROLE,
        "denied",
        "the permissions boundary does not allow it",
    ),
    "a version of another function": Case(
        a_state(callers=(a_caller(statement(INVOKE, resource=f"{FUNCTION_ARN}-2:*")),), versions=None),
        ROLE,
        "denied",
        "no identity-based policy allows it",
    ),
    "the account's roles were not read": Case(
        a_state(unread=LIST_DENIED), ROLE, "unknown", "iam:GetAccountAuthorizationDetails"
    ),
    "the account's roles were not read, and the function's policy allows": Case(
        a_state(BY_ROLE, unread=LIST_DENIED), ROLE, "unknown", "iam:GetAccountAuthorizationDetails"
    ),
    "another account, allowed by the function": Case(
        a_state(BY_FOREIGN_ROLE), FOREIGN_ROLE, "unknown", f"Account {OTHER_ACCOUNT} must allow it too"
    ),
    "another account, not allowed by the function": Case(
        a_state(), FOREIGN_ROLE, "denied", "Another account needs the function's policy and a policy of its own."
    ),
    "another account as a whole": Case(
        a_state(policy_on(granting({"AWS": OTHER_ACCOUNT}))),
        OTHER_ACCOUNT,
        "allowed",
        f"A role or user of account {OTHER_ACCOUNT} also needs a policy of its own.",
    ),
    "another account, and the function's policy was not read": Case(
        a_state(POLICY_DENIED), FOREIGN_ROLE, "unknown", "lambda:GetPolicy"
    ),
    "a service for its source": Case(
        a_state(policy_on(granting(S3, Condition=FROM_OWN_BUCKET)), invokes=OWN_BUCKETS),
        "s3.amazonaws.com",
        "allowed",
        "statement 'granted'",
        BUCKET,
    ),
    "a service for another source": Case(
        a_state(policy_on(granting(S3, Condition=FROM_BUCKET))),
        "s3.amazonaws.com",
        "denied",
        "the resource's own policy does not allow it",
        "arn:aws:s3:::other",
    ),
    "a service for a source with an unknown owner": Case(
        a_state(policy_on(granting(S3, Condition=FROM_OWN_BUCKET))),
        "s3.amazonaws.com",
        "unknown",
        f"The account that owns {BUCKET} is unknown.",
        BUCKET,
    ),
    "a service without a source": Case(
        a_state(policy_on(granting(S3, Condition=FROM_BUCKET))),
        "s3.amazonaws.com",
        "unknown",
        "Name the source with --source.",
    ),
    "a service that no condition restricts": Case(
        a_state(policy_on(granting(S3))), "s3.amazonaws.com", "allowed", "statement 'granted'"
    ),
    "a service that no statement names": Case(
        a_state(policy_on(granting(S3))), "sns.amazonaws.com", "denied", "does not allow it", TOPIC
    ),
    "a service with another's source": Case(
        a_state(policy_on(granting(S3))), "s3.amazonaws.com", "denied", "never calls for", TOPIC
    ),
    "a service without a policy": Case(a_state(), "sns.amazonaws.com", "denied", "no resource-based policy", TOPIC),
    "a service, and the policy was not read": Case(
        a_state(POLICY_DENIED), "sns.amazonaws.com", "unknown", "lambda:GetPolicy", TOPIC
    ),
    "a service that polls": Case(
        a_state(policy_on(granting({"Service": "sqs.amazonaws.com"}))),
        "sqs.amazonaws.com",
        "denied",
        "Lambda polls its queue with the function's execution role",
    ),
    "a service with a role of its own": Case(
        a_state(policy_on(granting({"Service": "scheduler.amazonaws.com"}))),
        "scheduler.amazonaws.com",
        "denied",
        "Give the ARN of that role with --principal",
    ),
    "only an alias": Case(
        a_state(policy_on(granting(S3, arn=f"{FUNCTION_ARN}:live"), qualifier="live")),
        "s3.amazonaws.com",
        "allowed",
        "statement 'granted'",
    ),
    "only an alias, and the question is about the function itself": Case(
        a_state(policy_on(granting(S3, arn=f"{FUNCTION_ARN}:live"), qualifier="live"), qualifier="$LATEST"),
        "s3.amazonaws.com",
        "denied",
        "There is no resource-based policy",
    ),
    "an alias that the function's own policy does not cover": Case(
        a_state(policy_on(granting(S3)), qualifier="live"), "s3.amazonaws.com", "denied", "no resource-based policy"
    ),
    "anyone, by the Invoke API": Case(a_state(policy_on(granting("*"))), "*", "allowed", "statement 'granted'"),
    "anyone, by both halves of a public URL": Case(
        a_state(policy_on(*ANYONE_BY_URL), invokes=PUBLIC_URL), "*", "allowed", "statement 'via'"
    ),
    "anyone, by one half of a public URL": Case(
        a_state(policy_on(ANYONE_BY_URL[0]), invokes=PUBLIC_URL), "*", "denied", "does not allow it"
    ),
    "anyone, and nothing is public": Case(a_state(policy_on(granting(S3))), "*", "denied", "does not allow it"),
    "a role, by a URL with AWS_IAM that needs both actions": Case(
        a_state(callers=(a_caller(statement(INVOKE_URL)),), invokes=SIGNED_URL),
        ROLE,
        "denied",
        "no identity-based policy allows it",
    ),
    "the aliases were not read": Case(
        a_state(aliases=Unread("lambda:ListAliases", "AccessDenied", "no", denied=True)),
        "sns.amazonaws.com",
        "unknown",
        "The aliases were not read",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_answer_is_right(case: Case) -> None:
    """For each small account."""
    found = may_invoke(case.state, case.principal, case.source)
    assert (str(found.answer), case.reason in found.reason) == (case.answer, True), found.reason


def test_every_answer_occurs() -> None:
    """So that the table shows each of them."""
    assert {case.answer for case in CASES.values()} == set(Answer)


def test_each_way_has_its_own_answer() -> None:
    """A grant on an alias does not cover the function itself."""
    state = a_state(policy_on(granting(S3, arn=f"{FUNCTION_ARN}:live"), qualifier="live"))
    found = may_invoke(state, "s3.amazonaws.com")
    assert [(way.resource_arn, str(way.answer)) for way in found.ways] == [
        (FUNCTION_ARN, "denied"),
        (f"{FUNCTION_ARN}:live", "allowed"),
    ]


@pytest.mark.parametrize(
    ("principal", "source", "message"),
    [
        ("nobody", "", "--principal requires"),
        (f"arn:aws:iam::{ACCOUNT}:role/absent", "", "does not exist in account 123456789012"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/absent/x", "", "does not exist"),
        (ROLE, BUCKET, "--source applies only"),
        ("s3.amazonaws.com", "photos", "--source requires the ARN"),
    ],
)
def test_a_question_that_makes_no_sense_is_an_error(principal: str, source: str, message: str) -> None:
    """A role that does not exist is not one that is denied."""
    with pytest.raises(InputError, match=message):
        may_invoke(a_state(callers=(a_caller(),)), principal, source)
