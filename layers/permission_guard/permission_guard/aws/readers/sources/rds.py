"""Amazon DocumentDB clusters, by the API of Amazon RDS: their parameter group and subnet group."""

from __future__ import annotations

from typing import Any

from permission_guard.aws.readers.sources.base import NOT_FOUND, SourceRead, SourceReading, SourceService
from permission_guard.model.state import SourceState


def cluster(client: Any, arn: str) -> SourceReading:
    """Read the parameter group and the subnet group of a cluster."""
    for found in client.describe_db_clusters(DBClusterIdentifier=arn)["DBClusters"]:
        groups = found.get("DBClusterParameterGroup"), found.get("DBSubnetGroup")
        return SourceReading(SourceState(parameter_group=groups[0], subnet_group=groups[1], exists=True))
    return NOT_FOUND


RDS = SourceService("rds", "rds", state=SourceRead("rds:DescribeDBClusters", cluster))
