"""Needs for file systems that a function mounts.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem-efs.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem-s3files.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import LambdaCall
from permission_guard.needs.base import NOTHING_READ, Need, NeedKind, state_of
from permission_guard.needs.features.configuration import access_points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import Function, Sources

_MOUNT: Final = "to mount the file system behind {}"
_WRITE: Final = "to write to the file system behind {}"


class ElasticFileSystem:
    """A function that mounts Amazon EFS file systems.

    A file system without a policy allows every client that reaches it. A file system with a policy requires IAM
    authorization.
    """

    name = "Amazon EFS"
    managed_policy = "AmazonElasticFileSystemClientReadWriteAccess"
    subject = "efs"
    member = "FileSystemConfigs"
    purpose = "mount its Amazon EFS file systems"
    impact = (
        "Lambda mounts the file system before it runs the function. If the mount is denied, every invocation fails."
    )

    def is_used(self, function: Function) -> bool:
        """Return whether the function mounts one."""
        return bool(access_points(function, "elasticfilesystem"))

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for mounting those with IAM authorization; writing is only recommended."""
        return tuple(
            need for point in access_points(function, "elasticfilesystem") for need in _mounting_efs(point, sources)
        )


class S3Files:
    """A function that mounts Amazon S3 buckets as file systems.

    Reading objects directly from the bucket requires permissions on it. They are only recommended: without them, the
    function reads the objects through the mount.
    """

    name = "Amazon S3 Files"
    managed_policy = "AmazonS3FilesClientReadWriteAccess"
    subject = "s3-files"
    member = "FileSystemConfigs"
    purpose = "mount its Amazon S3 file systems"
    impact = ElasticFileSystem.impact

    def is_used(self, function: Function) -> bool:
        """Return whether the function mounts one."""
        return bool(access_points(function, "s3files"))

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:  # noqa: ARG002 - a Feature
        """Return the needs for mounting each; AWS does not say whether on the file system or on the access point."""
        return tuple(need for point in access_points(function, "s3files") for need in _mounting_s3(point))


def _mounting_efs(point: str, sources: Sources) -> Iterator[Need]:
    state = state_of(point, sources)
    uses_iam = state.uses_iam if state else None
    if uses_iam is False:
        return
    resource = (state.file_system if state else None) or f"{point.partition(':access-point/')[0]}:file-system/*"
    unclear = f"it depends on whether the file system behind {point} requires IAM authorization, which was not read"
    doubt = "" if uses_iam else unclear
    unread = "" if state and state.file_system and uses_iam else point
    context = (("elasticfilesystem:AccessPointArn", point), ("elasticfilesystem:AccessedViaMountTarget", "true"))
    for action, purpose in (("ClientMount", _MOUNT), ("ClientWrite", _WRITE)):
        yield Need(
            f"elasticfilesystem:{action}",
            resource,
            NeedKind.FEATURE,
            LambdaCall.FILE_SYSTEM,
            recommended=action == "ClientWrite",
            purpose=purpose.format(point),
            context=context,
            doubt=doubt,
            unread=unread,
            identifies=bool(unread),
        )


def _mounting_s3(point: str) -> Iterator[Need]:
    file_system = point.partition("/access-point/")[0]
    for action, purpose in (("ClientMount", _MOUNT), ("ClientWrite", _WRITE)):
        yield Need(
            f"s3files:{action}",
            file_system,
            NeedKind.FEATURE,
            LambdaCall.FILE_SYSTEM,
            elsewhere=(point,),
            recommended=action == "ClientWrite",
            purpose=purpose.format(point),
        )
    bucket = f"{':'.join(point.split(':')[:2])}:s3:::*/*"
    for action in ("s3:GetObject", "s3:GetObjectVersion"):
        yield Need(
            action,
            bucket,
            NeedKind.FEATURE,
            LambdaCall.FILE_SYSTEM,
            recommended=True,
            purpose="to read large files directly from the bucket",
        )
