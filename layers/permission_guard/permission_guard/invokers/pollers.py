"""Services that Lambda polls with the execution role: they never invoke through the resource-based policy."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

SQS = Invoker("sqs.amazonaws.com", "queue", "", names_its_source=False)
KINESIS = Invoker("kinesis.amazonaws.com", "stream", "", names_its_source=False)
DYNAMODB = Invoker("dynamodb.amazonaws.com", "stream", "", names_its_source=False)
