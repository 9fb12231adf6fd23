"""What Lambda may do with an execution role."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.iam import EvalDecision, LambdaCall
from permission_guard.needs.base import Need
from permission_guard.needs.decision import decide, policies_of, sources_in_question, states_in_question
from tests.fakes import DENIED, FUNCTION_ARN, QUEUE_ARN, ROLE_ARN, THROTTLED, a_policy, a_role, allow

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:orders-1a2B3c"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
TOPICS = "arn:aws:kafka:us-east-1:123456789012:topic/orders/1/*"
RECEIVE = Need("sqs:ReceiveMessage", QUEUE_ARN)


def denied(resource: str, element: str = "Resource") -> dict[str, Any]:
    """Return a document that denies everything on a resource, or on all but that."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", element: resource}]}


def allows(**condition: dict[str, str]) -> bool:
    """Tell whether a role may receive under a condition."""
    role = a_role(allow("sqs:ReceiveMessage", Condition=condition), tags={"team": "orders"})
    return decide(RECEIVE, role, FUNCTION_ARN, {}).allowed


def test_the_keys_that_lambda_sends_when_it_polls_are_known() -> None:
    """Who calls, for whose resource, in which region, and with which tags."""
    assert allows(ArnLike={"aws:PrincipalArn": "arn:aws:iam::123456789012:role/service-role/*"})
    assert allows(StringEquals={"aws:RequestedRegion": "us-east-1"})
    assert allows(StringEquals={"aws:ResourceAccount": "123456789012"})
    assert allows(StringEquals={"aws:PrincipalTag/team": "orders"})
    assert allows(Bool={"aws:SecureTransport": "true"})


def test_keys_with_other_values_are_known_not_to_match() -> None:
    """These are certain denials, not unknowns."""
    for condition in (
        {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
        {"StringEquals": {"aws:ResourceAccount": "111122223333"}},
        {"StringEquals": {"aws:PrincipalTag/team": "invoices"}},
        {"ArnLike": {"lambda:SourceFunctionArn": FUNCTION_ARN}},
    ):
        role = a_role(allow("sqs:ReceiveMessage", Condition=condition), tags={"team": "orders"})
        assert decide(RECEIVE, role, FUNCTION_ARN, {}).denied


def test_a_resource_without_an_account_leaves_the_account_unknown() -> None:
    """A bucket's ARN has none: nobody can tell whose it is."""
    role = a_role(allow("s3:GetObject", Condition={"StringEquals": {"aws:ResourceAccount": "123456789012"}}))
    decision = decide(Need("s3:GetObject", "arn:aws:s3:::example-uploads/a"), role, FUNCTION_ARN, {})
    assert not decision.allowed
    assert not decision.denied
    assert decision.unknown_keys == ("aws:ResourceAccount",)


def test_all_policies_of_a_role_are_put_together() -> None:
    """Managed and inline, the boundary, and those that could not be read."""
    managed, boundary = a_policy(allow("sqs:*"), "managed"), a_policy(allow("*"), "limits")
    role = a_role(allow("logs:*"), attached={"arn:a": managed, "arn:b": DENIED}, boundary=boundary)
    policies = policies_of(role)
    assert policies.identity == (managed, role.inline["inline-0"])
    assert policies.unread == (str(DENIED),)
    assert (policies.boundary, policies.boundary_unread) == (boundary, "")


def test_a_boundary_that_could_not_be_read_is_not_one_that_is_not_there() -> None:
    """It stays a possible cause."""
    policies = policies_of(a_role(boundary=THROTTLED))
    assert policies.boundary is None
    assert policies.boundary_unread == str(THROTTLED)
    assert policies_of(a_role()).boundary_unread == ""


def test_the_source_s_own_policy_is_part_of_the_decision() -> None:
    """Of the source that the action is taken on, and of no other."""
    document = allow("sqs:*", resource=QUEUE_ARN, Principal={"AWS": ROLE_ARN})
    own = a_policy(document)
    assert decide(RECEIVE, a_role(), FUNCTION_ARN, {QUEUE_ARN: own}).allowed
    assert decide(RECEIVE, a_role(), FUNCTION_ARN, {QUEUE_ARN: None}).denied
    assert decide(RECEIVE, a_role(), FUNCTION_ARN, {f"{QUEUE_ARN}-2": own}).denied


def test_a_source_s_policy_that_could_not_be_read_may_allow_and_may_deny() -> None:
    """Neither a violation nor a pass, unless the role's policies deny."""
    for role in (a_role(), a_role(allow("sqs:*"))):
        decision = decide(RECEIVE, role, FUNCTION_ARN, {QUEUE_ARN: THROTTLED})
        assert not decision.allowed
        assert not decision.denied
        assert str(THROTTLED) in decision.explain()
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}]}
    assert decide(RECEIVE, a_role(deny), FUNCTION_ARN, {QUEUE_ARN: THROTTLED}).denied


