"""What the functions behind the bus have in common for the harness: events about stored findings."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.bus.alert_tests import AlertTest, alert_test_event
from permission_guard.errors import UNREADABLE, MalformedEventError
from permission_guard.model.destinations import DestinationResult
from tests.fakes import ACCOUNT, NOW, REGION
from tests.fuzz.aws import DELIVERIES, FINDINGS, OTHERS, FakeAws, Write
from tests.fuzz.harness import Fuzz, sqs_event
from tests.fuzz.material import (
    CALLER,
    DOCUMENTS,
    KEYS,
    bus_event,
    finding_items,
    finding_of,
    findings_of_orders,
    good_items,
    transition_items,
)
from tests.fuzz.mutations import Mutator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random


JSON = Any

FORGED: Final = "what only the event says"
"""A text of the mutated events: what is sent comes from the findings table."""
_DAMAGED: Final = 0.33


def sender(
    function: str, is_sent: Callable[[FakeAws, str], bool], may_send: Callable[[Write], bool], channels: Sequence[str]
) -> Fuzz:
    """Return how a sender is fuzzed.

    `is_sent` says whether the finding of an id was sent, and `may_send` which calls send one. `channels` are the names
    in the delivery ledger.
    """

    def mutate(mutator: Mutator) -> str:
        finding = mutator.random.choice(findings_of_orders())
        return mutator.text(bus_event(replace(finding, title=FORGED, reason=FORGED)))

    def may_write(write: Write, _payloads: Sequence[Any]) -> bool:
        if FORGED in json.dumps(write.params):
            return False
        if write.operation == "dynamodb:PutItem":  # of the count of a channel's messages
            item = write.params["Item"]
            return item["finding_id"]["S"] == "QUOTA" and item["channel"]["S"] in channels
        if write.operation != "dynamodb:UpdateItem":
            return may_send(write)
        key = write.params["Key"]
        named = (key["channel"]["S"], key["finding_id"]["S"].partition("/")[2])
        return write.params["TableName"] == DELIVERIES and any(name in channels for name in named)

    return Fuzz(
        function=function,
        mutate=mutate,
        good=good_event,
        event=lambda payloads, _mutator, _aws: sqs_event(payloads),
        is_handled=lambda aws, number, _identifier: is_sent(aws, finding_of(OTHERS[number]).id),
        may_write=may_write,
        prepare=store_damaged_findings,
    )


def good_event(number: int) -> str:
    """Return the event of the open finding of another function than the mutated events are about."""
    return json.dumps(bus_event(finding_of(OTHERS[number])))


def store_findings(aws: FakeAws, _random: Random) -> None:
    """Store the findings that the events are about, with their transitions."""
    for items in (finding_items(), transition_items(), *good_items().values()):
        for item in items:
            aws.tables.put(FINDINGS, dict(item))


def store_damaged_findings(aws: FakeAws, random: Random) -> None:
    """Store them; a third of those of the function orders is damaged."""
    store_findings(aws, random)
    for item in (*finding_items(), *transition_items()):
        if random.random() < _DAMAGED:
            aws.tables.put(FINDINGS, Mutator(random).item(item, KEYS, DOCUMENTS))


# ── Invocations that request a test ─────────────────────────────────────────────────────────────────────────────────


def a_test(number: int) -> JSON:
    """Return the event of a test."""
    return alert_test_event(AlertTest(id=f"{number:032x}", by=CALLER, at=NOW, account=ACCOUNT, region=REGION))


def invoked_directly(events: Fuzz) -> Fuzz:
    """Return how the same function is fuzzed with events that request a test."""

    def mutate(mutator: Mutator) -> JSON:
        try:
            return json.loads(mutator.text(a_test(mutator.random.getrandbits(128))))
        except (ValueError, RecursionError):
            return {}

    def is_done(aws: FakeAws, number: int, _identifier: str) -> bool:
        keys = [str(write.params.get("Key")) for write in aws.writes if write.operation == "dynamodb:UpdateItem"]
        return any(f"{number:032x}" in key for key in keys)

    def may_write(write: Write, payloads: Sequence[Any]) -> bool:
        text = json.dumps(write.params)
        if write.operation in ("sns:Publish", "slack:Post", "ssm:CreateOpsItem", "ssm:UpdateOpsItem"):
            return "[TEST] Permission Guard: test " in text and "There is no finding" in text
        if write.operation == "dynamodb:UpdateItem":
            return bool(write.params["TableName"] == DELIVERIES and "test-message/" in text)
        return events.may_write(write, payloads)

    return replace(
        events,
        mutate=mutate,
        good=a_test,
        event=lambda payloads, _mutator, _aws: payloads,
        is_handled=is_done,
        may_write=may_write,
        aws=events.aws,
    )


def is_tested(app: Any, event: JSON, context: Any) -> bool:
    """Return whether a function did a test. An event of another form must be refused, or be no batch of messages."""
    try:
        answer = app.handler(event, context)
    except (MalformedEventError, *UNREADABLE):
        return False
    return bool([DestinationResult.from_document(one) for one in answer.get("results", ())])
