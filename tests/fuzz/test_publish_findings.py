"""Mutated items in the stream of the findings table, to the function that publishes its transitions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from permission_guard.model.findings import Transition
from tests.fuzz.aws import BUS, OTHERS, FakeAws, Write
from tests.fuzz.harness import Fuzz, run
from tests.fuzz.material import (
    DOCUMENTS,
    KEYS,
    check_items,
    cursor_items,
    finding_items,
    finding_of,
    good_items,
    role_items,
    transition_items,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.fuzz.mutations import Mutator


def mutate(mutator: Mutator) -> dict[str, Any]:
    """Return the mutated images of a change of an item, as DynamoDB could have stored them."""
    items = (*finding_items() * 3, *transition_items(), *check_items(), *role_items(), *cursor_items())
    chosen = mutator.random.choice(items)
    images = {"NewImage": mutator.item(chosen, KEYS, DOCUMENTS)}
    if mutator.random.random() < 0.5:
        images["OldImage"] = mutator.item(mutator.random.choice((chosen, *items)), KEYS, DOCUMENTS)
    if mutator.random.random() < 0.1:
        del images["NewImage"]
    return images


def good(number: int) -> dict[str, Any]:
    """Return the image of a new finding."""
    item = next(item for item in good_items()[OTHERS[number]] if item["sk"]["S"].startswith("FINDING#"))
    return {"NewImage": item}


def stream_event(payloads: dict[str, Any], _mutator: Mutator, _aws: FakeAws) -> dict[str, Any]:
    """Return a batch of stream records as Lambda gets them; it continues from a sequence number that failed."""
    return {
        "Records": [
            {"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": identifier, **images}}
            for identifier, images in payloads.items()
        ]
    }


def is_published(aws: FakeAws, number: int, _identifier: str) -> bool:
    """Return whether the event of the good finding is on the bus, once."""
    entries = [params["Entries"][0] for params in aws.written("events:PutEvents")]
    return [json.loads(entry["Detail"])["id"] for entry in entries].count(finding_of(OTHERS[number]).id) == 1


def may_write(write: Write, _payloads: Sequence[Any]) -> bool:
    """Return whether a call puts an event of a transition on the bus of the deployment."""
    entry = write.params["Entries"][0]
    return bool(entry["EventBusName"] == BUS and entry["DetailType"] in list(Transition))


FUZZ = Fuzz(
    function="publish_findings",
    mutate=mutate,
    good=good,
    event=stream_event,
    is_handled=is_published,
    may_write=may_write,
    # The stream must go on after a record that can never be published: nothing is reported as failed.
    rejects=False,
)


def test_no_record_stops_the_stream(loaded: Callable[[Fuzz], Any]) -> None:
    """The good records after a mutated one are published."""
    run(FUZZ, loaded(FUZZ))
