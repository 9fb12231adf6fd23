"""Writes to the findings table whose reply is lost: the SDK repeats them, and nothing is written or reported twice."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import boto3
import pytest

from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.checks.checker import Checker
from permission_guard.errors import ConflictError
from permission_guard.findings.lifecycle import Change
from permission_guard.iam import TrustSet
from permission_guard.model.findings import Status, Transition
from permission_guard.model.targets import Direction
from permission_guard.rules import rules_for
from tests.fakes import NOW, TARGET, Clock, InMemoryFindings, InMemoryState, a_finding, a_role, polling
from tests.moto_tables import lose_replies
from tests.stack_tables import TABLE, TABLE_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.findings.checkpoint import CheckRun

SCOPE = Direction.EXECUTION_ROLE


@pytest.fixture
def dynamodb(moto_account: None) -> DynamoDBClient:
    """Return a client of an in-memory DynamoDB that has the table."""
    client = boto3.client("dynamodb")
    client.create_table(**TABLE)
    return client


@pytest.fixture
def table(dynamodb: DynamoDBClient) -> FindingsTable:
    """Return the table under test."""
    return FindingsTable(dynamodb, TABLE_NAME)


def commit(table: FindingsTable, run: CheckRun, changes: Sequence[Change] = ()) -> bool:
    """Commit a check; return whether it was written."""
    return table.commit_check(TARGET, SCOPE, run, run.checkpoint, changes=changes, unknowns=(), now=NOW)


def test_a_check_whose_reply_was_lost_is_written_once(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """The SDK repeats the request with the same token, so DynamoDB recognizes it for ten minutes.

    moto does not compare tokens, so here the second try finds that a check was written. Then the check is repeated, and
    finds its own findings.
    """
    run = table.start_check(TARGET, SCOPE)
    sent = lose_replies(dynamodb, "TransactWriteItems", 1)
    assert not commit(table, run, [Change(a_finding(), None)])
    first, second = (json.loads(body) for body in sent)
    assert first == second
    assert first["ClientRequestToken"]
    assert table.findings_of(TARGET).findings == (a_finding(),)
    assert commit(table, table.start_check(TARGET, SCOPE), [Change(a_finding(revision=2), 1)])
    assert json.loads(sent[-1])["ClientRequestToken"] != first["ClientRequestToken"]


def test_a_check_that_lost_its_reply_opens_its_finding_once(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """Also where the second try finds its own write: the check is made again."""
    (rule,) = [rule for rule in rules_for(SCOPE, TrustSet(frozenset())) if rule.id == "PG201"]
    source = InMemoryState(polling(a_role()))
    checker = Checker(SCOPE, [rule], source, table, Clock(), users=InMemoryFindings(), grace_period=False)
    sent = lose_replies(dynamodb, "TransactWriteItems", 1)
    assert checker.check(TARGET, checker.start(TARGET)).stale
    assert not checker.check(TARGET, checker.start(TARGET)).stale
    assert len(sent) == 2
    (finding,) = table.findings_of(TARGET).findings
    assert (finding.rule_id, finding.revision, finding.transition) == ("PG201", 1, Transition.OPENED)


@pytest.mark.parametrize("expected", [None, 1])
def test_a_finding_whose_reply_was_lost_is_written_once(
    table: FindingsTable, dynamodb: DynamoDBClient, expected: int | None
) -> None:
    """A conflict would make the fixer record the same result in another revision, and so send a second alert."""
    finding = a_finding()
    if expected:
        table.put_finding(Change(finding, None))
        finding = replace(finding, revision=2, status=Status.RESOLVED, transition=Transition.RESOLVED)
    sent = lose_replies(dynamodb, "TransactWriteItems", 1)
    table.put_finding(Change(finding, expected))
    assert len(sent) == 2
    assert table.findings_of(TARGET).findings == (finding,)


def test_another_writer_s_finding_is_still_a_conflict(table: FindingsTable) -> None:
    """Even if it has the same revision."""
    table.put_finding(Change(a_finding(), None))
    with pytest.raises(ConflictError):
        table.put_finding(Change(a_finding(reason="another writer was first"), None))
