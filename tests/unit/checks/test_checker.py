"""One look at one function: what is read is judged and recorded, and an old look never wins over a newer one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from permission_guard.checks.checker import Checker, CheckRequest
from permission_guard.errors import ConflictError
from permission_guard.iam import TrustSet
from permission_guard.model.findings import Finding, FixRecord, FixResult, Status, Transition
from permission_guard.model.state import DeniedCall, EventInvokeConfig, ManagedBy, Snapshot
from permission_guard.model.targets import Direction, RoleTarget
from permission_guard.rules.execution_role.call_denied import CallDenied
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.logging_missing import LoggingMissing
from permission_guard.rules.execution_role.role_not_assumable import RoleNotAssumable
from permission_guard.rules.execution_role.role_shared import RoleShared
from tests.fakes import (
    ACCOUNT,
    DENIED,
    FINDING_ID,
    FUNCTION_ARN,
    NOW,
    QUEUE_ARN,
    ROLE_ARN,
    ROLE_TARGET,
    SQS_POLICY,
    TARGET,
    THROTTLED,
    Clock,
    InMemoryFindings,
    InMemoryState,
    a_finding,
    a_function,
    a_role,
    polling,
)

SCOPE = Direction.EXECUTION_ROLE
RULES = [rule(TrustSet(frozenset())) for rule in (EventSourceReadMissing, RoleNotAssumable, RoleShared)]
"""One of each kind, so that the states can be small."""

BROKEN = polling(a_role())
RIGHT = polling(a_role(SQS_POLICY))


def checker(state: InMemoryState, store: InMemoryFindings) -> Checker:
    """Return what is tested, where nothing has to settle."""
    return Checker(SCOPE, RULES, state, store, Clock(), users=store, grace_period=False)


def test_a_violation_is_recorded_with_the_events_that_led_to_it() -> None:
    """The finding is in the store, and the look says that it opened."""
    store = InMemoryFindings()
    seen = checker(InMemoryState(BROKEN), store)
    check = seen.check(TARGET, seen.start(TARGET), CheckRequest(event_ids=("e1",)))
    assert store.one().status is Status.OPEN
    assert store.one().event_ids == ("e1",)
    assert [change.finding.transition for change in check.changes] == [Transition.OPENED]
    assert (check.stale, check.unread) == (False, ())


def test_the_same_look_again_writes_no_finding() -> None:
    """Sweeps find what events have found, and nobody hears of it twice."""
    store = InMemoryFindings()
    seen = checker(InMemoryState(BROKEN), store)
    for _ in range(3):
        seen.check(TARGET, seen.start(TARGET))
    assert len(store.history) == 1


def test_a_finding_is_resolved_once_its_cause_is_gone_and_reopened_when_it_is_back() -> None:
    """Every transition has its own revision."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    for now in (BROKEN, RIGHT, BROKEN):
        state.state = now
        seen.check(TARGET, seen.start(TARGET))
    logged = [(finding.transition, finding.revision) for finding in store.history]
    assert logged == [(Transition.OPENED, 1), (Transition.RESOLVED, 2), (Transition.REOPENED, 3)]


def test_a_stale_look_never_overwrites_a_newer_one() -> None:
    """The older look read that all was right; the newer one, written first, knows better."""
    store, state = InMemoryFindings(), InMemoryState(RIGHT)
    seen = checker(state, store)
    older, newer = seen.start(TARGET), seen.start(TARGET)
    state.state = BROKEN
    seen.check(TARGET, newer)
    state.state = RIGHT
    check = seen.check(TARGET, older)
    assert check.stale
    assert check.changes == ()
    assert store.one().status is Status.OPEN


