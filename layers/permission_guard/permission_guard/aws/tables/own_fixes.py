"""The narrowings that `apply_fix` applies, in the decisions table.

| attribute     | what                                                                                  |
|---------------|---------------------------------------------------------------------------------------|
| `finding_id`  | hash key: `WATCH#(id of the finding)`                                                 |
| `revision`    | range key: 0                                                                          |
| `plan_hash`   | the hash of the last plan; empty if it is not the undone one any more                 |
| `applied_at`  | ISO-8601 in UTC, before the first call                                                |
| `undone_for`  | the revision of the finding for which the bot itself undid the fix; absent before     |
| `expires_at`  | epoch seconds, the table's TTL attribute; absent once the bot itself has undone a fix |

Only `apply_fix` writes these items, and no other function reads them: their roles are the proof.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from permission_guard.aws.tables import schema
from permission_guard.aws.tables.decisions import KEEP_DECISIONS
from permission_guard.errors import UNREADABLE, ConflictError, error_code
from permission_guard.fixes.own_undo import OwnFix

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WATCH: Final = "WATCH#"


class OwnFixTable:
    """The OwnFixes of the deployed function. Reads are consistent."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = client
        self._name = table_name

    def own_fix(self, finding_id: str) -> OwnFix | None:
        """Return what was recorded of a finding, None if nothing was. ValueError if that cannot be read."""
        key = _key(finding_id)
        item: Any = self._dynamodb.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return None
        try:
            applied_at = item["applied_at"]["S"]
            if datetime.fromisoformat(applied_at).tzinfo is None:
                raise ValueError(f"not a time in UTC: {applied_at!r:.50}")
            undone_for = int(item["undone_for"]["N"]) if "undone_for" in item else None
            return OwnFix(
                finding_id=finding_id,
                plan_hash=item["plan_hash"]["S"],
                applied_at=applied_at,
                undone_for=undone_for,
            )
        except UNREADABLE as error:
            raise ValueError(f"the item {WATCH}{finding_id} is invalid") from error

    def put_own_fix(self, fix: OwnFix) -> None:
        """Record a fix. ConflictError if the bot itself has undone one, or it undoes one that is not recorded.

        One without a plan replaces only one that is undone for the same revision.
        """
        item: Any = {
            **_key(fix.finding_id),
            **schema.ATTRIBUTE,
            "plan_hash": {"S": fix.plan_hash},
            "applied_at": {"S": fix.applied_at},
        }
        if fix.undone_for is None:
            expires_at = int((datetime.fromisoformat(fix.applied_at) + KEEP_DECISIONS).timestamp())
            item["expires_at"] = {"N": str(expires_at)}
        else:
            item["undone_for"] = {"N": str(fix.undone_for)}
        try:
            self._dynamodb.put_item(TableName=self._name, Item=item, **_condition(fix))
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            if self.own_fix(fix.finding_id) != fix:  # else a try whose reply was lost has written it
                raise ConflictError(f"the item {WATCH}{fix.finding_id} was changed meanwhile") from error


def _condition(fix: OwnFix) -> Any:
    """Return under which condition a fix replaces the recorded one."""
    if fix.undone_for is None:
        return {"ConditionExpression": "attribute_not_exists(undone_for)"}
    if not fix.plan_hash:
        return {
            "ConditionExpression": "undone_for = :revision",
            "ExpressionAttributeValues": {":revision": {"N": str(fix.undone_for)}},
        }
    return {
        "ConditionExpression": "attribute_not_exists(undone_for) AND plan_hash = :plan",
        "ExpressionAttributeValues": {":plan": {"S": fix.plan_hash}},
    }


def _key(finding_id: str) -> Any:
    return {"finding_id": {"S": f"{WATCH}{finding_id}"}, "revision": {"N": "0"}}
