"""Buckets. Only one of the same region can notify a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.inventories.base import InvokingService, Walk
from permission_guard.invokers.s3 import INVOKER
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from permission_guard.model.state import Inventory, Trigger

_BUCKETS = "s3:ListAllMyBuckets"
_NOTIFICATION = "s3:GetBucketNotification"


def _read(walk: Walk[S3Client]) -> Inventory:
    # Without a page size, S3 returns all buckets at once and leaves their regions out.
    pages = walk.client.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1000})
    found = walk.list_all(_BUCKETS, (page.get("Buckets", []) for page in pages))
    if isinstance(found, Unread):
        return walk.inventory(found)
    region = walk.target.region
    buckets = {f"arn:{walk.target.partition}:s3:::{bucket['Name']}": bucket for bucket in found}
    here = {arn: bucket["Name"] for arn, bucket in buckets.items() if bucket.get("BucketRegion", region) == region}

    def notifications(arn: str, name: str) -> Iterator[Trigger]:
        reply = walk.client.get_bucket_notification_configuration(Bucket=name)
        for configuration in reply.get("LambdaFunctionConfigurations", []):
            yield walk.trigger(arn, configuration["LambdaFunctionArn"], f"the bucket {name}")

    return walk.inventory(buckets, walk.read_each(_NOTIFICATION, here, notifications))


SERVICE = InvokingService("s3", INVOKER.principal, (_BUCKETS, _NOTIFICATION), _read)
