"""How many messages each alert channel got, in the deliveries table.

| attribute    | what                                                                                              |
|--------------|---------------------------------------------------------------------------------------------------|
| `finding_id` | hash key: `QUOTA`                                                                                 |
| `channel`    | range key: the channel's name                                                                     |
| `times`      | when the messages of the last window were counted: epoch milliseconds, the oldest first, spaces   |
| `expires_at` | epoch seconds; later than anything that waits for the channel                                     |

A message is counted by a write that is conditional on the times that were read. So of two invocations that read the
same, one counts, and the other one reads again: no window has more messages than the limit.

A message is sent after it is counted, at most as much later as the function may run. It counts that much longer, so
that the limit holds for the times at which messages are sent, too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from permission_guard.aws.tables import schema
from permission_guard.config.alert_keys import MAX_MESSAGES
from permission_guard.errors import UNREADABLE, ConflictError, error_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.config.document import AlertLimit

QUOTA: Final = "QUOTA"
KEEP_QUOTA: Final = timedelta(days=90)
SENT_WITHIN: Final = timedelta(minutes=1)
"""How long after it was counted a message is sent at the latest: the timeout of the function."""
_TRIES: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class QuotaTable:
    """The MessageQuota of the deployed functions."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = client
        self._name = table_name

    def take(self, channel: str, limit: AlertLimit, now: datetime, *, spare: int) -> bool:
        """Count a message that is about to be sent, unless only `spare` more are allowed now.

        ConflictError if others were faster each time.
        """
        at = (now - _EPOCH) // _MILLISECOND
        since = at - (timedelta(minutes=limit.minutes) + SENT_WITHIN) // _MILLISECOND
        for _ in range(_TRIES):
            key = {"finding_id": {"S": QUOTA}, "channel": {"S": channel}}
            item = self._dynamodb.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")
            times = _times(item, at, at + (at - since))
            if times is None:  # nobody knows what was sent: as if it were as much as possible, just now
                self._replace({**key, **schema.ATTRIBUTE}, item, [at] * MAX_MESSAGES, now)
                return False
            counted = [time for time in times if time > since]
            if len(counted) + spare >= limit.messages:
                return False
            if self._replace({**key, **schema.ATTRIBUTE}, item, [*counted, at], now):
                return True
        raise ConflictError(f"other invocations changed the quota of {channel} {_TRIES} times")

    def channels(self) -> list[str]:
        """Return the names of the channels that got a message in the last months."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="finding_id = :quota",
            ExpressionAttributeValues={":quota": {"S": QUOTA}},
            ConsistentRead=True,
        )
        return [item["channel"]["S"] for page in pages for item in page["Items"]]

    def _replace(self, item: Any, before: Mapping[str, Any] | None, times: list[int], now: datetime) -> bool:
        """Write the times if they are still those that were read. Return whether they are."""
        condition: Any = {"ConditionExpression": "attribute_not_exists(times)"}
        if before is not None and "times" in before:
            condition = {
                "ConditionExpression": "times = :before",
                "ExpressionAttributeValues": {":before": before["times"]},
            }
        expires_at = {"N": str(int((now + KEEP_QUOTA).timestamp()))}
        item = {**item, "times": {"S": " ".join(map(str, times))}, "expires_at": expires_at}
        try:
            self._dynamodb.put_item(TableName=self._name, Item=item, **condition)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True


def _times(item: Mapping[str, Any] | None, now: int, latest: int) -> list[int] | None:
    """Return the times of an item, None if it cannot be read.

    A time in the future counts as now: the clock that wrote it is ahead. After `latest` no clock is: it is damage.
    """
    if item is None:
        return []
    try:
        times = [int(time) for time in item["times"]["S"].split(" ")]
    except UNREADABLE:
        return None
    if len(times) > MAX_MESSAGES or max(times) > latest:
        return None
    return [min(time, now) for time in times]
