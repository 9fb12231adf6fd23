"""The harness finds faults that are planted in a handler, and names a small input that shows each."""

from __future__ import annotations

import json
import logging
import re
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bus.batch import process_batch
from tests.bus_messages import read_event
from tests.fuzz.aws import DELIVERIES, WEBHOOK
from tests.fuzz.harness import FuzzError, run
from tests.fuzz.material import bus_events, cloudtrail_events, finding_items
from tests.fuzz.mutations import Mutator
from tests.fuzz.test_open_ticket import FUZZ

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.harness import Fuzz

COUNT = 340


def without_isolation(event: Any, handle: Any, *_others: Any, **_more: Any) -> Any:
    """Raise what one message raises."""
    for record in event["Records"]:
        handle(read_event(record["body"]))
    return {"batchItemFailures": []}


def all_or_nothing(event: Any, handle: Any, logger: Any, metrics: Any, *others: Any, **more: Any) -> Any:
    """Fail every message of a batch with one that fails."""
    answer = process_batch(event, handle, logger, metrics, *others, **more)
    names = [{"itemIdentifier": record["messageId"]} for record in event["Records"]]
    return {"batchItemFailures": names if answer["batchItemFailures"] else []}


def ends_early(event: Any, handle: Any, logger: Any, metrics: Any, *others: Any, **more: Any) -> Any:
    """Succeed without the messages after the first one that fails."""
    first = process_batch(event, handle, logger, metrics, *others, **more)["batchItemFailures"]
    failed = [record["messageId"] for record in event["Records"]].index(first[0]["itemIdentifier"]) if first else None
    FUZZ.aws.start()
    return process_batch({"Records": event["Records"][:failed]}, handle, logger, metrics, *others, **more)


def writes_elsewhere(event: Any, handle: Any, logger: Any, metrics: Any, *others: Any, **more: Any) -> Any:
    """Write a record of a channel that this function does not have."""

    def handle_and_write(received: Any) -> None:
        handle(received)
        key = {"finding_id": {"S": received.finding_id}, "channel": {"S": "sns"}}
        request: dict[str, Any] = {
            "TableName": DELIVERIES,
            "Key": key,
            "UpdateExpression": "SET revision = :revision",
            "ExpressionAttributeValues": {":revision": {"N": "1"}},
        }
        FUZZ.aws.client("dynamodb").update_item(**request)

    return process_batch(event, handle_and_write, logger, metrics, *others, **more)


def logs_a_secret(event: Any, handle: Any, logger: Any, metrics: Any, *others: Any, **more: Any) -> Any:
    """Log the webhook."""
    logger.info("posted", extra={"url": WEBHOOK})
    return process_batch(event, handle, logger, metrics, *others, **more)


def loses_a_line(event: Any, handle: Any, logger: Any, metrics: Any, *others: Any, **more: Any) -> Any:
    """Log a line that cannot be formatted."""
    logging.getLogger(FUZZ.function).info("%d messages", "three")
    return process_batch(event, handle, logger, metrics, *others, **more)


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (without_isolation, "open_ticket raised"),
        (all_or_nothing, "good messages failed"),
        (ends_early, "has no effect"),
        (writes_elsewhere, "written: "),
        (logs_a_secret, "a secret is in the log"),
        (loses_a_line, "log lines were lost"),
    ],
)
def test_a_planted_fault_is_found(
    loaded: Callable[[Fuzz], Any], fault: Callable[..., Any], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the seed, and one mutated payload where one is enough."""
    app = loaded(FUZZ)
    monkeypatch.setattr(app, "process_batch", fault)
    with pytest.raises(FuzzError, match=re.escape(found)) as caught:
        run(FUZZ, app, count=COUNT, seed=7)
    assert "make fuzz SEED=7" in str(caught.value)
    assert len(re.findall("^mutated-[0-9]+: ", str(caught.value), re.MULTILINE)) == 1


def test_a_handler_that_rejects_everything_is_found(
    loaded: Callable[[Fuzz], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fuzzing that reaches no deep code proves nothing."""
    app = loaded(FUZZ)

    def only_good(event: Any, handle: Any, logger: Any, metrics: Any, *others: Any, **more: Any) -> Any:
        good = [record for record in event["Records"] if record["messageId"].startswith("good")]
        process_batch({"Records": good}, handle, logger, metrics, *others, **more)
        rejected = [record["messageId"] for record in event["Records"] if record not in good]
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in rejected]}

    monkeypatch.setattr(app, "process_batch", only_good)
    with pytest.raises(AssertionError, match="reach no deep code"):
        run(FUZZ, app, count=COUNT)


def test_the_same_seed_gives_the_same_mutations() -> None:
    """Of texts and of items; another seed gives others."""

    def mutations(seed: int) -> list[Any]:
        mutator = Mutator(Random(seed))
        texts = [mutator.text(event) for event in (*bus_events(), *cloudtrail_events())]
        return [*texts, *(mutator.item(item, ("pk", "sk"), ("document",)) for item in finding_items())]

    assert mutations(1) == mutations(1)
    assert mutations(1) != mutations(2)


def test_mutations_leave_the_samples_as_they_are() -> None:
    """Each mutation starts from a valid input."""
    before = json.dumps([bus_events(), finding_items()])
    mutator = Mutator(Random(3))
    for event in bus_events() * 50:
        mutator.text(event)
    for item in finding_items() * 50:
        mutator.item(item, ("pk", "sk"), ("document",))
    assert json.dumps([bus_events(), finding_items()]) == before


def test_the_mutations_have_every_kind() -> None:
    """Deep nesting, huge texts, numbers and constants that JSON does not have, unpaired and invisible characters."""
    mutator = Mutator(Random(4))
    texts = [mutator.text(event) for event in bus_events() * 500]
    assert any("[" * 900 in text for text in texts)
    assert any(len(text) > 250_000 for text in texts)
    for part in ("NaN", "-Infinity", "\\ud800", "\ud800", "\u202e", "\\u202e", "\x00", "1" + "0" * 400):
        assert any(part in text for text in texts), part
    assert sum(map(is_json, texts)) > len(texts) / 2
    assert not all(map(is_json, texts))


def is_json(text: str) -> bool:
    """Return whether a text is JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
