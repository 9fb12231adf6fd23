"""What one event changed in the same way, of one function or role, is one message."""

from __future__ import annotations

from dataclasses import replace

import pytest

from permission_guard.delivery.groups import group_key, grouped
from permission_guard.model.findings import Transition
from tests.unit.delivery.examples import APPLIED, OPENED

OTHER = replace(OPENED, id="0" * 32, rule_id="PG204")


def test_findings_of_one_event_function_and_transition_belong_together() -> None:
    """In their order, each group at the place of its first finding."""
    elsewhere = replace(OPENED, id="1" * 32, function_arn=f"{OPENED.function_arn}-2")
    assert grouped([OPENED, elsewhere, OTHER]) == [[OPENED, OTHER], [elsewhere]]


@pytest.mark.parametrize(
    "change",
    [
        {"changed_event": "00000000-3c5b-4f0e-8c39-1d7b1f0e2a44"},
        {"transition": Transition.RESOLVED},
        {"function_arn": "", "role_arn": "arn:aws:iam::123456789012:role/worker"},
    ],
)
def test_what_differs_in_one_of_them_is_a_message_of_its_own(change: dict[str, str]) -> None:
    """Another event has another caller, and another transition another state."""
    assert len(grouped([OPENED, replace(OTHER, **change)])) == 2  # type: ignore[arg-type]


def test_without_an_event_and_with_a_fix_a_finding_is_a_message_of_its_own() -> None:
    """A sweep finds unrelated problems. Each fix has its own plan, and its own command to approve it."""
    swept = replace(OPENED, changed_event="")
    assert group_key(swept) is None
    assert grouped([swept, replace(swept, id="0" * 32)]) == [[swept], [replace(swept, id="0" * 32)]]
    assert group_key(APPLIED) is None
