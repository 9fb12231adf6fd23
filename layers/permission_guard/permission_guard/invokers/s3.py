"""Amazon S3. A bucket ARN contains no account, so aws:SourceAccount is required. S3 never sends an object ARN.

Buckets of us-east-1 that were created before March 2018 can have capitals, underscores and up to 255 characters.
"""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "s3.amazonaws.com",
    "bucket",
    "arn:{partition}:s3:::BUCKET-NAME",
    "https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html",
    names={"BUCKET-NAME": r"[A-Za-z0-9._\-]{3,255}"},
)
