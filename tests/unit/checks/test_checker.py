"""One check of one function: its verdicts are recorded, and an old check does not overwrite a newer one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from permission_guard.checks.checker import Checker
from permission_guard.checks.requests import CheckRequest
from permission_guard.errors import ConflictError
from permission_guard.findings.checkpoint import Checkpoint
from permission_guard.findings.lifecycle import Change
from permission_guard.findings.role_permissions import RolePermissions
from permission_guard.iam import TrustSet
from permission_guard.model.findings import Finding, FixRecord, FixResult, Status, Transition
from permission_guard.model.role_permissions import Permission
from permission_guard.model.state import DeniedCall, EventInvokeConfig, ManagedBy, Snapshot
from permission_guard.model.targets import Direction, RoleTarget
from permission_guard.rules.execution_role.call_denied import CallDenied
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.logging_missing import LoggingMissing
from permission_guard.rules.execution_role.role_not_assumable import RoleNotAssumable
from permission_guard.rules.execution_role.role_shared import RoleShared
from permission_guard.rules.invoke_policy.invoke_permission_missing import InvokePermissionMissing
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

VIOLATED = polling(a_role())
FIXED = polling(a_role(SQS_POLICY))


def new_checker(state: InMemoryState, store: InMemoryFindings) -> Checker:
    """Return a checker without a grace period."""
    return Checker(SCOPE, RULES, state, store, Clock(), users=store, grace_period=False)


def test_a_violation_is_recorded_with_its_event_ids() -> None:
    """The finding is in the store, and the check returns that it opened."""
    store = InMemoryFindings()
    checker = new_checker(InMemoryState(VIOLATED), store)
    check = checker.check(TARGET, checker.start(TARGET), CheckRequest(event_ids=("e1",)))
    assert store.one().status is Status.OPEN
    assert store.one().event_ids == ("e1",)
    assert [change.finding.transition for change in check.changes] == [Transition.OPENED]
    assert (check.stale, check.unread) == (False, ())


def test_a_repeated_check_writes_no_finding() -> None:
    """Sweeps find what events have found, and no second alert is sent."""
    store = InMemoryFindings()
    checker = new_checker(InMemoryState(VIOLATED), store)
    for _ in range(3):
        checker.check(TARGET, checker.start(TARGET))
    assert len(store.history) == 1


def test_a_finding_is_resolved_when_its_cause_is_fixed_and_reopened_when_it_returns() -> None:
    """Every transition has its own revision."""
    store, state = InMemoryFindings(), InMemoryState(VIOLATED)
    checker = new_checker(state, store)
    for now in (VIOLATED, FIXED, VIOLATED):
        state.state = now
        checker.check(TARGET, checker.start(TARGET))
    logged = [(finding.transition, finding.revision) for finding in store.history]
    assert logged == [(Transition.OPENED, 1), (Transition.RESOLVED, 2), (Transition.REOPENED, 3)]


def test_a_stale_check_does_not_overwrite_a_newer_one() -> None:
    """The older check passes, but the newer one was recorded first and has a violation."""
    store, state = InMemoryFindings(), InMemoryState(FIXED)
    checker = new_checker(state, store)
    older, newer = checker.start(TARGET), checker.start(TARGET)
    state.state = VIOLATED
    checker.check(TARGET, newer)
    state.state = FIXED
    check = checker.check(TARGET, older)
    assert check.stale
    assert check.changes == ()
    assert store.one().status is Status.OPEN


def test_of_two_checks_at_the_same_time_one_is_made_again() -> None:
    """Which of them read the newer state is unknown, and what the first one saw of the roles would be lost."""
    store, state = InMemoryFindings(), InMemoryState(VIOLATED)
    checker = new_checker(state, store)
    older, newer = checker.start(TARGET), checker.start(TARGET)
    assert not checker.check(TARGET, older).stale
    state.state = FIXED
    overtaken = checker.check(TARGET, newer)
    assert overtaken.stale
    assert overtaken.recheck == CheckRequest(after_grace_period=True)
    assert not checker.check(TARGET, checker.start(TARGET)).stale
    assert store.one().status is Status.RESOLVED


def test_checks_of_the_two_scopes_do_not_overtake_each_other() -> None:
    """Each scope has its own numbers."""
    store = InMemoryFindings()
    checker = new_checker(InMemoryState(VIOLATED), store)
    run = checker.start(TARGET)
    other = [store.start_check(TARGET, Direction.INVOKE_POLICY) for _ in range(3)][-1]
    store.commit_check(TARGET, Direction.INVOKE_POLICY, other, other.checkpoint, changes=(), unknowns=(), now="")
    assert not checker.check(TARGET, run).stale


def test_a_check_is_reconciled_again_if_another_writer_changed_the_finding() -> None:
    """A person suppressed it meanwhile; it is resolved from there, and no transition is lost."""
    store, state = InMemoryFindings(), InMemoryState(VIOLATED)
    checker = new_checker(state, store)
    checker.check(TARGET, checker.start(TARGET))
    run = checker.start(TARGET)
    state.state = FIXED

    def suppress_once() -> None:
        store.before_write = lambda: None
        found = store.one()
        store.put(
            replace(found, status=Status.SUPPRESSED, transition=Transition.SUPPRESSED, revision=found.revision + 1)
        )

    store.before_write = suppress_once
    checker.check(TARGET, run)
    assert [(finding.status, finding.revision) for finding in store.history] == [
        (Status.OPEN, 1),
        (Status.SUPPRESSED, 2),
        (Status.RESOLVED, 3),
    ]


def test_a_fix_that_starts_during_a_check_is_kept() -> None:
    """The check read the finding without the fix; it is reconciled again and keeps the record of the fix."""
    store, state = InMemoryFindings(), InMemoryState(VIOLATED)
    checker = new_checker(state, store)
    checker.check(TARGET, checker.start(TARGET))
    intent = FixRecord(
        name="attach-managed-policy", result=FixResult.APPLYING, summary="x", at=NOW, attempts=1, owner="one"
    )

    def start_fix_once() -> None:
        store.before_write = lambda: None
        store.put(replace(store.one(), fix=intent))

    store.before_write = start_fix_once
    state.state = FIXED
    checker.check(TARGET, checker.start(TARGET))
    assert (store.one().status, store.one().fix) == (Status.RESOLVED, intent)


def test_repeated_write_conflicts_raise_an_error_for_a_retry() -> None:
    """After five tries the error makes the queue deliver the message again; each try reads the finding again."""
    store, state = InMemoryFindings(), InMemoryState(VIOLATED)
    checker = new_checker(state, store)
    checker.check(TARGET, checker.start(TARGET))
    state.state = FIXED
    tries = []

    def always_first() -> None:
        found: Finding = store.one()
        tries.append(found.revision)
        store.put(replace(found, revision=found.revision + 1))

    store.before_write = always_first
    with pytest.raises(ConflictError):
        checker.check(TARGET, checker.start(TARGET))
    assert tries == [1, 2, 3, 4, 5]
    assert state.reads == 2  # once for each check: a write conflict does not make the state outdated
    assert store.one().status is Status.OPEN


def test_an_unknown_verdict_is_recorded_with_the_check_and_changes_no_finding() -> None:
    """The unknown is counted and shown; the finding keeps its status."""
    store, state = InMemoryFindings(), InMemoryState(VIOLATED)
    checker = new_checker(state, store)
    checker.check(TARGET, checker.start(TARGET))
    state.state = replace(VIOLATED, roles={ROLE_ARN: DENIED})
    check = checker.check(TARGET, checker.start(TARGET))
    assert check.unread == (DENIED,)
    assert store.unknowns == [f"{rule.id}: {DENIED}" for rule in RULES if not rule.full_check_only]
    assert store.one().status is Status.OPEN
    assert len(store.history) == 1


def test_a_check_without_unknowns_removes_those_of_the_check_before() -> None:
    """Only current unknowns are shown."""
    store, state = InMemoryFindings(), InMemoryState(replace(VIOLATED, roles={ROLE_ARN: DENIED}))
    checker = new_checker(state, store)
    checker.check(TARGET, checker.start(TARGET))
    state.state = FIXED
    checker.check(TARGET, checker.start(TARGET))
    assert store.unknowns == []


def test_findings_of_a_deleted_function_are_resolved() -> None:
    """Findings of its mappings and aliases as well."""
    store, state = InMemoryFindings(), InMemoryState(VIOLATED)
    checker = new_checker(state, store)
    checker.check(TARGET, checker.start(TARGET))
    state.state = Snapshot(TARGET, None)
    assert checker.check(TARGET, checker.start(TARGET)).report.deleted
    assert store.one().resolution == "The function was deleted."


def test_a_function_without_mappings_has_no_finding() -> None:
    """There is no subject, so there is no transition either."""
    store = InMemoryFindings()
    checker = new_checker(InMemoryState(Snapshot(TARGET, a_function())), store)
    assert checker.check(TARGET, checker.start(TARGET)).changes == ()
    assert store.finding(TARGET, FINDING_ID) is None


# ── The checkpoint for the next check ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "requested_after", "read_after"),
    [(Status.OPEN, -1, 0), (Status.OPEN, 1, 1), (Status.SUPPRESSED, -1, 0), (Status.RESOLVED, -1, -1)],
)
def test_an_inventory_older_than_a_finding_does_not_resolve_it(
    status: Status, requested_after: int, read_after: int
) -> None:
    """Another execution environment may have cached a state in which the trigger did not exist yet."""
    store, state = InMemoryFindings(), InMemoryState(VIOLATED)
    opened = datetime.fromisoformat(NOW).timestamp()
    finding = replace(a_finding(), rule_id=InvokePermissionMissing.id, opened_at=NOW, status=status)
    store.put_finding(Change(finding, None))
    rules = [InvokePermissionMissing(TrustSet(frozenset()))]
    checker = Checker(Direction.INVOKE_POLICY, rules, state, store, Clock(), users=store, grace_period=False)
    checker.check(TARGET, checker.start(TARGET), CheckRequest(requested_at=opened + requested_after))
    assert state.not_before == opened + read_after


def test_recorded_findings_are_read_with_the_start_of_the_check() -> None:
    """Whether the function is violated or not, changed or not."""
    store, state = InMemoryFindings(), InMemoryState(FIXED)
    checker = new_checker(state, store)
    for now in (FIXED, FIXED, VIOLATED, VIOLATED, FIXED):
        state.state = now
        checker.check(TARGET, checker.start(TARGET))
    assert store.queries == 1  # those about the role, which the first check begins to record


def test_a_finding_that_another_check_wrote_meanwhile_is_read_after_a_write_conflict() -> None:
    """Another check wrote it meanwhile: it is read and reconciled again."""
    store, state = InMemoryFindings(), InMemoryState(FIXED)
    checker = new_checker(state, store)
    checker.check(TARGET, checker.start(TARGET))
    state.state = VIOLATED
    run = checker.start(TARGET)
    store.put(a_finding(revision=3, status=Status.RESOLVED, transition=Transition.RESOLVED))
    checker.check(TARGET, run)
    assert (store.one().status, store.one().revision) == (Status.OPEN, 4)


def test_the_users_of_a_role_are_read_if_the_roles_changed_or_in_a_full_check() -> None:
    """Other checks leave the finding about the shared role unchanged."""
    store, state = InMemoryFindings(), InMemoryState(FIXED)
    checker = new_checker(state, store)
    other = replace(TARGET, name="zebra")
    store.users[ROLE_TARGET] = {other}
    checker.check(TARGET, checker.start(TARGET))
    assert store.one().rule_id == "PG209"
    store.users[ROLE_TARGET].discard(other)
    checker.check(TARGET, checker.start(TARGET))
    assert store.one().status is Status.OPEN
    checker.check(TARGET, checker.start(TARGET), CheckRequest(full=True))
    assert store.one().status is Status.RESOLVED


def test_a_function_that_joins_or_leaves_a_role_causes_a_check_of_the_role_s_first_other_user() -> None:
    """That function has the finding about the role, or will have it."""
    store, state = InMemoryFindings(), InMemoryState(FIXED)
    checker = new_checker(state, store)
    related = {replace(TARGET, name=name) for name in ("aardvark", "zebra")}
    store.users[ROLE_TARGET] = set(related)
    first = min(related)
    assert checker.check(TARGET, checker.start(TARGET)).related == (first,)
    assert checker.check(TARGET, checker.start(TARGET), CheckRequest(full=True)).related == ()
    state.state = Snapshot(TARGET, None)
    assert checker.check(TARGET, checker.start(TARGET)).related == (first,)
    assert store.users[ROLE_TARGET] == related


def test_an_incomplete_role_index_causes_no_checks_of_other_functions() -> None:
    """The sweep that fills the index checks every function."""
    store, state = InMemoryFindings(is_complete=False), InMemoryState(FIXED)
    store.users[ROLE_TARGET] = {replace(TARGET, name="zebra")}
    checker = new_checker(state, store)
    assert checker.check(TARGET, checker.start(TARGET)).related == ()


def test_a_role_is_kept_in_the_checkpoint_if_the_configuration_cannot_be_read() -> None:
    """The function still has its last known role."""
    store, state = InMemoryFindings(), InMemoryState(FIXED)
    checker = new_checker(state, store)
    checker.check(TARGET, checker.start(TARGET))
    state.state = replace(FIXED, function=DENIED, versions={FUNCTION_ARN: DENIED})
    checker.check(TARGET, checker.start(TARGET))
    assert checker.start(TARGET).checkpoint.roles == {ROLE_TARGET}


def test_a_checkpoint_that_would_not_fit_the_table_is_written_without_permissions() -> None:
    """Names can be long. A check that could not be written would stop all that follow."""
    store, state = InMemoryFindings(), InMemoryState(replace(FIXED, function=DENIED, versions={FUNCTION_ARN: DENIED}))
    many = RolePermissions(frozenset(Permission(ROLE_ARN, f"{number:02}:{'x' * 5_000}", "*") for number in range(50)))
    before = Checkpoint(frozenset({ROLE_TARGET}), permissions=many)
    store.checkpoints[TARGET.arn, SCOPE], store.seen_at[TARGET.arn, SCOPE] = before.to_json(), NOW
    checker = new_checker(state, store)
    assert not checker.check(TARGET, checker.start(TARGET)).stale
    after = checker.start(TARGET).checkpoint
    assert (after.roles, after.permissions) == (frozenset({ROLE_TARGET}), RolePermissions())


LIVE = f"{FUNCTION_ARN}:live"
LIVE_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/live"
TWO_ROLES = replace(
    FIXED,
    versions={**FIXED.versions, LIVE: replace(a_function(role_arn=LIVE_ROLE_ARN), arn=LIVE)},
    roles={**FIXED.roles, LIVE_ROLE_ARN: None},
    invoke_configs=(EventInvokeConfig(LIVE, QUEUE_ARN),),
)
"""The alias has a role that does not exist."""


def test_a_version_that_only_a_destination_names_is_kept_if_destinations_cannot_be_read() -> None:
    """The role stays in the checkpoint, and its finding is not resolved."""
    store, state = InMemoryFindings(), InMemoryState(TWO_ROLES)
    checker = new_checker(state, store)
    checker.check(TARGET, checker.start(TARGET))
    assert store.one().rule_id == "PG207"
    state.state = replace(FIXED, invoke_configs=THROTTLED)
    checker.check(TARGET, checker.start(TARGET))
    assert checker.start(TARGET).checkpoint.roles == {ROLE_TARGET, RoleTarget(ACCOUNT, "live")}
    assert store.one().status is Status.OPEN


@pytest.mark.parametrize("later", [replace(FIXED, mappings=THROTTLED), replace(FIXED, invoke_configs=THROTTLED)])
def test_findings_of_a_version_are_not_resolved_if_the_used_versions_are_unknown(later: Snapshot) -> None:
    """The function itself is still evaluated."""
    store, state = InMemoryFindings(), InMemoryState(replace(TWO_ROLES, roles={**FIXED.roles, LIVE_ROLE_ARN: a_role()}))
    checker = Checker(
        SCOPE, [LoggingMissing(TrustSet(frozenset()))], state, store, Clock(), users=store, grace_period=False
    )
    checker.check(TARGET, checker.start(TARGET))
    assert (store.one().function_arn, store.one().status) == (LIVE, Status.OPEN)
    state.state = later
    check = checker.check(TARGET, checker.start(TARGET))
    assert store.one().status is Status.OPEN
    assert [verdict.function_arn for verdict in check.report.passes] == [FUNCTION_ARN]


def test_a_denied_call_that_succeeded_later_is_not_reported_after_the_function_is_deleted() -> None:
    """If function and role are deleted within a day of the denied call, the caller no longer needs the finding."""
    denied_call = DeniedCall(
        api="CreateFunction",
        function_arn=FUNCTION_ARN,
        role_arn=ROLE_ARN,
        message="The role defined for the function cannot be assumed by Lambda.",
        at=NOW,
    )
    deleted = Snapshot(TARGET, None, roles={ROLE_ARN: None})
    store, state = InMemoryFindings(), InMemoryState(deleted)
    checker = Checker(SCOPE, [CallDenied(TrustSet(frozenset()))], state, store, Clock(), users=store)
    checker.check(TARGET, checker.start(TARGET), CheckRequest(denied_calls=(denied_call,)))
    checker.check(TARGET, checker.start(TARGET))
    assert (store.one().status, checker.start(TARGET).checkpoint.denied_calls) == (Status.OPEN, (denied_call,))
    for now in (FIXED, deleted):
        state.state = now
        checker.check(TARGET, checker.start(TARGET))
        assert store.one().status is Status.RESOLVED
    assert checker.start(TARGET).checkpoint.denied_calls == ()


def test_the_owner_is_read_for_new_findings_and_in_a_full_check() -> None:
    """An existing finding keeps its recorded owner in other checks."""
    store, state = InMemoryFindings(), InMemoryState(VIOLATED, owner=ManagedBy("cloudformation", "shop"))
    checker = new_checker(state, store)
    checker.check(TARGET, checker.start(TARGET))
    assert store.one().managed_by == ManagedBy("cloudformation", "shop")
    state.owner = ManagedBy("cloudformation", "warehouse")
    checker.check(TARGET, checker.start(TARGET))
    assert store.one().managed_by == ManagedBy("cloudformation", "shop")
    checker.check(TARGET, checker.start(TARGET), CheckRequest(full=True))
    assert store.one().managed_by == ManagedBy("cloudformation", "warehouse")
