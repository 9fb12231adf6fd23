"""Services that invoke functions with an IAM role: a statement for one of them has no effect."""

from __future__ import annotations

from permission_guard.invokers.base import ALL_PARTITIONS, Authority, Invoker, Sent


def _with_role(
    principal: str,
    source: str,
    page: str,
    *,
    regional_principal: str = "",
    partitions: tuple[str, ...] = ALL_PARTITIONS,
) -> Invoker:
    return Invoker(
        principal,
        source,
        "",
        f"https://docs.aws.amazon.com/{page}.html",
        regional_principal=regional_principal,
        authority=Authority.OWN_ROLE,
        sends_source_arn=Sent.NO,
        sends_source_account=Sent.NO,
        partitions=partitions,
    )


CODEPIPELINE = _with_role(
    "codepipeline.amazonaws.com", "pipeline", "codepipeline/latest/userguide/actions-invoke-lambda-function"
)
FIREHOSE = _with_role("firehose.amazonaws.com", "Firehose stream", "firehose/latest/dev/controlling-access")
PIPES = _with_role(
    "pipes.amazonaws.com",
    "pipe",
    "eventbridge/latest/userguide/eb-pipes-permissions",
    partitions=("aws", "aws-cn"),
)
S3_BATCH = _with_role(
    "batchoperations.s3.amazonaws.com", "batch job", "AmazonS3/latest/userguide/batch-ops-invoke-lambda"
)
SCHEDULER = _with_role("scheduler.amazonaws.com", "schedule", "scheduler/latest/UserGuide/setting-up")
STATES = _with_role(
    "states.amazonaws.com",
    "state machine",
    "step-functions/latest/dg/connect-lambda",
    regional_principal="states.{region}.amazonaws.com",
)
