"""File systems: whether clients must be allowed by IAM, which is so once the file system has a policy.

https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
"""

from __future__ import annotations

from typing import Any

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService
from permission_guard.model.state import SourceState


def access_point(client: Any, arn: str) -> SourceReading:
    """Read the file system of an access point, whose state and policy are the relevant ones."""
    (found,) = client.describe_access_points(AccessPointId=arn.rpartition("/")[2])["AccessPoints"]
    return SourceReading(state_from=f"{arn.partition(':access-point/')[0]}:file-system/{found['FileSystemId']}")


def file_system(client: Any, arn: str) -> SourceReading:
    """Read the policy of a file system."""
    try:
        policy = client.describe_file_system_policy(FileSystemId=arn.rpartition("/")[2])["Policy"]
    except client.exceptions.PolicyNotFound:
        return SourceReading(SourceState(uses_iam=False, file_system=arn, exists=True))
    return SourceReading(SourceState(uses_iam=True, file_system=arn, exists=True), policy=policy)


ELASTICFILESYSTEM = SourceService(
    "elasticfilesystem",
    "efs",
    state=SourceRead("elasticfilesystem:DescribeAccessPoints", access_point),
    policy=SourceRead("elasticfilesystem:DescribeFileSystemPolicy", file_system),
)