def test_a_look_that_was_begun_earlier_and_written_first_does_not_hold_up_the_newer() -> None:
    """In their own order both are written."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    older, newer = seen.start(TARGET), seen.start(TARGET)
    assert not seen.check(TARGET, older).stale
    state.state = RIGHT
    assert not seen.check(TARGET, newer).stale
    assert store.one().status is Status.RESOLVED


def test_looks_of_the_two_scopes_do_not_overtake_each_other() -> None:
    """Each scope counts its own looks."""
    store = InMemoryFindings()
    seen = checker(InMemoryState(BROKEN), store)
    number = seen.start(TARGET)
    other = [store.start_check(TARGET, Direction.INVOKE_POLICY) for _ in range(3)][-1]
    store.commit_check(TARGET, Direction.INVOKE_POLICY, other, other.checkpoint, changes=(), unknowns=(), now="")
    assert not seen.check(TARGET, number).stale


def test_when_somebody_else_wrote_the_finding_first_the_look_is_reconciled_again() -> None:
    """A person suppressed it in between: then it is resolved from there, and nothing is lost."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    seen.check(TARGET, seen.start(TARGET))
    number = seen.start(TARGET)
    state.state = RIGHT

    def suppress_once() -> None:
        store.before_write = lambda: None
        found = store.one()
        store.put(
            replace(found, status=Status.SUPPRESSED, transition=Transition.SUPPRESSED, revision=found.revision + 1)
        )

    store.before_write = suppress_once
    seen.check(TARGET, number)
    assert [(finding.status, finding.revision) for finding in store.history] == [
        (Status.OPEN, 1),
        (Status.SUPPRESSED, 2),
        (Status.RESOLVED, 3),
    ]


def test_a_fix_that_is_begun_while_a_look_is_made_is_not_forgotten() -> None:
    """The look had read the finding without it: it is reconciled again, and what the fix remembers stays."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    seen.check(TARGET, seen.start(TARGET))
    intent = FixRecord(name="attach-managed-policy", result=FixResult.APPLYING, summary="x", at="", attempts=1)

    def begin_once() -> None:
        store.before_write = lambda: None
        store.put(replace(store.one(), fix=intent))

    store.before_write = begin_once
    state.state = RIGHT
    seen.check(TARGET, seen.start(TARGET))
    assert (store.one().status, store.one().fix) == (Status.RESOLVED, intent)


def test_when_others_keep_writing_the_message_comes_again() -> None:
    """After some tries the conflict leaves, so that the queue retries; every try had read afresh."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    seen.check(TARGET, seen.start(TARGET))
    state.state = RIGHT
    tries = []

    def always_first() -> None:
        found: Finding = store.one()
        tries.append(found.revision)
        store.put(replace(found, revision=found.revision + 1))

    store.before_write = always_first
    with pytest.raises(ConflictError):
        seen.check(TARGET, seen.start(TARGET))
    assert tries == [1, 2, 3, 4, 5]
    assert state.reads == 2  # AWS was asked once for each look: what it said is not in doubt
    assert store.one().status is Status.OPEN


def test_what_cannot_be_told_is_recorded_with_the_look_and_changes_no_finding() -> None:
    """The unknown is counted and shown; the finding stays as it was."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    seen.check(TARGET, seen.start(TARGET))
    state.state = replace(BROKEN, roles={ROLE_ARN: DENIED})
    check = seen.check(TARGET, seen.start(TARGET))
    assert check.unread == (DENIED,)
    assert store.unknowns == [f"{rule.id}: {DENIED}" for rule in RULES if not rule.full_check_only]
    assert store.one().status is Status.OPEN
    assert len(store.history) == 1


def test_a_look_without_unknowns_clears_those_of_the_look_before() -> None:
    """What is shown as unknown is what is unknown now."""
    store, state = InMemoryFindings(), InMemoryState(replace(BROKEN, roles={ROLE_ARN: DENIED}))
    seen = checker(state, store)
    seen.check(TARGET, seen.start(TARGET))
    state.state = RIGHT
    seen.check(TARGET, seen.start(TARGET))
    assert store.unknowns == []


def test_the_findings_of_a_function_that_is_gone_are_resolved() -> None:
    """Also those of its mappings and aliases."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN)
    seen = checker(state, store)
    seen.check(TARGET, seen.start(TARGET))
    state.state = Snapshot(TARGET, None)
    assert seen.check(TARGET, seen.start(TARGET)).report.deleted
    assert store.one().resolution == "The function was deleted."


