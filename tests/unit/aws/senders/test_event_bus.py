"""The event bus: an event carries the whole finding, and a rejected event is an error."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from permission_guard.aws.senders.event_bus import EventBus
from permission_guard.bus.events import BusEvent, read_event
from permission_guard.errors import DeliveryError, EventRejectedError
from permission_guard.model import limits
from permission_guard.model.findings import Finding, Transition
from permission_guard.model.verdicts import Remedy
from tests.aws_limits import entry_size
from tests.fakes import FUNCTION_ARN, a_finding

ENTRY = {
    "EventBusName": "permission-guard",
    "Source": "permission-guard",
    "DetailType": "Finding Opened",
    "Resources": [FUNCTION_ARN],
    "Detail": json.dumps(a_finding().to_document()),
}


def publish(reply: dict[str, Any]) -> None:
    """Publish a finding to a bus with this reply."""
    client = boto3.client(
        "events", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    with Stubber(client) as stubber:
        stubber.add_response("put_events", reply, {"Entries": [ENTRY]})
        EventBus(client, "permission-guard").publish(a_finding())


def test_an_event_names_the_transition_the_function_and_the_finding() -> None:
    """A queue behind the bus receives a body that names the finding, its function and its revision."""
    publish({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
    body = {"source": ENTRY["Source"], "detail-type": ENTRY["DetailType"], "detail": a_finding().to_document()}
    event = read_event(json.dumps(body))
    assert event == BusEvent(Transition.OPENED, a_finding().id, a_finding().function_arn, 1)


def test_an_event_that_the_bus_does_not_accept_is_an_error() -> None:
    """The call itself succeeds; its reply has the error of the event."""
    entry = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
    with pytest.raises(DeliveryError, match="EventBridge did not accept an event: ThrottlingException: Rate exceeded"):
        publish({"FailedEntryCount": 1, "Entries": [entry]})


class Strict:
    """An EventBridge that rejects entries over a limit."""

    def __init__(self, limit: int, code: str = "ValidationException", *, per_entry: bool = False) -> None:
        self.limit, self.code, self.per_entry = limit, code, per_entry
        self.accepted: list[dict[str, Any]] = []
        self.requests: list[int] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self.requests.append(len(Entries))
        fitting = [entry for entry in Entries if entry_size(entry) <= self.limit]
        if len(fitting) < len(Entries) and not self.per_entry:
            raise ClientError({"Error": {"Code": self.code, "Message": "over the limit"}}, "PutEvents")
        self.accepted += fitting
        rejected = {"ErrorCode": self.code, "ErrorMessage": "over the limit"}
        return {
            "FailedEntryCount": len(Entries) - len(fitting),
            "Entries": [{"EventId": "1"} if entry in fitting else rejected for entry in Entries],
        }


@pytest.mark.parametrize("per_entry", [False, True])
@pytest.mark.parametrize("limit", [20_000, 5_000])
def test_an_event_that_is_too_large_is_sent_with_less(limit: int, *, per_entry: bool) -> None:
    """The finding is published, whatever it contains; the event names it and its transition."""
    finding = a_finding(evidence={"a": "x" * 60_000}, reason="y" * 60_000, remedies=(Remedy("sam", "z" * 60_000),))
    bus: Any = Strict(limit, per_entry=per_entry)
    EventBus(bus, "permission-guard").publish(finding)
    (entry,) = bus.accepted
    published = Finding.from_document(json.loads(entry["Detail"]))
    assert (published.id, published.transition, published.revision) == (
        finding.id,
        finding.transition,
        finding.revision,
    )


def test_an_event_that_is_rejected_in_its_smallest_form_is_an_error_of_its_own() -> None:
    """A retry would not help, and must not block other findings."""
    bus: Any = Strict(10, "MalformedDetail", per_entry=True)
    with pytest.raises(EventRejectedError, match="MalformedDetail: over the limit"):
        EventBus(bus, "permission-guard").publish(a_finding())


def test_another_error_of_the_call_is_raised() -> None:
    """A throttled call is retried."""
    bus: Any = Strict(10, "ThrottlingException")
    with pytest.raises(ClientError, match="ThrottlingException"):
        EventBus(bus, "permission-guard").publish(a_finding())


# ── Many findings ───────────────────────────────────────────────────────────────────────────────────────────────────


def findings(count: int, **more: Any) -> list[Finding]:
    """Return findings with different ids."""
    return [a_finding(id=f"finding-{number}", **more) for number in range(count)]


def ids(entries: list[dict[str, Any]]) -> list[str]:
    """Return the ids of the findings in entries."""
    return [json.loads(entry["Detail"])["id"] for entry in entries]


def test_findings_are_published_ten_at_a_time() -> None:
    """PutEvents takes ten entries."""
    bus: Any = Strict(limits.EVENT_ENTRY)
    assert EventBus(bus, "permission-guard").publish_all(findings(25)) == {}
    assert bus.requests == [10, 10, 5]
    assert ids(bus.accepted) == [f"finding-{number}" for number in range(25)]


def test_no_finding_is_no_request() -> None:
    """PutEvents needs an entry."""
    bus: Any = Strict(limits.EVENT_ENTRY)
    assert EventBus(bus, "permission-guard").publish_all([]) == {}
    assert bus.requests == []


class Exact(Strict):
    """An EventBridge that rejects requests over the limit on all entries together."""

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        assert sum(map(entry_size, Entries)) <= limits.EVENT_ENTRY
        return super().put_events(Entries)


@pytest.mark.parametrize(("size", "requests"), [(20_000, [10, 2]), (60_000, [4, 4, 4]), (190_000, [1] * 12)])
def test_a_request_is_within_the_limit_of_all_its_entries(size: int, requests: list[int]) -> None:
    """Large findings share a request with fewer others."""
    bus: Any = Exact(limits.EVENT_ENTRY)
    evidence = {f"{number}": "x" * 1_900 for number in range(size // 1_900)}
    assert EventBus(bus, "permission-guard").publish_all(findings(12, evidence=evidence)) == {}
    assert bus.requests == requests


@pytest.mark.parametrize("per_entry", [False, True])
def test_only_the_event_that_is_too_large_is_sent_with_less(*, per_entry: bool) -> None:
    """EventBridge rejects the entry or the whole request: the other findings are published as they are."""
    small, large = findings(3), a_finding(id="large", reason="y" * 60_000)
    bus: Any = Strict(20_000, per_entry=per_entry)
    assert EventBus(bus, "permission-guard").publish_all([*small, large]) == {}
    assert sorted(ids(bus.accepted)) == ["finding-0", "finding-1", "finding-2", "large"]
    complete = [json.dumps(finding.to_document()) for finding in small]
    assert {entry["Detail"] for entry in bus.accepted} >= set(complete)


def test_a_finding_that_is_rejected_in_its_smallest_form_does_not_keep_the_others_back() -> None:
    """The result names it, with the reason."""
    bus: Any = Strict(2_000, per_entry=True)
    hopeless = a_finding(id="hopeless", function_arn=FUNCTION_ARN + "x" * 2_000)
    failures = EventBus(bus, "permission-guard").publish_all([*findings(2), hopeless])
    assert sorted(ids(bus.accepted)) == ["finding-0", "finding-1"]
    assert [type(error) for error in failures.values()] == [EventRejectedError]
    assert list(failures) == ["hopeless"]


class Busy:
    """An EventBridge that does not accept findings for now, each the given number of times."""

    def __init__(self, **times: int) -> None:
        self.times = {name.replace("_", "-"): count for name, count in times.items()}
        self.requests: list[list[str]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self.requests.append(ids(Entries))
        replies = []
        for one in ids(Entries):
            busy = self.times.get(one, 0) > 0
            self.times[one] = self.times.get(one, 0) - 1
            replies.append({"ErrorCode": "InternalFailure", "ErrorMessage": "later"} if busy else {"EventId": "1"})
        return {"FailedEntryCount": sum("ErrorCode" in reply for reply in replies), "Entries": replies}


def test_only_the_entries_that_failed_are_sent_again() -> None:
    """The others were accepted."""
    bus: Any = Busy(finding_1=1, finding_3=2)
    assert EventBus(bus, "permission-guard").publish_all(findings(4)) == {}
    assert bus.requests == [[f"finding-{number}" for number in range(4)], ["finding-1", "finding-3"], ["finding-3"]]


def test_an_entry_that_is_not_accepted_in_time_is_a_failure_and_the_others_are_published() -> None:
    """The next sweep publishes it."""
    bus: Any = Busy(finding_1=99)
    failures = EventBus(bus, "permission-guard").publish_all(findings(12))
    assert [(name, type(error)) for name, error in failures.items()] == [("finding-1", DeliveryError)]
    assert bus.requests[1:3] == [["finding-1"], ["finding-1"]]
    assert bus.requests[3] == ["finding-10", "finding-11"]


class Broken(Strict):
    """An EventBridge whose first request fails."""

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        if not self.requests:
            self.requests.append(len(Entries))
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "PutEvents")
        return super().put_events(Entries)


def test_a_request_that_fails_does_not_keep_the_other_requests_back() -> None:
    """The client has retried it."""
    bus: Any = Broken(limits.EVENT_ENTRY)
    failures = EventBus(bus, "permission-guard").publish_all(findings(12))
    assert list(failures) == [f"finding-{number}" for number in range(10)]
    assert ids(bus.accepted) == ["finding-10", "finding-11"]


def test_a_finding_that_has_no_document_does_not_keep_the_others_back() -> None:
    """Evidence can be what JSON does not have."""
    bus: Any = Strict(limits.EVENT_ENTRY)
    failures = EventBus(bus, "permission-guard").publish_all(
        [a_finding(id="odd", evidence={"a": object()}), *findings(1)]
    )
    assert list(failures) == ["odd"]
    assert ids(bus.accepted) == ["finding-0"]
