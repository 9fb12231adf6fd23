"""The event bus: an event carries the whole finding, and a rejected event is an error."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from permission_guard.aws.senders.event_bus import EventBus
from permission_guard.bus.events import read_event
from permission_guard.errors import DeliveryError
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
    """A queue behind the bus receives a body that is read as the same finding."""
    publish({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
    body = {"source": ENTRY["Source"], "detail-type": ENTRY["DetailType"], "detail": a_finding().to_document()}
    assert read_event(json.dumps(body)).finding == a_finding()


def test_an_event_that_the_bus_does_not_accept_is_an_error() -> None:
    """The call itself succeeds; its reply has the error of the event."""
    entry = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
    with pytest.raises(DeliveryError, match="EventBridge did not accept an event: ThrottlingException: Rate exceeded"):
        publish({"FailedEntryCount": 1, "Entries": [entry]})
