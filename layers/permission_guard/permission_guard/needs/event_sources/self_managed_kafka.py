"""Needs for Apache Kafka clusters outside of Amazon MSK: in a VPC, on premises, or of another provider.

https://docs.aws.amazon.com/lambda/latest/dg/with-kafka-permissions.html
https://docs.aws.amazon.com/lambda/latest/dg/kafka-cluster-auth.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import require_arn
from permission_guard.needs.base import NOTHING_READ, NeedKind, on
from permission_guard.needs.event_sources.access import access, network_interfaces, secrets
from permission_guard.needs.event_sources.destinations import destinations
from permission_guard.needs.event_sources.kafka import data_plane, schema_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventSourceMapping, Sources
    from permission_guard.needs.base import Need

_CONFIG: Final = "SelfManagedKafkaEventSourceConfig"


class SelfManagedKafka:
    """A cluster that is identified by its bootstrap servers.

    Reading it requires no AWS action. Only its SourceAccessConfigurations can require permissions.
    """

    name = "self-managed Apache Kafka cluster"
    managed_policy = ""

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Return whether the mapping reads a topic of a self-managed cluster: such a source has no ARN."""
        return not mapping.event_source_arn and bool(mapping.configuration.get("SelfManagedEventSource"))

    def needs(self, mapping: EventSourceMapping, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for reaching the cluster and signing in to it."""
        types = {kind for kind, _ in access(mapping)}
        in_vpc = types & {"VPC_SUBNET", "VPC_SECURITY_GROUP"}
        return (
            *(network_interfaces() if in_vpc else ()),
            *secrets(mapping, sources),
            *_by_iam(mapping, types),
            *schema_registry(mapping, _CONFIG, sources),
            *destinations(mapping, sources),
        )


def _by_iam(mapping: EventSourceMapping, types: set[str]) -> Iterator[Need]:
    """Yield the needs for signing in with the role; the mapping does not contain the cluster's ARN or account."""
    if "IAM_OAUTHBEARER_AUTH" in types:
        purpose = "to get the token for signing in"
        yield from on("*", "sts:GetWebIdentityToken", kind=NeedKind.DEPENDENCY, purpose=purpose)
    if "IAM_AUTH" in types:
        own = require_arn(mapping.function_arn)
        yield from data_plane(mapping, f"arn:{own.partition}:kafka:{own.region}:*:cluster/*/*", _CONFIG)
