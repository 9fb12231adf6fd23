"""One look at one function: what is read is judged and recorded, and an old look never wins over a newer one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from permission_guard.checker import Checker
from permission_guard.errors import ConflictError
from permission_guard.iam import TrustSet
from permission_guard.model import Finding, FixRecord, FixResult, Scope, Snapshot, Status, Transition
from permission_guard.rules import rules_for, rules_of
from tests.fakes import (
    DENIED,
    FINDING_ID,
    ROLE_ARN,
    SQS_POLICY,
    TARGET,
    Clock,
    InMemoryFindings,
    InMemoryState,
    a_function,
    a_role,
    polling,
)

SCOPE = Scope.EXECUTION_ROLE
BROKEN = polling(a_role())
RIGHT = polling(a_role(SQS_POLICY))


def checker(state: InMemoryState, store: InMemoryFindings) -> Checker:
    """Return what is tested."""
    return Checker(SCOPE, rules_for(SCOPE, TrustSet(frozenset())), state, store, Clock())


def test_a_violation_is_recorded_with_the_events_that_led_to_it() -> None:
    """The finding is in the store, and the look says that it opened."""
    store = InMemoryFindings()
    seen = checker(InMemoryState(BROKEN), store)
    look = seen.look(TARGET, seen.begin(TARGET), ["e1"])
    assert store.one().status is Status.OPEN
    assert store.one().event_ids == ("e1",)
    assert [change.finding.transition for change in look.changes] == [Transition.OPENED]
    assert (look.stale, look.unread) == (False, ())


def test_the_same_look_again_writes_no_finding() -> None:
    """Sweeps find what events have found, and nobody hears of it twice."""
    store = InMemoryFindings()
    seen = checker(InMemoryState(BROKEN), store)
    for _ in range(3):
        seen.look(TARGET, seen.begin(TARGET))
    assert len(store.history) == 1


def test_a_finding_is_resolved_once_its_cause_is_gone_and_reopened_when_it_is_back() -> None:
    """Every transition has its own revision."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    for now in (BROKEN, RIGHT, BROKEN):
        state.state = now
        seen.look(TARGET, seen.begin(TARGET))
    told = [(finding.transition, finding.revision) for finding in store.history]
    assert told == [(Transition.OPENED, 1), (Transition.RESOLVED, 2), (Transition.REOPENED, 3)]


def test_a_stale_look_never_overwrites_a_newer_one() -> None:
    """The older look read that all was right; the newer one, written first, knows better."""
    store, state = InMemoryFindings(), InMemoryState(RIGHT)
    seen = checker(state, store)
    older, newer = seen.begin(TARGET), seen.begin(TARGET)
    state.state = BROKEN
    seen.look(TARGET, newer)
    state.state = RIGHT
    look = seen.look(TARGET, older)
    assert look.stale
    assert look.changes == ()
    assert store.one().status is Status.OPEN


def test_a_look_that_was_begun_earlier_and_written_first_does_not_hold_up_the_newer() -> None:
    """In their own order both are written."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    older, newer = seen.begin(TARGET), seen.begin(TARGET)
    assert not seen.look(TARGET, older).stale
    state.state = RIGHT
    assert not seen.look(TARGET, newer).stale
    assert store.one().status is Status.RESOLVED


def test_looks_of_the_two_scopes_do_not_overtake_each_other() -> None:
    """Each scope counts its own looks."""
    store = InMemoryFindings()
    seen = checker(InMemoryState(BROKEN), store)
    number = seen.begin(TARGET)
    for _ in range(3):
        store.begin_look(TARGET, Scope.INVOKE_POLICY)
    store.commit_look(TARGET, Scope.INVOKE_POLICY, 3, changes=(), unknowns=(), now="")
    assert not seen.look(TARGET, number).stale


def test_when_somebody_else_wrote_the_finding_first_the_look_is_reconciled_again() -> None:
    """A person suppressed it in between: then it is resolved from there, and nothing is lost."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    seen.look(TARGET, seen.begin(TARGET))
    number = seen.begin(TARGET)
    state.state = RIGHT

    def suppress_once() -> None:
        store.before_write = lambda: None
        found = store.one()
        store.put(
            replace(found, status=Status.SUPPRESSED, transition=Transition.SUPPRESSED, revision=found.revision + 1)
        )

    store.before_write = suppress_once
    seen.look(TARGET, number)
    assert [(finding.status, finding.revision) for finding in store.history] == [
        (Status.OPEN, 1),
        (Status.SUPPRESSED, 2),
        (Status.RESOLVED, 3),
    ]


def test_a_fix_that_is_begun_while_a_look_is_made_is_not_forgotten() -> None:
    """The look had read the finding without it: it is reconciled again, and what the fix remembers stays."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    seen.look(TARGET, seen.begin(TARGET))
    intent = FixRecord(name="attach-managed-policy", result=FixResult.APPLYING, summary="x", at="", attempts=1)

    def begin_once() -> None:
        store.before_write = lambda: None
        store.put(replace(store.one(), fix=intent))

    store.before_write = begin_once
    state.state = RIGHT
    seen.look(TARGET, seen.begin(TARGET))
    assert (store.one().status, store.one().fix) == (Status.RESOLVED, intent)


def test_when_others_keep_writing_the_message_comes_again() -> None:
    """After some tries the conflict leaves, so that the queue retries; every try had read afresh."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    seen.look(TARGET, seen.begin(TARGET))
    state.state = RIGHT
    tries = []

    def always_first() -> None:
        found: Finding = store.one()
        tries.append(found.revision)
        store.put(replace(found, revision=found.revision + 1))

    store.before_write = always_first
    with pytest.raises(ConflictError):
        seen.look(TARGET, seen.begin(TARGET))
    assert tries == [1, 2, 3, 4, 5]
    assert state.reads == 2  # AWS was asked once for each look: what it said is not in doubt
    assert store.one().status is Status.OPEN


def test_what_cannot_be_told_is_recorded_with_the_look_and_changes_no_finding() -> None:
    """The unknown is counted and shown; the finding stays as it was."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    seen.look(TARGET, seen.begin(TARGET))
    state.state = replace(BROKEN, roles={ROLE_ARN: DENIED})
    look = seen.look(TARGET, seen.begin(TARGET))
    assert look.unread == (DENIED,)
    assert store.unknowns == [f"{rule.id}: {DENIED}" for rule in rules_of(Scope.EXECUTION_ROLE)]
    assert store.one().status is Status.OPEN
    assert len(store.history) == 1


def test_a_look_without_unknowns_clears_those_of_the_look_before() -> None:
    """What is shown as unknown is what is unknown now."""
    store, state = InMemoryFindings(), InMemoryState(replace(BROKEN, roles={ROLE_ARN: DENIED}))
    seen = checker(state, store)
    seen.look(TARGET, seen.begin(TARGET))
    state.state = RIGHT
    seen.look(TARGET, seen.begin(TARGET))
    assert store.unknowns == []


def test_the_findings_of_a_function_that_is_gone_are_resolved() -> None:
    """Also those of its mappings and aliases."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    seen.look(TARGET, seen.begin(TARGET))
    state.state = Snapshot(TARGET, None)
    assert seen.look(TARGET, seen.begin(TARGET)).report.gone
    assert store.one().resolution == "The function was deleted."


def test_a_function_without_mappings_has_nothing_to_record() -> None:
    """A pass of nothing is not a finding."""
    store = InMemoryFindings()
    seen = checker(InMemoryState(Snapshot(TARGET, a_function())), store)
    assert seen.look(TARGET, seen.begin(TARGET)).changes == ()
    assert store.finding(TARGET, FINDING_ID) is None
