"""Each type of event source, with each way to sign in: its needs, and the decision if one action is missing."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.iam import EvalDecision, LambdaCall
from permission_guard.iam.resources import WITHOUT_RESOURCE
from permission_guard.model.state import SourceState
from permission_guard.needs.base import Need, NeedKind, required
from permission_guard.needs.decision import decide
from permission_guard.needs.event_sources import event_source_of
from tests.fakes import FUNCTION_ARN, THROTTLED, a_mapping, a_policy, a_role, allow
from tests.unit.needs.event_sources.needs_table import (
    BROKER,
    CASES,
    CLUSTER,
    CONSUMER,
    INTERFACES,
    KEY,
    PROVISIONED,
    QUEUE,
    SECRET,
    SERVERLESS,
    STREAM,
    TABLE,
    Case,
    Pair,
    mapping,
    msk,
    self_managed,
)

KEY_POLICY = a_policy(
    allow("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:root"}),
    "key policy",
)
"""The policy that the console creates: the account's own policies decide."""
POLICIES = {KEY: KEY_POLICY}


def needs_of(case: Case, kind: NeedKind | None = None) -> list[Need]:
    """Return the needs of a case, of one kind or of all."""
    source = event_source_of(case.mapping)
    assert source is not None
    found = source.needs(case.mapping, case.sources)
    return [need for one in NeedKind if kind in (None, one) for need in required(found, one)]


def expected(case: Case) -> list[Pair]:
    """Return the needs of a case in the table, without duplicates."""
    return list(dict.fromkeys([*case.read, *case.dependencies, *case.destinations]))


def own_policy(need: Need) -> dict[str, Any]:
    """Return policies of which only the key's exists, and delegates to the account."""
    return {need.resource: None, **POLICIES}


