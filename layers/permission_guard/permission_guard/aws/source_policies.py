"""Read the resource-based policies of event sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.calls import read
from permission_guard.iam import parse_policy
from permission_guard.model import Unread

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient

    from permission_guard.iam import Policy
    from permission_guard.model import FunctionTarget

_QUEUE = "sqs:GetQueueAttributes"
_STREAM = "kinesis:GetResourcePolicy"
_TABLE = "dynamodb:GetResourcePolicy"
_ACTIONS = {"sqs": _QUEUE, "kinesis": _STREAM, "dynamodb": _TABLE}

SERVICES = frozenset(_ACTIONS)
"""The services whose event sources have policies that can be read."""


class SourcePolicyReader:
    """What queues, data streams, their consumers and tables' streams say of who may read them.

    Most functions never need one of the clients: each is made when it is first used.
    """

    def __init__(
        self,
        sqs: Callable[[], SQSClient],
        kinesis: Callable[[], KinesisClient],
        dynamodb: Callable[[], DynamoDBClient],
    ) -> None:
        self._sqs = sqs
        self._kinesis = kinesis
        self._dynamodb = dynamodb

    def policy(self, arn: str, function: FunctionTarget) -> Policy | Unread | None:
        """Read the policy of a function's event source; None when it has none, or does not exist.

        A source of another account that says it does not exist is Unread: it says the same to whom it does not let
        in. So is one of another region, which Lambda cannot poll and these clients cannot reach.
        """
        service, region, account = arn.split(":", 5)[2:5]
        action = _ACTIONS[service]
        if region != function.region:
            return Unread(action, "OtherRegion", f"{arn} is not in {function.region}", denied=True)
        text = self._read(action, arn)
        if text is None and account != function.account:
            return Unread(action, "NotFound", f"{arn} does not exist or may not be read", denied=True)
        if text is None or isinstance(text, Unread):
            return text
        return parse_policy(text, name=arn) if text.strip() not in ("", "{}") else None

    def _read(self, action: str, arn: str) -> str | Unread | None:
        calls = {_QUEUE: self._queue_policy, _STREAM: self._stream_policy, _TABLE: self._table_policy}
        return read(action, lambda: calls[action](arn))

    def _queue_policy(self, arn: str) -> str:
        account, name = arn.split(":")[4:6]
        # Asking for the URL would be one more call, and one more permission.
        url = f"{self._sqs().meta.endpoint_url.rstrip('/')}/{account}/{name}"
        reply = self._sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
        return reply.get("Attributes", {}).get("Policy", "")

    def _stream_policy(self, arn: str) -> str:
        return self._kinesis().get_resource_policy(ResourceARN=arn)["Policy"]

    def _table_policy(self, arn: str) -> str:
        try:
            return self._dynamodb().get_resource_policy(ResourceArn=arn).get("Policy", "")
        except self._dynamodb().exceptions.PolicyNotFoundException:
            return ""
