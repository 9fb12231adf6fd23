"""Needs for Amazon MSK clusters, provisioned and serverless.

https://docs.aws.amazon.com/lambda/latest/dg/with-msk-permissions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.needs.base import NOTHING_READ, Need, NeedKind, state_of
from permission_guard.needs.event_sources.access import SECRET_TYPES, access, network_interfaces, secrets
from permission_guard.needs.event_sources.base import source_service
from permission_guard.needs.event_sources.destinations import destinations
from permission_guard.needs.event_sources.kafka import data_plane, schema_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventSourceMapping, Sources

_CONFIG: Final = "AmazonManagedKafkaEventSourceConfig"
_CONNECTION: Final = ":vpc-connection/"


class Msk:
    """A cluster with IAM authentication, with a secret (SASL/SCRAM, mutual TLS) or without authentication.

    A mapping of another account's cluster contains a managed VPC connection instead of the cluster.
    """

    name = "Amazon MSK cluster"
    managed_policy = "service-role/AWSLambdaMSKExecutionRole"

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Return whether the mapping reads a topic of an Amazon MSK cluster."""
        return source_service(mapping) == "kafka"

    def needs(self, mapping: EventSourceMapping, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for describing the cluster, reaching it, and signing in to it."""
        return (
            *_describing(mapping.event_source_arn or "", sources),
            *network_interfaces(),
            *_signing_in(mapping, sources),
            *schema_registry(mapping, _CONFIG, sources),
            *destinations(mapping, sources),
        )


def _describing(source: str, sources: Sources) -> Iterator[Need]:
    """Yield the needs for describing: `kafka:DescribeCluster` suffices too, except for serverless clusters."""
    cluster, doubt = _cluster(source), ""
    if cluster != source:
        yield Need("kafka:DescribeVpcConnection", source, carried=False)
        doubt = "AWS does not say whether a cluster behind a managed VPC connection requires it"
    state = state_of(source, sources)
    serverless = state.is_serverless if state else None
    newer, older = "kafka:DescribeClusterV2", "kafka:DescribeCluster"
    yield Need(newer, cluster, instead=() if serverless else (older,), doubt=doubt)
    if serverless is None and not doubt:
        unclear = f"{older} suffices unless the cluster is serverless, which was not read"
        yield Need(newer, cluster, doubt=unclear, unread=source)
    yield Need("kafka:GetBootstrapBrokers", cluster, doubt=doubt)


def _signing_in(mapping: EventSourceMapping, sources: Sources) -> Iterator[Need]:
    types = {kind for kind, _ in access(mapping)}
    yield from secrets(mapping, sources)
    source = mapping.event_source_arn or ""
    if types & {"SASL_SCRAM_512_AUTH", "SASL_SCRAM_256_AUTH"}:
        purpose = "to list the secrets of the cluster's users"
        yield Need("kafka:ListScramSecrets", _cluster(source), NeedKind.DEPENDENCY, recommended=True, purpose=purpose)
    if types & SECRET_TYPES.keys():
        return
    state = state_of(source, sources)
    by_iam = "IAM_AUTH" in types or (state and (state.is_serverless or state.uses_iam))
    if by_iam:
        yield from data_plane(mapping, _cluster(source), _CONFIG)
    elif state is None or state.uses_iam is None:
        doubt = "it depends on whether the cluster uses IAM authentication, which was not read"
        # A managed VPC connection leads to another account's cluster, which this account cannot describe.
        unread = source if _CONNECTION not in source else ""
        yield from data_plane(mapping, _cluster(source), _CONFIG, doubt, unread)


def _cluster(source: str) -> str:
    """Return the cluster's ARN; of a cluster behind a managed VPC connection only the name is known."""
    if _CONNECTION not in source:
        return source
    head, _, path = source.partition(_CONNECTION)
    name = path.split("/")[1] if path.count("/") > 0 else "*"
    return f"{':'.join(head.split(':')[:4])}:*:cluster/{name}/*"
