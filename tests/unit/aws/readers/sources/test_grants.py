"""A key's grants are statements of its policy: to whom they were made, for what, and what cannot be known of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.iam import EvalDecision, LambdaCall
from permission_guard.needs.base import Need, NeedKind
from permission_guard.needs.decision import decide
from tests.fakes import ACCOUNT, FUNCTION_ARN, REGION, ROLE_ARN, TARGET, a_role, allow
from tests.unit.aws.readers.sources.cases import KEY

if TYPE_CHECKING:
    from permission_guard.iam import Decision, Policy
    from permission_guard.model.state import Role, Unread
    from tests.unit.aws.readers.sources.conftest import Sources

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
DELEGATING = allow("kms:*", Principal={"AWS": ROOT})["Statement"]
DENYING = [{**statement, "Effect": "Deny", "Principal": {"AWS": ROLE_ARN}} for statement in DELEGATING]
DECRYPT = Need("kms:Decrypt", KEY, kind=NeedKind.DEPENDENCY, call=LambdaCall.POLL, purpose="to read a queue")
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE_ARN.rpartition('/')[2]}/orders"


def grant(number: int = 1, to: str = ROLE_ARN, **more: Any) -> dict[str, Any]:
    """Return a grant as ListGrants lists it."""
    return {
        "KeyId": KEY,
        "GrantId": f"{number:064x}",
        "GranteePrincipal": to,
        "RetiringPrincipal": ROOT,
        "IssuingAccount": ROOT,
        "Operations": ["Decrypt", "DescribeKey"],
        **more,
    }


def has(sources: Sources, *grants: dict[str, Any], policy: Any = DELEGATING) -> None:
    """Answer with the key's policy, and with its grants on one page."""
    document = json.dumps({"Version": "2012-10-17", "Statement": policy})
    sources.say("kms", "get_key_policy", {"Policy": document}, KeyId=KEY, PolicyName="default")
    sources.say("kms", "list_grants", {"Grants": list(grants), "Truncated": False}, KeyId=KEY, Limit=100)


def asked(policy: Policy | Unread, role: Role | None = None, need: Need = DECRYPT) -> Decision:
    """Ask whether a role, which has no policy unless said, may decrypt with the key."""
    return decide(need, role or a_role(), FUNCTION_ARN, {KEY: policy})


def test_a_grant_lets_a_role_in_of_which_no_policy_speaks_of_the_key(sources: Sources) -> None:
    """What the grant does not tell of is denied as before; the grant is found again by its id."""
    has(sources, grant(7))
    policy = sources.policy(KEY)
    assert asked(policy).allowed
    assert [statement.sid for statement in policy.statements] == [None, f"Grant{7:064x}"]
    generate = Need("kms:GenerateDataKey", KEY, kind=NeedKind.DESTINATION, call=LambdaCall.DESTINATION, purpose="")
    assert asked(policy, need=generate).decision is EvalDecision.IMPLICIT_DENY


def test_without_a_grant_the_policy_is_as_it_was(sources: Sources) -> None:
    """Known to deny a role that no policy lets in."""
    has(sources)
    policy = sources.policy(KEY)
    assert policy.document == {"Version": "2012-10-17", "Statement": DELEGATING}
    assert asked(policy).decision is EvalDecision.IMPLICIT_DENY


@pytest.mark.parametrize(
    "to",
    [
        f"{ROLE_ARN}-other",
        ROLE_ARN.replace(ACCOUNT, "111122223333"),
        f"arn:aws:iam::{ACCOUNT}:user/orders",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/another-role/orders",
        "dynamodb.us-east-1.amazonaws.com",
        "AROAEXAMPLEDEPLOYER01",
    ],
)
def test_a_grant_to_somebody_else_lets_nobody_in(sources: Sources, to: str) -> None:
    """Nor does whoever may retire a grant have any more of it."""
    has(sources, grant(to=to, RetiringPrincipal=ROLE_ARN))
    assert asked(sources.policy(KEY)).decision is EvalDecision.IMPLICIT_DENY


def test_a_grant_to_a_service_has_no_grantee_principal(sources: Sources) -> None:
    """The service is named elsewhere."""
    entry = grant(GranteeServicePrincipal="lambda.amazonaws.com")
    del entry["GranteePrincipal"]
    has(sources, entry)
    assert asked(sources.policy(KEY)).decision is EvalDecision.IMPLICIT_DENY


def test_grants_are_read_to_the_last_page(sources: Sources) -> None:
    """A key may have many, of which few are to roles."""
    document = json.dumps({"Version": "2012-10-17", "Statement": DELEGATING[0]})
    pages: list[dict[str, Any]] = [
        {"Grants": [grant(1, f"{ROLE_ARN}-other")], "Truncated": True, "NextMarker": "more"},
        {"Grants": [grant(2)], "Truncated": False},
    ]
    sources.say("kms", "get_key_policy", {"Policy": document})
    sources.say("kms", "list_grants", pages[0], KeyId=KEY, Limit=100)
    sources.say("kms", "list_grants", pages[1], KeyId=KEY, Limit=100, Marker="more")
    assert asked(sources.policy(KEY)).allowed
    assert len(sources.policy(KEY).statements) == 3
    assert sources.made == ["kms", "kms"]


