"""What the functions behind the bus have in common for the harness: events about stored findings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fuzz.aws import DELIVERIES, FINDINGS, OTHERS, FakeAws, Write
from tests.fuzz.harness import Fuzz, sqs_event
from tests.fuzz.material import bus_event, bus_events, finding_items, finding_of, good_items

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random


def sender(
    function: str, is_sent: Callable[[FakeAws, str], bool], may_send: Callable[[Write], bool], channels: Sequence[str]
) -> Fuzz:
    """Return how a sender is fuzzed.

    `is_sent` says whether the finding of an id was sent, and `may_send` which calls send one. `channels` are the names
    in the delivery ledger.
    """

    def may_write(write: Write, _payloads: Sequence[Any]) -> bool:
        if write.operation != "dynamodb:UpdateItem":
            return may_send(write)
        return write.params["TableName"] == DELIVERIES and write.params["Key"]["channel"]["S"] in channels

    return Fuzz(
        function=function,
        mutate=lambda mutator: mutator.text(mutator.random.choice(bus_events())),
        good=good_event,
        event=lambda payloads, _mutator, _aws: sqs_event(payloads),
        is_handled=lambda aws, number, _identifier: is_sent(aws, finding_of(OTHERS[number]).id),
        may_write=may_write,
        prepare=store_findings,
    )


def good_event(number: int) -> str:
    """Return the event of the open finding of another function than the mutated events are about."""
    return json.dumps(bus_event(finding_of(OTHERS[number])))


def store_findings(aws: FakeAws, _random: Random) -> None:
    """Store the findings that the events are about."""
    for items in (finding_items(), *good_items().values()):
        for item in items:
            aws.tables.put(FINDINGS, dict(item))
