"""The stack's own policies allow exactly what the needs name, and no more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from permission_guard.model.state import EventInvokeConfig, EventSourceMapping, SourceState
from permission_guard.needs.base import NeedKind
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.event_sources.destinations import invoke_config_needs
from permission_guard.needs.owned_policies import OWNED_POLICIES, OWNED_SERVICES, owned_service
from permission_guard.needs.resource_tags import has_resource_tags, lists_tags
from tests.owned_policies import PREFIX, TAG, arn_of, owned_documents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.needs.base import Need

FUNCTION: Final = "arn:aws:lambda:us-east-1:123456789012:function:orders"
KEY: Final = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CLUSTER: Final = "6cc0432b-8618-4f44-bccc-e1fbd8fb7c4d-2"


def arn(service: str, resource: str) -> str:
    """Return an ARN of the account."""
    return f"arn:aws:{service}:us-east-1:123456789012:{resource}"


QUEUE: Final = arn("sqs", "orders-queue")
STREAM: Final = arn("kinesis", "stream/orders-stream")
TABLE: Final = arn("dynamodb", "table/orders-table/stream/2026-11-20T00:00:00.000")
MSK: Final = arn("kafka", f"cluster/orders-cluster/{CLUSTER}")
BROKER: Final = arn("mq", "broker:orders-broker:b-1")
DOCUMENTS: Final = arn("rds", "cluster:orders-documents")
SECRET: Final = arn("secretsmanager", "secret:orders-secret-1a2B3c")
TOPIC: Final = arn("sns", "orders-topic")
BUS: Final = arn("events", "event-bus/orders-bus")
BUCKET: Final = "arn:aws:s3:::orders-bucket"


def of_mapping(source: str | None, *types: str, read: SourceState | None = None, **more: Any) -> tuple[Need, ...]:
    """Return what a mapping requires. `types` are of SourceAccessConfigurations with the secret."""
    configuration = {"SourceAccessConfigurations": [{"Type": kind, "URI": SECRET} for kind in types], **more}
    mapping = EventSourceMapping("", "", FUNCTION, source, "Enabled", "", "", configuration)
    found = event_source_of(mapping)
    assert found is not None
    # Without a customer managed key, unless the state says otherwise.
    known = dict.fromkeys((SECRET, QUEUE, STREAM, TABLE), SourceState())
    return found.needs(mapping, {**known, **({source: read} if source and read else {})})


def of_destination(target: str, read: SourceState | None = None) -> tuple[Need, ...]:
    """Return what a destination of asynchronous invocations requires."""
    return invoke_config_needs(EventInvokeConfig(FUNCTION, on_failure=target), {target: read or SourceState()})


def kind_of(needs: Iterable[Need], *kinds: NeedKind, service: str) -> set[tuple[str, str]]:
    """Return the actions and resources of one service that are required."""
    return {
        (need.action, need.resource)
        for need in needs
        if need.kind in kinds and not need.recommended and need.action.startswith(f"{service}:")
    }


ENCRYPTED: Final = SourceState(kms_key_arn=KEY)
READ, DEPENDENCY, DESTINATION = NeedKind.READ, NeedKind.DEPENDENCY, NeedKind.DESTINATION
IAM: Final = SourceState(is_serverless=True, uses_iam=True)
GROUPS: Final = SourceState(parameter_group="orders-parameters", subnet_group="orders-subnets")
PRIVATE: Final = SourceState(is_public=False)
TOPICS: Final = {"Topics": ["placed"], "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "billing"}}

REQUIRED: Final = {
    "decrypt-sources": kind_of(of_mapping(QUEUE, read=ENCRYPTED), DEPENDENCY, service="kms"),
    "encrypt-destinations": kind_of(of_destination(TOPIC, ENCRYPTED), DESTINATION, service="kms"),
    "invoke-functions": kind_of(of_destination(arn("lambda", "function:orders-retry")), DESTINATION, service="lambda"),
    "read-brokers": kind_of(of_mapping(BROKER, read=PRIVATE), READ, service="mq"),
    "read-data-streams": kind_of(of_mapping(f"{STREAM}/consumer/orders:1"), READ, service="kinesis"),
    "read-documentdb-clusters": kind_of(of_mapping(DOCUMENTS, read=GROUPS), READ, service="rds"),
    "read-kafka-topics": kind_of(of_mapping(MSK, read=IAM, **TOPICS), DEPENDENCY, service="kafka-cluster"),
    "read-msk-clusters": kind_of(of_mapping(MSK, read=IAM), READ, service="kafka"),
    "read-queues": kind_of(of_mapping(QUEUE), READ, service="sqs"),
    "read-secrets": kind_of(of_mapping(BROKER, "BASIC_AUTH", read=PRIVATE), DEPENDENCY, service="secretsmanager"),
    "read-table-streams": kind_of(of_mapping(TABLE), READ, service="dynamodb"),
    "send-to-buckets": kind_of(of_destination(BUCKET), DESTINATION, service="s3"),
    "send-to-event-buses": kind_of(
        of_destination(arn("events", "event-bus/orders-bus")), DESTINATION, service="events"
    ),
    "send-to-queues": kind_of(of_destination(QUEUE), DESTINATION, service="sqs"),
    "send-to-topics": kind_of(of_destination(TOPIC), DESTINATION, service="sns"),
    "use-network-interfaces": kind_of(of_mapping(DOCUMENTS, read=GROUPS), DEPENDENCY, service="ec2"),
}
"""What the rules require of the role, for each policy: of resources whose names begin with the prefix."""


def granted(name: str, tag: str, prefix: str) -> set[tuple[str, str]]:
    """Return the actions and resource patterns of a policy."""
    statements = owned_documents(tag, prefix)[arn_of(name)]["Statement"]
    return {(action, statement["Resource"]) for statement in statements for action in statement["Action"]}


def matches(pattern: str, resource: str) -> bool:
    """Return whether a resource matches a pattern with `*`."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), resource) is not None


