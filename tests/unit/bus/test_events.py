"""An event of the bus: its source, its transition and its finding."""

from __future__ import annotations

import json
from typing import Any

import pytest

from permission_guard.bus.events import BusEvent, event_body
from permission_guard.errors import MalformedEventError
from permission_guard.model.findings import Transition
from permission_guard.model.targets import NamedRole
from tests.bus_messages import read_event
from tests.fakes import FINDING_ID, FUNCTION_ARN, ROLE_ARN, a_finding

DOCUMENT = a_finding().to_document()
NAMES = {"id": FINDING_ID, "function_arn": FUNCTION_ARN, "revision": 1}


def body(**more: Any) -> str:
    """Return the body of an SQS message with an event of the bus."""
    return json.dumps({"source": "permission-guard", "detail-type": "Finding Opened", "detail": DOCUMENT, **more})


def test_an_event_about_a_role_names_the_role() -> None:
    """Such a finding has no function."""
    finding = a_finding(function_arn="", role_arn=ROLE_ARN)
    for detail in (finding.to_document(), {"id": FINDING_ID, "role_arn": ROLE_ARN, "revision": 1}):
        event = read_event(body(detail=detail))
        assert (event.target_arn, event.target) == (ROLE_ARN, NamedRole(ROLE_ARN))


def test_a_message_about_a_finding_has_only_what_is_read() -> None:
    """It does not go over the bus: a finding of any size fits, and ten fit one request."""
    for finding in (a_finding(evidence={"a": "x" * 100_000}), a_finding(function_arn="", role_arn=ROLE_ARN)):
        text = event_body(finding)
        assert read_event(text) == BusEvent(Transition.OPENED, finding.id, finding.target_arn, 1)
        assert len(text) < 1_000


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
        (body(detail={}), "lacks `id`, or `function_arn` and `role_arn`"),
        (body(detail={**NAMES, "id": 7}), "lacks `id`, or `function_arn` and `role_arn`"),
        (body(detail={**NAMES, "id": ""}), "`id` is not the id of a finding"),
        (body(detail={**NAMES, "id": f"{FINDING_ID}\n"}), "`id` is not the id of a finding"),
        (body(detail={**NAMES, "id": "../" + FINDING_ID}), "`id` is not the id of a finding"),
        (body(detail={**NAMES, "function_arn": ""}), "not a Lambda function"),
        (body(detail={**NAMES, "function_arn": "orders"}), "not a Lambda function ARN"),
        (body(detail={**NAMES, "function_arn": f"{FUNCTION_ARN}:$(id)"}), "not a Lambda function"),
        (body(detail={**NAMES, "function_arn": ROLE_ARN}), "`function_arn` is the ARN of a role"),
        (body(detail={**NAMES, "role_arn": FUNCTION_ARN}), "`role_arn` is none"),
        (body(detail={**NAMES, "role_arn": "orders-role"}), "not a Lambda function ARN"),
        (body(detail={**NAMES, "role_arn": ["orders-role"]}), "lacks `id`, or `function_arn` and `role_arn`"),
        (body(detail={**NAMES, "function_arn": 7}), "lacks `id`, or `function_arn` and `role_arn`"),
        *((body(detail={**NAMES, "revision": one}), "lacks the `revision`") for one in (None, "1", 1.0, True, 0, -1)),
    ],
    ids=lambda text: text[:40],
)
def test_a_message_that_is_no_event_of_the_bus_is_malformed(text: str, reason: str) -> None:
    """It moves to the dead-letter queue, and the error has the reason."""
    with pytest.raises(MalformedEventError, match=reason):
        read_event(text)
