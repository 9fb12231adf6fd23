"""The message that requests a test of the alert channels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bus.alert_tests import TEST_DETAIL_TYPE, AlertTest, alert_test_body, read_alert_test
from permission_guard.bus.batch import process_batch
from permission_guard.errors import MalformedEventError
from permission_guard.model.verdicts import FINDING_ID
from tests.fakes import a_finding

if TYPE_CHECKING:
    from tests.unit.conftest import Logged

TEST = AlertTest(
    id="0123456789abcdef" * 2,
    by="arn:aws:sts::123456789012:assumed-role/platform/jane",
    at="2026-11-20T09:30:00+00:00",
    account="123456789012",
    region="us-east-1",
)


def test_the_message_is_read_as_it_was_sent() -> None:
    """It has the source of the bus, and a detail-type of its own."""
    body = json.loads(alert_test_body(TEST))
    assert (body["source"], body["detail-type"]) == ("permission-guard", "Test Message")
    assert read_alert_test(body["detail"]) == TEST


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"id": "../../x"}, "id"),
        ({"id": ["0" * 32]}, "id"),
        ({"by": "Mallory\nNo problem was found"}, "by"),
        ({"by": "arn:aws:iam::123456789012:user/\u202eevil"}, "by"),
        ({"at": "yesterday"}, "at"),
        ({"at": 1}, "at"),
        ({"account": "1"}, "account"),
        ({"region": "everywhere"}, "region"),
        ({"region": None}, "region"),
    ],
)
def test_a_message_with_another_form_is_malformed(changed: dict[str, Any], what: str) -> None:
    """It goes to the dead-letter queue."""
    detail = json.loads(alert_test_body(TEST))["detail"] | changed
    with pytest.raises(MalformedEventError, match=f"no valid `{what}`"):
        read_alert_test(detail)


def test_a_message_without_content_is_malformed() -> None:
    """It names nobody."""
    with pytest.raises(MalformedEventError):
        read_alert_test({})


def test_a_test_takes_no_place_of_a_finding_in_the_ledger() -> None:
    """Its id comes from the caller, who could choose a finding's id and so prevent its alert."""
    assert FINDING_ID.fullmatch(TEST.id)
    assert not FINDING_ID.fullmatch(TEST.key)


def test_other_messages_of_a_queue_have_their_own_handlers(logged: Logged) -> None:
    """A batch can have both; one that fails does not fail the others, and a type without a handler fails."""
    opened = {"source": "permission-guard", "detail-type": "Finding Opened", "detail": a_finding().to_document()}
    bodies = [
        alert_test_body(TEST),
        json.dumps(opened),
        json.dumps({"source": "permission-guard", "detail-type": TEST_DETAIL_TYPE, "detail": {}}),
        json.dumps({"source": "permission-guard", "detail-type": [TEST_DETAIL_TYPE], "detail": {}}),
        json.dumps({"source": "somebody", "detail-type": TEST_DETAIL_TYPE, "detail": {}}),
    ]
    event = {"Records": [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]}
    handled: list[Any] = []

    def test(detail: Any) -> None:
        handled.append(read_alert_test(detail))

    answer = process_batch(event, handled.append, logged.logger, logged.metrics, others={TEST_DETAIL_TYPE: test})
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"m{number}"} for number in (2, 3, 4)]}
    assert handled[0] == TEST
    assert handled[1].finding_id == a_finding().id
    assert (logged.counts["MessagesReceived"], logged.counts["MessagesFailed"]) == (5, 3)


def test_without_a_handler_the_message_is_no_event(logged: Logged) -> None:
    """Tickets and fixes do not know it."""
    event = {"Records": [{"messageId": "m", "body": alert_test_body(TEST)}]}
    answer = process_batch(event, lambda _event: None, logged.logger, logged.metrics)
    assert answer["batchItemFailures"] == [{"itemIdentifier": "m"}]
