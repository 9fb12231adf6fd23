"""What Lambda may do with an execution role when it polls."""

from __future__ import annotations

from permission_guard.event_sources import Need
from permission_guard.execution_role import decide, policies_of, sources_in_question
from tests.fakes import DENIED, FUNCTION_ARN, QUEUE_ARN, ROLE_ARN, THROTTLED, a_policy, a_role, allow

RECEIVE = Need("sqs:ReceiveMessage", QUEUE_ARN)


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