def test_every_policy_is_compared() -> None:
    """A new policy needs its needs here."""
    assert REQUIRED.keys() == OWNED_POLICIES.keys()
    assert all(REQUIRED.values())


@pytest.mark.parametrize("name", OWNED_POLICIES)
def test_a_policy_has_exactly_the_actions_that_a_rule_requires(name: str) -> None:
    """Documents compared: no action is missing, and none is too much."""
    assert {action for action, _ in granted(name, TAG, PREFIX)} == {action for action, _ in REQUIRED[name]}


@pytest.mark.parametrize(("tag", "prefix"), [(TAG, PREFIX), (TAG, ""), ("", PREFIX)], ids=["both", "tag", "prefix"])
@pytest.mark.parametrize("name", OWNED_POLICIES)
def test_each_action_is_allowed_on_the_resource_that_a_rule_requires(name: str, tag: str, prefix: str) -> None:
    """And on no resource with another name, unless the tag or AWS decides."""
    if arn_of(name) not in owned_documents(tag, prefix):
        return
    for action, resource in REQUIRED[name]:
        patterns = [pattern for allowed, pattern in granted(name, tag, prefix) if allowed == action]
        assert any(matches(pattern, resource) for pattern in patterns), (action, resource, patterns)
        if not tag and "*" not in patterns:
            other = resource.replace("orders-", "billing-")
            assert other != resource
            assert not any(matches(pattern, other) for pattern in patterns), (action, patterns)


def test_a_service_is_known_by_the_name_of_its_policy() -> None:
    """Any other ARN is not of the stack."""
    assert {owned_service(arn_of(name)) for name in OWNED_POLICIES} == OWNED_SERVICES
    assert owned_service("arn:aws:iam::aws:policy/AdministratorAccess") is None
    assert owned_service("arn:aws:iam::123456789012:policy/read-queues") is None


@pytest.mark.parametrize(
    ("resource", "is_listed"),
    [
        (QUEUE, True),
        (STREAM, True),
        (f"{STREAM}/consumer/orders:1", False),
        (TABLE, False),
        (BUCKET, False),
        (KEY, True),
        (FUNCTION, True),
        (f"{FUNCTION}:live", False),
        (arn("rds", "cluster-pg:*"), False),
        (f"{arn('secretsmanager', 'secret:orders')}-??????", False),
        (QUEUE.replace("123456789012", "111122223333"), False),
        (QUEUE.replace("us-east-1", "eu-west-1"), False),
        ("*", False),
    ],
)
def test_tags_are_read_only_of_resources_that_are_known_here(resource: str, is_listed: bool) -> None:
    """AWS lists tags in the account and the region of the caller."""
    assert lists_tags(resource, "us-east-1", "123456789012") is is_listed


@pytest.mark.parametrize(
    ("action", "has_tags"),
    [
        ("sqs:ReceiveMessage", True),
        ("SQS:receivemessage", True),
        ("kafka:GetBootstrapBrokers", False),
        ("kinesis:SubscribeToShard", False),
        ("dynamodb:GetRecords", False),
        ("s3:PutObject", False),
        ("ec2:CreateNetworkInterface", False),
    ],
)
def test_only_some_actions_are_evaluated_with_tags(action: str, has_tags: bool) -> None:
    """Of the others it is unknown, or AWS knows no resource."""
    assert has_resource_tags(action) is has_tags
