"""The findings table in DynamoDB.

| pk               | sk             | content                                                                     |
|------------------|----------------|-----------------------------------------------------------------------------|
| FUNCTION#(arn)   | FINDING#(id)   | a finding: its `document` as JSON; `status`, `changed_at` make the index    |
| FUNCTION#(arn)   | HISTORY#(id)#n | the finding as its transition to revision n left it; expires after 30 days  |
| FUNCTION#(arn)   | CHECK#(direct.)| the numbers of the last check started and the last one written, and the     |
|                  |                | `checkpoint` that it wrote; expires if no check is written for 90 days      |
| ROLES            | ROLE#(…)       | the index of roles to functions, see role_index.py                          |
| SWEEP            | CURSOR         | where the sweep continues, see sweep_cursor.py                              |
| FIXES#(hour)     | COUNT          | which fixes were made in that hour                                          |

A check gets its number before it reads anything. Its write is conditional on the number, so a check cannot write after
a newer one has, regardless of clocks. The write is also conditional on the checkpoint that the check started from.

A transition is written together with its finding, in one transaction. The stream publishes it, and senders read it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from permission_guard.aws.tables import schema
from permission_guard.aws.tables.finding_items import (
    FINDING_PREFIX,
    expires_in,
    finding_item,
    history_item,
    partition_key,
    read_finding,
)
from permission_guard.aws.tables.finding_reader import FindingReader
from permission_guard.aws.tables.role_index import entry_of
from permission_guard.errors import UNREADABLE, ConflictError, error_code
from permission_guard.findings.checkpoint import Checkpoint, CheckRun
from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.model import limits
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.findings import Finding, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from permission_guard.findings.lifecycle import Change
    from permission_guard.model.targets import Direction, FunctionTarget

STATUS_INDEX = "by-status"
KEEP_CHECKS = timedelta(days=90)

# One action of each transaction is the check itself, with its checkpoint and unknowns.
_WRITES_A_TRANSACTION = limits.TRANSACTION_ACTIONS - 1
_BYTES_A_TRANSACTION = limits.TRANSACTION - limits.TABLE_ITEM
# What an item has besides the document: keys of the table and its index, numbers, their names.
_BYTES_BESIDES = 5_000
_MAX_UNKNOWN = 1_000
_MAX_UNKNOWNS = 20
_START_TRIES = 4


class FindingsTable(FindingReader):
    """The FindingStore of the deployed functions: one DynamoDB table."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        super().__init__(client, table_name)
        self._unreadable: dict[FunctionTarget, frozenset[str]] = {}

    def start_check(self, target: FunctionTarget, direction: Direction) -> CheckRun:
        """Return a number higher than that of every check started before, and the checkpoint of the last one."""
        return retry_on_conflict(lambda: self._start(target, direction), tries=_START_TRIES)

    def findings_of(self, target: FunctionTarget) -> tuple[Finding, ...]:
        """Return every recorded finding of a function, with its versions and aliases, that can be read."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": partition_key(target)}, ":prefix": {"S": FINDING_PREFIX}},
            ConsistentRead=True,
        )
        found: list[Finding] = []
        unreadable: set[str] = set()
        for item in (item for page in pages for item in page["Items"]):
            try:
                found.append(read_finding(item))
            except UNREADABLE:
                unreadable.add(item["sk"]["S"].removeprefix(FINDING_PREFIX))
        self._unreadable[target] = frozenset(unreadable)
        return tuple(found)

    def unreadable_of(self, target: FunctionTarget) -> frozenset[str]:
        """Return the ids of the findings that the last `findings_of` could not read."""
        return self._unreadable.get(target, frozenset())

    def commit_check(
        self,
        target: FunctionTarget,
        direction: Direction,
        run: CheckRun,
        checkpoint: Checkpoint,
        *,
        changes: Sequence[Change],
        unknowns: Sequence[str],
        now: str,
    ) -> bool:
        """Write the changes and the checkpoint of a check.

        False if a newer check has written. ConflictError if a finding changed since it was read.
        """
        written: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._name,
                "Key": _check_key(target, direction),
                "UpdateExpression": (
                    "SET written = :number, checked_at = :now, unknowns = :unknowns, checkpoint = :checkpoint,"
                    " expires_at = :expires" + (", seen_at = :now" if checkpoint.is_complete else "")
                ),
                "ConditionExpression": (
                    "(attribute_not_exists(written) OR written <= :number)"
                    # A checkpoint that is no text was not read, so it cannot be compared.
                    " AND (NOT attribute_type(checkpoint, :text) OR checkpoint = :before OR checkpoint = :checkpoint)"
                ),
                "ExpressionAttributeValues": {
                    ":number": {"N": str(run.number)},
                    ":now": {"S": now},
                    ":unknowns": {"L": [{"S": unknown[:_MAX_UNKNOWN]} for unknown in unknowns[:_MAX_UNKNOWNS]]},
                    ":text": {"S": "S"},
                    ":before": {"S": run.text},
                    ":checkpoint": {"S": checkpoint.to_json()},
                    ":expires": expires_in(KEEP_CHECKS, now),
                },
            },
        }
        writes = [*self._indexed(target, run.checkpoint, checkpoint, now), *map(self._changed, changes)]
        # A finding and its transition are in one transaction. More than one is rare. Each is consistent by itself, and
        # if one fails the check is repeated.
        return all(self._transact([written, *part]) for part in _transactions(writes))

    def put_finding(self, change: Change) -> None:
        """Write one finding, with its transition if it made one. ConflictError if it changed since it was read."""
        self.put_together(change)

    def put_together(self, change: Change, *more: TransactWriteItemTypeDef) -> None:
        """Write one finding, with its transition and what belongs to it, all or none.

        ConflictError if the finding changed since it was read, or a condition of another write is not met. A finding
        that is stored already was written by a try whose reply was lost. Another try must not report it as a conflict:
        the caller would write the same transition once more.
        """
        if self._transact([*self._changed(change), *more]):
            return
        target = parse_function_arn(change.finding.function_arn)[0]
        if self.finding(target, change.finding.id) != change.finding:
            raise ConflictError(f"finding {change.finding.id} was changed by another writer")

    def take_fix_quota(self, hour: str, limit: int, fix: str) -> bool:
        """Count a fix in an hour (`2026-11-20T09`), the same one once. False if the limit is reached."""
        try:
            self._dynamodb.update_item(
                TableName=self._name,
                Key={"pk": {"S": f"FIXES#{hour}"}, "sk": {"S": "COUNT"}},
                UpdateExpression="ADD fixes :fixes SET expires_at = :expires, #schema = :schema",
                ConditionExpression="attribute_not_exists(fixes) OR contains(fixes, :fix) OR size(fixes) < :limit",
                ExpressionAttributeNames=schema.NAMES,
                ExpressionAttributeValues={
                    ":schema": schema.VERSION,
                    ":fixes": {"SS": [fix]},
                    ":fix": {"S": fix},
                    ":limit": {"N": str(limit)},
                    ":expires": {"N": str(int((datetime.now(UTC) + timedelta(days=2)).timestamp()))},
                },
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def checkpoint(self, target: FunctionTarget, direction: Direction) -> Checkpoint:
        """Return what the last recorded check left, an empty checkpoint if there is none or it cannot be read."""
        reply = self._dynamodb.get_item(TableName=self._name, Key=_check_key(target, direction), ConsistentRead=True)
        text = reply.get("Item", {}).get("checkpoint", {}).get("S", "")
        return CheckRun.after(0, text, "").checkpoint

    def functions_with_open_findings(self) -> Iterator[FunctionTarget]:
        """List the functions that have an open or suppressed finding, each once."""
        seen: set[FunctionTarget] = set()
        for status in (Status.OPEN, Status.SUPPRESSED):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._name,
                IndexName=STATUS_INDEX,
                KeyConditionExpression="#status = :status",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":status": {"S": status}},
            )
            for item in (item for page in pages for item in page["Items"]):
                try:
                    target = parse_function_arn(item["pk"]["S"].removeprefix("FUNCTION#"))[0]
                except ValueError:  # not an item of ours
                    continue
                if target not in seen:
                    seen.add(target)
                    yield target

    def _start(self, target: FunctionTarget, direction: Direction) -> CheckRun:
        try:
            reply = self._dynamodb.update_item(
                TableName=self._name,
                Key=_check_key(target, direction),
                UpdateExpression="ADD started :one SET #schema = :schema",
                ExpressionAttributeNames=schema.NAMES,
                ExpressionAttributeValues={":one": {"N": "1"}, ":schema": schema.VERSION},
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            # The previous check is being written at this moment.
            if error_code(error) != "TransactionConflictException":
                raise
            raise ConflictError(f"a check of {target.arn} is being written") from error
        check = reply["Attributes"]
        text, seen_at = (check.get(name, {}).get("S", "") for name in ("checkpoint", "seen_at"))
        return CheckRun.after(int(check["started"]["N"]), text, seen_at)

    def _indexed(
        self, target: FunctionTarget, before: Checkpoint, checkpoint: Checkpoint, now: str
    ) -> list[list[TransactWriteItemTypeDef]]:
        expires_at = int(datetime.fromisoformat(now).timestamp())
        entries = [entry_of(role, target) for role in sorted(checkpoint.roles - before.roles)]
        entries += [entry_of(role, target, expires_at=expires_at) for role in sorted(before.roles - checkpoint.roles)]
        return [[{"Put": {"TableName": self._name, "Item": entry}}] for entry in entries]

    def _changed(self, change: Change) -> list[TransactWriteItemTypeDef]:
        """Return the writes of a change: the finding, and its transition if it made one."""
        finding: TransactWriteItemTypeDef = {"Put": self._put(change)}
        if not change.is_transition:
            return [finding]
        return [finding, {"Put": {"TableName": self._name, "Item": history_item(change.finding)}}]

    def _transact(self, writes: Sequence[TransactWriteItemTypeDef]) -> bool:
        """Write all or none. False if the first condition fails, ConflictError if another one does."""
        try:
            self._dynamodb.transact_write_items(TransactItems=writes)
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            if codes[:1] == ["ConditionalCheckFailed"]:
                return False
            if "ConditionalCheckFailed" in codes or "TransactionConflict" in codes:
                raise ConflictError("a finding was changed by another writer") from error
            raise
        return True

    def _put(self, change: Change) -> Any:
        arguments: dict[str, Any] = {"TableName": self._name, "Item": finding_item(change.finding)}
        if change.expected_revision is None:
            return arguments | {"ConditionExpression": "attribute_not_exists(pk)"}
        # Starting a fix is no transition, so the revision stays the same. The fix has another owner then.
        return arguments | {
            "ConditionExpression": ("revision = :expected AND (attribute_not_exists(fix_owner) OR fix_owner = :owner)"),
            "ExpressionAttributeValues": {
                ":expected": {"N": str(change.expected_revision)},
                ":owner": {"S": change.read_owner},
            },
        }


def _transactions(writes: Sequence[list[TransactWriteItemTypeDef]]) -> Iterator[list[TransactWriteItemTypeDef]]:
    """Yield the writes in parts that one transaction each accepts, at least one. Groups are not parted."""
    part: list[TransactWriteItemTypeDef] = []
    left = _BYTES_A_TRANSACTION
    for group in writes:
        size = sum(map(_size, group))
        if part and (len(part) + len(group) > _WRITES_A_TRANSACTION or size > left):
            yield part
            part, left = [], _BYTES_A_TRANSACTION
        part += group
        left -= size
    yield part


def _size(write: TransactWriteItemTypeDef) -> int:
    item: Any = write["Put"]["Item"]
    # The document is JSON with escaped characters, so all of it is ASCII.
    return len(item.get("document", {"S": ""})["S"]) + _BYTES_BESIDES


def _check_key(target: FunctionTarget, direction: Direction) -> Any:
    return {"pk": {"S": partition_key(target)}, "sk": {"S": f"CHECK#{direction}"}}
