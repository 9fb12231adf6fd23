"""The condition keys of calls with an execution role. The case tables cover their effect on decisions."""

from __future__ import annotations

import pytest

from permission_guard.iam import ABSENT, UNKNOWN, Context, LambdaCall, execution_role_context

ROLE = "arn:aws:iam::123456789012:role/r"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


def context(call: LambdaCall = LambdaCall.CODE, **more: object) -> Context:
    """Return the context of a call."""
    given = {"role_arn": ROLE, "account": "123456789012", "region": "us-east-1", **more}
    return execution_role_context(call, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("call", LambdaCall)
def test_the_source_function_is_present_absent_or_unknown(call: LambdaCall) -> None:
    """It is unknown where AWS does not document it. It never has a qualifier."""
    expected = {
        LambdaCall.POLL: ABSENT,
        LambdaCall.NETWORK_INTERFACE: ABSENT,
        LambdaCall.ENVIRONMENT_KEY: ABSENT,
        LambdaCall.DESTINATION: UNKNOWN,
    }.get(call, FUNCTION)
    assert context(call, function_arn=f"{FUNCTION}:live").lookup("lambda:sourcefunctionarn") == expected


@pytest.mark.parametrize("call", LambdaCall)
def test_the_role_s_own_calls_are_not_made_by_a_service(call: LambdaCall) -> None:
    """Unless a service calls with the role's permissions: such keys can be given, or be unknown."""
    own = context(call)
    assert own.lookup("aws:viaawsservice") == "false"
    assert {own.lookup(f"aws:calledvia{end}") for end in ("", "first", "last")} == {ABSENT}
    other = context(call, known={"aws:ViaAWSService": True}, unknown=["aws:CalledVia"])
    assert other.lookup("aws:viaawsservice") == "true"
    assert other.lookup("aws:calledvia") is UNKNOWN
    assert other.lookup("aws:calledviafirst") is ABSENT


def test_tags_that_were_read_are_complete() -> None:
    """Any other tag is absent. Tags that were not read are unknown."""
    read = context(tags={"Team": "a"})
    assert read.lookup("aws:principaltag/team") == "a"
    assert read.lookup("aws:principaltag/other") is ABSENT
    assert context().lookup("aws:principaltag/team") is UNKNOWN


def test_keys_can_be_added_and_replaced() -> None:
    """As known or absent keys, and without regard to case."""
    more = context(known={"AWS:RequestedRegion": "eu-west-1", "aws:ResourceTag/a": "b"}, absent=["aws:principaltype"])
    assert more.lookup("aws:requestedregion") == "eu-west-1"
    assert more.lookup("aws:resourcetag/a") == "b"
    assert more.lookup("aws:principaltype") is ABSENT
    assert more.lookup("aws:resourcetag/c") is UNKNOWN


def test_accounts_and_organizations_can_be_given() -> None:
    """Otherwise they are unknown."""
    assert context(resource_account="1", organization="o-1").lookup("aws:resourceaccount") == "1"
    assert context(organization="o-1").lookup("aws:principalorgid") == "o-1"
    assert context().lookup("aws:principalorgid") is UNKNOWN
