"""File systems: whether they ask their clients for IAM, which they do as soon as they have a policy.

https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
"""

from __future__ import annotations

from typing import Any

from permission_guard.aws.readers.sources.base import Look, Seen, Service
from permission_guard.model.state import SourceState


def access_point(client: Any, arn: str) -> Seen:
    """Read which file system is behind an access point: all the rest is the file system's."""
    (found,) = client.describe_access_points(AccessPointId=arn.rpartition("/")[2])["AccessPoints"]
    return Seen(leads_to=f"{arn.partition(':access-point/')[0]}:file-system/{found['FileSystemId']}")


def file_system(client: Any, arn: str) -> Seen:
    """Read the policy of a file system."""
    try:
        policy = client.describe_file_system_policy(FileSystemId=arn.rpartition("/")[2])["Policy"]
    except client.exceptions.PolicyNotFound:
        return Seen(SourceState(uses_iam=False, file_system=arn, exists=True))
    return Seen(SourceState(uses_iam=True, file_system=arn, exists=True), policy=policy)


ELASTICFILESYSTEM = Service(
    "elasticfilesystem",
    "efs",
    state=Look("elasticfilesystem:DescribeAccessPoints", access_point),
    policy=Look("elasticfilesystem:DescribeFileSystemPolicy", file_system),
)
