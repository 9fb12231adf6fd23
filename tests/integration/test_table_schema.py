"""Every item of the stack's tables has a schema version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.aws.tables.sweep_cursor import SweepCursor
from permission_guard.findings.checkpoint import Checkpoint
from permission_guard.findings.lifecycle import Change
from permission_guard.model.arns import role_target
from permission_guard.model.targets import Direction
from permission_guard.sweep.sweep import Step
from tests.fakes import ROLE_ARN, TARGET, a_finding
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from tests.integration.conftest import Account


def test_every_type_of_item_has_a_schema_version(account: Account) -> None:
    """Checks, findings, transitions, the role index, its marker, the sweep's cursor and the counter of fixes."""
    account.make_role()
    account.make_function()
    table = FindingsTable(account.dynamodb, TABLE_NAME)
    run = table.start_check(TARGET, Direction.EXECUTION_ROLE)
    checkpoint = Checkpoint(roles=frozenset({role_target(ROLE_ARN)}))
    changes = [Change(a_finding(), None)]
    now = "2026-11-20T09:30:00.000+00:00"
    table.commit_check(TARGET, Direction.EXECUTION_ROLE, run, checkpoint, changes=changes, unknowns=(), now=now)
    table.take_fix_quota("2026-11-20T09", 20, "one#1")
    RoleIndex(account.dynamodb, TABLE_NAME, FunctionReader(boto3.client("lambda"))).rebuild()
    cursor = SweepCursor(account.dynamodb, TABLE_NAME)
    cursor.move(cursor.read(), Step.REQUEST_CHECKS)
    items = account.dynamodb.scan(TableName=TABLE_NAME)["Items"]
    kinds = {item["sk"]["S"].split("#")[0] for item in items}
    assert kinds == {"CHECK", "COMPLETE", "COUNT", "CURSOR", "FINDING", "HISTORY", "ROLE"}
    assert [item for item in items if item.get("schema") != {"N": "1"}] == []
