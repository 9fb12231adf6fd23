"""The condition keys that AWS derives from the caller and the resource."""

from __future__ import annotations

import pytest

from permission_guard.iam import ABSENT, UNKNOWN, Context, Principal, Request
from permission_guard.iam.request import lookup_of

QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
ROLE = Principal.role("arn:aws:iam::123456789012:role/r")
SESSION = Principal.session("arn:aws:sts::123456789012:assumed-role/r/s")
USER = Principal.user("arn:aws:iam::123456789012:user/team/ann")
SNS = Principal.service("sns.amazonaws.com")


@pytest.mark.parametrize(
    ("principal", "key", "expected"),
    [
        (ROLE, "aws:principalarn", ROLE.arn),
        (SESSION, "aws:principalarn", UNKNOWN),
        (USER, "aws:principalarn", USER.arn),
        (SNS, "aws:principalarn", ABSENT),
        (ROLE, "aws:principalaccount", "123456789012"),
        (SNS, "aws:principalaccount", ABSENT),
        (Principal.anonymous(), "aws:principalaccount", UNKNOWN),
        (ROLE, "aws:principaltype", "AssumedRole"),
        (USER, "aws:principaltype", "User"),
        (Principal.root("123456789012"), "aws:principaltype", "Account"),
        (ROLE, "aws:principalisawsservice", "false"),
        (SNS, "aws:principalisawsservice", "true"),
        (SNS, "aws:principalservicename", "sns.amazonaws.com"),
        (ROLE, "aws:principalservicename", ABSENT),
        (SNS, "aws:principaltag/team", ABSENT),
        (ROLE, "aws:principaltag/team", UNKNOWN),
        (USER, "aws:username", "ann"),
        (ROLE, "aws:username", ABSENT),
        (Principal.root("123456789012"), "aws:username", UNKNOWN),
        (ROLE, "aws:resourceaccount", "123456789012"),
        (ROLE, "aws:sourceip", UNKNOWN),
    ],
)
def test_a_key_that_the_context_does_not_name_is_derived(principal: Principal, key: str, expected: object) -> None:
    """If AWS always sends it, or never does."""
    assert lookup_of(Request(principal, "sqs:SendMessage", QUEUE))(key) == expected


def test_a_key_that_the_context_names_is_not_derived() -> None:
    """Known, absent or unknown. Nothing is derived if the default is absent."""
    context = Context({"aws:PrincipalArn": "x"}, absent=["aws:PrincipalType"], unknown=["aws:PrincipalAccount"])
    lookup = lookup_of(Request(ROLE, "sqs:SendMessage", QUEUE, context))
    found = [lookup(f"aws:principal{name}") for name in ("arn", "type", "account")]
    assert found == ["x", ABSENT, UNKNOWN]
    closed = lookup_of(Request(ROLE, "sqs:SendMessage", QUEUE, Context(default=ABSENT)))
    assert closed("aws:principalarn") is ABSENT


def test_the_account_of_a_bucket_is_unknown() -> None:
    """Its ARN contains none."""
    assert lookup_of(Request(ROLE, "s3:GetObject", "arn:aws:s3:::b/k"))("aws:resourceaccount") is UNKNOWN
