"""The outbox: each transition that the table's stream tells of is published, in order, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.tables.findings_stream import transition_of
from permission_guard.bus.publisher import publish
from permission_guard.errors import DeliveryError, MalformedEventError
from permission_guard.model.findings import Status, Transition
from tests.fakes import FINDING_ID, FUNCTION_ARN, a_finding

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from tests.unit.conftest import Logged

OPENED = a_finding()
RESOLVED = a_finding(status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2)


@dataclass
class InMemoryBus:
    """A bus that may refuse a finding."""

    refuses: str = ""
    logged: list[tuple[str, int]] = field(default_factory=list)

    def publish(self, finding: Finding) -> None:
        if finding.transition == self.refuses:
            raise DeliveryError("EventBridge refused an event: ThrottlingException")
        self.logged.append((str(finding.transition), finding.revision))


def image(finding: Finding, sk: str = "FINDING#") -> dict[str, Any]:
    """Return an item as the stream shows it."""
    return {
        "pk": {"S": f"FUNCTION#{FUNCTION_ARN}"},
        "sk": {"S": f"{sk}{finding.id}"},
        "revision": {"N": str(finding.revision)},
        "document": {"S": json.dumps(finding.to_document())},
    }


def record(number: int, new: Finding | None, old: Finding | None = None, sk: str = "FINDING#") -> dict[str, Any]:
    """Return a stream record."""
    change: dict[str, Any] = {"SequenceNumber": str(number)}
    if new:
        change["NewImage"] = image(new, sk)
    if old:
        change["OldImage"] = image(old, sk)
    return {"dynamodb": change}


def test_transitions_are_published_in_their_order(logged: Logged) -> None:
    """The log names the finding and its revision."""
    bus = InMemoryBus()
    event = {"Records": [record(1, OPENED), record(2, RESOLVED, OPENED)]}
    assert publish(event, transition_of, bus, logged.logger, logged.metrics) == {"batchItemFailures": []}
    assert bus.logged == [("Finding Opened", 1), ("Finding Resolved", 2)]
    assert logged.line("Finding Resolved")["finding_id"] == FINDING_ID
    assert logged.counts == {"EventsPublished": 2}


def test_a_transition_that_cannot_be_told_holds_up_those_after_it(logged: Logged) -> None:
    """The stream goes on from there, so that nobody hears of the end before the beginning."""
    bus = InMemoryBus(refuses="Finding Opened")
    event = {"Records": [record(1, RESOLVED, OPENED), record(2, OPENED), record(3, RESOLVED, OPENED)]}
    assert publish(event, transition_of, bus, logged.logger, logged.metrics) == {
        "batchItemFailures": [{"itemIdentifier": "2"}]
    }
    assert len(bus.logged) == 1
    assert logged.line("stream record could not be published")["sequence_number"] == "2"
    assert logged.counts == {"EventsPublished": 1, "RecordsFailed": 1}


@pytest.mark.parametrize(
    "silent",
    [
        record(1, replace(OPENED, reason="Other words."), OPENED),
        record(1, None, OPENED),
        record(1, OPENED, sk="CHECK#"),
        record(1, None),
    ],
    ids=["other words", "expired", "bookkeeping", "keys only"],
)
def test_what_is_no_transition_is_told_to_nobody(silent: dict[str, Any], logged: Logged) -> None:
    """The revision is the same, or there is no finding any more."""
    assert transition_of(silent) is None
    bus = InMemoryBus()
    assert (
        publish({"Records": [silent, record(2, OPENED)]}, transition_of, bus, logged.logger, logged.metrics)[
            "batchItemFailures"
        ]
        == []
    )
    assert bus.logged == [("Finding Opened", 1)]


@pytest.mark.parametrize("document", ["{}", "not JSON", "[]"])
def test_an_item_that_is_no_finding_is_malformed_and_named(document: str) -> None:
    """A person has to look at it."""
    broken = record(1, OPENED)
    broken["dynamodb"]["NewImage"]["document"] = {"S": document}
    with pytest.raises(MalformedEventError, match=f"FINDING#{FINDING_ID} is no finding"):
        transition_of(broken)


def test_an_item_that_is_no_finding_holds_nothing_up(logged: Logged) -> None:
    """It would be none the next time either: it is logged, counted and stays in the table; the rest goes on."""
    broken = record(1, OPENED)
    broken["dynamodb"]["NewImage"]["document"] = {"S": "{}"}
    bus = InMemoryBus()
    answer = publish({"Records": [broken, record(2, OPENED)]}, transition_of, bus, logged.logger, logged.metrics)
    assert answer == {"batchItemFailures": []}
    assert bus.logged == [("Finding Opened", 1)]
    assert FINDING_ID in logged.line("item is not a finding: not published")["reason"]
    assert logged.counts == {"EventsPublished": 1, "RecordsMalformed": 1}
