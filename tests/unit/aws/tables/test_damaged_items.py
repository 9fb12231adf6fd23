"""Damaged items of the tables: they are rejected by the reader, or replaced, and stop nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from permission_guard.aws.tables.decisions import DecisionReader, DecisionTable
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.config.document import GuardConfig
from permission_guard.config.settings import FixMode
from permission_guard.errors import UNREADABLE
from permission_guard.findings.checkpoint import Checkpoint
from permission_guard.findings.lifecycle import Change
from permission_guard.fixes.decisions import DecisionKind, DecisionRequest, decide
from permission_guard.model.findings import FixRecord, FixResult, Transition
from permission_guard.model.targets import Direction
from tests.fakes import ACCOUNT, FINDING_ID, NOW, ROLE_TARGET, TARGET, InMemoryStop, a_finding
from tests.stack_tables import DECISIONS_TABLE, TABLE, TABLE_NAME

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DECISIONS = DECISIONS_TABLE["TableName"]
PROPOSED = a_finding(
    revision=2,
    transition=Transition.FIX_PROPOSED,
    fix=FixRecord(
        name="attach-managed-policy",
        result=FixResult.PROPOSED,
        summary="attach it",
        at=NOW,
        attempts=0,
        approve="permission-guard fixes approve",
    ),
)
FINDING_KEY: Any = {"pk": {"S": f"FUNCTION#{TARGET.arn}"}, "sk": {"S": f"FINDING#{FINDING_ID}"}}
CHECK_KEY: Any = {"pk": {"S": f"FUNCTION#{TARGET.arn}"}, "sk": {"S": f"CHECK#{Direction.EXECUTION_ROLE}"}}
DECISION_KEY: Any = {"finding_id": {"S": FINDING_ID}, "revision": {"N": "2"}}
OTHER_TYPES: tuple[dict[str, Any], ...] = (
    {"N": "1"},
    {"NULL": True},
    {"BOOL": True},
    {"L": []},
    {"M": {"S": {"S": "a"}}},
    {"SS": ["a"]},
    {"B": b"a"},
)


@pytest.fixture
def dynamodb(moto_account: None) -> DynamoDBClient:
    """Return a client of an account with both tables."""
    client = boto3.client("dynamodb")
    client.create_table(**TABLE)
    client.create_table(**DECISIONS_TABLE)
    return client


@pytest.fixture
def table(dynamodb: DynamoDBClient) -> FindingsTable:
    """Return the findings table."""
    return FindingsTable(dynamodb, TABLE_NAME)


def damage(dynamodb: DynamoDBClient, table: str, key: Any, name: str, value: Any) -> None:
    """Replace an attribute of an item, or remove it."""
    stored: Any = dynamodb.get_item(TableName=table, Key=key).get("Item", key)
    changed = {**stored, name: value}
    dynamodb.put_item(TableName=table, Item={one: held for one, held in changed.items() if held is not None})


# ── Findings ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("revision", {"N": "3"}),
        ("revision", {"N": "2.5"}),
        ("revision", {"S": "2"}),
        ("revision", None),
        ("fix_owner", {"S": "another"}),
        ("fix_owner", {"N": "1"}),
    ],
)
def test_a_finding_that_no_write_could_change_cannot_be_read(
    table: FindingsTable, dynamodb: DynamoDBClient, name: str, value: Any
) -> None:
    """The condition of a write compares other attributes than its document has: each check would fail on it."""
    table.put_finding(Change(PROPOSED, None))
    damage(dynamodb, TABLE_NAME, FINDING_KEY, name, value)
    with pytest.raises(UNREADABLE):
        table.finding(TARGET, FINDING_ID)
    assert table.findings_of(TARGET).findings == ()
    assert table.findings_of(TARGET).unreadable == {FINDING_ID}


def test_a_finding_of_an_older_version_without_an_owner_is_read(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """Its item has no attribute for the owner of a fix."""
    table.put_finding(Change(PROPOSED, None))
    damage(dynamodb, TABLE_NAME, FINDING_KEY, "fix_owner", None)
    assert table.finding(TARGET, FINDING_ID) == PROPOSED


# ── Checkpoints ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", OTHER_TYPES, ids=str)
def test_a_checkpoint_of_another_type_is_dropped_and_overwritten(
    table: FindingsTable, dynamodb: DynamoDBClient, value: Any
) -> None:
    """Otherwise the function would never be checked again."""
    checkpoint = Checkpoint(frozenset({ROLE_TARGET}))
    damage(dynamodb, TABLE_NAME, CHECK_KEY, "checkpoint", value)
    run = table.start_check(TARGET, Direction.EXECUTION_ROLE)
    assert run.checkpoint == Checkpoint()
    assert table.commit_check(TARGET, Direction.EXECUTION_ROLE, run, checkpoint, changes=(), unknowns=(), now=NOW)
    assert table.checkpoint(TARGET, Direction.EXECUTION_ROLE) == checkpoint


# ── Decisions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def approve(table: FindingsTable, decisions: DecisionTable) -> None:
    """Approve the proposal."""
    assert PROPOSED.fix is not None
    table.put_finding(Change(PROPOSED, None))
    request = DecisionRequest(
        kind=DecisionKind.APPROVE,
        finding_id=FINDING_ID,
        function_arn=TARGET.arn,
        revision=2,
        plan_hash=PROPOSED.fix.plan_hash,
        nonce="f" * 32,
    )
    caller = f"arn:aws:iam::{ACCOUNT}:user/jane"
    decide(
        request,
        caller=caller,
        mode=FixMode.APPROVE,
        config=GuardConfig(),
        findings=table,
        decisions=decisions,
        stop=InMemoryStop(),
        now=NOW,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in ("decision", "plan_hash", "decided_by", "decided_at", "nonce")),
        *(("decision", value) for value in OTHER_TYPES),
        ("decision", {"S": "Approve"}),
        ("decision", {"S": ""}),
        ("decided_by", {"S": "jane"}),
        ("decided_by", {"S": ""}),
        ("decided_at", {"S": "today"}),
        ("decided_at", {"S": "2026-11-20T09:30:00"}),
    ],
    ids=str,
)
def test_a_decision_that_cannot_be_read_is_no_approval(
    table: FindingsTable, dynamodb: DynamoDBClient, name: str, value: Any
) -> None:
    """It is an error, not the absence of a decision: someone else wrote the table."""
    approve(table, DecisionTable(dynamodb, DECISIONS, table))
    damage(dynamodb, DECISIONS, DECISION_KEY, name, value)
    with pytest.raises(ValueError, match=f"decision about revision 2 of finding {FINDING_ID} is invalid"):
        DecisionReader(dynamodb, DECISIONS).decision(FINDING_ID, 2)


def test_a_decision_is_read_as_it_was_recorded(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """Of another revision there is none."""
    reader = DecisionReader(dynamodb, DECISIONS)
    approve(table, DecisionTable(dynamodb, DECISIONS, table))
    decision = reader.decision(FINDING_ID, 2)
    assert decision is not None
    assert (decision.kind, decision.by, decision.at) == (DecisionKind.APPROVE, f"arn:aws:iam::{ACCOUNT}:user/jane", NOW)
    assert reader.decision(FINDING_ID, 3) is None