def granting(pairs: list[Pair], effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """Return a policy with a statement for each action."""
    statements = [{"Effect": effect, "Action": action, "Resource": resource, **more} for action, resource in pairs]
    return {"Version": "2012-10-17", "Statement": statements}


def lacking(case: Case, *documents: dict[str, Any], **role: Any) -> set[Pair]:
    """Return the needs that a role is denied, and assert that it is allowed the others."""
    missing = set()
    for need in needs_of(case):
        decision = decide(need, a_role(*documents, **role), FUNCTION_ARN, POLICIES)
        if not decision.allowed:
            assert decision.denied, (need, decision.explain())
            missing.add((need.action, need.resource))
    return missing


@pytest.mark.parametrize("name", CASES)
def test_each_type_needs_these_actions_on_these_resources(name: str) -> None:
    """As AWS documents, by the kind of need; none has a doubt."""
    case = CASES[name]
    for kind, pairs in (
        (NeedKind.READ, case.read),
        (NeedKind.DEPENDENCY, case.dependencies),
        (NeedKind.DESTINATION, case.destinations),
    ):
        assert {(need.action, need.resource) for need in needs_of(case, kind)} == set(pairs)
    assert [need.doubt for need in needs_of(case)] == [""] * len(needs_of(case))


@pytest.mark.parametrize("name", CASES)
def test_a_role_with_exactly_the_needs_lacks_nothing(name: str) -> None:
    """Neither ListStreams, nor logs, nor the key of a filter is required."""
    assert lacking(CASES[name], granting(expected(CASES[name]))) == set()


EACH = [(name, pair) for name, case in CASES.items() for pair in expected(case)]


@pytest.mark.parametrize(("name", "pair"), EACH, ids=lambda value: value if isinstance(value, str) else value[0])
def test_each_removed_action_is_denied(name: str, pair: Pair) -> None:
    """One at a time, and no other."""
    left = [one for one in expected(CASES[name]) if one != pair]
    for need in needs_of(CASES[name]):
        decision = decide(need, a_role(granting(left)), FUNCTION_ARN, own_policy(need))
        assert decision.denied is ((need.action, need.resource) == pair), decision.explain()


@pytest.mark.parametrize("name", CASES)
def test_a_deny_or_a_boundary_overrides_every_allow(name: str) -> None:
    """For all needs: a Deny of everything, and a boundary for another service."""
    everything = set(expected(CASES[name]))
    assert lacking(CASES[name], allow("*"), granting([("*", "*")], "Deny")) == everything
    limits = a_policy(allow("logs:*"), "limits")
    role = a_role(allow("*"), boundary=limits)
    for need in needs_of(CASES[name]):
        assert decide(need, role, FUNCTION_ARN, own_policy(need)).denied


@pytest.mark.parametrize("name", CASES)
def test_pollers_do_not_send_the_source_function_arn(name: str) -> None:
    """An Allow with that key allows no poller, and the Deny that AWS recommends for the function's code denies none.

    AWS does not say whether Lambda sends the key to destinations: the outcome is unknown.
    """
    pairs = expected(CASES[name])
    only = granting(pairs, Condition={"ArnEquals": {"lambda:SourceFunctionArn": FUNCTION_ARN}})
    deny = granting([("*", "*")], "Deny", Condition={"ArnEquals": {"lambda:SourceFunctionArn": FUNCTION_ARN}})
    for need in needs_of(CASES[name]):
        own = own_policy(need)
        narrowed = decide(need, a_role(only), FUNCTION_ARN, own)
        denied = decide(need, a_role(granting(pairs), deny), FUNCTION_ARN, own)
        if need.call is LambdaCall.DESTINATION:
            assert {narrowed.decision, denied.decision} == {EvalDecision.CONDITIONAL}
        else:
            assert narrowed.denied
            assert denied.allowed


@pytest.mark.parametrize("name", CASES)
def test_every_need_has_its_call_and_its_purpose(name: str) -> None:
    """The purpose continues "to ..."; reading the source itself needs none."""
    for need in needs_of(CASES[name]):
        interfaces = need.action.startswith("ec2:")
        sends = need.kind is NeedKind.DESTINATION
        assert need.call is (
            LambdaCall.NETWORK_INTERFACE if interfaces else LambdaCall.DESTINATION if sends else LambdaCall.POLL
        )
        assert need.kind is NeedKind.READ or need.purpose.startswith("to ")
        assert (need.resource == "*") == (interfaces or need.action.lower() in WITHOUT_RESOURCE)
        assert hash(need)


# ── Keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("sqs-own-key", "sqs.us-east-1.amazonaws.com"),
        ("kinesis-own-key", "kinesis.us-east-1.amazonaws.com"),
        ("msk-scram-own-key", "secretsmanager.us-east-1.amazonaws.com"),
        ("dynamodb-to-topic", "sns.us-east-1.amazonaws.com"),
        ("dynamodb-to-bucket", "s3.us-east-1.amazonaws.com"),
    ],
)
def test_a_key_is_used_through_the_service_that_stores_the_data(name: str, service: str) -> None:
    """Policies can require `kms:ViaService`."""
    case = CASES[name]
    keys = [need for need in needs_of(case) if need.resource == KEY]
    assert {need.context for need in keys} == {(("kms:ViaService", service),)}
    for via, allowed in ((service, True), ("ec2.us-east-1.amazonaws.com", False)):
        role = a_role(allow("kms:*", Condition={"StringEquals": {"kms:ViaService": via}}))
        assert {decide(need, role, FUNCTION_ARN, POLICIES).allowed for need in keys} == {allowed}


def test_services_in_china_have_the_domain_of_china() -> None:
    """And so has the value of the condition key."""
    queue = QUEUE.replace(":aws:sqs:us-east-1", ":aws-cn:sqs:cn-north-1")
    source = event_source_of(a_mapping(queue))
    assert source is not None
    needs = source.needs(a_mapping(queue), {queue: SourceState(KEY)})
    assert needs[-1].context == (("kms:ViaService", "sqs.cn-north-1.amazonaws.com.cn"),)


