"""A key's grants become statements of its policy: their grantee, operations and constraints."""

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
    """Return a grant as ListGrants returns it."""
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
    """Answer with the key's policy and one page of grants."""
    document = json.dumps({"Version": "2012-10-17", "Statement": policy})
    sources.say("kms", "get_key_policy", {"Policy": document}, KeyId=KEY, PolicyName="default")
    sources.say("kms", "list_grants", {"Grants": list(grants), "Truncated": False}, KeyId=KEY, Limit=100)


def asked(policy: Policy | Unread, role: Role | None = None, need: Need = DECRYPT) -> Decision:
    """Return whether a role, by default without policies, may decrypt with the key."""
    return decide(need, role or a_role(), FUNCTION_ARN, {KEY: policy})


def test_a_grant_allows_a_role_that_no_policy_allows(sources: Sources) -> None:
    """Other operations stay denied. The statement's Sid is the id of the grant."""
    has(sources, grant(7))
    policy = sources.policy(KEY)
    assert asked(policy).allowed
    assert [statement.sid for statement in policy.statements] == [None, f"Grant{7:064x}"]
    generate = Need("kms:GenerateDataKey", KEY, kind=NeedKind.DESTINATION, call=LambdaCall.DESTINATION, purpose="")
    assert asked(policy, need=generate).decision is EvalDecision.IMPLICIT_DENY


def test_without_grants_the_key_policy_is_unchanged(sources: Sources) -> None:
    """A role that no policy allows is denied."""
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
def test_a_grant_to_another_principal_does_not_allow_the_role(sources: Sources, to: str) -> None:
    """The retiring principal may only retire the grant."""
    has(sources, grant(to=to, RetiringPrincipal=ROLE_ARN))
    assert asked(sources.policy(KEY)).decision is EvalDecision.IMPLICIT_DENY


def test_a_grant_to_a_service_has_no_grantee_principal(sources: Sources) -> None:
    """ListGrants names the service in another field."""
    entry = grant(GranteeServicePrincipal="lambda.amazonaws.com")
    del entry["GranteePrincipal"]
    has(sources, entry)
    assert asked(sources.policy(KEY)).decision is EvalDecision.IMPLICIT_DENY


def test_all_pages_of_grants_are_read(sources: Sources) -> None:
    """A key may have many grants, few of them to roles."""
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


def test_a_key_with_too_many_grants_is_unread(sources: Sources) -> None:
    """The reader stops after two thousand grants, and a retry would not help."""
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
def test_a_grant_with_constraints_makes_the_outcome_conditional(
    sources: Sources, constraints: dict[str, Any], hinge: str
) -> None:
    """The encryption context of a call is unknown before it is made."""
    has(sources, grant(Constraints=constraints))
    decision = asked(sources.policy(KEY))
    assert decision.decision is EvalDecision.CONDITIONAL
    assert any(hinge in key.lower() for key in decision.unknown_keys)


def test_empty_constraints_are_ignored(sources: Sources) -> None:
    """An empty map constrains nothing."""
    has(sources, grant(Constraints={"EncryptionContextSubset": {}}))
    assert asked(sources.policy(KEY)).allowed


@pytest.mark.parametrize("name", ["aws:lambda:FunctionArn", "aws:lambda:functionarn"])
def test_a_grant_for_environment_variables_allows_nothing_else(sources: Sources, name: str) -> None:
    """Lambda creates one for each function with a customer managed key. It does not apply to messages of a queue."""
    has(sources, grant(Constraints={"EncryptionContextEquals": {name: FUNCTION_ARN}}))
    assert asked(sources.policy(KEY)).decision is EvalDecision.IMPLICIT_DENY


def test_a_grant_to_one_session_of_the_role_makes_the_outcome_conditional(sources: Sources) -> None:
    """The names of the sessions in which Lambda calls are unknown."""
    has(sources, grant(to=SESSION))
    assert asked(sources.policy(KEY)).decision is EvalDecision.CONDITIONAL


def test_an_explicit_deny_wins_over_a_grant(sources: Sources) -> None:
    """The deny may be in the key policy or in a policy of the role."""
    has(sources, grant(), policy=[*DELEGATING, *DENYING])
    assert asked(sources.policy(KEY)).decision is EvalDecision.EXPLICIT_DENY
    sources.reader.forget()
    has(sources, grant())
    own = {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}
    role = a_role({"Version": "2012-10-17", "Statement": [own]})
    assert asked(sources.policy(KEY), role).decision is EvalDecision.EXPLICIT_DENY


@pytest.mark.parametrize(("code", "denied"), [("AccessDeniedException", True), ("ThrottlingException", False)])
def test_grants_that_cannot_be_read_make_the_outcome_conditional(sources: Sources, code: str, denied: bool) -> None:
    """The key policy alone cannot decide. The reason names the bot's missing permission."""
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


def test_malformed_grants_are_unread(sources: Sources) -> None:
    """A retry would not help."""
    has(sources, {"GranteePrincipal": ROLE_ARN, "Operations": ["Decrypt"]})
    unread = sources.unread_policy(KEY)
    assert (unread.action, unread.code, unread.denied) == ("kms:ListGrants", "MalformedReply", True)


def test_a_key_deleted_between_the_calls_has_no_grants(sources: Sources) -> None:
    """Its policy was read before."""
    document = json.dumps({"Version": "2012-10-17", "Statement": DELEGATING})
    sources.say("kms", "get_key_policy", {"Policy": document})
    sources.fail("kms", "list_grants", "NotFoundException")
    assert len(sources.policy(KEY).statements) == 1


def test_a_malformed_key_policy_stays_unreadable_with_grants(sources: Sources) -> None:
    """The policy may deny what a grant allows."""
    sources.say("kms", "get_key_policy", {"Policy": "not JSON"})
    sources.say("kms", "list_grants", {"Grants": [grant()]})
    assert sources.policy(KEY).unreadable


def test_grants_of_a_key_in_another_region_are_not_requested(sources: Sources) -> None:
    """The key policy is not requested either."""
    assert sources.reader.policy(KEY.replace(REGION, "eu-west-1"), TARGET)
    assert sources.made == []
