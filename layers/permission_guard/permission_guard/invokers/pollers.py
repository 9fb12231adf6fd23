"""Services that Lambda polls with the execution role: they never invoke through the resource-based policy."""

from __future__ import annotations

from permission_guard.invokers.base import Authority, Invoker, Sent


def _polled(principal: str, source: str, page: str) -> Invoker:
    return Invoker(
        principal,
        source,
        "",
        f"https://docs.aws.amazon.com/lambda/latest/dg/{page}.html",
        authority=Authority.EXECUTION_ROLE,
        sends_source_arn=Sent.NO,
        sends_source_account=Sent.NO,
    )


SQS = _polled("sqs.amazonaws.com", "queue", "services-sqs-configure")
KINESIS = _polled("kinesis.amazonaws.com", "stream", "services-kinesis-create")
DYNAMODB = _polled("dynamodb.amazonaws.com", "stream", "services-dynamodb-eventsourcemapping")
KAFKA = _polled("kafka.amazonaws.com", "cluster", "with-msk-permissions")
MQ = _polled("mq.amazonaws.com", "broker", "process-mq-messages-with-lambda")