def test_a_function_without_mappings_has_nothing_to_record() -> None:
    """A pass of nothing is not a finding."""
    store = InMemoryFindings()
    seen = checker(InMemoryState(Snapshot(TARGET, a_function())), store)
    assert seen.check(TARGET, seen.start(TARGET)).changes == ()
    assert store.finding(TARGET, FINDING_ID) is None


# ── What a look leaves for the next one ──────────────────────────────────────────────────────────────────────────────


def test_of_a_function_that_never_had_a_finding_none_is_asked_for() -> None:
    """The first look does not know that; the one that opens the first finding writes it without having asked."""
    store, state = InMemoryFindings(), InMemoryState(RIGHT)
    seen = checker(state, store)
    for _ in range(3):
        seen.check(TARGET, seen.start(TARGET))
    assert store.queries == 1
    state.state = BROKEN
    seen.check(TARGET, seen.start(TARGET))
    assert (store.queries, store.one().status) == (1, Status.OPEN)
    seen.check(TARGET, seen.start(TARGET))
    assert store.queries == 2


def test_a_finding_that_nobody_knew_of_is_found_when_it_cannot_be_written() -> None:
    """Another look wrote it in between: then it is read and reconciled again."""
    store, state = InMemoryFindings(), InMemoryState(RIGHT)
    seen = checker(state, store)
    seen.check(TARGET, seen.start(TARGET))
    state.state = BROKEN
    run = seen.start(TARGET)
    store.put(a_finding(revision=3, status=Status.RESOLVED, transition=Transition.RESOLVED))
    seen.check(TARGET, run)
    assert (store.one().status, store.one().revision) == (Status.OPEN, 4)


def test_who_shares_a_role_is_asked_when_the_roles_changed_and_when_the_look_is_thorough() -> None:
    """Another look leaves that finding as it is."""
    store, state = InMemoryFindings(), InMemoryState(RIGHT)
    seen = checker(state, store)
    other = replace(TARGET, name="zebra")
    store.users[ROLE_TARGET] = {other}
    seen.check(TARGET, seen.start(TARGET))
    assert store.one().rule_id == "PG209"
    store.users[ROLE_TARGET].discard(other)
    seen.check(TARGET, seen.start(TARGET))
    assert store.one().status is Status.OPEN
    seen.check(TARGET, seen.start(TARGET), CheckRequest(full=True))
    assert store.one().status is Status.RESOLVED


def test_the_first_of_the_other_users_of_a_role_is_to_be_looked_at_when_a_function_joins_or_leaves() -> None:
    """It is there that the role's finding is, or will be."""
    store, state = InMemoryFindings(), InMemoryState(RIGHT)
    seen = checker(state, store)
    related = {replace(TARGET, name=name) for name in ("aardvark", "zebra")}
    store.users[ROLE_TARGET] = set(related)
    first = min(related)
    assert seen.check(TARGET, seen.start(TARGET)).related == (first,)
    assert seen.check(TARGET, seen.start(TARGET), CheckRequest(full=True)).related == ()
    state.state = Snapshot(TARGET, None)
    assert seen.check(TARGET, seen.start(TARGET)).related == (first,)
    assert store.users[ROLE_TARGET] == related


def test_while_the_index_is_not_whole_nobody_is_sent_to_others() -> None:
    """The sweep that fills it looks at every function anyway."""
    store, state = InMemoryFindings(is_complete=False), InMemoryState(RIGHT)
    store.users[ROLE_TARGET] = {replace(TARGET, name="zebra")}
    seen = checker(state, store)
    assert seen.check(TARGET, seen.start(TARGET)).related == ()


def test_a_role_that_cannot_be_read_any_more_is_not_forgotten() -> None:
    """The function's configuration was not read: it runs with the role that it had."""
    store, state = InMemoryFindings(), InMemoryState(RIGHT)
    seen = checker(state, store)
    seen.check(TARGET, seen.start(TARGET))
    state.state = replace(RIGHT, function=DENIED, versions={FUNCTION_ARN: DENIED})
    seen.check(TARGET, seen.start(TARGET))
    assert seen.start(TARGET).checkpoint.roles == {ROLE_TARGET}