def test_of_very_many_grants_nobody_tells_whom_they_let_in(sources: Sources) -> None:
    """After two thousand of them the rest is let alone, and asking again would not help."""
    document = json.dumps({"Version": "2012-10-17", "Statement": DELEGATING[0]})
    sources.say("kms", "get_key_policy", {"Policy": document})
    for number in range(21):
        page = {"Grants": [grant(number, f"{ROLE_ARN}-other")], "Truncated": True, "NextMarker": str(number)}
        sources.say("kms", "list_grants", page)
    policy = sources.unread_policy(KEY)
    assert (policy.action, policy.code, policy.denied) == ("kms:ListGrants", "TooMany", True)
    assert asked(policy).decision is EvalDecision.CONDITIONAL


@pytest.mark.parametrize(
    ("constraints", "hinge"),
    [
        ({"EncryptionContextEquals": {"aws:sqs:arn": "arn:aws:sqs:us-east-1:123456789012:q"}}, "aws:sqs:arn"),
        ({"EncryptionContextSubset": {"Department": "${IT}"}}, "department"),
        ({"SourceArn": "arn:aws:sqs:us-east-1:123456789012:q"}, "aws:sourcearn"),
    ],
)
def test_what_a_grant_asks_of_a_call_is_not_known(sources: Sources, constraints: dict[str, Any], hinge: str) -> None:
    """It may let the role in or not."""
    has(sources, grant(Constraints=constraints))
    decision = asked(sources.policy(KEY))
    assert decision.decision is EvalDecision.CONDITIONAL
    assert any(hinge in key.lower() for key in decision.unknown_keys)


def test_constraints_that_ask_nothing_are_none(sources: Sources) -> None:
    """An empty map is as good as none."""
    has(sources, grant(Constraints={"EncryptionContextSubset": {}}))
    assert asked(sources.policy(KEY)).allowed


@pytest.mark.parametrize("name", ["aws:lambda:FunctionArn", "aws:lambda:functionarn"])
def test_a_grant_for_environment_variables_is_for_nothing_else(sources: Sources, name: str) -> None:
    """Lambda makes one of each role whose function has a customer's key; a queue's messages are not encrypted so."""
    has(sources, grant(Constraints={"EncryptionContextEquals": {name: FUNCTION_ARN}}))
    assert asked(sources.policy(KEY)).decision is EvalDecision.IMPLICIT_DENY


def test_a_grant_to_one_session_of_the_role_may_let_it_in(sources: Sources) -> None:
    """Lambda calls in sessions whose names nobody knows."""
    has(sources, grant(to=SESSION))
    assert asked(sources.policy(KEY)).decision is EvalDecision.CONDITIONAL


def test_an_explicit_deny_wins_over_a_grant(sources: Sources) -> None:
    """In the key's policy, and in one of the role."""
    has(sources, grant(), policy=[*DELEGATING, *DENYING])
    assert asked(sources.policy(KEY)).decision is EvalDecision.EXPLICIT_DENY
    sources.reader.forget()
    has(sources, grant())
    own = {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}
    role = a_role({"Version": "2012-10-17", "Statement": [own]})
    assert asked(sources.policy(KEY), role).decision is EvalDecision.EXPLICIT_DENY


@pytest.mark.parametrize(("code", "denied"), [("AccessDeniedException", True), ("ThrottlingException", False)])
def test_grants_that_cannot_be_read_leave_open_whom_the_key_lets_in(sources: Sources, code: str, denied: bool) -> None:
    """Neither does the policy alone deny; the reason names what the bot may not do."""
    document = json.dumps({"Version": "2012-10-17", "Statement": DELEGATING})
    sources.say("kms", "get_key_policy", {"Policy": document})
    sources.fail("kms", "list_grants", code)
    for _ in range(2):
        unread = sources.unread_policy(KEY)
        assert (unread.action, unread.code, unread.denied) == ("kms:ListGrants", code, denied)
    decision = asked(unread)
    assert decision.decision is EvalDecision.CONDITIONAL
    assert "kms:ListGrants" in " ".join(decision.reasons)
    assert sources.made == ["kms", "kms"]


def test_grants_in_a_shape_that_is_not_documented_are_not_read(sources: Sources) -> None:
    """Asking again would not help."""
    has(sources, {"GranteePrincipal": ROLE_ARN, "Operations": ["Decrypt"]})
    unread = sources.unread_policy(KEY)
    assert (unread.action, unread.code, unread.denied) == ("kms:ListGrants", "MalformedReply", True)


def test_a_key_that_went_between_the_calls_has_no_grants(sources: Sources) -> None:
    """Its policy is what was read."""
    document = json.dumps({"Version": "2012-10-17", "Statement": DELEGATING})
    sources.say("kms", "get_key_policy", {"Policy": document})
    sources.fail("kms", "list_grants", "NotFoundException")
    assert len(sources.policy(KEY).statements) == 1


def test_a_policy_that_nobody_understands_stays_so_whatever_the_grants(sources: Sources) -> None:
    """It may deny."""
    sources.say("kms", "get_key_policy", {"Policy": "not JSON"})
    sources.say("kms", "list_grants", {"Grants": [grant()]})
    assert sources.policy(KEY).unreadable


def test_another_region_s_key_has_grants_that_nobody_asks_for(sources: Sources) -> None:
    """Nor its policy."""
    assert sources.reader.policy(KEY.replace(REGION, "eu-west-1"), TARGET)
    assert sources.made == []
