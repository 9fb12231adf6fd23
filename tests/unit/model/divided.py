"""What exceeds these limits is divided into more requests. For each, what is sent at the limit and beyond it."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from permission_guard.aws.senders.check_queue import CheckQueue
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.maintenance import MaintenanceTable
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.checks.requests import CheckRequest
from permission_guard.findings.checkpoint import Checkpoint, CheckRun
from permission_guard.findings.lifecycle import Change
from permission_guard.model import limits
from permission_guard.model.role_permissions import RoleChange
from permission_guard.model.targets import Direction, FunctionTarget, RoleTarget
from tests import aws_limits
from tests.fakes import ACCOUNT, NOW, TARGET, a_finding
from tests.stack_tables import TABLE_NAME
from tests.unit.model.filled import Client, Sent, filled, findings, functions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.model.findings import Finding

SCOPE = Direction.EXECUTION_ROLE


def write(some: Sequence[Finding], roles: int = 0, client: Any = None) -> list[dict[str, Any]]:
    """Write the result of a check with new findings and new roles; return the transactions."""
    dynamodb = Client("dynamodb", lambda _params: {})
    checkpoint = Checkpoint(frozenset(RoleTarget(ACCOUNT, f"role-{number}") for number in range(roles)))
    table = FindingsTable(client or dynamodb.client, TABLE_NAME)
    changes = [Change(finding, None) for finding in some]
    assert table.commit_check(TARGET, SCOPE, CheckRun(1), checkpoint, changes=changes, unknowns=(), now=NOW)
    return dynamodb.of("TransactWriteItems")


def written(transactions: list[dict[str, Any]], items: int, size: Callable[[dict[str, Any]], int]) -> Sent:
    """Return what was written: each transaction has the check and some of the items."""
    keys = {json.dumps([item["pk"], item["sk"]]) for part in transactions for item in aws_limits.written_items(part)}
    return Sent(list(map(size, transactions)), len(keys) == items + 1)


def transaction(extra: int) -> Sent:
    """Write as large findings as one transaction takes."""
    large = [replace(one, evidence={"a": "x" * 190_000}) for one in findings(9)]

    def some(count: int) -> list[Finding]:
        return [*large, a_finding(evidence={"a": "x" * count})]

    def transactions(count: int) -> int:
        calls: list[object] = []
        write(some(count), client=SimpleNamespace(transact_write_items=lambda **request: calls.append(request)))
        return len(calls)

    most = bisect_right(range(190_000), 1, key=transactions) - 1
    size = lambda part: sum(map(aws_limits.item_size, aws_limits.written_items(part)))  # noqa: E731
    return written(write(some(most + extra)), 2 * (len(large) + 1), size)


def transaction_actions(extra: int) -> Sent:
    """Write findings with their transitions, entries of the role index, and the check."""
    some = findings((limits.TRANSACTION_ACTIONS - 2) // 2)
    roles = 1 + extra
    return written(write(some, roles), 2 * len(some) + roles, lambda part: len(part["TransactItems"]))


def batch_write_items(extra: int) -> Sent:
    """Add functions to the role index."""
    dynamodb = Client("dynamodb", lambda _params: {"Items": []})
    every = [(one, RoleTarget(ACCOUNT, "orders-role")) for one in functions(limits.BATCH_WRITE_ITEMS + extra)]
    reader: Any = SimpleNamespace(roles_of_functions=lambda: every)
    RoleIndex(dynamodb.client, TABLE_NAME, reader).rebuild()
    requests = [params["RequestItems"][TABLE_NAME] for params in dynamodb.of("BatchWriteItem")]
    keys = {request["PutRequest"]["Item"]["sk"]["S"] for batch in requests for request in batch}
    return Sent(list(map(len, requests)), len(keys) == len(every))


def batch_get_items(extra: int) -> Sent:
    """Ask which functions were checked, in two directions each."""
    dynamodb = Client("dynamodb", lambda _params: {"Responses": {}})
    every = functions(limits.BATCH_GET_ITEMS // 2 + extra)
    assert MaintenanceTable(dynamodb.client, TABLE_NAME).unchecked(every) == tuple(every)
    requests = [params["RequestItems"][TABLE_NAME]["Keys"] for params in dynamodb.of("BatchGetItem")]
    keys = {json.dumps(key) for request in requests for key in request}
    return Sent(list(map(len, requests)), len(keys) == 2 * len(every))


def request_checks(
    targets: Sequence[FunctionTarget], request: CheckRequest, size: Callable[[dict[str, Any]], int]
) -> Sent:
    """Request checks of functions."""
    sqs = Client("sqs", lambda _params: {"Successful": []})
    CheckQueue(sqs.client, "https://queue").request_again(targets, request)
    batches = sqs.of("SendMessageBatch")
    details = [json.loads(entry["MessageBody"])["detail"] for batch in batches for entry in batch["Entries"]]
    arns = [arn for detail in details for arn in detail["functions"]]
    return Sent(list(map(size, batches)), arns == [target.arn for target in targets])


def queue_batch_messages(extra: int) -> Sent:
    """Request checks of as many functions as a batch has messages."""
    return request_checks(
        functions(limits.QUEUE_BATCH_MESSAGES + extra), CheckRequest(), lambda batch: len(batch["Entries"])
    )


def queue_message(extra: int) -> Sent:
    """Request checks of ten functions for a change by a caller with a long name."""
    some = functions(limits.QUEUE_BATCH_MESSAGES)

    def of(count: int) -> Sent:
        each, more = divmod(count, len(some))
        change = RoleChange("e1", "DetachRolePolicy", NOW, f"arn:aws:iam::{ACCOUNT}:user/{'x' * each}", "orders-role")
        targets = [*some[:-1], replace(some[-1], name=some[-1].name + "x" * more)]
        return request_checks(targets, CheckRequest(role_changes=(change,)), aws_limits.batch_size)

    sent: Sent = filled(of, lambda sent: sum(sent.sizes), limits.QUEUE_MESSAGE + extra)
    return sent


DIVIDED: Mapping[str, Callable[[int], Sent]] = {
    "TRANSACTION": transaction,
    "TRANSACTION_ACTIONS": transaction_actions,
    "BATCH_WRITE_ITEMS": batch_write_items,
    "BATCH_GET_ITEMS": batch_get_items,
    "QUEUE_MESSAGE": queue_message,
    "QUEUE_BATCH_MESSAGES": queue_batch_messages,
}
"""By limit: sends what has its size and some bytes, entries or actions more."""
