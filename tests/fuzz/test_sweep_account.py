"""Mutated schedules and mutated items of the findings table to the sweep."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from permission_guard.sweep.sweep import CONTINUE
from tests.fuzz.aws import BUS, CHECK_QUEUE, FINDINGS, OTHER_QUEUE, OTHERS, FakeAws, Write, function_arn
from tests.fuzz.harness import Fuzz, run
from tests.fuzz.material import DOCUMENTS, KEYS, cursor_items, finding_items, finding_of, good_items, role_items
from tests.fuzz.mutations import Mutator
from tests.paths import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

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
    """Return whether checks of the function are requested, and its finding is published again."""
    arn, finding = function_arn(OTHERS[number]), finding_of(OTHERS[number])
    requested = {
        params["QueueUrl"]
        for params in aws.written("sqs:SendMessageBatch")
        if any(arn in entry["MessageBody"] for entry in params["Entries"])
    }
    entries = [entry for params in aws.written("events:PutEvents") for entry in params["Entries"]]
    published = {json.loads(entry["Detail"])["id"] for entry in entries}
    return requested == {CHECK_QUEUE, OTHER_QUEUE} and finding.id in published


def may_write(write: Write, _payloads: Sequence[Any]) -> bool:
    """Return whether a call requests checks, writes the index of roles, moves the cursor, or publishes."""
    params = write.params
    if write.operation == "dynamodb:PutItem":
        return params["Item"]["pk"]["S"] in ("ROLES", "SWEEP")
    if write.operation == "dynamodb:BatchWriteItem":
        return all(one["PutRequest"]["Item"]["pk"]["S"] == "ROLES" for one in params["RequestItems"][FINDINGS])
    if write.operation == "sqs:SendMessageBatch":
        return params["QueueUrl"] in (CHECK_QUEUE, OTHER_QUEUE)
    return write.operation == "events:PutEvents" and all(entry["EventBusName"] == BUS for entry in params["Entries"])


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
    """Checks of every function are requested, and readable findings are published again."""
    run(FUZZ, continuing(loaded(FUZZ)))
