"""An event of the bus: its source, its transition and its finding."""

from __future__ import annotations

import json
from typing import Any

import pytest

from permission_guard.bus.events import BusEvent, read_event
from permission_guard.errors import MalformedEventError
from permission_guard.model.findings import Transition
from tests.fakes import FINDING_ID, FUNCTION_ARN, a_finding

DOCUMENT = a_finding().to_document()
NAMES = {"id": FINDING_ID, "function_arn": FUNCTION_ARN, "revision": 1}


def body(**more: Any) -> str:
    """Return the body of an SQS message with an event of the bus."""
    return json.dumps({"source": "permission-guard", "detail-type": "Finding Opened", "detail": DOCUMENT, **more})


def test_an_event_names_a_finding_and_a_revision() -> None:
    """Whatever else it has in its detail is not read."""
    for detail in (DOCUMENT, NAMES, {**NAMES, "title": 7, "status": "resolved"}):
        event = read_event(body(detail=detail))
        assert event == BusEvent(Transition.OPENED, FINDING_ID, FUNCTION_ARN, 1)


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
        (body(detail={**NAMES, "id": 7}), "lacks `id` or `function_arn`"),
        (body(detail={**NAMES, "id": ""}), "`id` is not the id of a finding"),
        (body(detail={**NAMES, "id": f"{FINDING_ID}\n"}), "`id` is not the id of a finding"),
        (body(detail={**NAMES, "id": "../" + FINDING_ID}), "`id` is not the id of a finding"),
        (body(detail={**NAMES, "function_arn": ""}), "not a Lambda function"),
        (body(detail={**NAMES, "function_arn": "orders"}), "not a Lambda function ARN"),
        (body(detail={**NAMES, "function_arn": f"{FUNCTION_ARN}:$(id)"}), "not a Lambda function"),
        (body(detail={**NAMES, "function_arn": 7}), "lacks `id` or `function_arn`"),
        *((body(detail={**NAMES, "revision": one}), "lacks the `revision`") for one in (None, "1", 1.0, True, 0, -1)),
    ],
    ids=lambda text: text[:40],
)
def test_a_message_that_is_no_event_of_the_bus_is_malformed(text: str, reason: str) -> None:
    """It moves to the dead-letter queue, and the error has the reason."""
    with pytest.raises(MalformedEventError, match=reason):
        read_event(text)
