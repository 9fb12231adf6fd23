"""Every transition has a word for the headline and a sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from permission_guard.delivery.states import HAPPENED, STATES, happened, needs_fix, state
from permission_guard.model.findings import FixRecord, FixResult, PlannedCall, Transition
from tests.unit.delivery.examples import OPENED


@pytest.mark.parametrize("transition", Transition)
def test_every_transition_has_a_word_and_a_sentence(transition: Transition) -> None:
    """A new transition of the model needs texts here."""
    finding = replace(OPENED, transition=transition)
    assert state(finding) == STATES[transition]
    assert happened(finding) == HAPPENED[transition]
    assert len(state(finding)) <= len("Undo requested")


def test_words_are_those_of_the_transitions() -> None:
    """As the events of the bus name them, so that both can be found by the same word."""
    of_findings = {one: str(one).removeprefix("Finding ") for one in Transition if str(one).startswith("Finding ")}
    assert {one: STATES[one] for one in of_findings} == of_findings


def test_a_fix_that_was_started_and_is_refused_is_not_one_that_changed_nothing() -> None:
    """Only a started fix has calls."""
    call = PlannedCall(operation="iam:AttachRolePolicy", parameters={})
    fix = FixRecord(name="f", result=FixResult.REFUSED, summary="", at="", attempts=1, calls=(call,))
    refused = replace(OPENED, transition=Transition.FIX_REFUSED, fix=fix)
    assert happened(refused).startswith("The bot refused to finish a fix")
    assert happened(replace(refused, fix=replace(fix, calls=()))) == HAPPENED[Transition.FIX_REFUSED]


def test_nobody_fixes_what_is_being_fixed() -> None:
    """An approved fix is about to be applied."""
    assert needs_fix(OPENED)
    assert not needs_fix(replace(OPENED, transition=Transition.FIX_APPROVED))
    assert not needs_fix(replace(OPENED, transition=Transition.FIX_APPLIED))
