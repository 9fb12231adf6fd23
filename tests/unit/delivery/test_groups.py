"""What one event changed in the same way, of one function or role, is one message."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.delivery.groups import group_key, others_of
from permission_guard.model.findings import Transition
from tests.unit.delivery.examples import APPLIED, OPENED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FindingTarget

OTHER = replace(OPENED, id="0" * 32, rule_id="PG204")


class Groups:
    """The findings in the table, whatever they are about."""

    def __init__(self, *findings: Finding) -> None:
        self._findings = findings

    def findings_of(self, target: FindingTarget) -> Sequence[Finding]:
        return self._findings


def test_findings_of_one_event_function_and_transition_belong_together() -> None:
    """Those of another function do not."""
    elsewhere = replace(OPENED, id="1" * 32, function_arn=f"{OPENED.function_arn}-2")
    findings = Groups(OPENED, elsewhere, OTHER)
    assert others_of(OPENED, findings) == [OTHER]
    assert others_of(elsewhere, findings) == []


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
    other = replace(OTHER, **change)  # type: ignore[arg-type]
    assert others_of(OPENED, Groups(OPENED, other)) == []
    assert others_of(other, Groups(OPENED, other)) == []


def test_without_an_event_and_with_a_fix_a_finding_is_a_message_of_its_own() -> None:
    """A sweep finds unrelated problems. Each fix has its own plan, and its own command to approve it."""
    swept = replace(OPENED, changed_event="")
    assert group_key(swept) is None
    assert others_of(swept, Groups(swept, replace(swept, id="0" * 32))) == []
    assert group_key(APPLIED) is None
