"""The decisions about fixes in DynamoDB, a table of their own.

| attribute     | what                                                             |
|---------------|------------------------------------------------------------------|
| `finding_id`  | hash key                                                         |
| `revision`    | range key: the revision that proposed the fix, or with `undo`    |
|               | that which the person has read                                   |
| `decision`    | `approve`, `reject` or `undo`                                    |
| `plan_hash`   | the hash of what the fix changes                                 |
| `decided_by`  | the ARN of who decided, as AWS STS proved it                     |
| `decided_at`  | ISO-8601 in UTC                                                  |
| `nonce`       | the random part of what the caller signed                        |
| `reason`      | why the fix is to be undone; absent if nobody said               |
| `expires_at`  | epoch seconds, the table's TTL attribute                         |

Only the function `decide_fix` may write decisions, and only `apply_fix` reads them besides: their roles are the proof.
What stops all fixing is in the same table, see `stops.py`, and what is watched, see `own_fixes.py`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from permission_guard.aws.tables import schema
from permission_guard.errors import UNREADABLE
from permission_guard.fixes.decisions import Decision, DecisionKind
from permission_guard.iam.arn import require_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.aws.tables.findings import FindingsTable
    from permission_guard.findings.lifecycle import Change

KEEP_DECISIONS = timedelta(days=90)


class DecisionReader:
    """Reads decisions, consistently."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = client
        self._name = table_name

    def decision(self, finding_id: str, revision: int) -> Decision | None:
        """Return the decision about the proposal of a revision, None if there is none.

        ValueError if the item is not a decision. It is not treated as absent: only `decide_fix` writes the table, so
        people must learn of it. The message goes to the dead-letter queue, which has an alarm.
        """
        reply = self._dynamodb.get_item(TableName=self._name, Key=_key(finding_id, revision), ConsistentRead=True)
        if "Item" not in reply:
            return None
        try:
            return _read(finding_id, revision, reply["Item"])
        except UNREADABLE as error:
            raise ValueError(f"the decision about revision {revision} of finding {finding_id} is invalid") from error


class DecisionTable(DecisionReader):
    """The DecisionStore of the deployed functions."""

    def __init__(self, client: DynamoDBClient, table_name: str, findings: FindingsTable) -> None:
        super().__init__(client, table_name)
        self._findings = findings

    def record(self, decision: Decision, change: Change) -> None:
        """Write a decision and the finding's transition. ConflictError if one of them was written meanwhile."""
        item = {
            **_key(decision.finding_id, decision.revision),
            **schema.ATTRIBUTE,
            "decision": {"S": decision.kind},
            "plan_hash": {"S": decision.plan_hash},
            "decided_by": {"S": decision.by},
            "decided_at": {"S": decision.at},
            "nonce": {"S": decision.nonce},
            "expires_at": {"N": str(int((datetime.fromisoformat(decision.at) + KEEP_DECISIONS).timestamp()))},
        }
        if decision.reason:
            item["reason"] = {"S": decision.reason}
        put: Any = {"TableName": self._name, "Item": item, "ConditionExpression": "attribute_not_exists(finding_id)"}
        self._findings.put_together(change, {"Put": put})


def _read(finding_id: str, revision: int, item: Mapping[str, Any]) -> Decision:
    decision = Decision(
        kind=DecisionKind(item["decision"]["S"]),
        finding_id=finding_id,
        revision=revision,
        plan_hash=item["plan_hash"]["S"],
        by=item["decided_by"]["S"],
        at=item["decided_at"]["S"],
        nonce=item["nonce"]["S"],
        reason=item["reason"]["S"] if "reason" in item else "",
    )
    require_arn(decision.by)
    if datetime.fromisoformat(decision.at).tzinfo is None:
        raise ValueError(f"not a time in UTC: {decision.at!r:.50}")
    return decision


def _key(finding_id: str, revision: int) -> Any:
    return {"finding_id": {"S": finding_id}, "revision": {"N": str(revision)}}
