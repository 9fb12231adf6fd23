"""What the functions behind the bus have in common for the harness: events about stored findings."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tests.fuzz.aws import DELIVERIES, FINDINGS, OTHERS, FakeAws, Write
from tests.fuzz.harness import Fuzz, sqs_event
from tests.fuzz.material import (
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
