"""The outbox: exactly the transitions in the table's stream are published, in order."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.tables.findings_stream import transition_of
from permission_guard.bus.publisher import publish
from permission_guard.errors import DeliveryError, EventRejectedError, MalformedEventError
from permission_guard.model.findings import Status, Transition
from tests.fakes import FINDING_ID, FUNCTION_ARN, a_finding

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from tests.unit.conftest import Logged

OPENED = a_finding()
RESOLVED = a_finding(status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2)


@dataclass
class InMemoryBus:
    """A bus that may reject one transition."""

    rejects: str = ""
    published: list[tuple[str, int]] = field(default_factory=list)

    def publish(self, finding: Finding) -> None:
        if finding.transition == self.rejects:
            raise DeliveryError("EventBridge rejected an event: ThrottlingException")
        self.published.append((str(finding.transition), finding.revision))


def image(finding: Finding, sk: str = "FINDING#") -> dict[str, Any]:
    """Return an item as it is in the stream."""
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


def test_transitions_are_published_in_order(logged: Logged) -> None:
    """The log has the finding id and the revision."""
    bus = InMemoryBus()
    event = {"Records": [record(1, OPENED), record(2, RESOLVED, OPENED)]}
    assert publish(event, transition_of, bus, logged.logger, logged.metrics) == {"batchItemFailures": []}
    assert bus.published == [("Finding Opened", 1), ("Finding Resolved", 2)]
    assert logged.line("Finding Resolved")["finding_id"] == FINDING_ID
    assert logged.counts == {"EventsPublished": 2}


def test_a_transition_that_cannot_be_published_blocks_later_ones(logged: Logged) -> None:
    """The stream continues from there, so that a resolution is never published before its opening."""
    bus = InMemoryBus(rejects="Finding Opened")
    event = {"Records": [record(1, RESOLVED, OPENED), record(2, OPENED), record(3, RESOLVED, OPENED)]}
    assert publish(event, transition_of, bus, logged.logger, logged.metrics) == {
        "batchItemFailures": [{"itemIdentifier": "2"}]
    }
    assert len(bus.published) == 1
    assert logged.line("stream record could not be published")["sequence_number"] == "2"
    assert logged.counts == {"EventsPublished": 1, "RecordsFailed": 1}


@pytest.mark.parametrize(
    "unpublished",
    [
        record(1, replace(OPENED, reason="Another reason."), OPENED),
        record(1, None, OPENED),
        record(1, OPENED, sk="CHECK#"),
        record(1, None),
    ],
    ids=["changed details", "expired", "check record", "keys only"],
)
def test_records_without_a_transition_are_not_published(unpublished: dict[str, Any], logged: Logged) -> None:
    """The revision is unchanged, or the record has no finding."""
    assert transition_of(unpublished) is None
    bus = InMemoryBus()
    assert (
        publish({"Records": [unpublished, record(2, OPENED)]}, transition_of, bus, logged.logger, logged.metrics)[
            "batchItemFailures"
        ]
        == []
    )
    assert bus.published == [("Finding Opened", 1)]


@pytest.mark.parametrize("document", ["{}", "not JSON", "[]"])
def test_an_invalid_finding_item_is_an_error_with_its_key(document: str) -> None:
    """An engineer must check it."""
    broken = record(1, OPENED)
    broken["dynamodb"]["NewImage"]["document"] = {"S": document}
    with pytest.raises(MalformedEventError, match=f"FINDING#{FINDING_ID} is not a valid finding"):
        transition_of(broken)


def test_an_invalid_finding_item_does_not_block_the_stream(logged: Logged) -> None:
    """A retry would not help. It is logged, counted and stays in the table; the next records are published."""
    broken = record(1, OPENED)
    broken["dynamodb"]["NewImage"]["document"] = {"S": "{}"}
    bus = InMemoryBus()
    answer = publish({"Records": [broken, record(2, OPENED)]}, transition_of, bus, logged.logger, logged.metrics)
    assert answer == {"batchItemFailures": []}
    assert bus.published == [("Finding Opened", 1)]
    assert FINDING_ID in logged.line("item is not a finding: not published")["reason"]
    assert logged.counts == {"EventsPublished": 1, "RecordsMalformed": 1}


def test_an_event_that_is_rejected_for_good_does_not_block_later_ones(logged: Logged) -> None:
    """One function's policy must not keep other findings from being published."""
    bus = RejectingBus()
    event = {"Records": [record(1, OPENED), record(2, RESOLVED, OPENED)]}
    assert publish(event, transition_of, bus, logged.logger, logged.metrics) == {"batchItemFailures": []}
    assert bus.published == [("Finding Resolved", 2)]
    assert logged.counts == {"EventsRejected": 1, "EventsPublished": 1}


class RejectingBus(InMemoryBus):
    """A bus that rejects openings for good."""

    def publish(self, finding: Finding) -> None:
        if finding.transition is Transition.OPENED:
            raise EventRejectedError("too large")
        super().publish(finding)


@pytest.mark.parametrize(
    "document",
    [
        "[" * 100_000,
        "null",
        "[]",
        '"text"',
        '{"id": 1}',
        json.dumps({**OPENED.to_document(), "transition": "Finding Vanished"}),
    ],
)
def test_an_item_that_cannot_be_read_does_not_block_later_ones(logged: Logged, document: str) -> None:
    """Another version wrote it, or somebody with access to the table."""
    bad = record(1, OPENED)
    bad["dynamodb"]["NewImage"]["document"]["S"] = document
    bus = InMemoryBus()
    event = {"Records": [bad, {"dynamodb": {"NewImage": {}, "SequenceNumber": "2"}}, record(3, RESOLVED, OPENED)]}
    assert publish(event, transition_of, bus, logged.logger, logged.metrics) == {"batchItemFailures": []}
    assert bus.published == [("Finding Resolved", 2)]
    assert logged.counts["RecordsMalformed"] == 1
