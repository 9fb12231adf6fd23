"""What an execution role allows Lambda to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from permission_guard.iam import EvalDecision, LambdaCall
from permission_guard.needs.base import Need
from permission_guard.needs.decision import decide, policies_of, relevant_policies, relevant_states, tags_to_read
from tests.fakes import DENIED, FUNCTION_ARN, QUEUE_ARN, ROLE_ARN, THROTTLED, a_policy, a_role, allow, statement

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:orders-1a2B3c"
FILE_SYSTEMS = "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/*"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
TOPICS = "arn:aws:kafka:us-east-1:123456789012:topic/orders/1/*"
RECEIVE = Need("sqs:ReceiveMessage", QUEUE_ARN)
KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/1"
KEY_POLICY = a_policy(allow("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:root"}))


def denied(resource: str, element: str = "Resource") -> dict[str, Any]:
    """Return a document that denies everything on a resource, or on all others."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", element: resource}]}


def allows(**condition: dict[str, str]) -> bool:
    """Return whether a role is allowed to receive with a condition."""
    role = a_role(allow("sqs:ReceiveMessage", Condition=condition), tags={"team": "orders"})
    return decide(RECEIVE, role, FUNCTION_ARN, {}).allowed


def test_the_keys_that_lambda_sends_when_it_polls_are_known() -> None:
    """The principal, the account of the resource, the region and the tags."""
    assert allows(ArnLike={"aws:PrincipalArn": "arn:aws:iam::123456789012:role/service-role/*"})
    assert allows(StringEquals={"aws:RequestedRegion": "us-east-1"})
    assert allows(StringEquals={"aws:ResourceAccount": "123456789012"})
    assert allows(StringEquals={"aws:PrincipalTag/team": "orders"})
    assert allows(Bool={"aws:SecureTransport": "true"})


def test_keys_with_other_values_are_known_not_to_match() -> None:
    """These are denied, not unknown."""
    for condition in (
        {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
        {"StringEquals": {"aws:ResourceAccount": "111122223333"}},
        {"StringEquals": {"aws:PrincipalTag/team": "invoices"}},
        {"ArnLike": {"lambda:SourceFunctionArn": FUNCTION_ARN}},
    ):
        role = a_role(allow("sqs:ReceiveMessage", Condition=condition), tags={"team": "orders"})
        assert decide(RECEIVE, role, FUNCTION_ARN, {}).denied


def test_a_resource_without_an_account_leaves_the_account_unknown() -> None:
    """The ARN of a bucket has no account."""
    role = a_role(allow("s3:GetObject", Condition={"StringEquals": {"aws:ResourceAccount": "123456789012"}}))
    decision = decide(Need("s3:GetObject", "arn:aws:s3:::example-uploads/a"), role, FUNCTION_ARN, {})
    assert not decision.allowed
    assert not decision.denied
    assert decision.unknown_keys == ("aws:ResourceAccount",)


def test_all_policies_of_a_role_are_put_together() -> None:
    """Managed and inline, the boundary, and those that could not be read are included."""
    managed, boundary = a_policy(allow("sqs:*"), "managed"), a_policy(allow("*"), "limits")
    role = a_role(allow("logs:*"), attached={"arn:a": managed, "arn:b": DENIED}, boundary=boundary)
    policies = policies_of(role)
    assert policies.identity == (managed, role.inline["inline-0"])
    assert policies.unread == (str(DENIED),)
    assert (policies.boundary, policies.boundary_unread) == (boundary, "")


def test_an_unread_boundary_is_not_a_missing_boundary() -> None:
    """It makes the decision unknown."""
    policies = policies_of(a_role(boundary=THROTTLED))
    assert policies.boundary is None
    assert policies.boundary_unread == str(THROTTLED)
    assert policies_of(a_role()).boundary_unread == ""


def test_the_source_s_own_policy_is_part_of_the_decision() -> None:
    """Only the policy of the action's own resource."""
    document = allow("sqs:*", resource=QUEUE_ARN, Principal={"AWS": ROLE_ARN})
    own = a_policy(document)
    assert decide(RECEIVE, a_role(), FUNCTION_ARN, {QUEUE_ARN: own}).allowed
    assert decide(RECEIVE, a_role(), FUNCTION_ARN, {QUEUE_ARN: None}).denied
    assert decide(RECEIVE, a_role(), FUNCTION_ARN, {f"{QUEUE_ARN}-2": own}).denied


def test_an_unread_policy_of_a_source_can_allow_or_deny() -> None:
    """The outcome is unknown, unless the role's policies deny."""
    for role in (a_role(), a_role(allow("sqs:*"))):
        decision = decide(RECEIVE, role, FUNCTION_ARN, {QUEUE_ARN: THROTTLED})
        assert not decision.allowed
        assert not decision.denied
        assert str(THROTTLED) in decision.explain()
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}]}
    assert decide(RECEIVE, a_role(deny), FUNCTION_ARN, {QUEUE_ARN: THROTTLED}).denied


