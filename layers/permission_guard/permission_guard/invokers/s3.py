"""Amazon S3. A bucket ARN contains no account, so aws:SourceAccount is required. S3 never sends an object ARN."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "s3.amazonaws.com",
    "bucket",
    "arn:{partition}:s3:::BUCKET-NAME",
    "https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html",
    never_in_name="/",
)
