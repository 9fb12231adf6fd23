"""Mutated events, and mutated invocations that request a test, to the function that sends alerts."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from slack_sdk.webhook import WebhookClient, WebhookResponse

from tests.fuzz.aws import OTHERS, TOPIC, FakeAws, Write
from tests.fuzz.harness import Fuzz, one_by_one, run
from tests.fuzz.material import finding_of
from tests.fuzz.senders import invoked_directly, is_tested, sender

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = [finding_of(name).id for name in OTHERS]


def is_sent(aws: FakeAws, finding_id: str) -> bool:
    """Return whether SNS and Slack have the alert."""
    return all(
        any(finding_id in params[name] for params in aws.written(operation))
        for operation, name in (("sns:Publish", "Message"), ("slack:Post", "payload"))
    )


def may_send(write: Write) -> bool:
    """Return whether a call is to the topic or the webhook of the deployment."""
    return write.operation == "slack:Post" or (write.operation == "sns:Publish" and write.params["TopicArn"] == TOPIC)


FUZZ = sender("send_alert", is_sent, may_send, ("sns", "slack"))
TESTS = invoked_directly(FUZZ)


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Slack accept the good alerts, and fail for one in four of the others with an error that has the webhook."""

    def send(client: WebhookClient, payload: dict[str, Any]) -> WebhookResponse:
        text = json.dumps(payload)
        text.encode()
        if not any(finding_id in text for finding_id in GOOD) and zlib.crc32(text.encode()) % 4 == 0:
            raise ValueError(f"cannot post to {client.url}")
        FUZZ.aws.writes.append(Write("slack:Post", {"payload": text}))
        return WebhookResponse(url=client.url, status_code=200, body="ok", headers={})

    monkeypatch.setattr(WebhookClient, "send_dict", send)


@pytest.mark.usefixtures("slack")
def test_no_message_stops_the_others(loaded: Callable[[Fuzz], Any]) -> None:
    """Every good message is sent to both channels, and Slack's webhook is in no log."""
    run(FUZZ, loaded(FUZZ))


@pytest.mark.usefixtures("slack")
def test_a_test_sends_only_the_test_message(loaded: Callable[[Fuzz], Any]) -> None:
    """Whoever may invoke the function chooses its event: what is sent has fixed texts, and the values are checked."""
    run(TESTS, one_by_one(loaded(TESTS), is_tested))
