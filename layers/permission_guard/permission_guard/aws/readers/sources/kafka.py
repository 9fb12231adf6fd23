"""Amazon MSK clusters: whether they are serverless, and whether they authenticate clients by IAM."""

from __future__ import annotations

from typing import Any

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService
from permission_guard.model.state import SourceState


def cluster(client: Any, arn: str) -> SourceReading:
    """Read the type of a cluster and its client authentication."""
    found = client.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]
    serverless = found.get("ClusterType") == "SERVERLESS"
    by_type = found.get("Serverless" if serverless else "Provisioned") or {}
    sasl = (by_type.get("ClientAuthentication") or {}).get("Sasl") or {}
    by_iam = bool((sasl.get("Iam") or {}).get("Enabled"))
    return SourceReading(SourceState(is_serverless=serverless, uses_iam=by_iam, exists=True))


KAFKA = SourceService("kafka", "kafka", state=SourceRead("kafka:DescribeClusterV2", cluster))
