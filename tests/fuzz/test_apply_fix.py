"""Mutated events to the function that applies fixes, in the mode that waits for approvals."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from permission_guard.aws.tables.decisions import DecisionTable
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.clock import utc_now
from permission_guard.errors import UNREADABLE
from permission_guard.fixes.decisions import DecisionKind
from permission_guard.iam.arn import require_arn
from permission_guard.model.findings import Transition
from tests.fakes import SQS_POLICY_ARN
from tests.fuzz.aws import DECISIONS, FINDINGS, ORDERS, OTHERS, FakeAws, Write, function_arn
from tests.fuzz.harness import Fuzz, context, load, run, sqs_event
from tests.fuzz.material import (
    DOCUMENTS,
    KEYS,
    bus_event,
    bus_events,
    decide_on,
    finding_items,
    finding_of,
    good_items,
    items_of,
    target_of,
)
from tests.fuzz.mutations import Mutator
from tests.fuzz.senders import good_event, store_damaged_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from tests.in_memory.dynamodb import Item

FINDING = finding_of(ORDERS)
PROPOSAL = 2
"""The revision of the fix that the function has proposed."""
DECISION_KEYS = ("finding_id", "revision")


@cache
def approved() -> tuple[dict[str, Item], Item]:
    """Return the items of a finding by their range keys, and of the approval of its fix, as the stack writes them."""
    aws = FUZZ.aws
    aws.start()
    for item in items_of([FINDING]):
        aws.tables.put(FINDINGS, item)
    load(FUZZ.function).handler(sqs_event({"opened": json.dumps(bus_event(FINDING))}), context(FUZZ.function))
    findings = FindingsTable(aws.client("dynamodb"), FINDINGS)
    proposal = findings.finding(target_of(ORDERS), FINDING.id)
    assert proposal is not None
    assert (proposal.transition, proposal.revision) == (Transition.FIX_PROPOSED, PROPOSAL)
    decisions = DecisionTable(aws.client("dynamodb"), DECISIONS, findings)
    decide_on(proposal, DecisionKind.APPROVE, findings, decisions, utc_now())
    (decision,) = aws.tables.items[DECISIONS].values()
    return {item["sk"]["S"]: item for item in aws.tables.items[FINDINGS].values()}, decision


def approval_event(transition: Transition) -> dict[str, Any]:
    """Return the event of the approved finding; whoever may put events on the bus can name any transition."""
    return bus_event(replace(FINDING, revision=PROPOSAL + 1, transition=transition))


def mutate(mutator: Mutator) -> str:
    """Return a mutated event of a finding; one in ten is about the approved one as it should be."""
    transition = mutator.random.choice((Transition.FIX_APPROVED, Transition.OPENED))
    if mutator.random.random() < 0.1:
        return json.dumps(approval_event(transition))
    return mutator.text(mutator.random.choice((approval_event(transition), *bus_events())))


def prepare(aws: FakeAws, random: Random) -> None:
    """Store the findings and the decision: half of the time it is mutated, a rejection, of another plan, or missing."""
    store_damaged_findings(aws, random)
    mutator = Mutator(random)
    items, decision = approved()
    for sk, item in items.items():
        is_damaged = sk.startswith("FINDING#") and random.random() < 0.2
        aws.tables.put(FINDINGS, mutator.item(item, KEYS, DOCUMENTS) if is_damaged else dict(item))
    others = (
        mutator.item(decision, DECISION_KEYS, ()),
        mutator.item(decision, DECISION_KEYS, ()),
        {**decision, "decision": {"S": "reject"}},
        {**decision, "plan_hash": {"S": "0" * 64}},
        {**decision, "decided_at": {"S": "2026-11-01T09:30:00.000+00:00"}},
        {**decision, "decided_at": {"S": "2126-11-01T09:30:00.000+00:00"}},
        {**decision, "decided_by": {"S": "jane"}},
        {**decision, "finding_id": {"S": "0" * 32}},
        {**decision, "revision": {"N": str(PROPOSAL + 1)}},
    )
    aws.tables.put(DECISIONS, dict(decision if random.random() < 0.5 else random.choice(others)))


def is_proposed(aws: FakeAws, number: int, _identifier: str) -> bool:
    """Return whether a fix of the good finding is proposed."""
    name = OTHERS[number]
    item = aws.tables.items[FINDINGS][f"FUNCTION#{function_arn(name)}", f"FINDING#{finding_of(name).id}"]
    return bool(json.loads(item["document"]["S"])["transition"] == Transition.FIX_PROPOSED)


def may_write(write: Write, _payloads: Sequence[Any]) -> bool:
    """Return whether a call records a fix of a stored finding, or makes the change that a person approved."""
    if write.operation == "iam:AttachRolePolicy":
        attached.append(write)
        return write.params == {"RoleName": "orders-role", "PolicyArn": SQS_POLICY_ARN} and is_approved(FUZZ.aws)
    if write.operation not in ("dynamodb:UpdateItem", "dynamodb:TransactWriteItems"):
        return False
    requests = [next(iter(one.values())) for one in write.params.get("TransactItems", ())] or [write.params]
    keys = [one.get("Item") or one["Key"] for one in requests]
    stored = {item["pk"]["S"] for items in (finding_items(), *good_items().values()) for item in items}
    return all(
        one["TableName"] == FINDINGS and (key["pk"]["S"] in stored or key["pk"]["S"].startswith("FIXES#"))
        for one, key in zip(requests, keys, strict=True)
    )


def is_approved(aws: FakeAws) -> bool:
    """Return whether the stored decision approves the proposal, was made in the last day, and names who made it."""
    item, (_, approval) = aws.tables.items[DECISIONS].get((FINDING.id, str(PROPOSAL)), {}), approved()
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(item["decided_at"]["S"])
        require_arn(item["decided_by"]["S"])
    except UNREADABLE:
        return False
    return abs(age.total_seconds()) <= 86_400 and all(
        item[name] == approval[name] for name in ("decision", "plan_hash")
    )


attached: list[Write] = []
FUZZ = Fuzz(
    function="apply_fix",
    mutate=mutate,
    good=good_event,
    event=lambda payloads, _mutator, _aws: sqs_event(payloads),
    is_handled=is_proposed,
    may_write=may_write,
    prepare=prepare,
)


def test_no_message_stops_the_others(loaded: Callable[[Fuzz], Any]) -> None:
    """Every good message has a fix proposed, and nothing is attached without an approval of the proposal."""
    app = loaded(FUZZ)
    approved()
    attached.clear()
    run(FUZZ, app)
    assert attached
