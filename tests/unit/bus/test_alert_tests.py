"""The event that requests a test of alert channels and ticket systems."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bus.alert_tests import (
    TEST_DETAIL_TYPE,
    AlertTest,
    alert_test_event,
    alert_test_of,
    read_alert_test,
)
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


EVENT = alert_test_event(TEST)


def test_the_event_is_read_as_it_was_sent() -> None:
    """It has the source of the bus, and a detail-type of its own."""
    assert (EVENT["source"], EVENT["detail-type"]) == ("permission-guard", "Test Message")
    assert alert_test_of(json.loads(json.dumps(EVENT))) == TEST


@pytest.mark.parametrize(
    "event", [{}, [], None, {"Records": []}, {**EVENT, "Records": []}, {**EVENT, "detail-type": "Digest"}]
)
def test_a_batch_of_messages_is_no_test(event: Any) -> None:
    """It is handled as before."""
    assert alert_test_of(event) is None


@pytest.mark.parametrize("changed", [{"source": "somebody"}, {"source": None}, {"detail": None}, {"detail": []}])
def test_an_event_that_is_nearly_a_test_is_malformed(changed: dict[str, Any]) -> None:
    """Nothing is sent."""
    with pytest.raises(MalformedEventError, match="no request of a test message"):
        alert_test_of({**EVENT, **changed})


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
    """Nothing is sent."""
    detail = EVENT["detail"] | changed
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
        json.dumps(EVENT),
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
    """A test in a queue is a failure: only an invocation requests one."""
    event = {"Records": [{"messageId": "m", "body": json.dumps(EVENT)}]}
    answer = process_batch(event, lambda _event: None, logged.logger, logged.metrics)
    assert answer["batchItemFailures"] == [{"itemIdentifier": "m"}]
