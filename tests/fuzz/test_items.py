"""Mutated items of the tables, to everything that reads them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.tables.decisions import DecisionReader
from permission_guard.aws.tables.finding_items import read_finding
from permission_guard.aws.tables.finding_reader import FindingReader
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.findings_stream import transition_of
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.aws.tables.sweep_cursor import SweepCursor
from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.alerts.sns.message import publication
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.plain import text
from permission_guard.delivery.tickets.ops_item.content import content
from permission_guard.errors import UNREADABLE, MalformedEventError
from permission_guard.findings.checkpoint import Checkpoint, CheckRun, still_relevant
from permission_guard.findings.fit import fit
from permission_guard.findings.lifecycle import Change
from permission_guard.findings.role_permissions import recent_changes
from permission_guard.fixes.base import Plan
from permission_guard.fixes.restore import reasons_to_wait, removals
from permission_guard.iam.arn import parse_arn
from permission_guard.model.findings import Finding
from permission_guard.model.role_permissions import Permission, RequiredPermissions
from permission_guard.model.targets import Direction, RoleTarget
from permission_guard.sweep.sweep import Step
from tests.fakes import ACCOUNT, NOW, QUEUE_ARN
from tests.fuzz.aws import DECISIONS, FINDINGS, ORDERS, OTHERS, FakeAws, function_arn, role_arn
from tests.fuzz.harness import COUNT, SEED
from tests.fuzz.material import (
    CHECKPOINT,
    DOCUMENTS,
    KEYS,
    check_items,
    cursor_items,
    decision_items,
    finding_items,
    finding_of,
    good_items,
    items_of,
    role_items,
    target_of,
    transition_items,
)
from tests.fuzz.mutations import Mutator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.in_memory.dynamodb import Item

AT = datetime.fromisoformat(NOW).astimezone(UTC)
_A_TIME = 10
"""How many mutated items a table has at the same time."""
COUNTED = (*KEYS, "started", "written")
"""What is not mutated of the item of a check: DynamoDB itself counts these numbers, and rejects what is none."""
PLAN = Plan(
    summary="attach AWSLambdaSQSQueueExecutionRole",
    change={},
    calls=(),
    before={},
    expected={},
    rests_on={},
    unknowns=(),
    undo="",
    missing=(Permission(role_arn(ORDERS), "sqs:ReceiveMessage", QUEUE_ARN),),
    grants=(Permission(role_arn(ORDERS), "sqs:ReceiveMessage", QUEUE_ARN),),
)


def mutated(samples: Sequence[Item], keys: tuple[str, ...] = KEYS) -> Iterator[tuple[str, Item]]:
    """Yield items, each with the seed that gives it."""
    for number in range(COUNT):
        seed = f"{SEED}/{samples[0][keys[0]]['S']}/{number}"
        random = Random(seed)
        yield seed, Mutator(random).item(random.choice(samples), keys, DOCUMENTS)


def mutated_parts(samples: Sequence[Item]) -> Iterator[tuple[str, list[Item]]]:
    """Yield some items at a time, each with its own key."""
    part: dict[str, Item] = {}
    for seed, item in mutated(samples):
        part[item["sk"]["S"]] = item
        if len(part) == min(_A_TIME, len(samples)) - 1:
            yield seed, list(part.values())
            part = {}


def is_usable(finding: Finding) -> bool:
    """Return whether a finding can be stored again, published, shown and compared."""
    assert Finding.from_document(json.loads(json.dumps(finding.to_document()))) is not None
    for shown in (fit(finding), fit(finding, 0)):
        texts = (
            text(compose(shown)),
            json.dumps(payload(compose(shown))),
            publication(compose(shown)).message,
            content(shown).description,
        )
        assert all(text.encode() for text in texts)
    _ = finding.fix and finding.fix.lease_until and datetime.fromisoformat(finding.fix.lease_until) > AT
    return replace(finding, revision=finding.revision + 1) != finding


def test_a_finding_that_is_read_is_usable() -> None:
    """Whatever is not is rejected by the reader, and not by one of the many that use the finding."""
    read = 0
    for seed, item in mutated(finding_items()):
        with suppress(*UNREADABLE):
            finding = read_finding(item)
            read += 1
            try:
                assert is_usable(finding)
            except Exception as error:
                raise AssertionError(f"seed {seed}: {item!a:.3000}") from error
    assert COUNT * 0.1 < read < COUNT * 0.9


def test_a_stream_record_is_read_or_rejected() -> None:
    """A record of the stream is a finding, or nothing to publish, or malformed: nothing else is raised."""
    outcomes = {Finding: 0, type(None): 0, MalformedEventError: 0}
    for seed, item in mutated((*finding_items(), *transition_items(), *check_items(), *role_items())):
        try:
            outcomes[type(transition_of({"dynamodb": {"NewImage": item}}))] += 1
        except MalformedEventError:
            outcomes[MalformedEventError] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {item!a:.3000}") from error
    assert all(outcomes.values())


def test_a_damaged_finding_does_not_hide_the_others() -> None:
    """The reader returns those that are readable, and names the others."""
    aws = FakeAws()
    table = FindingsTable(aws.client("dynamodb"), FINDINGS)
    good, read, damaged = finding_of(ORDERS, 9), 0, 0
    for seed, items in mutated_parts(finding_items()):
        aws.start()
        for item in (*items, *items_of([good]), *transition_items()):
            aws.tables.put(FINDINGS, item)
        recorded = table.findings_of(target_of(ORDERS))
        found, unreadable = recorded.findings, recorded.unreadable
        assert good in found, seed
        identifiers = {one.id for one in found} | unreadable
        assert identifiers == {good.id, *(item["sk"]["S"].removeprefix("FINDING#") for item in items)}, seed
        read, damaged = read + len(found) - 1, damaged + len(unreadable)
    assert read > COUNT * 0.05
    assert damaged > COUNT * 0.05


def test_one_damaged_finding_is_read_or_rejected() -> None:
    """As a fix reads it: by its key."""
    aws = FakeAws()
    table = FindingsTable(aws.client("dynamodb"), FINDINGS)
    read = 0
    for seed, item in mutated(finding_items()):
        aws.start()
        aws.tables.put(FINDINGS, item)
        identifier = item["sk"]["S"].removeprefix("FINDING#")
        try:
            finding = table.finding(target_of(ORDERS), identifier)
        except UNREADABLE:
            continue
        assert finding is not None, seed
        table.put_finding(Change(replace(finding, reason="Other words."), finding.revision))
        read += 1
    assert read > COUNT * 0.1


def test_a_damaged_transition_is_read_or_rejected() -> None:
    """As a sender reads it: what it sends is that transition of that finding."""
    aws = FakeAws()
    reader = FindingReader(aws.client("dynamodb"), FINDINGS)
    read = 0
    for seed, item in mutated(transition_items()):
        aws.start()
        aws.tables.put(FINDINGS, item)
        _, identifier, revision = item["sk"]["S"].split("#")
        with suppress(*UNREADABLE):
            finding = reader.transition(target_of(ORDERS), identifier, int(revision))
            read += 1
            assert finding is not None, seed
            assert (finding.id, finding.revision) == (identifier, int(revision)), seed
            assert is_usable(finding), seed
    assert COUNT * 0.1 < read < COUNT * 0.9


def test_a_damaged_checkpoint_is_dropped_and_overwritten() -> None:
    """Otherwise the function would never be checked again."""
    aws = FakeAws()
    table = FindingsTable(aws.client("dynamodb"), FINDINGS)
    uses = {"denied calls": 0, "permissions": 0, "reasons to wait": 0}
    for seed, item in mutated(check_items(), COUNTED):
        aws.start()
        aws.tables.put(FINDINGS, item)
        target, direction = target_of(ORDERS), Direction(item["sk"]["S"].removeprefix("CHECK#"))
        try:
            check = table.start_check(target, direction)
            table.checkpoint(target, direction)
            after = next_checkpoint(check)
            assert Checkpoint.from_json(after.to_json()) == after
            assert table.commit_check(target, direction, check, after, changes=(), unknowns=(), now=NOW)
            assert table.checkpoint(target, direction) == after
            uses["denied calls"] += any(one.mapping or one.invoke_config for one in after.denied_calls)
            uses["permissions"] += bool(after.permissions.lost)
            uses["reasons to wait"] += bool(reasons_to_wait(PLAN, after.permissions))
            assert removals(PLAN, after.permissions) or reasons_to_wait(PLAN, after.permissions)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {item!a:.3000}") from error
    for number in uses.values():
        assert COUNT * 0.1 < number < COUNT * 0.95, uses


def next_checkpoint(check: CheckRun) -> Checkpoint:
    """Return the checkpoint that a check leaves which finds that the role has lost every permission."""
    before = check.checkpoint
    known = {*CHECKPOINT.permissions.allowed, *(lost.permission for lost in CHECKPOINT.permissions.lost)}
    found = RequiredPermissions(needed=frozenset(known), required=frozenset(known), allowed=frozenset(), attached={})
    changes = recent_changes(before.role_changes, (), NOW)
    return replace(
        before,
        denied_calls=still_relevant(before.denied_calls, (), NOW),
        permissions=before.permissions.after(found, changes, check.seen_at, NOW),
        role_changes=changes,
    )


def test_a_damaged_decision_is_read_or_rejected() -> None:
    """One that is read approves only the plan that it names, for a day, and names who decided."""
    aws = FakeAws()
    reader = DecisionReader(aws.client("dynamodb"), DECISIONS)
    plans = {item["plan_hash"]["S"] for item in decision_items()}
    outcomes = {"approves": 0, "does not": 0, "rejected": 0}
    for seed, item in mutated(decision_items(), ("finding_id", "revision")):
        aws.start()
        aws.tables.put(DECISIONS, item)
        try:
            decision = reader.decision(item["finding_id"]["S"], int(item["revision"]["N"]))
        except UNREADABLE:
            outcomes["rejected"] += 1
            continue
        assert decision is not None, seed
        assert parse_arn(decision.by), seed
        for plan in plans:
            expected = item["decision"]["S"] == "approve" and item["plan_hash"]["S"] == plan and is_recent(decision.at)
            assert decision.approves(plan, NOW) is expected, f"seed {seed}: {item!a:.3000}"
        outcomes["approves" if any(decision.approves(plan, NOW) for plan in plans) else "does not"] += 1
    assert all(number > COUNT * 0.05 for number in outcomes.values()), outcomes


def is_recent(at: str) -> bool:
    """Return whether a time is at most a day away."""
    return abs((datetime.fromisoformat(NOW) - datetime.fromisoformat(at)).total_seconds()) <= 86_400


def test_a_damaged_cursor_does_not_end_all_sweeps() -> None:
    """Whatever is stored: it is read, and the next move replaces it."""
    aws = FakeAws()
    cursors = SweepCursor(aws.client("dynamodb"), FINDINGS)
    steps: dict[Step | None, int] = dict.fromkeys((*Step, None), 0)
    for seed, item in mutated(cursor_items()):
        aws.start()
        aws.tables.put(FINDINGS, item)
        try:
            cursor = cursors.read()
            moved = cursors.move(cursor, Step.REQUEST_CHECKS, function_arn(ORDERS))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {item!a:.3000}") from error
        assert cursors.read() == moved, seed
        assert (moved.step, moved.after) == (Step.REQUEST_CHECKS, function_arn(ORDERS)), seed
        steps[cursor.step] += 1
    assert all(number > COUNT * 0.05 for number in steps.values()), steps


def test_a_damaged_finding_does_not_hide_functions_with_open_findings() -> None:
    """The sweep has all of them checked."""
    aws = FakeAws()
    table = FindingsTable(aws.client("dynamodb"), FINDINGS)
    for seed, items in mutated_parts(finding_items()):
        aws.start()
        mutator = Mutator(Random(seed))
        for item in items:
            pk = mutator.string(item["pk"]["S"]).encode(errors="replace").decode()[:500] or "FUNCTION#"
            aws.tables.put(FINDINGS, {**item, "pk": {"S": pk}})
        for item in good_items()[OTHERS[0]]:
            aws.tables.put(FINDINGS, dict(item))
        assert target_of(OTHERS[0]) in set(table.targets_with_open_findings()), seed


def test_a_damaged_entry_does_not_hide_the_functions_of_a_role() -> None:
    """One query reads the entries of all roles."""
    aws = FakeAws()
    role, other = RoleTarget(ACCOUNT, f"{OTHERS[0]}-role"), RoleTarget(ACCOUNT, "other")
    for seed, items in mutated_parts(role_items()):
        aws.start()
        mutator = Mutator(Random(seed))
        for item in items:
            sk = mutator.string(mutator.random.choice(role_items())["sk"]["S"])
            aws.tables.put(FINDINGS, {**item, "sk": {"S": sk.encode(errors="replace").decode()[:500] or "ROLE#"}})
        for item in role_items():
            aws.tables.put(FINDINGS, dict(item))
        index = RoleIndex(aws.client("dynamodb"), FINDINGS, FunctionReader(aws.client("lambda")))
        assert target_of(OTHERS[0]) in index.functions_of_roles((role, other))[role], seed
