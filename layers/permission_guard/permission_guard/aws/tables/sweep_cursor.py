"""Where a sweep continues: one item in the findings table.

| pk    | sk     | content                                                                                        |
|-------|--------|------------------------------------------------------------------------------------------------|
| SWEEP | CURSOR | the `step`, and `after` which function it continues; no step if no sweep is in progress        |

`revision` counts the writes. Each is conditional on it, so that of two runs at the same time only one goes on.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from permission_guard.aws.tables import schema
from permission_guard.errors import UNREADABLE, ConflictError
from permission_guard.sweep.sweep import Cursor, Step

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY = {"pk": {"S": "SWEEP"}, "sk": {"S": "CURSOR"}}
_REVISION = re.compile(r"\d{1,18}", re.ASCII)
_UNKNOWN = -1
"""The revision of a cursor whose revision cannot be read. The next move replaces it, and counts from 0."""


class SweepCursor:
    """Stores the cursor of the sweep."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = client
        self._name = table_name

    def read(self) -> Cursor:
        """Return the cursor. One that cannot be read, of another version, is that of no sweep, and is replaced."""
        item: Any = self._dynamodb.get_item(TableName=self._name, Key=_KEY, ConsistentRead=True).get("Item", {})
        revision = _revision(item)
        with suppress(*UNREADABLE):
            return Cursor(revision, Step(item["step"]["S"]), item["after"]["S"])
        return Cursor(revision)

    def move(self, cursor: Cursor, step: Step | None, after: str = "") -> Cursor:
        """Store where the sweep continues. ConflictError if another run has moved the cursor since it was read."""
        moved = Cursor(cursor.revision + 1, step, after)
        item: dict[str, Any] = {**_KEY, **schema.ATTRIBUTE, "revision": {"N": str(moved.revision)}}
        if step is not None:
            item |= {"step": {"S": step}, "after": {"S": after}}
        condition: Any = {
            "ConditionExpression": "attribute_not_exists(revision) OR revision = :revision",
            "ExpressionAttributeValues": {":revision": {"N": str(cursor.revision)}},
        }
        try:
            self._dynamodb.put_item(
                TableName=self._name, Item=item, **({} if cursor.revision == _UNKNOWN else condition)
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise ConflictError("another run has moved the sweep's cursor") from error
        return moved


def _revision(item: Any) -> int:
    """Return how often the cursor was moved."""
    with suppress(*UNREADABLE):
        text = item.get("revision", {"N": "0"})["N"]
        if _REVISION.fullmatch(text):
            return int(text)
    return _UNKNOWN