@pytest.mark.parametrize(
    "case", [mapping(QUEUE), mapping(STREAM), mapping(TABLE), msk(("SASL_SCRAM_512_AUTH", SECRET))]
)
@pytest.mark.parametrize("unread", [{}, {QUEUE: THROTTLED, STREAM: THROTTLED, TABLE: THROTTLED, SECRET: THROTTLED}])
def test_an_unread_resource_can_have_a_customer_managed_key(case: Any, unread: Any) -> None:
    """So a role without permission on a key is unknown."""
    (decrypt,) = [need for need in needs_of(Case(case, [], sources=unread)) if need.action == "kms:Decrypt"]
    decision = decide(decrypt, a_role(), FUNCTION_ARN, {})
    assert decrypt.doubt.endswith(" has a customer managed key, which was not read")
    assert not decision.allowed
    assert not decision.denied


def test_aws_does_not_say_whether_a_table_s_key_is_required() -> None:
    """With a customer managed key, a role without permission on it is unknown."""
    (decrypt,) = needs_of(Case(mapping(TABLE), [], sources={TABLE: SourceState(KEY)}), NeedKind.DEPENDENCY)
    assert (decrypt.resource, decrypt.doubt[:16]) == (KEY, "AWS does not say")
    assert not decide(decrypt, a_role(), FUNCTION_ARN, POLICIES).denied


# ── Secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("uri", "resource"),
    [
        ("kafka/orders", "arn:aws:secretsmanager:us-east-1:123456789012:secret:kafka/orders-??????"),
        (SECRET.removesuffix("-1a2B3c"), f"{SECRET.removesuffix('-1a2B3c')}-??????"),
    ],
)
def test_a_secret_without_its_full_arn_can_be_one_that_a_policy_names(uri: str, resource: str) -> None:
    """Six characters are missing: a policy must have them or a wildcard, and characters cannot be verified."""
    (need,) = needs_of(Case(mapping(BROKER, ("BASIC_AUTH", uri)), [], sources={uri: SourceState()}))[7:]
    assert (need.action, need.resource) == ("secretsmanager:GetSecretValue", resource)
    assert decide(need, a_role(allow(need.action, resource=resource)), FUNCTION_ARN, {}).allowed
    for role in (a_role(), a_role(allow(need.action, resource=SECRET))):
        decision = decide(need, role, FUNCTION_ARN, {})
        assert not decision.allowed
        assert not decision.denied


def test_no_literal_is_taken_for_a_secret() -> None:
    """A scope, an audience, a virtual host, a subnet: the URI is a secret only for the types of secrets."""
    literal = "arn:aws:secretsmanager:us-east-1:123456789012:secret:not-a-secret-AbCdEf"
    for kind in ("VIRTUAL_HOST", "OAUTHBEARER_SCOPE", "OAUTHBEARER_AUDIENCE", "IAM_AUTH", "SOMETHING_NEW"):
        needs = needs_of(Case(self_managed((kind, literal)), []))
        assert not [need for need in needs if need.action.startswith(("secretsmanager:", "kms:"))]


@pytest.mark.parametrize("entries", [None, "text", [None], [{"Type": 1}], [{"Type": "BASIC_AUTH"}], [{"URI": SECRET}]])
def test_an_unresolved_value_of_a_template_is_ignored(entries: Any) -> None:
    """A file can contain any value."""
    odd = {
        "SourceAccessConfigurations": entries,
        "SelfManagedEventSource": {"Endpoints": {}},
        "DestinationConfig": {"OnFailure": "text", "OnSuccess": {"Destination": {"Ref": "Queue"}}},
        "SelfManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": {"AccessConfigs": entries}},
    }
    assert needs_of(Case(a_mapping(None, configuration=odd), [])) == []


