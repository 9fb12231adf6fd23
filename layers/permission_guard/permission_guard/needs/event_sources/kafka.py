"""Needs that both types of Kafka clusters share: the cluster's data plane and schema registries.

https://docs.aws.amazon.com/lambda/latest/dg/services-consume-kafka-events.html
https://docs.aws.amazon.com/msk/latest/developerguide/iam-access-control.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam import LambdaCall
from permission_guard.needs.base import Need, NeedKind, on
from permission_guard.needs.event_sources.access import access_entries, part, secret
from permission_guard.needs.event_sources.destinations import KAFKA, destinations_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventSourceMapping, Sources

_SIGN_IN: Final = "to sign in to the cluster with IAM"
_READ: Final = "to read the topic of a cluster with IAM authentication"
_SEND: Final = "to send failed records to a topic of a cluster with IAM authentication"


def data_plane(
    mapping: EventSourceMapping, cluster: str, config: str, doubt: str = "", unread: str = ""
) -> Iterator[Need]:
    """Yield the needs for reading, and for sending failures, inside a cluster with IAM authentication.

    `cluster` is the cluster's ARN, with wildcards if it is unknown. `config` is the part of the mapping that can name
    the consumer group; if it does not, Lambda generates a name. `doubt` and `unread` are set on each need.
    """
    for need in _data_plane(mapping, cluster, config):
        yield replace(need, doubt=doubt, unread=unread)


def _data_plane(mapping: EventSourceMapping, cluster: str, config: str) -> Iterator[Need]:
    group = part(mapping.configuration, config).get("ConsumerGroupId")
    topics = mapping.configuration.get("Topics")
    of_topic = ("kafka-cluster:DescribeTopic", "kafka-cluster:ReadData")
    of_group = ("kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup")
    yield from on(cluster, "kafka-cluster:Connect", kind=NeedKind.DEPENDENCY, purpose=_SIGN_IN)
    for topic in topics if isinstance(topics, list) else ():
        named = _inside(cluster, "topic", str(topic))
        yield from on(named, *of_topic, kind=NeedKind.DEPENDENCY, purpose=_READ)
    named = _inside(cluster, "group", group if isinstance(group, str) and group else "*")
    yield from on(named, *of_group, kind=NeedKind.DEPENDENCY, purpose=_READ)
    dynamic = Need("kafka-cluster:DescribeClusterDynamicConfiguration", cluster, NeedKind.DEPENDENCY, purpose=_SIGN_IN)
    yield replace(dynamic, recommended=True)
    for destination in destinations_of(mapping):
        if destination.startswith(KAFKA):
            yield from _sending(cluster, destination.removeprefix(KAFKA))


def _sending(cluster: str, topic: str) -> Iterator[Need]:
    """Yield the needs for a Kafka topic as destination, which always belongs to the mapping's own cluster.

    https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html
    """
    of_topic = ("kafka-cluster:DescribeTopic", "kafka-cluster:WriteData", "kafka-cluster:ReadData")
    of_cluster = ("kafka-cluster:Connect", "kafka-cluster:DescribeCluster")
    for resource, actions in ((cluster, of_cluster), (_inside(cluster, "topic", topic), of_topic)):
        yield from on(resource, *actions, kind=NeedKind.DESTINATION, call=LambdaCall.DESTINATION, purpose=_SEND)


def _inside(cluster: str, kind: str, name: str) -> str:
    """Return the ARN of a topic or a group, which contains the cluster's name and id."""
    return f"{cluster.replace(':cluster/', f':{kind}/', 1)}/{name}"


def schema_registry(mapping: EventSourceMapping, config: str, sources: Sources) -> Iterator[Need]:
    """Yield the needs for the mapping's schema registry: AWS Glue requires actions, Confluent's requires secrets.

    https://docs.aws.amazon.com/lambda/latest/dg/services-consume-kafka-events.html#services-consume-kafka-events-config
    """
    registry = part(part(mapping.configuration, config), "SchemaRegistryConfig")
    uri = registry.get("SchemaRegistryURI")
    if isinstance(uri, str) and uri.startswith("arn:") and ":registry/" in uri:
        purpose = "to validate records with the schema registry"
        yield from on(uri, "glue:GetRegistry", kind=NeedKind.DEPENDENCY, purpose=purpose)
        schemas = f"{uri.replace(':registry/', ':schema/', 1)}/*"
        yield from on(schemas, "glue:GetSchemaVersion", kind=NeedKind.DEPENDENCY, purpose=purpose)
        return
    for _, secret_arn in access_entries(registry.get("AccessConfigs")):
        if secret_arn:
            yield from secret(secret_arn, mapping, sources, "with the credentials for the schema registry")
