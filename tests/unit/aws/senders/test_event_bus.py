"""The event bus: an event carries the whole finding, and a rejected event is an error."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from permission_guard.aws.senders.event_bus import EventBus
from permission_guard.bus.events import BusEvent
from permission_guard.errors import DeliveryError, EventRejectedError
from permission_guard.model.findings import Finding, Transition
from permission_guard.model.verdicts import Remedy
from tests.aws_limits import entry_size
from tests.bus_messages import read_event
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
