"""The findings table in DynamoDB.

| pk               | sk             | content                                                                     |
|------------------|----------------|-----------------------------------------------------------------------------|
| FUNCTION#(arn)   | FINDING#(id)   | a finding: its `document` as JSON; `status`, `changed_at` make the index    |
| FUNCTION#(arn)   | HISTORY#(id)#n | the finding as its transition to revision n left it; expires after 400 days |
| FUNCTION#(arn)   | CHECK#(direct.)| how many checks were `written`, and the `checkpoint` of the last one;       |
|                  |                | expires if no check is written for 90 days                                  |
| ROLE#(arn)       | FINDING#(id)   | a finding about a role; its transitions likewise                            |
| ROLES            | ROLE#(…)       | the index of roles to functions, see role_index.py                          |
| SWEEP            | CURSOR         | where the sweep continues, see sweep_cursor.py                              |
| FIXES#(hour)     | COUNT          | which fixes were made in that hour                                          |

A check reads how many checks were written before it reads any state. Its write is conditional on that number. If
another check was written meanwhile, its state may be newer, and this check is made again: no clock decides. A check of
an unchanged function is one read and one conditional write; only changes need a transaction.

A transition is written together with its finding, in one transaction. The stream publishes it, and senders read it.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from permission_guard.aws.tables import schema
from permission_guard.aws.tables.finding_items import (
    FINDING_PREFIX,
    HISTORY_PREFIX,
    expires_in,
    finding_item,
    history_item,
    partition_key,
    read_finding,
    target_of_key,
)
from permission_guard.aws.tables.finding_reader import FindingReader
from permission_guard.aws.tables.role_index import entry_of
from permission_guard.errors import UNREADABLE, ConflictError, error_code
from permission_guard.findings.checkpoint import Checkpoint, CheckRun, StoredFindings
from permission_guard.model import limits
from permission_guard.model.arns import finding_target
from permission_guard.model.findings import Finding, Status, Transition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        TransactWriteItemTypeDef,
        UpdateTypeDef,
    )

    from permission_guard.findings.lifecycle import Change
    from permission_guard.model.targets import Direction, FindingTarget, FunctionTarget

STATUS_INDEX = "by-status"
KEEP_CHECKS = timedelta(days=90)

# One action of each transaction is the check itself, with its checkpoint and unknowns.
_WRITES_A_TRANSACTION = limits.TRANSACTION_ACTIONS - 1
_BYTES_A_TRANSACTION = limits.TRANSACTION - limits.TABLE_ITEM
# What an item has besides the document: keys of the table and its index, numbers, their names.
_BYTES_BESIDES = 5_000
_MAX_UNKNOWN = 1_000
_MAX_UNKNOWNS = 20
_IS_A_COUNT = "attribute_type(written, :type)"


class FindingsTable(FindingReader):
    """The FindingStore of the deployed functions: one DynamoDB table."""

    def start_check(self, target: FunctionTarget, direction: Direction) -> CheckRun:
        """Return how many checks were written, what the last one left, and the recorded findings, in one read."""
        items = list(self._items(target, "CHECK#", FINDING_PREFIX))
        key = _check_key(target, direction)
        check = next((item for item in items if item["sk"] == key["sk"]), {})
        text, seen_at = (check.get(name, {}).get("S", "") for name in ("checkpoint", "seen_at"))
        recorded = _recorded(item for item in items if item["sk"]["S"].startswith(FINDING_PREFIX))
        return CheckRun.after(_number(check), text, seen_at, recorded)

    def findings_of(self, target: FindingTarget) -> StoredFindings:
        """Return every recorded finding of a function, with its versions and aliases, or of a role."""
        return _recorded(self._items(target, FINDING_PREFIX, FINDING_PREFIX))

    def _items(self, target: FindingTarget, first: str, last: str) -> Iterator[Mapping[str, Any]]:
        """Yield the items of a target from one prefix of the sort key to another, consistently."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":pk": {"S": partition_key(target)},
                ":first": {"S": first},
                # The ids of findings are hexadecimal digits.
                ":last": {"S": f"{last}~"},
            },
            ConsistentRead=True,
        )
        return (item for page in pages for item in page["Items"])

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

        False if another check has written since the run was started. ConflictError if a finding changed since it was
        read.
        """
        values: dict[str, AttributeValueTypeDef] = {
            ":before": {"N": str(run.number)},
            ":number": {"N": str(run.number + 1)},
            ":now": {"S": now},
            ":unknowns": {"L": [{"S": unknown[:_MAX_UNKNOWN]} for unknown in unknowns[:_MAX_UNKNOWNS]]},
            ":checkpoint": {"S": checkpoint.to_json()},
            ":expires": expires_in(KEEP_CHECKS, now),
            ":schema": schema.VERSION,
        }
        written: UpdateTypeDef = {
            "TableName": self._name,
            "Key": _check_key(target, direction),
            "UpdateExpression": (
                "SET written = :number, checked_at = :now, unknowns = :unknowns, checkpoint = :checkpoint,"
                " expires_at = :expires, #schema = :schema" + (", seen_at = :now" if checkpoint.is_complete else "")
            ),
            # A count that cannot be read was read as 0, and is replaced.
            "ConditionExpression": "written = :before" + ("" if run.number else f" OR NOT {_IS_A_COUNT}"),
            "ExpressionAttributeNames": schema.NAMES,
            "ExpressionAttributeValues": values,
        }
        if not run.number:
            values[":type"] = {"S": "N"}
        writes = [*self._indexed(target, run.checkpoint, checkpoint, now), *map(self._changed, changes)]
        if not writes:
            return self._update(written)
        # A finding and its transition are in one transaction. More than one is rare. Each is consistent by itself, and
        # if one fails the check is repeated. Only the last one counts the check: the others keep the number.
        *parts, last = _transactions(writes)
        unwritten: UpdateTypeDef = {
            **written,
            "UpdateExpression": "SET #schema = :schema",
            "ExpressionAttributeValues": {
                name: value for name, value in values.items() if name in (":before", ":type", ":schema")
            },
        }
        return all(self._transact([{"Update": unwritten}, *part]) for part in parts) and self._transact(
            [{"Update": written}, *last]
        )

    def _update(self, update: UpdateTypeDef) -> bool:
        """Write one item. False if its condition fails, ConflictError if a transaction is writing the same item."""
        try:
            self._dynamodb.update_item(**update)
        except ClientError as error:
            code = error_code(error)
            if code == "TransactionConflictException":
                raise ConflictError("another check of the function is being written") from error
            if code != "ConditionalCheckFailedException":
                raise
            return False
        return True

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
        target = finding_target(change.finding.target_arn)
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

    def targets_with_open_findings(self) -> Iterator[FindingTarget]:
        """List the functions and roles that have an open or suppressed finding, each once."""
        seen: set[FindingTarget] = set()
        for status in (Status.OPEN, Status.SUPPRESSED):
            for target, _ in self.keys_of(status):
                if target not in seen:
                    seen.add(target)
                    yield target

    def keys_of(self, status: Status) -> Iterator[tuple[FindingTarget, str]]:
        """List the target and the id of each finding with a status, the oldest change first. It may be a second old."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=STATUS_INDEX,
            KeyConditionExpression="#status = :status",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": {"S": status}},
        )
        for item in (item for page in pages for item in page["Items"]):
            with suppress(ValueError):  # not an item of ours
                yield target_of_key(item["pk"]["S"]), item["sk"]["S"].removeprefix(FINDING_PREFIX)

    def applied_since(self, since: str) -> Iterator[tuple[FindingTarget, str]]:
        """List the target and the id of each finding with a fix that was applied since a time, the oldest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=STATUS_INDEX,
            KeyConditionExpression="#status = :status AND changed_at >= :since",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": {"S": Transition.FIX_APPLIED}, ":since": {"S": since}},
        )
        for item in (item for page in pages for item in page["Items"]):
            with suppress(ValueError):  # not an item of ours
                prefix, finding_id, _ = item["sk"]["S"].split("#")
                if f"{prefix}#" == HISTORY_PREFIX:
                    yield target_of_key(item["pk"]["S"]), finding_id

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


def _recorded(items: Iterable[Mapping[str, Any]]) -> StoredFindings:
    """Read the items of findings; name those that cannot be read."""
    found: list[Finding] = []
    unreadable: set[str] = set()
    for item in items:
        try:
            found.append(read_finding(item))
        except UNREADABLE:
            unreadable.add(item["sk"]["S"].removeprefix(FINDING_PREFIX))
    return StoredFindings(tuple(found), frozenset(unreadable))


def _number(check: Mapping[str, Any]) -> int:
    """Return how many checks were written; 0 if that cannot be read."""
    with suppress(*UNREADABLE):
        return int(check["written"]["N"])
    return 0


def _check_key(target: FunctionTarget, direction: Direction) -> Any:
    return {"pk": {"S": partition_key(target)}, "sk": {"S": f"CHECK#{direction}"}}