def test_a_source_is_in_question_where_the_role_s_policies_leave_it_open() -> None:
    """Not where they allow, nor where they deny explicitly: that is one call less for nearly every function."""
    foreign = Need("sqs:ReceiveMessage", QUEUE_ARN.replace("123456789012", "111122223333"))
    delete = Need("sqs:DeleteMessage", QUEUE_ARN)
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}]}
    unclear = allow("sqs:*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})
    for role, needs, expected in (
        (a_role(), (RECEIVE, delete), (QUEUE_ARN,)),
        (a_role(allow("sqs:ReceiveMessage")), (RECEIVE,), ()),
        (a_role(allow("sqs:ReceiveMessage")), (RECEIVE, delete), (QUEUE_ARN,)),
        (a_role(allow("sqs:*"), deny), (RECEIVE, delete), ()),
        (a_role(unclear), (RECEIVE,), (QUEUE_ARN,)),
        (a_role(allow("sqs:*")), (RECEIVE, foreign), (foreign.resource,)),
    ):
        assert sources_in_question(needs, role, FUNCTION_ARN) == expected


def test_only_what_has_a_policy_that_can_be_read_is_in_question() -> None:
    """Of clusters nobody reads them; what is only recommended is never missing."""
    needs = [
        Need("secretsmanager:GetSecretValue", SECRET),
        Need("kafka:GetBootstrapBrokers", "arn:aws:kafka:us-east-1:123456789012:cluster/orders/1"),
        Need("ec2:CreateNetworkInterface", "*"),
        Need("sns:Publish", "arn:aws:sns:us-east-1:123456789012:orders", recommended=True),
        RECEIVE,
    ]
    assert sources_in_question(needs, a_role(), FUNCTION_ARN) == (SECRET, QUEUE_ARN)


def test_each_of_the_places_that_will_do_is_in_question() -> None:
    """Any of them may let the role in."""
    bucket = "arn:aws:s3:::orders"
    place = Need("s3files:ClientMount", "arn:aws:s3files:us-east-1:123456789012:fs", elsewhere=(bucket, QUEUE_ARN))
    assert sources_in_question([place], a_role(), FUNCTION_ARN) == (bucket, QUEUE_ARN)


def test_a_key_is_in_question_whatever_the_role_s_policies_allow() -> None:
    """Its own policy has to let the account in; a Deny is the end of it."""
    needs = [Need("kms:Decrypt", KEY)]
    for documents, expected in (((), (KEY,)), ((allow("kms:*"),), (KEY,)), ((allow("*"), denied("*")), ())):
        assert sources_in_question(needs, a_role(*documents), FUNCTION_ARN) == expected


def test_what_would_settle_a_doubt_is_read_where_the_role_s_policies_do_not_allow_it_anyway() -> None:
    """Once for several needs; also where a Deny stands, since the need itself is in doubt."""
    doubtful = Need("kafka-cluster:Connect", TOPICS, doubt="nobody knows", unread="arn:cluster")
    other = Need("kafka-cluster:ReadData", TOPICS, doubt="nobody knows", unread="arn:cluster")
    recommended = Need("kafka:ListScramSecrets", TOPICS, recommended=True, unread="arn:other")
    needs = [doubtful, other, recommended, RECEIVE]
    for documents, expected in (
        ((), ("arn:cluster",)),
        ((allow("kafka-cluster:Connect"),), ("arn:cluster",)),
        ((allow("kafka-cluster:*"), denied(TOPICS)), ("arn:cluster",)),
        ((allow("kafka-cluster:*"),), ()),
    ):
        assert states_in_question(needs, a_role(*documents), FUNCTION_ARN) == expected


# ── What a need says besides its action and its resource ────────────────────────────────────────────────────────────


def verdict(need: Need, *documents: dict[str, Any], own: Any = None) -> EvalDecision:
    """Return what is decided of a need."""
    return decide(need, a_role(*documents), FUNCTION_ARN, own or {}).decision


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (LambdaCall.POLL, EvalDecision.IMPLICIT_DENY),
        (LambdaCall.NETWORK_INTERFACE, EvalDecision.IMPLICIT_DENY),
        (LambdaCall.DESTINATION, EvalDecision.CONDITIONAL),
        (LambdaCall.LOGS, EvalDecision.ALLOWED),
    ],
)
def test_who_calls_decides_which_keys_go_along(call: LambdaCall, expected: EvalDecision) -> None:
    """An Allow for the function alone serves its logs, and not its pollers."""
    narrowed = allow("sqs:*", Condition={"ArnEquals": {"lambda:SourceFunctionArn": FUNCTION_ARN}})
    assert verdict(Need("sqs:ReceiveMessage", QUEUE_ARN, call=call), narrowed) is expected


