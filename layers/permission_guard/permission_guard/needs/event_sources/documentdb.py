"""Needs for change streams of Amazon DocumentDB clusters, which use the API of Amazon RDS.

https://docs.aws.amazon.com/lambda/latest/dg/with-documentdb.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam.arn import split_arn
from permission_guard.model.state import SourceState
from permission_guard.needs.base import NOTHING_READ, Need, on, state_of
from permission_guard.needs.event_sources.access import network_interfaces, secrets
from permission_guard.needs.event_sources.base import source_service
from permission_guard.needs.event_sources.destinations import destinations

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping, Sources


class DocumentDB:
    """A cluster. Its parameter and subnet groups have their own ARNs, which the mapping does not contain."""

    name = "Amazon DocumentDB cluster"
    managed_policy = ""

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Return whether the mapping reads a cluster's change stream."""
        return source_service(mapping) == "rds"

    def needs(self, mapping: EventSourceMapping, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for describing the cluster and its groups, reaching it, and reading the sign-in secret."""
        cluster = mapping.event_source_arn or ""
        owner = ":".join(split_arn(cluster)[:5])
        state = state_of(cluster, sources) or SourceState()
        groups = (
            ("cluster-pg", state.parameter_group, "rds:DescribeDBClusterParameters"),
            ("subgrp", state.subnet_group, "rds:DescribeDBSubnetGroups"),
        )
        return (
            *on(cluster, "rds:DescribeDBClusters"),
            *(
                Need(action, f"{owner}:{kind}:{name or '*'}", unread="" if name else cluster, identifies=not name)
                for kind, name, action in groups
            ),
            *network_interfaces(),
            *secrets(mapping, sources),
            *destinations(mapping, sources),
        )
