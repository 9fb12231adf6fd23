"""What waits for the digests of alert channels, in the deliveries table.

| attribute    | what                                                                                              |
|--------------|---------------------------------------------------------------------------------------------------|
| `finding_id` | hash key: `WAITING#(channel)`                                                                     |
| `channel`    | range key: the id of the finding or of the digest that waits                                      |
| `document`   | a finding as a digest shows it, as JSON; `{}` for a digest                                        |
| `expires_at` | epoch seconds: what waits for a channel that was removed is deleted in the end                    |

What waits is written in one transaction with the record of its delivery, and removed in one with the record that its
digest was sent. So a crash loses nothing, and nothing is repeated but what was sent and could not be recorded.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from permission_guard.aws.tables import schema
from permission_guard.aws.tables.quotas import QuotaTable
from permission_guard.delivery.waiting import WaitingFinding, WaitingItem
from permission_guard.errors import UNREADABLE, ConflictError, error_code
from permission_guard.model.digests import DIGEST_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from permission_guard.delivery.ledger import Claim

KEEP_WAITING: Final = timedelta(days=60)
_TRIES: Final = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Seconds to wait before each try of a transaction: another one may be about the same item."""


class WaitingForDigestsTable:
    """The WaitingMessages of the deployed functions."""

    def __init__(self, client: DynamoDBClient, table_name: str, wait: Callable[[float], None] | None = None) -> None:
        self._dynamodb = client
        self._name = table_name
        self._wait = wait or time.sleep

    def item(self, channel: str, identifier: str) -> WaitingItem | None:
        """Return what waits of a finding or a digest, None if nothing does."""
        key = _key(channel, identifier)
        reply = self._dynamodb.get_item(TableName=self._name, Key=key, ConsistentRead=True)
        return _read(reply["Item"]) if "Item" in reply else None

    def items(self, channel: str) -> list[WaitingItem]:
        """Return everything that waits for a channel."""
        pages = self._dynamodb.get_paginator("query").paginate(**self._query(channel))
        return [_read(item) for page in pages for item in page["Items"]]

    def channels(self) -> list[str]:
        """Return the names of the channels for which something waits."""
        named = QuotaTable(self._dynamodb, self._name).channels()
        return [one for one in named if self._dynamodb.query(**self._query(one), Limit=1)["Items"]]

    def postpone(self, claim: Claim, finding: WaitingFinding | None, expires_at: datetime | None) -> None:
        """Let what is claimed wait, and record its delivery: both or neither."""
        document = json.dumps(finding.to_document() if finding else {}, sort_keys=True)
        item = {
            **_key(claim.channel, claim.finding_id),
            **schema.ATTRIBUTE,
            "document": {"S": document},
            "expires_at": {"N": str(int((claim.locked_until + KEEP_WAITING).timestamp()))},
        }
        values: dict[str, Any] = {":revision": {"N": str(claim.revision)}, ":token": {"S": claim.token}}
        expires = ""
        if expires_at is not None:
            expires, values[":expires_at"] = ", expires_at = :expires_at", {"N": str(int(expires_at.timestamp()))}
        recorded: Any = {
            "TableName": self._name,
            "Key": {"finding_id": {"S": claim.finding_id}, "channel": {"S": claim.channel}},
            "UpdateExpression": f"SET revision = :revision{expires} REMOVE locked_until, locked_by",
            "ConditionExpression": "locked_by = :token",
            "ExpressionAttributeValues": values,
        }
        failed = self._transact([{"Update": recorded}, {"Put": {"TableName": self._name, "Item": item}}])
        if failed:
            raise ConflictError(f"another invocation has taken over the delivery of {claim.finding_id}")

    def sent(self, claim: Claim, items: Sequence[WaitingItem]) -> None:
        """Remove what a message of a channel has reported, all of it at once, but what has changed since."""
        recorded: Any = {
            "TableName": self._name,
            "Key": {"finding_id": {"S": claim.finding_id}, "channel": {"S": claim.channel}},
            "UpdateExpression": "SET revision = :revision",
            "ConditionExpression": "locked_by = :token",
            "ExpressionAttributeValues": {":revision": {"N": str(claim.revision)}, ":token": {"S": claim.token}},
        }
        remaining = list(items)
        while remaining:
            deletes: list[TransactWriteItemTypeDef] = [
                {"Delete": self._delete(claim.channel, one)} for one in remaining
            ]
            failed = self._transact([{"Update": recorded}, *deletes])
            if not failed:
                return
            if 0 in failed:
                raise ConflictError(f"another invocation sends what waits for {claim.channel}")
            # A newer revision waits now. It is for the next digest.
            remaining = [one for number, one in enumerate(remaining, 1) if number not in failed]

    def _query(self, channel: str) -> Any:
        return {
            "TableName": self._name,
            "KeyConditionExpression": "finding_id = :waiting",
            "ExpressionAttributeValues": {":waiting": {"S": _partition(channel)}},
            "ConsistentRead": True,
        }

    def _delete(self, channel: str, item: WaitingItem) -> Any:
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(document)"}
        if item.stored is not None:
            condition = {
                "ConditionExpression": "document = :stored",
                "ExpressionAttributeValues": {":stored": item.stored},
            }
        return {"TableName": self._name, "Key": _key(channel, item.id), **condition}

    def _transact(self, writes: Sequence[TransactWriteItemTypeDef]) -> set[int]:
        """Write all or none. Return the numbers of the writes whose condition failed: none if all was written."""
        for seconds in _TRIES:
            self._wait(seconds)
            try:
                self._dynamodb.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                response: Mapping[str, Any] = error.response
                codes = [reason.get("Code") for reason in response.get("CancellationReasons", ())]
                failed = {number for number, code in enumerate(codes) if code == "ConditionalCheckFailed"}
                if failed:
                    return failed
                if "TransactionConflict" not in codes:
                    raise
            else:
                return set()
        raise ConflictError("other transactions were about the same items each time")


def _partition(channel: str) -> str:
    return f"WAITING#{channel}"


def _key(channel: str, identifier: str) -> Any:
    return {"finding_id": {"S": _partition(channel)}, "channel": {"S": identifier}}


def _read(item: Mapping[str, Any]) -> WaitingItem:
    """Read an item. One that cannot be read still has its id: its key is that of a finding or a digest."""
    identifier: str = item["channel"]["S"]
    finding = None
    if not DIGEST_ID.fullmatch(identifier):
        with suppress(*UNREADABLE):
            finding = WaitingFinding.from_document(json.loads(item["document"]["S"]))
            finding = finding if finding.id == identifier else None
    return WaitingItem(id=identifier, stored=item.get("document"), finding=finding)
