"""Amazon S3. A bucket's ARN carries no account, so the account has to be named besides; no object's is ever sent."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "s3.amazonaws.com",
    "bucket",
    "arn:{partition}:s3:::BUCKET-NAME",
    "https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html",
    never_in_name="/",
)
