"""Mutated items of the findings table to the function that maintains findings."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from permission_guard.aws.tables.maintenance import MaintenanceTable
from permission_guard.findings.baseline import Baseline, BaselineStatus
from permission_guard.maintenance.state import ExceptionMemory, MaintenanceState
from permission_guard.model.findings import Status, Transition
from permission_guard.model.suppressions import SuppressedBy, Suppression
from tests.fakes import NOW
from tests.fuzz.aws import ALERT_QUEUE, FINDINGS, ORDERS, OTHERS, TICKET_QUEUE, FakeAws, Write, function_arn
from tests.fuzz.harness import Fuzz, run
from tests.fuzz.material import DOCUMENTS, KEYS, finding_items, finding_of, items_of, role_items
from tests.fuzz.mutations import Mutator
from tests.paths import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from permission_guard.model.findings import Finding
    from tests.in_memory.dynamodb import Item

SCHEDULE = json.loads((EVENTS / "schedule" / "maintain_findings.json").read_text())


def ended(name: str, number: int = 0) -> Finding:
    """Return a finding of a function whose suppression has ended."""
    suppression = Suppression(by=SuppressedBy.PERSON, reason="Migration", owner="jane", until=NOW)
    return finding_of(
        name, number, status=Status.SUPPRESSED, transition=Transition.SUPPRESSED, revision=2, suppression=suppression
    )


def suppressed_items(name: str) -> list[Item]:
    """Return the item of such a finding."""
    return [item for item in items_of([ended(name)]) if item["sk"]["S"].startswith("FINDING#")]


def state_items() -> list[Item]:
    """Return the state of maintenance and of the baseline, as the stack stores them."""
    aws = FakeAws()
    table = MaintenanceTable(aws.client("dynamodb"), FINDINGS)
    table.put_state(
        MaintenanceState(open_after=function_arn(ORDERS), exceptions={"uploads": ExceptionMemory(first_seen=NOW)})
    )
    for status in BaselineStatus:
        closed_at = "" if status is BaselineStatus.OPEN else NOW
        table.put_baseline(
            replace(table.baseline() or Baseline(status=status, opened_at=NOW), status=status, closed_at=closed_at)
        )
    return list(aws.tables.items[FINDINGS].values())


def mutate(mutator: Mutator) -> dict[str, Any]:
    """Return a mutated finding, suppressed or not, or an entry of the index of roles."""
    items = (*suppressed_items(ORDERS) * 4, *finding_items(), *role_items())
    return mutator.item(mutator.random.choice(items), KEYS, DOCUMENTS)


def stored(payloads: dict[str, Any], mutator: Mutator, aws: FakeAws) -> dict[str, Any]:
    """Store the items and return a mutated schedule: maintenance takes nothing from its event."""
    for identifier, payload in payloads.items():
        for number, item in enumerate(payload if isinstance(payload, tuple) else (payload,)):
            is_mutated_finding = item is payload and item["sk"]["S"].startswith("FINDING#")
            sk = {"S": f"FINDING#{identifier}-{number}"} if is_mutated_finding else item["sk"]
            aws.tables.put(FINDINGS, {**item, "sk": sk})
    return {"schedule": mutator.document(SCHEDULE)}


def is_reopened(aws: FakeAws, number: int, _identifier: str) -> bool:
    """Return whether the finding of the function is open again."""
    finding_id = ended(OTHERS[number]).id
    written = [
        action["Put"]["Item"]
        for params in aws.written("dynamodb:TransactWriteItems")
        for action in params["TransactItems"]
        if "Put" in action
    ]
    return any(item["sk"]["S"] == f"FINDING#{finding_id}" and item["status"]["S"] == "open" for item in written)


def may_write(write: Write, _payloads: Sequence[Any]) -> bool:
    """Return whether a call writes a finding, the state or a digest, or has a digest sent or a ticket read."""
    params = write.params
    if write.operation == "dynamodb:PutItem":
        return str(params["Item"]["pk"]["S"]).startswith(("MAINTENANCE", "BASELINE", "DIGEST#"))
    if write.operation == "dynamodb:TransactWriteItems":
        keys = [action["Put"]["Item"]["sk"]["S"] for action in params["TransactItems"]]
        return all(key.startswith(("FINDING#", "HISTORY#")) for key in keys)
    return write.operation == "sqs:SendMessageBatch" and params["QueueUrl"] in (ALERT_QUEUE, TICKET_QUEUE)


def prepare(aws: FakeAws, random: Random) -> None:
    """Store a mutated state, and a mutated baseline."""
    for item in state_items():
        aws.tables.put(FINDINGS, Mutator(random).item(item, KEYS, DOCUMENTS) if random.random() < 0.7 else item)


FUZZ = Fuzz(
    function="maintain_findings",
    mutate=mutate,
    good=lambda number: tuple(suppressed_items(OTHERS[number])),
    event=stored,
    is_handled=is_reopened,
    may_write=may_write,
    prepare=prepare,
    rejects=False,
)


def test_no_item_stops_maintenance(loaded: Callable[[Fuzz], Any]) -> None:
    """Whatever the items are, the suppressions of the other functions end."""
    run(FUZZ, loaded(FUZZ))