LIVE = f"{FUNCTION_ARN}:live"
LIVE_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/live"
BOTH_RUN = replace(
    RIGHT,
    versions={**RIGHT.versions, LIVE: replace(a_function(role_arn=LIVE_ROLE_ARN), arn=LIVE)},
    roles={**RIGHT.roles, LIVE_ROLE_ARN: None},
    invoke_configs=(EventInvokeConfig(LIVE, QUEUE_ARN),),
)
"""What the alias runs with has no role any more."""


def test_a_version_that_only_a_destination_tells_of_is_not_forgotten_when_destinations_cannot_be_read() -> None:
    """Its role stays known, and what is wrong with it is not resolved."""
    store, state = InMemoryFindings(), InMemoryState(BOTH_RUN)
    seen = checker(state, store)
    seen.check(TARGET, seen.start(TARGET))
    assert store.one().rule_id == "PG207"
    state.state = replace(RIGHT, invoke_configs=THROTTLED)
    seen.check(TARGET, seen.start(TARGET))
    assert seen.start(TARGET).checkpoint.roles == {ROLE_TARGET, RoleTarget(ACCOUNT, "live")}
    assert store.one().status is Status.OPEN


@pytest.mark.parametrize("later", [replace(RIGHT, mappings=THROTTLED), replace(RIGHT, invoke_configs=THROTTLED)])
def test_what_a_version_lacks_is_not_resolved_when_it_cannot_be_read_which_versions_run(later: Snapshot) -> None:
    """Of the function itself it is known all the same."""
    store, state = InMemoryFindings(), InMemoryState(replace(BOTH_RUN, roles={**RIGHT.roles, LIVE_ROLE_ARN: a_role()}))
    seen = Checker(
        SCOPE, [LoggingMissing(TrustSet(frozenset()))], state, store, Clock(), users=store, grace_period=False
    )
    seen.check(TARGET, seen.start(TARGET))
    assert (store.one().function_arn, store.one().status) == (LIVE, Status.OPEN)
    state.state = later
    check = seen.check(TARGET, seen.start(TARGET))
    assert store.one().status is Status.OPEN
    assert [verdict.function_arn for verdict in check.report.passes] == [FUNCTION_ARN]


def test_a_call_that_succeeded_in_the_end_is_not_missed_once_the_function_is_gone() -> None:
    """Within a day of it, function and role are taken away together: nobody waits for that any more."""
    refused = DeniedCall(
        api="CreateFunction",
        function_arn=FUNCTION_ARN,
        role_arn=ROLE_ARN,
        message="The role defined for the function cannot be assumed by Lambda.",
        at=NOW,
    )
    nobody = Snapshot(TARGET, None, roles={ROLE_ARN: None})
    store, state = InMemoryFindings(), InMemoryState(nobody)
    seen = Checker(SCOPE, [CallDenied(TrustSet(frozenset()))], state, store, Clock(), users=store)
    seen.check(TARGET, seen.start(TARGET), CheckRequest(denied_calls=(refused,)))
    seen.check(TARGET, seen.start(TARGET))
    assert (store.one().status, seen.start(TARGET).checkpoint.denied_calls) == (Status.OPEN, (refused,))
    for now in (RIGHT, nobody):
        state.state = now
        seen.check(TARGET, seen.start(TARGET))
        assert store.one().status is Status.RESOLVED
    assert seen.start(TARGET).checkpoint.denied_calls == ()


def test_the_owner_is_read_for_what_is_new_and_by_a_thorough_look() -> None:
    """A finding that was told before has its owner."""
    store, state = InMemoryFindings(), InMemoryState(BROKEN, owner=ManagedBy("cloudformation", "shop"))
    seen = checker(state, store)
    seen.check(TARGET, seen.start(TARGET))
    assert store.one().managed_by == ManagedBy("cloudformation", "shop")
    state.owner = ManagedBy("cloudformation", "warehouse")
    seen.check(TARGET, seen.start(TARGET))
    assert store.one().managed_by == ManagedBy("cloudformation", "shop")
    seen.check(TARGET, seen.start(TARGET), CheckRequest(full=True))
    assert store.one().managed_by == ManagedBy("cloudformation", "warehouse")
