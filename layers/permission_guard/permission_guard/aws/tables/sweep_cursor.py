"""Where a sweep continues: one item in the findings table.

| pk    | sk     | content                                                                                        |
|-------|--------|------------------------------------------------------------------------------------------------|
| SWEEP | CURSOR | the `step`, and `after` which function it continues; no step if no sweep is in progress        |

`revision` counts the writes. Each is conditional on it, so that of two runs at the same time only one goes on.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from permission_guard.aws.tables import schema
from permission_guard.errors import UNREADABLE, ConflictError
from permission_guard.sweep.sweep import Cursor, Step

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY = {"pk": {"S": "SWEEP"}, "sk": {"S": "CURSOR"}}


class SweepCursor:
    """Stores the cursor of the sweep."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = client
        self._name = table_name

    def read(self) -> Cursor:
        """Return the cursor. One whose position cannot be read, of another version, is that of no sweep."""
        item: Any = self._dynamodb.get_item(TableName=self._name, Key=_KEY, ConsistentRead=True).get("Item", {})
        revision = int(item["revision"]["N"]) if "revision" in item else 0
        with suppress(*UNREADABLE):
            return Cursor(revision, Step(item["step"]["S"]), item["after"]["S"])
        return Cursor(revision)

    def move(self, cursor: Cursor, step: Step | None, after: str = "") -> Cursor:
        """Store where the sweep continues. ConflictError if another run has moved the cursor since it was read."""
        moved = Cursor(cursor.revision + 1, step, after)
        item: dict[str, Any] = {**_KEY, **schema.ATTRIBUTE, "revision": {"N": str(moved.revision)}}
        if step is not None:
            item |= {"step": {"S": step}, "after": {"S": after}}
        try:
            self._dynamodb.put_item(
                TableName=self._name,
                Item=item,
                ConditionExpression="attribute_not_exists(revision) OR revision = :revision",
                ExpressionAttributeValues={":revision": {"N": str(cursor.revision)}},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise ConflictError("another run has moved the sweep's cursor") from error
        return moved