def test_a_source_s_policy_is_relevant_if_the_role_s_policies_do_not_decide() -> None:
    """Not if they allow or explicitly deny: that saves one call for nearly every function."""
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
        assert relevant_policies(needs, role, FUNCTION_ARN) == expected


def test_only_resources_with_readable_policies_are_relevant() -> None:
    """Policies of clusters are not read; recommended needs are never missing."""
    needs = [
        Need("secretsmanager:GetSecretValue", SECRET),
        Need("kafka:GetBootstrapBrokers", "arn:aws:kafka:us-east-1:123456789012:cluster/orders/1"),
        Need("ec2:CreateNetworkInterface", "*"),
        Need("sns:Publish", "arn:aws:sns:us-east-1:123456789012:orders", recommended=True),
        RECEIVE,
    ]
    assert relevant_policies(needs, a_role(), FUNCTION_ARN) == (SECRET, QUEUE_ARN)


def test_each_alternative_resource_is_relevant() -> None:
    """Any of them can allow the role."""
    bucket = "arn:aws:s3:::orders"
    place = Need("s3files:ClientMount", "arn:aws:s3files:us-east-1:123456789012:fs", elsewhere=(bucket, QUEUE_ARN))
    assert relevant_policies([place], a_role(), FUNCTION_ARN) == (bucket, QUEUE_ARN)


def test_a_key_s_policy_is_relevant_whatever_the_role_s_policies_allow() -> None:
    """Its own policy must allow the account; an explicit deny decides alone."""
    needs = [Need("kms:Decrypt", KEY)]
    for documents, expected in (((), (KEY,)), ((allow("kms:*"),), (KEY,)), ((allow("*"), denied("*")), ())):
        assert relevant_policies(needs, a_role(*documents), FUNCTION_ARN) == expected


def test_a_state_is_relevant_if_it_can_remove_a_doubt_and_the_role_s_policies_do_not_allow_the_need() -> None:
    """Once for several needs; also with a Deny, because the need itself has the doubt."""
    doubtful = Need("kafka-cluster:Connect", TOPICS, doubt="it depends", unread="arn:cluster")
    other = Need("kafka-cluster:ReadData", TOPICS, doubt="it depends", unread="arn:cluster")
    recommended = Need("kafka:ListScramSecrets", TOPICS, recommended=True, unread="arn:other")
    needs = [doubtful, other, recommended, RECEIVE]
    for documents, expected in (
        ((), ("arn:cluster",)),
        ((allow("kafka-cluster:Connect"),), ("arn:cluster",)),
        ((allow("kafka-cluster:*"), denied(TOPICS)), ("arn:cluster",)),
        ((allow("kafka-cluster:*"),), ()),
    ):
        assert relevant_states(needs, a_role(*documents), FUNCTION_ARN) == expected


def test_what_identifies_a_resource_is_read_whatever_the_role_s_policies_allow() -> None:
    """A restore needs a check that saw the permission on this resource, not on all of them."""
    mount = Need("elasticfilesystem:ClientMount", FILE_SYSTEMS, unread="arn:point", identifies=True)
    recommended = replace(mount, recommended=True, unread="arn:other")
    for documents in ((), (allow("*"),), (denied("*"),)):
        assert relevant_states([mount, recommended], a_role(*documents), FUNCTION_ARN) == ("arn:point",)


