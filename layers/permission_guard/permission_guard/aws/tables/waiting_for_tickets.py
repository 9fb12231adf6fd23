"""The findings that wait for a ticket, and the count of new tickets: items in the deliveries table.

| finding_id         | channel          | content                                                               |
|--------------------|------------------|-----------------------------------------------------------------------|
| waiting/(channel)  | a finding's id   | the finding as `document`; `ended` if it no longer waits, and expires |
| opened/(channel)   | a period         | `opened`, the findings whose tickets were opened in it; expires       |

The channel is a ticket system's name in the delivery ledger, such as `ticket:opsitem`. A period begins at midnight UTC,
or a whole number of periods later.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from permission_guard.aws.tables import schema
from permission_guard.delivery.tickets.summary import MOST_SHOWN, WaitingEnd, WaitingForTicket
from permission_guard.errors import UNREADABLE, error_code
from permission_guard.model.documents import known_fields
from permission_guard.model.verdicts import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.config.document import TicketLimit

KEEP_ENDED: Final = timedelta(days=7)
"""How long the summary shows a finding that no longer waits."""


class WaitingForTicketsTable:
    """The WaitingListStore of the deployed function."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = client
        self._name = table_name

    def take(self, channel: str, finding_id: str, limit: TicketLimit, now: datetime) -> bool:
        """Count the new ticket of a finding in this period, the same one once. False if the limit is reached."""
        period = timedelta(hours=limit.hours)
        begin = now - (now - datetime(1970, 1, 1, tzinfo=UTC)) % period
        return self._update(
            f"opened/{channel}",
            f"{limit.hours}h/{begin.isoformat(timespec='minutes')}",
            "ADD opened :ids SET expires_at = :expires, #schema = :schema",
            "attribute_not_exists(opened) OR contains(opened, :id) OR size(opened) < :limit",
            {
                ":ids": {"SS": [finding_id]},
                ":id": {"S": finding_id},
                ":limit": {"N": str(limit.tickets)},
                ":expires": _seconds(begin + period + timedelta(days=1)),
            },
        )

    def begin(self, channel: str, waiting: WaitingForTicket) -> None:
        """Record that a finding waits, unless it does already."""
        self._update(
            f"waiting/{channel}",
            waiting.finding_id,
            "SET document = :document, #schema = :schema REMOVE ended, ended_at, expires_at",
            "attribute_not_exists(document) OR attribute_exists(ended)",
            {":document": {"S": json.dumps(asdict(waiting))}},
        )

    def end(self, channel: str, finding_id: str, end: WaitingEnd, now: datetime) -> bool:
        """Record that a finding no longer waits. False if it did not."""
        return self._update(
            f"waiting/{channel}",
            finding_id,
            "SET ended = :ended, ended_at = :now, expires_at = :expires, #schema = :schema",
            "attribute_exists(document) AND attribute_not_exists(ended)",
            {
                ":ended": {"S": end},
                ":now": {"S": now.astimezone(UTC).isoformat(timespec="milliseconds")},
                ":expires": _seconds(now + KEEP_ENDED),
            },
        )

    def findings(self, channel: str, now: datetime) -> list[WaitingForTicket]:
        """Return those that wait, at most one more than are shown, and those that waited a week ago or later."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="finding_id = :id",
            ExpressionAttributeValues={":id": {"S": f"waiting/{channel}"}},
            ConsistentRead=True,
        )
        found, waiting = [], 0
        for one in (one for page in pages for item in page["Items"] for one in _read(item, now)):
            found.append(one)
            waiting += one.end is None
            if waiting > MOST_SHOWN:
                break
        return found

    def _update(self, finding_id: str, channel: str, update: str, condition: str, values: Any) -> bool:
        """Write to an item; return whether its condition was met."""
        try:
            self._dynamodb.update_item(
                TableName=self._name,
                Key={"finding_id": {"S": finding_id}, "channel": {"S": channel}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=schema.NAMES,
                ExpressionAttributeValues={**values, ":schema": schema.VERSION},
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True


def _read(item: Any, now: datetime) -> Iterator[WaitingForTicket]:
    """Yield the finding of an item, none if it has expired or cannot be read: the others must be shown."""
    try:
        if "expires_at" in item and int(item["expires_at"]["N"]) <= now.timestamp():
            return
        fields = known_fields(WaitingForTicket, json.loads(item["document"]["S"]))
        waiting = WaitingForTicket(**fields | {"severity": Severity(fields["severity"]), "end": None})
        if "ended" in item:
            waiting = replace(waiting, end=WaitingEnd(item["ended"]["S"]), changed_at=item["ended_at"]["S"])
        if datetime.fromisoformat(waiting.changed_at).tzinfo is None:
            return
    except UNREADABLE:
        return
    yield waiting


def _seconds(moment: datetime) -> dict[str, str]:
    return {"N": str(int(moment.timestamp()))}
