"""An event of the bus: its source, its transition and its finding."""

from __future__ import annotations

import json
from typing import Any

import pytest

from permission_guard.bus.events import read_event
from permission_guard.errors import MalformedEventError
from permission_guard.model.findings import Transition
from tests.fakes import FINDING_ID, FUNCTION_ARN, a_finding

DOCUMENT = a_finding().to_document()
NAMES = {"id": FINDING_ID, "function_arn": FUNCTION_ARN}


def body(**more: Any) -> str:
    """Return the body of an SQS message with an event of the bus."""
    return json.dumps({"source": "permission-guard", "detail-type": "Finding Opened", "detail": DOCUMENT, **more})


def test_an_event_has_its_finding() -> None:
    """The document is read back as it was written."""
    event = read_event(body())
    assert event.transition is Transition.OPENED
    assert (event.finding_id, event.function_arn) == (FINDING_ID, FUNCTION_ARN)
    assert event.finding == a_finding()


def test_the_transition_comes_from_the_detail_type() -> None:
    """The last transition of the finding differs when a person approves a fix."""
    event = read_event(body(**{"detail-type": "Fix Approved"}))
    assert event.transition is Transition.FIX_APPROVED
    assert event.finding.transition is Transition.OPENED


def test_an_approval_needs_only_the_finding_s_id_and_function() -> None:
    """The table has the rest. Reading the finding from the event is an error."""
    event = read_event(body(**{"detail-type": "Fix Approved", "detail": NAMES}))
    assert event.finding_id == FINDING_ID
    with pytest.raises(MalformedEventError, match="no finding document"):
        _ = event.finding


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not JSON", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not an event of the permission-guard bus"),
        (body(source="aws.lambda"), "not an event of the permission-guard bus"),
        (body(**{"detail-type": "Finding Forgotten"}), "Finding Forgotten"),
        (body(**{"detail-type": ["Finding Opened"]}), "detail-type is"),
        (json.dumps({"source": "permission-guard", "detail": NAMES}), "detail-type is None"),
        (body(detail=None), "no `detail` object"),
        (body(detail="text"), "no `detail` object"),
        (body(detail={}), "lacks `id` or `function_arn`"),
        (body(detail={**NAMES, "id": ""}), "lacks `id` or `function_arn`"),
        (body(detail={**NAMES, "function_arn": 7}), "lacks `id` or `function_arn`"),
    ],
    ids=lambda text: text[:40],
)
def test_a_message_that_is_no_event_of_the_bus_is_malformed(text: str, reason: str) -> None:
    """It moves to the dead-letter queue, and the error has the reason."""
    with pytest.raises(MalformedEventError, match=reason):
        read_event(text)


@pytest.mark.parametrize(
    "change", [{"remedies": [3]}, {"status": "closed"}, {"fix": "yes"}, {"title": None, "surprise": 1, "severity": 0}]
)
def test_an_invalid_finding_document_is_malformed(change: dict[str, Any]) -> None:
    """Senders never get an incomplete finding."""
    event = read_event(body(detail={**DOCUMENT, **change}))
    with pytest.raises(MalformedEventError, match="no finding document"):
        _ = event.finding