# ── The attributes of a need besides its action and its resource ────────────────────────────────────────────────────


def verdict(need: Need, *documents: dict[str, Any], own: Any = None) -> EvalDecision:
    """Return the decision on a need."""
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
def test_the_call_decides_which_condition_keys_lambda_sends(call: LambdaCall, expected: EvalDecision) -> None:
    """An Allow with the function's ARN covers its logs, but not its pollers."""
    narrowed = allow("sqs:*", Condition={"ArnEquals": {"lambda:SourceFunctionArn": FUNCTION_ARN}})
    assert verdict(Need("sqs:ReceiveMessage", QUEUE_ARN, call=call), narrowed) is expected


def test_the_context_of_a_need_is_sent() -> None:
    """The use of a KMS key names the service."""
    need = Need("sqs:ReceiveMessage", QUEUE_ARN, context=(("kms:ViaService", "sqs.us-east-1.amazonaws.com"),))
    for service, expected in (("sqs", EvalDecision.ALLOWED), ("s3", EvalDecision.IMPLICIT_DENY)):
        via = {"StringEquals": {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"}}
        assert verdict(need, allow("sqs:*", Condition=via)) is expected


@pytest.mark.parametrize(
    ("encrypted", "key", "value"),
    [
        (QUEUE_ARN, "aws:sqs:arn", QUEUE_ARN),
        ("arn:aws:kinesis:us-east-1:123456789012:stream/s", "aws:kinesis:arn", None),
        ("arn:aws:sns:us-east-1:123456789012:t", "aws:sns:topicArn", None),
        ("arn:aws:secretsmanager:us-east-1:123456789012:secret:s-a1b2c3", "SecretARN", None),
        ("arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026", "aws:dynamodb:tableName", "t"),
        ("arn:aws:dynamodb:us-east-1:123456789012:table/t", "aws:dynamodb:subscriberId", "123456789012"),
    ],
)
def test_the_encryption_context_is_known_where_aws_documents_it(encrypted: str, key: str, value: str | None) -> None:
    """The service of the encrypted resource sends its ARN, or the table's name and account."""
    need = Need("kms:Decrypt", KEY_ARN, encrypted=encrypted)
    for sent, expected in ((value or encrypted, EvalDecision.ALLOWED), ("other", EvalDecision.IMPLICIT_DENY)):
        condition = {"StringEquals": {f"kms:EncryptionContext:{key}": sent}}
        assert verdict(need, allow("kms:*", Condition=condition), own={KEY_ARN: KEY_POLICY}) is expected


@pytest.mark.parametrize(
    ("encrypted", "key"),
    [
        ("arn:aws:s3:::b", "aws:s3:arn"),
        ("arn:aws:secretsmanager:us-east-1:123456789012:secret:s-??????", "SecretARN"),
        ("name", "SecretARN"),
    ],
)
def test_an_encryption_context_that_depends_on_more_is_unknown(encrypted: str, key: str) -> None:
    """On the object, or on the secret's full ARN."""
    need = Need("kms:Decrypt", KEY_ARN, encrypted=encrypted)
    condition = {"StringEquals": {f"kms:EncryptionContext:{key}": encrypted}}
    found = verdict(need, allow("kms:*", Condition=condition), own={KEY_ARN: KEY_POLICY})
    assert found is EvalDecision.CONDITIONAL


@pytest.mark.parametrize(
    ("need", "via_service", "called_via"),
    [
        (Need("sqs:ReceiveMessage", QUEUE_ARN), False, EvalDecision.IMPLICIT_DENY),
        (Need("kms:Decrypt", KEY_ARN, encrypted=QUEUE_ARN), True, EvalDecision.CONDITIONAL),
        (Need("ec2:CreateNetworkInterface", "*"), None, EvalDecision.CONDITIONAL),
        (Need("glue:GetSchemaVersion", "*"), None, EvalDecision.CONDITIONAL),
    ],
)
def test_only_a_service_calls_on_behalf_of_the_role(
    need: Need, via_service: bool | None, called_via: EvalDecision
) -> None:
    """`aws:ViaAWSService` is false and `aws:CalledVia` absent, except where a service uses a key for the role."""
    for value in (True, False):
        found = verdict(need, allow("*", Condition={"Bool": {"aws:ViaAWSService": value}}), own={KEY_ARN: KEY_POLICY})
        known = EvalDecision.ALLOWED if value is via_service else EvalDecision.IMPLICIT_DENY
        assert found is (EvalDecision.CONDITIONAL if via_service is None else known)
    for operator, key in (("ForAnyValue:StringEquals", "aws:CalledVia"), ("StringEquals", "aws:CalledViaFirst")):
        condition = {operator: {key: "sqs.amazonaws.com"}}
        assert verdict(need, allow("*", Condition=condition), own={KEY_ARN: KEY_POLICY}) is called_via


def test_any_alternative_action_suffices() -> None:
    """The best decision counts: allowed before unknown; otherwise the decision on the first."""
    need = Need("sqs:ReceiveMessage", QUEUE_ARN, instead=("sqs:Other", "sqs:Third"))
    address = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    assert verdict(need, allow("sqs:Third")) is EvalDecision.ALLOWED
    assert verdict(need, allow("sqs:Other", Condition=address)) is EvalDecision.CONDITIONAL
    assert verdict(need, allow("sqs:Other", Condition=address), allow("sqs:Third")) is EvalDecision.ALLOWED
    assert verdict(need, allow("sqs:Fourth")) is EvalDecision.IMPLICIT_DENY


def test_a_need_with_a_doubt_is_allowed_or_unknown() -> None:
    """It is never denied, and the decision names the doubt."""
    need = Need("sqs:ReceiveMessage", QUEUE_ARN, doubt="it depends on the cluster")
    assert verdict(need, allow("sqs:*")) is EvalDecision.ALLOWED
    unclear = a_role(allow("sqs:*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))
    for role in (a_role(), unclear):
        assert "it depends on the cluster" in decide(need, role, FUNCTION_ARN, {}).explain()
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
def test_a_resource_with_wildcards_is_decided_for_all_matches(
    documents: list[dict[str, Any]], expected: EvalDecision
) -> None:
    """A policy for all of them decides; with a policy for some of them the outcome is unknown."""
    assert verdict(Need("kafka:Read", TOPICS), *documents) is expected


def test_a_boundary_for_some_of_them_is_unknown_too() -> None:
    """The role's own policies allow all."""
    limits = a_policy(allow("kafka:*", resource=f"{TOPICS[:-1]}placed"), "limits")
    decision = decide(Need("kafka:Read", TOPICS), a_role(allow("*"), boundary=limits), FUNCTION_ARN, {})
    assert decision.decision is EvalDecision.CONDITIONAL


def test_a_narrowed_policy_for_network_interfaces_is_unknown() -> None:
    """Creating them applies to subnets and security groups; describing them has no resource and needs `*`."""
    narrowed = allow("ec2:*", resource="arn:aws:ec2:us-east-1:123456789012:*")
    for action, expected in (
        ("ec2:CreateNetworkInterface", EvalDecision.CONDITIONAL),
        ("ec2:DescribeSubnets", EvalDecision.IMPLICIT_DENY),
    ):
        need = Need(action, "*", call=LambdaCall.NETWORK_INTERFACE)
        assert verdict(need, narrowed) is expected
        assert verdict(need, allow("ec2:*")) is EvalDecision.ALLOWED


def test_an_unread_policy_can_allow_what_the_role_s_policies_do_not() -> None:
    """A secret's, or that of another account's cluster; it does not matter if the role's policies allow or deny."""
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


def test_the_policy_of_a_key_can_allow_the_role_by_itself() -> None:
    """If the role's policies allow the key, its policy must delegate: if it was not read, both are unknown."""
    need = Need("kms:Decrypt", KEY)
    assert verdict(need) is verdict(need, allow("kms:*")) is EvalDecision.CONDITIONAL
    delegates = a_policy(allow("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:root"}))
    assert verdict(need, own={KEY: delegates}) is EvalDecision.IMPLICIT_DENY
    assert verdict(need, allow("kms:*"), own={KEY: delegates}) is EvalDecision.ALLOWED


def test_a_resource_that_is_not_an_arn_is_decided_as_it_is() -> None:
    """It has no account."""
    assert verdict(Need("sqs:ReceiveMessage", "incoming-orders"), allow("sqs:*")) is EvalDecision.ALLOWED
    assert verdict(Need("sqs:ReceiveMessage", "incoming-orders")) is EvalDecision.IMPLICIT_DENY


# ── Tags of resources ───────────────────────────────────────────────────────────────────────────────────────────────


def tagged(action: str, tags: Any, resource: str = QUEUE_ARN) -> EvalDecision:
    """Return the decision on an action that a role is allowed on resources with the tag team=orders."""
    role = a_role(allow(action, Condition={"StringEquals": {"aws:ResourceTag/team": "orders"}}))
    return decide(Need(action, resource), role, FUNCTION_ARN, {}, tags).decision


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({QUEUE_ARN: {"team": "orders"}}, EvalDecision.ALLOWED),
        ({QUEUE_ARN: {"TEAM": "orders", "stage": "live"}}, EvalDecision.ALLOWED),  # keys are not case-sensitive
        ({QUEUE_ARN: {"team": "billing"}}, EvalDecision.IMPLICIT_DENY),
        ({QUEUE_ARN: {"stage": "live"}}, EvalDecision.IMPLICIT_DENY),
        ({QUEUE_ARN: {}}, EvalDecision.IMPLICIT_DENY),
        ({QUEUE_ARN: DENIED}, EvalDecision.CONDITIONAL),
        ({f"{QUEUE_ARN}-2": {"team": "orders"}}, EvalDecision.CONDITIONAL),
        ({}, EvalDecision.CONDITIONAL),
    ],
    ids=str,
)
def test_tags_that_were_read_decide_and_others_are_unknown(tags: Any, expected: EvalDecision) -> None:
    """A resource whose tags were not read may have the tag."""
    assert tagged("sqs:ReceiveMessage", tags) is expected


def test_an_action_that_ignores_tags_stays_unknown() -> None:
    """AWS does not set the key for it, or does not say whose tags it has."""
    stream = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-11-20T00:00:00.000"
    assert tagged("dynamodb:GetRecords", {stream: {"team": "orders"}}, stream) is EvalDecision.CONDITIONAL


def test_a_deny_that_depends_on_tags_is_evaluated() -> None:
    """Whatever else the role is allowed."""
    condition = {"StringNotEquals": {"aws:ResourceTag/team": "orders"}}
    denied = {"Version": "2012-10-17", "Statement": [statement("sqs:*", effect="Deny", Condition=condition)]}
    role = a_role(allow("sqs:*"), denied)
    for team, expected in (("orders", EvalDecision.ALLOWED), ("billing", EvalDecision.EXPLICIT_DENY)):
        tags = {QUEUE_ARN: {"team": team}}
        assert decide(Need("sqs:SendMessage", QUEUE_ARN), role, FUNCTION_ARN, {}, tags).decision is expected


def test_tags_are_read_if_a_policy_of_the_role_depends_on_them() -> None:
    """Of the resources of those actions alone."""
    by_tag = {"StringEquals": {"aws:ResourceTag/team": "orders"}}
    needs = (Need("sqs:ReceiveMessage", QUEUE_ARN), Need("sns:Publish", "arn:aws:sns:us-east-1:123456789012:news"))
    assert tags_to_read(needs, a_role(allow("sqs:*", Condition=by_tag))) == (QUEUE_ARN,)
    assert tags_to_read(needs, a_role(allow("sqs:*", "sns:*"))) == ()
    limited = a_role(allow("sqs:*"), boundary=a_policy(allow("*", Condition=by_tag)))
    assert tags_to_read(needs, limited) == (QUEUE_ARN, needs[1].resource)
    assert tags_to_read([Need("s3:PutObject", "arn:aws:s3:::orders/*")], a_role(allow("*", Condition=by_tag))) == ()