# ── Amazon MSK ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_older_action_suffices_for_provisioned_clusters_but_not_for_serverless_ones() -> None:
    """If the kind was not read, a role with only the older action is unknown; a role with neither is denied."""
    older = a_role(allow("kafka:DescribeCluster", "kafka:GetBootstrapBrokers", resource=CLUSTER))
    for state, outcomes in (
        (PROVISIONED, {"allowed"}),
        (SERVERLESS, {"allowed", "implicitDeny"}),
        (SourceState(), {"allowed", "conditional"}),
    ):
        needs = needs_of(Case(msk(), [], sources={CLUSTER: state}), NeedKind.READ)
        assert {decide(need, older, FUNCTION_ARN, {}).decision for need in needs} == outcomes
    needs = needs_of(Case(msk(), []), NeedKind.READ)
    denied = [need.action for need in needs if decide(need, a_role(), FUNCTION_ARN, {}).denied]
    assert denied == ["kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers"]


def test_whether_a_cluster_uses_iam_authentication_must_be_read() -> None:
    """Without secrets it does, or has no authentication; with secrets it does not matter."""
    for sources in ({}, {CLUSTER: THROTTLED}, {CLUSTER: SourceState(is_serverless=False)}):
        inside = [need for need in needs_of(Case(msk(), [], sources=sources)) if "kafka-cluster:" in need.action]
        assert len(inside) == 5
        expected = "it depends on whether the cluster uses IAM authentication, which was not read"
        assert {need.doubt for need in inside} == {expected}
    with_secret = needs_of(Case(msk(("SASL_SCRAM_512_AUTH", SECRET)), []))
    assert not [need for need in with_secret if "kafka-cluster:" in need.action]


def test_a_cluster_of_another_account_is_reached_through_its_connection() -> None:
    """The mapping names the connection, not the cluster, whose own policy would also decide."""
    connection = "arn:aws:kafka:us-east-1:123456789012:vpc-connection/111122223333/orders/51jn98b4-7"
    case = Case(mapping(connection), [])
    reading = needs_of(case, NeedKind.READ)
    assert [(need.action, need.resource, bool(need.doubt)) for need in reading] == [
        ("kafka:DescribeVpcConnection", connection, False),
        ("kafka:DescribeClusterV2", "arn:aws:kafka:us-east-1:*:cluster/orders/*", True),
        ("kafka:GetBootstrapBrokers", "arn:aws:kafka:us-east-1:*:cluster/orders/*", True),
    ]
    assert decide(reading[0], a_role(), FUNCTION_ARN, {}).denied
    assert not decide(reading[1], a_role(), FUNCTION_ARN, {}).denied


def test_what_is_recommended_is_never_required() -> None:
    """Some of AWS's examples have it, but Lambda reads clusters without it."""
    source = event_source_of(msk())
    assert source is not None
    recommended = {
        need.action
        for case in CASES.values()
        for need in (event_source_of(case.mapping) or source).needs(case.mapping, case.sources)
        if need.recommended
    }
    public_broker = {action for action, _ in INTERFACES}
    assert recommended - public_broker == {
        "kafka:ListScramSecrets",
        "kafka-cluster:DescribeClusterDynamicConfiguration",
    }


def test_without_a_name_the_consumer_group_can_be_any() -> None:
    """Lambda generates a name: a policy for one group is unknown."""
    (need,) = [need for need in needs_of(CASES["self-managed-iam"]) if need.action == "kafka-cluster:AlterGroup"]
    assert need.resource == "arn:aws:kafka:us-east-1:*:group/*/*/*"
    one = allow("kafka-cluster:*", resource="arn:aws:kafka:us-east-1:123456789012:group/orders/*/billing")
    decision = decide(need, a_role(one), FUNCTION_ARN, {})
    assert "it depends on which of" in decision.explain()


def test_a_consumer_is_no_stream() -> None:
    """The key is the stream's."""
    case = Case(mapping(CONSUMER), [], sources={CONSUMER: SourceState(KEY), STREAM: SourceState()})
    assert [need for need in needs_of(case) if need.action == "kms:Decrypt"] == []
