"""Mutated schedules and mutated items of the findings table to the sweep."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from permission_guard.sweep.sweep import CONTINUE
from tests.fuzz.aws import (
    ALERT_QUEUE,
    CHECK_QUEUE,
    FINDINGS,
    FIX_QUEUE,
    OTHER_QUEUE,
    OTHERS,
    TICKET_QUEUE,
    FakeAws,
    Write,
    function_arn,
)
from tests.fuzz.harness import Fuzz, run
from tests.fuzz.material import DOCUMENTS, KEYS, cursor_items, finding_items, finding_of, good_items, role_items
from tests.fuzz.mutations import Mutator
from tests.paths import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

SENDERS = {ALERT_QUEUE, TICKET_QUEUE, FIX_QUEUE}
SCHEDULE = json.loads((EVENTS / "schedule" / "sweep_account.json").read_text())


def mutate(mutator: Mutator) -> dict[str, Any]:
    """Return a mutated finding or entry of the index of roles."""
    if mutator.random.random() < 0.7:
        return mutator.item(mutator.random.choice(finding_items()), KEYS, DOCUMENTS)
    entry = mutator.item(mutator.random.choice(role_items()), KEYS, DOCUMENTS)
    key = mutator.string(entry["sk"]["S"]).encode(errors="replace").decode()[:300]
    return {**entry, "sk": {"S": key or "ROLE#"}}


def stored(payloads: dict[str, Any], mutator: Mutator, aws: FakeAws) -> dict[str, Any]:
    """Store the items and return a mutated schedule: the sweep takes nothing from its event."""
    for identifier, payload in payloads.items():
        for number, item in enumerate(payload if isinstance(payload, tuple) else (payload,)):
            is_mutated_finding = item is payload and item["sk"]["S"].startswith("FINDING#")
            sk = {"S": f"FINDING#{identifier}-{number}"} if is_mutated_finding else item["sk"]
            aws.tables.put(FINDINGS, {**item, "sk": sk})
    return {"schedule": mutator.document(SCHEDULE)}


def is_swept(aws: FakeAws, number: int, _identifier: str) -> bool:
    """Return whether checks of the function are requested, and its finding is handed to every sender."""
    arn, finding = function_arn(OTHERS[number]), finding_of(OTHERS[number])
    requested = {
        params["QueueUrl"]
        for params in aws.written("sqs:SendMessageBatch")
        if any(arn in entry["MessageBody"] for entry in params["Entries"])
    }
    handed_over = {
        params["QueueUrl"]
        for params in aws.written("sqs:SendMessageBatch")
        if any(finding.id in entry["MessageBody"] for entry in params["Entries"])
    }
    return requested >= {CHECK_QUEUE, OTHER_QUEUE} and handed_over == SENDERS


def may_write(write: Write, _payloads: Sequence[Any]) -> bool:
    """Return whether a call requests checks, hands findings over, or writes the index of roles, cursor or baseline."""
    params = write.params
    if write.operation == "dynamodb:PutItem":
        return params["Item"]["pk"]["S"] in ("ROLES", "SWEEP", "BASELINE")
    if write.operation == "dynamodb:BatchWriteItem":
        return all(one["PutRequest"]["Item"]["pk"]["S"] == "ROLES" for one in params["RequestItems"][FINDINGS])
    if write.operation == "dynamodb:TransactWriteItems":  # findings about roles that no function uses
        items = [action["Put"]["Item"] for action in params["TransactItems"]]
        return all(item["pk"]["S"].startswith("ROLE#") for item in items)
    return write.operation == "sqs:SendMessageBatch" and params["QueueUrl"] in {CHECK_QUEUE, OTHER_QUEUE, *SENDERS}


def prepare(aws: FakeAws, random: Random) -> None:
    """Store a mutated cursor."""
    aws.tables.put(FINDINGS, Mutator(random).item(random.choice(cursor_items()), KEYS, DOCUMENTS))


def continuing(app: Any) -> SimpleNamespace:
    """Return the function as its schedules invoke it: the sweep that a cursor names is continued, then one starts."""

    def handler(event: dict[str, Any], context: Any) -> Any:
        app.handler(dict(CONTINUE), context)
        return app.handler(event, context)

    return SimpleNamespace(handler=handler, logger=app.logger)


FUZZ = Fuzz(
    function="sweep_account",
    mutate=mutate,
    good=lambda number: good_items()[OTHERS[number]],
    event=stored,
    is_handled=is_swept,
    may_write=may_write,
    prepare=prepare,
    rejects=False,
)


def test_no_item_stops_the_sweep(loaded: Callable[[Fuzz], Any]) -> None:
    """Checks of every function are requested, and readable findings are handed to the senders."""
    run(FUZZ, continuing(loaded(FUZZ)))