def test_the_keys_of_a_need_go_along() -> None:
    """A key's user says by way of which service."""
    need = Need("sqs:ReceiveMessage", QUEUE_ARN, context=(("kms:ViaService", "sqs.us-east-1.amazonaws.com"),))
    for service, expected in (("sqs", EvalDecision.ALLOWED), ("s3", EvalDecision.IMPLICIT_DENY)):
        via = {"StringEquals": {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"}}
        assert verdict(need, allow("sqs:*", Condition=via)) is expected


def test_any_action_that_will_do_instead_is_enough() -> None:
    """The best of them counts: allowed, then not certain; and what is said is said of the first."""
    need = Need("sqs:ReceiveMessage", QUEUE_ARN, instead=("sqs:Other", "sqs:Third"))
    address = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    assert verdict(need, allow("sqs:Third")) is EvalDecision.ALLOWED
    assert verdict(need, allow("sqs:Other", Condition=address)) is EvalDecision.CONDITIONAL
    assert verdict(need, allow("sqs:Other", Condition=address), allow("sqs:Third")) is EvalDecision.ALLOWED
    assert verdict(need, allow("sqs:Fourth")) is EvalDecision.IMPLICIT_DENY


def test_what_is_only_doubtfully_needed_is_allowed_or_not_certain() -> None:
    """Never missing; and why it is in doubt is said."""
    need = Need("sqs:ReceiveMessage", QUEUE_ARN, doubt="nobody knows whether it is needed")
    assert verdict(need, allow("sqs:*")) is EvalDecision.ALLOWED
    unclear = a_role(allow("sqs:*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))
    for role in (a_role(), unclear):
        assert "nobody knows whether it is needed" in decide(need, role, FUNCTION_ARN, {}).explain()
    assert decide(need, unclear, FUNCTION_ARN, {}).unknown_keys == ("aws:SourceIp",)


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([allow("kafka:*")], EvalDecision.ALLOWED),
        ([allow("kafka:*", resource=TOPICS)], EvalDecision.ALLOWED),
        ([allow("kafka:*", resource="arn:aws:kafka:*:123456789012:topic/*")], EvalDecision.ALLOWED),
        ([], EvalDecision.IMPLICIT_DENY),
        ([allow("kafka:*", resource=f"{TOPICS[:-1]}placed")], EvalDecision.CONDITIONAL),
        ([allow("kafka:*", resource=f"{TOPICS[:-1]}${{aws:PrincipalTag/team}}")], EvalDecision.CONDITIONAL),
        ([allow("kafka:Write", resource=f"{TOPICS[:-1]}placed")], EvalDecision.IMPLICIT_DENY),
        ([allow("kafka:*", resource="arn:aws:kafka:us-east-1:123456789012:topic/other/*")], EvalDecision.IMPLICIT_DENY),
        ([allow("*"), denied(f"{TOPICS[:-1]}placed")], EvalDecision.CONDITIONAL),
        ([allow("*"), denied("arn:aws:kafka:us-east-1:123456789012:topic/other/*")], EvalDecision.ALLOWED),
        ([allow("*"), denied(TOPICS)], EvalDecision.EXPLICIT_DENY),
        ([allow("*"), denied(f"{TOPICS[:-1]}placed", "NotResource")], EvalDecision.CONDITIONAL),
        ([allow("*"), allow("kafka:*", resource=f"{TOPICS[:-1]}placed")], EvalDecision.ALLOWED),
    ],
)
def test_a_resource_that_is_not_known_in_full_is_all_that_it_may_be(
    documents: list[dict[str, Any]], expected: EvalDecision
) -> None:
    """What a policy says of all of them is certain; what it says of some is not."""
    assert verdict(Need("kafka:Read", TOPICS), *documents) is expected


def test_a_boundary_for_some_of_them_is_not_certain_either() -> None:
    """The role's own policies allow all."""
    limits = a_policy(allow("kafka:*", resource=f"{TOPICS[:-1]}placed"), "limits")
    decision = decide(Need("kafka:Read", TOPICS), a_role(allow("*"), boundary=limits), FUNCTION_ARN, {})
    assert decision.decision is EvalDecision.CONDITIONAL


def test_network_interfaces_that_a_policy_narrows_are_not_certain() -> None:
    """Making them is of subnets and security groups; describing them is of nothing, and a narrowed policy is void."""
    narrowed = allow("ec2:*", resource="arn:aws:ec2:us-east-1:123456789012:*")
    for action, expected in (
        ("ec2:CreateNetworkInterface", EvalDecision.CONDITIONAL),
        ("ec2:DescribeSubnets", EvalDecision.IMPLICIT_DENY),
    ):
        need = Need(action, "*", call=LambdaCall.NETWORK_INTERFACE)
        assert verdict(need, narrowed) is expected
        assert verdict(need, allow("ec2:*")) is EvalDecision.ALLOWED


def test_a_policy_that_nobody_read_may_allow_what_the_role_s_do_not() -> None:
    """A secret's, or another account's cluster's; not what the role's policies allow, or deny."""
    secret = Need("secretsmanager:GetSecretValue", SECRET)
    assert verdict(secret) is EvalDecision.CONDITIONAL
    assert verdict(secret, own={SECRET: None}) is EvalDecision.IMPLICIT_DENY
    assert verdict(secret, allow("*")) is EvalDecision.ALLOWED
    assert verdict(secret, allow("*"), denied("*")) is EvalDecision.EXPLICIT_DENY
    foreign = Need("kafka:GetBootstrapBrokers", "arn:aws:kafka:us-east-1:111122223333:cluster/orders/1")
    assert verdict(foreign) is EvalDecision.IMPLICIT_DENY
    assert verdict(foreign, allow("kafka:*")) is EvalDecision.CONDITIONAL
    own = Need("kafka:GetBootstrapBrokers", "arn:aws:kafka:us-east-1:123456789012:cluster/orders/1")
    assert verdict(own) is EvalDecision.IMPLICIT_DENY


def test_the_policy_of_a_key_may_let_the_role_in_by_itself() -> None:
    """And has to delegate, where the role's policies allow it: without it, neither is certain."""
    need = Need("kms:Decrypt", KEY)
    assert verdict(need) is verdict(need, allow("kms:*")) is EvalDecision.CONDITIONAL
    delegates = a_policy(allow("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:root"}))
    assert verdict(need, own={KEY: delegates}) is EvalDecision.IMPLICIT_DENY
    assert verdict(need, allow("kms:*"), own={KEY: delegates}) is EvalDecision.ALLOWED


def test_a_resource_that_is_no_arn_is_decided_as_it_is() -> None:
    """Nobody's account is read out of it."""
    assert verdict(Need("sqs:ReceiveMessage", "incoming-orders"), allow("sqs:*")) is EvalDecision.ALLOWED
    assert verdict(Need("sqs:ReceiveMessage", "incoming-orders")) is EvalDecision.IMPLICIT_DENY
