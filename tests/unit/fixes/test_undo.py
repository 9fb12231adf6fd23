"""Undoing a fix: only what it changed and is still so, with the guards of a fix, and never fixed again by itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from permission_guard.config.document import Exclusion, Fixes, GuardConfig, ManagedElsewhere, ManagingTool
from permission_guard.config.settings import AutoFix, FixMode
from permission_guard.errors import (
    FixInProgressError,
    FixNotVisibleError,
    FixRefusedError,
    RequestRefusedError,
    RetryableError,
    WriteFailedError,
)
from permission_guard.findings.callers import Caller
from permission_guard.findings.checkpoint import Checkpoint
from permission_guard.findings.lifecycle import advanced, reopened, resolved
from permission_guard.fixes.attach_managed_policy import AttachManagedPolicy
from permission_guard.fixes.decisions import DecisionKind, why_not_undone
from permission_guard.fixes.recorder import LEASE
from permission_guard.fixes.stop import MAX_FAILED, Breaker, FailedFix, Switch, SwitchState
from permission_guard.model.findings import FixResult, Status, Transition, UndoRecord
from permission_guard.model.state import EventSourceMapping, ManagedBy, Role, Snapshot, Unread, subject
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import finding_id
from tests.fakes import (
    DENIED,
    FINDING_ID,
    FUNCTION_ARN,
    NOW,
    ROLE_ARN,
    SQS_POLICY,
    SQS_POLICY_ARN,
    THROTTLED,
    InMemoryState,
    InMemoryStop,
    a_finding,
    a_mapping,
    a_policy,
    a_role,
    allow,
    polling,
)
from tests.unit.fixes.test_fixer import BROKEN, JANE, Interrupted, Setup, fix_of

OWN = "arn:aws:iam::123456789012:policy/orders"
ADDED = "arn:aws:iam::123456789012:policy/added-later"
LATER = (datetime.fromisoformat(NOW) + timedelta(hours=25)).isoformat(timespec="milliseconds")
STOPPED = Switch(state=SwitchState.STOPPED, reason="Orders is down", by=JANE, at=NOW, nonce="1" * 32)


class Killed(BaseException):
    """Lambda ends the process."""


def applied(mode: FixMode = FixMode.AUTO, **more: Any) -> Setup:
    """Return a fixer whose fix is applied to a role with a policy of its own."""
    role = a_role(attached={OWN: a_policy(allow("logs:*"))})
    setup = Setup(mode, state=InMemoryState(polling(role)), **more)
    setup.handle()
    if mode is not FixMode.AUTO:
        setup.decide()
        setup.handle()
    assert fix_of(setup.store.one()).result is FixResult.APPLIED
    return setup


def requested(mode: FixMode = FixMode.AUTO, **more: Any) -> Setup:
    """Return a fixer with a request to undo its applied fix."""
    setup = applied(mode, **more)
    setup.decide(DecisionKind.UNDO, reason="Orders must not read it")
    return setup


def undo_of(setup: Setup) -> UndoRecord:
    """Return the undo of the fix."""
    undo = fix_of(setup.store.one()).undo_record
    assert undo is not None
    return undo


def attached(setup: Setup) -> set[str]:
    """Return the policies of the role."""
    role = setup.state.state.roles[ROLE_ARN]
    assert isinstance(role, Role)
    return set(role.attached)


def mappings_of(setup: Setup) -> tuple[EventSourceMapping, ...]:
    """Return the mappings of the function."""
    mappings = setup.state.state.mappings
    assert not isinstance(mappings, Unread)
    return mappings


def change_role(setup: Setup, **more: Any) -> None:
    """Change the role, as somebody else does."""
    role = setup.state.state.roles[ROLE_ARN]
    assert isinstance(role, Role)
    setup.state.state = replace(setup.state.state, roles={ROLE_ARN: replace(role, **more)})


# ── What is undone ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", [FixMode.APPROVE, FixMode.AUTO])
def test_the_state_after_the_undo_is_the_state_before_the_fix(mode: FixMode) -> None:
    """The record has the calls, and both states; the call names the finding in CloudTrail."""
    setup = requested(mode)
    outcome = setup.handle()
    assert outcome.result is FixResult.UNDONE
    assert outcome.summary == f"Undone with iam:DetachRolePolicy orders-role, {SQS_POLICY_ARN}."
    assert (setup.state.detached, attached(setup)) == ([("orders-role", SQS_POLICY_ARN)], {OWN})
    assert setup.state.named == FINDING_ID
    fix, undo = fix_of(setup.store.one()), undo_of(setup)
    assert (undo.before, undo.after) == (fix.after, fix.before)
    assert (undo.by, undo.reason, undo.summary) == (JANE, "Orders must not read it", outcome.summary)
    assert [(call.operation, dict(call.parameters)) for call in undo.calls] == [
        ("iam:DetachRolePolicy", {"RoleName": "orders-role", "PolicyArn": SQS_POLICY_ARN})
    ]
    assert (fix.declined_by, fix.owner != "", fix.lease_until) == (JANE, True, "")


def test_what_others_changed_since_stays() -> None:
    """A policy that was attached or detached since, and the rest of the role."""
    setup = requested()
    policies = {SQS_POLICY_ARN: a_policy(SQS_POLICY), ADDED: a_policy(allow("s3:*"))}
    change_role(setup, attached=policies, inline={"own": a_policy(allow("sns:*"))})
    setup.handle()
    assert attached(setup) == {ADDED}
    assert undo_of(setup).before["attached_policies"] == sorted([ADDED, SQS_POLICY_ARN])
    assert undo_of(setup).after["attached_policies"] == [ADDED]


def test_a_policy_that_the_role_had_before_the_fix_is_not_detached() -> None:
    """Somebody attached it while the fix was planned: `change` names it, and so does `before`."""
    setup = requested()
    finding = setup.store.one()
    fix = fix_of(finding)
    held = replace(fix, before={**fix.before, "attached_policies": [OWN, SQS_POLICY_ARN]})
    key = (FINDING_ID, finding.revision - 1)
    setup.store.put(replace(finding, fix=held))
    setup.store.decisions[key] = replace(setup.store.decisions[key], plan_hash=held.plan_hash)
    assert setup.handle().result is FixResult.UNDONE
    assert (setup.state.detached, undo_of(setup).calls) == ([], ())


def test_a_role_of_the_same_name_that_was_created_since_is_not_changed() -> None:
    """IAM reads a role by its name: the new one has another path, and its policies are its owner's."""
    setup = requested()
    change_role(setup, arn=ROLE_ARN.replace("/service-role/", "/shop/"), path="/shop/")
    assert setup.handle().summary == "Nothing of the fix was left: others had undone all of it."
    assert (setup.state.detached, attached(setup)) == ([], {OWN, SQS_POLICY_ARN})


@pytest.mark.parametrize("role", ["detached", "deleted"])
def test_if_nothing_of_the_fix_is_left_that_is_recorded(role: str) -> None:
    """Nothing is written, no place of the hour is taken, and the finding is open as after any undo."""
    setup = requested()
    if role == "deleted":
        setup.state.state = replace(setup.state.state, roles={ROLE_ARN: None})
    else:
        change_role(setup, attached={OWN: a_policy(allow("logs:*"))})
    outcome = setup.handle()
    assert (outcome.result, setup.state.detached) == (FixResult.UNDONE, [])
    assert undo_of(setup).summary == "Nothing of the fix was left: others had undone all of it."
    assert setup.store.fixes == {"2026-11-20T09": {f"{FINDING_ID}#1"}}


def test_the_fix_of_a_deleted_function_is_undone() -> None:
    """Its role is still there, and guarded."""
    setup = requested()
    unread = Unread("lambda:ListTags", "ResourceNotFoundException", "deleted", denied=False)
    setup.state.state = replace(setup.state.state, function=None, tags=unread)
    assert setup.handle().result is FixResult.UNDONE


# ── The finding afterwards ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "after"),
    [
        (Status.OPEN, Status.OPEN),
        (Status.RESOLVED, Status.OPEN),
        (Status.SUPPRESSED, Status.SUPPRESSED),
    ],
)
@pytest.mark.parametrize("when", ["before the request", "after the request"])
def test_the_finding_is_open_again(status: Status, after: Status, when: str) -> None:
    """Whether a check has resolved it before or after the request; a suppression stays."""
    setup = applied() if when.startswith("before") else requested()
    finding = setup.store.one()
    if status is Status.RESOLVED:
        setup.store.put(resolved(finding, "It passes.", NOW).finding)
    elif status is Status.SUPPRESSED:
        setup.store.put(replace(finding, status=status))
    if when.startswith("before"):
        setup.decide(DecisionKind.UNDO)
    assert setup.handle().result is FixResult.UNDONE
    undone = setup.store.one()
    assert (undone.status, undone.transition, undone.resolution) == (after, Transition.FIX_UNDONE, "")
    assert (undone.opened_at > NOW) == (status is Status.RESOLVED)
    assert undone.history[-1].by == JANE


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_solved_finding_stays_resolved(is_deleted: bool) -> None:
    """Its function was deleted, or another policy allows it. No check would resolve it before the next sweep."""
    setup = requested()
    if is_deleted:
        setup.state.state = replace(setup.state.state, function=None, mappings=(), versions={})
    else:
        change_role(setup, inline={"own": a_policy(allow("sqs:*"))})
    setup.store.put(resolved(setup.store.one(), "It passes.", NOW).finding)

    assert setup.handle().result is FixResult.UNDONE
    undone = setup.store.one()
    assert (undone.status, undone.transition, undone.resolution) == (
        Status.RESOLVED,
        Transition.FIX_UNDONE,
        "It passes.",
    )


@pytest.mark.parametrize("auto_fix", list(AutoFix))
def test_an_undone_fix_is_not_applied_again_by_itself(auto_fix: AutoFix) -> None:
    """Neither at once, nor after the problem was resolved otherwise and came back, however often."""
    setup = requested(auto_fix=auto_fix) if auto_fix is AutoFix.GRANT else requested()
    setup.auto_fix = auto_fix
    setup.handle()
    assert setup.handle().summary == "already handled: Fix Undone"
    for number in range(3):
        gone = resolved(setup.store.one(), "It passes.", NOW).finding
        setup.store.put(reopened(gone, NOW).finding)
        outcome = setup.handle()
        assert outcome.result is FixResult.PROPOSED
        assert outcome.summary.endswith(f"{JANE} rejected or undid it before."), number
    assert len(setup.state.attached) == 1


@pytest.mark.parametrize("mode", [FixMode.PLAN, FixMode.APPROVE, FixMode.AUTO])
def test_no_mode_proposes_a_fix_while_its_undo_is_the_last_word(mode: FixMode) -> None:
    """A sweep hands the open finding over again and again."""
    setup = requested()
    setup.handle()
    setup.mode = mode
    assert setup.handle().summary == "already handled: Fix Undone"


def test_an_approval_after_the_undo_counts() -> None:
    """It is a newer word of a person. Then the fix is restored by itself again, and can be undone again."""
    setup = requested()
    setup.handle()
    setup.store.put(reopened(resolved(setup.store.one(), "It passes.", NOW).finding, NOW).finding)
    setup.handle()
    setup.decide()
    assert setup.handle().result is FixResult.APPLIED
    assert fix_of(setup.store.one()).declined_by == ""
    assert fix_of(setup.store.one()).undo_record is None
    setup.decide(DecisionKind.UNDO)
    assert setup.handle().result is FixResult.UNDONE
    assert attached(setup) == {OWN}


def test_another_finding_of_the_function_does_not_bring_the_change_back() -> None:
    """Two mappings of one function miss the same policy: undone for one, it is not attached for the other."""
    setup = requested()
    setup.handle()
    other = replace(setup.store.one(), id="f" * 32)
    setup.store.put(a_finding())
    setup.store.put(other)
    outcome = setup.handle()
    assert outcome.result is FixResult.PROPOSED
    assert outcome.summary.endswith(f"{JANE} rejected or undid the same change for the finding {'f' * 32}.")


@pytest.mark.parametrize("is_rejected", [True, False])
def test_nor_does_it_when_the_undone_fix_is_proposed_again(is_rejected: bool) -> None:
    """The proposal waits for a person, or was rejected, when the other mapping is found."""
    setup = requested()
    setup.handle()
    setup.store.put(reopened(resolved(setup.store.one(), "It passes.", NOW).finding, NOW).finding)
    assert setup.handle().result is FixResult.PROPOSED
    if is_rejected:
        setup.decide(DecisionKind.REJECT)
    other = a_mapping(uuid="5d0c7e1e-8f4b-4a57-9a0f-6f1f7c1f4b22")
    setup.state.state = replace(setup.state.state, mappings=(*mappings_of(setup), other))
    second = finding_id("PG201", FUNCTION_ARN, subject(other))
    setup.store.put(a_finding(id=second, subject=subject(other)))

    outcome = setup.handle(finding_id=second)

    assert outcome.result is FixResult.PROPOSED
    assert outcome.summary.endswith(f"{JANE} rejected or undid the same change for the finding {FINDING_ID}.")
    assert attached(setup) == {OWN}


# ── Guards ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def guarded(state: Snapshot, **role: Any) -> Snapshot:
    """Return a state with another role."""
    before = state.roles[ROLE_ARN]
    assert isinstance(before, Role)
    return replace(state, roles={ROLE_ARN: replace(before, **role)})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda state: guarded(state, tags={"permission-guard:fix": "never"}), "is tagged permission-guard:fix=never"),
        (lambda state: guarded(state, tags={"aws:cloudformation:stack-name": "shop"}), "CloudFormation stack shop"),
        (lambda state: guarded(state, path="/aws-service-role/"), "service-linked or reserved role"),
        (lambda state: guarded(state, arn="arn:aws:iam::999999999999:role/orders-role"), "is in another account"),
        (lambda state: replace(state, roles={ROLE_ARN: DENIED}), "could not be read"),
        (lambda state: replace(state, tags={"permission-guard:fix": "never"}), "is tagged permission-guard:fix=never"),
        (lambda state: replace(state, tags={"aws:cloudformation:stack-name": "shop"}), "CloudFormation stack shop"),
        (lambda state: replace(state, tags=DENIED), "could not be read"),
    ],
    ids=["role never", "role in a stack", "reserved", "another account", "role denied", "never", "stack", "no tags"],
)
def test_an_undo_has_the_guards_of_a_fix(change: Any, reason: str) -> None:
    """The fix stays applied, with the reason, and the undo can be requested again."""
    setup = requested()
    setup.state.state = change(setup.state.state)
    before = setup.store.fixes.copy()
    outcome = setup.handle()
    assert outcome.result is FixResult.REFUSED
    assert reason in outcome.summary
    assert (setup.state.detached, setup.store.fixes) == ([], before)
    finding = setup.store.one()
    assert (fix_of(finding).result, finding.transition) == (FixResult.APPLIED, Transition.FIX_REFUSED)
    assert undo_of(setup).summary == outcome.summary
    assert setup.handle().summary == "already handled: Fix Refused"
    setup.decide(DecisionKind.UNDO)
    assert setup.store.one().transition is Transition.FIX_UNDO_REQUESTED


@pytest.mark.parametrize("stack", ["shop", DENIED])
def test_a_role_of_a_stack_is_not_changed(stack: Any) -> None:
    """Nor if nobody knows whether a stack owns it."""
    setup = requested()
    setup.state.stack = stack
    assert setup.handle().result is FixResult.REFUSED
    assert setup.state.detached == []


def test_an_excluded_function_is_not_changed() -> None:
    """The configuration is newer than the fix."""
    setup = requested()
    config = GuardConfig(exclusions=(Exclusion(reason="A test.", functions=("ord*",)),))
    assert setup.handle(config=config).summary == "The configuration excludes the function: A test."
    assert setup.state.detached == []


@pytest.mark.parametrize("known_by", ["entry", "caller", "finding", "unreadable"])
def test_what_another_tool_manages_by_now_can_be_undone(known_by: str) -> None:
    """The bot takes back its own change, which that tool does not know. It would refuse to make it again."""
    setup = requested()
    finding, key = setup.store.one(), (FUNCTION_ARN, Direction.EXECUTION_ROLE)
    if known_by == "entry":
        entry = ManagedElsewhere(tool=ManagingTool.TERRAFORM, roles=("orders-*",))
        setup.config = GuardConfig(fixes=Fixes(managed_elsewhere=(entry,)))
    elif known_by == "caller":
        setup.store.checkpoints[key] = Checkpoint(callers=(Caller("", "terraform", "2026-11-19"),)).to_json()
    elif known_by == "finding":
        setup.store.put(replace(finding, managed_by=ManagedBy("terraform")))
    else:
        setup.store.checkpoints[key] = "not a checkpoint"
    assert setup.handle().result is FixResult.UNDONE
    assert attached(setup) == {OWN}
    setup.store.put(reopened(resolved(setup.store.one(), "It passes.", NOW).finding, NOW).finding)
    assert setup.handle().result is FixResult.REFUSED, "otherwise nothing manages it"


@pytest.mark.parametrize("what", ["role", "stack", "tags"])
def test_a_throttled_read_is_retried_and_not_refused(what: str) -> None:
    """Nothing is recorded meanwhile."""
    setup = requested()
    if what == "stack":
        setup.state.stack = THROTTLED
    elif what == "tags":
        setup.state.state = replace(setup.state.state, tags=THROTTLED)
    else:
        setup.state.state = replace(setup.state.state, roles={ROLE_ARN: THROTTLED})
    before = setup.store.one()
    with pytest.raises(RetryableError):
        setup.handle()
    assert (setup.store.one(), setup.state.detached) == (before, [])


def test_a_record_that_does_not_say_what_was_before_undoes_nothing() -> None:
    """Otherwise a policy of somebody else could be detached."""
    fix = fix_of(applied().store.one())
    for before in ({}, {"role_arn": ROLE_ARN}, {"role_arn": ROLE_ARN + "2", "attached_policies": []}):
        with pytest.raises(FixRefusedError, match="does not say which policies the role had before"):
            AttachManagedPolicy().undo_calls(fix.change, before, InMemoryState(BROKEN))


# ── The proof ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("what", ["no decision", "another plan", "an approval"])
def test_only_a_recorded_request_undoes_something(what: str) -> None:
    """An event undoes nothing, nor does whoever can write the findings table."""
    setup = requested()
    key = (FINDING_ID, setup.store.one().revision - 1)
    decision = setup.store.decisions.pop(key)
    if what == "another plan":
        setup.store.decisions[key] = replace(decision, plan_hash="0" * 64)
    elif what == "an approval":
        setup.store.decisions[key] = replace(decision, kind=DecisionKind.APPROVE)
    outcome = setup.handle()
    assert outcome.summary == "The table of decisions has no request to undo this fix."
    assert (outcome.result, setup.state.detached) == (FixResult.REFUSED, [])


def test_an_event_alone_undoes_nothing() -> None:
    """Without a request in the finding there is nothing to do."""
    setup = applied()
    setup.store.put(advanced(setup.store.one(), Transition.FIX_UNDO_REQUESTED, NOW))
    assert setup.handle().summary == "already handled: Fix Undo Requested"
    assert setup.state.detached == []


def test_a_request_is_valid_for_24_hours() -> None:
    """Then it is refused, and says that it can be made again."""
    setup = requested()
    at = undo_of(setup).at
    outcome = setup.handle(clock=lambda: LATER)
    assert outcome.summary == f"The request by {JANE} of {at} has expired. Request the undo again."
    assert setup.state.detached == []


def test_a_request_that_is_refused_does_not_change_when_the_fix_was_applied() -> None:
    """The function is watched since then, and what failed after the fix is compared with what failed before it."""
    setup = requested()
    applied_at = fix_of(setup.store.one()).at
    setup.handle(clock=lambda: LATER)
    finding = setup.store.one()
    assert (fix_of(finding).at, fix_of(finding).last_at, finding.changed_at) == (applied_at, LATER, LATER)


def test_in_a_mode_that_writes_nothing_the_undo_is_refused() -> None:
    """The mode was set lower after the request."""
    setup = requested()
    setup.mode = FixMode.PLAN
    assert setup.handle().summary == "FixMode is plan: nothing is undone."


# ── The stop, the quota, the breaker ────────────────────────────────────────────────────────────────────────────────


class StoppedLater(InMemoryStop):
    """A switch that somebody sets to stop after some reads."""

    after = 0

    def switch(self) -> Switch | None:
        if self.reads == self.after:
            self.switched = STOPPED
        return super().switch()


@pytest.mark.parametrize("after", [0, 1])
def test_the_stop_is_read_before_the_plan_and_before_each_write(after: int) -> None:
    """The request is refused, so that its maker learns of it, and it can be made again after the resume."""
    setup = requested()
    setup.stop = StoppedLater()
    setup.stop.after = after
    outcome = setup.handle()
    assert (outcome.result, setup.state.detached) == (FixResult.REFUSED, [])
    assert outcome.summary.startswith(f"fixing is stopped since {NOW} by {JANE}: Orders is down.")
    assert outcome.summary.endswith("Resume fixing, and request the undo again.")
    setup.stop = InMemoryStop()
    setup.decide(DecisionKind.UNDO)
    assert setup.handle().result is FixResult.UNDONE


def test_an_undo_takes_a_place_of_the_hour() -> None:
    """A full hour refuses it."""
    setup = requested()
    setup.handle()
    revision = undo_of(setup).revision
    assert setup.store.fixes == {"2026-11-20T09": {f"{FINDING_ID}#1", f"{FINDING_ID}#undo#{revision}"}}
    full = requested()
    full.limit = 1
    assert full.handle().summary.startswith("The limit of 1 fixes per hour is reached.")
    assert full.state.detached == []


def test_three_undone_fixes_in_an_hour_stop_all_fixing() -> None:
    """They count like failed ones, the same one once."""
    stop = InMemoryStop()
    for number in range(MAX_FAILED):
        setup = applied()
        setup.stop = stop
        finding = replace(setup.store.one(), id=f"{number:032x}")
        setup.store.documents.clear()
        setup.store.put(finding)
        setup.decide(DecisionKind.UNDO)
        outcome = setup.handle(finding_id=finding.id)
        assert outcome.result is FixResult.UNDONE
        assert bool(outcome.stopped) is (number == MAX_FAILED - 1)
    assert len(stop.opened.opened_by) == MAX_FAILED


def test_a_denied_write_is_recorded_and_counted() -> None:
    """The fix stays applied; its undo can be requested again."""
    setup = requested()
    setup.state.error = WriteFailedError("iam:DetachRolePolicy failed with AccessDenied: no")
    outcome = setup.handle()
    assert (outcome.result, outcome.summary) == (FixResult.FAILED, "iam:DetachRolePolicy failed with AccessDenied: no")
    finding = setup.store.one()
    assert (fix_of(finding).result, finding.transition) == (FixResult.APPLIED, Transition.FIX_FAILED)
    assert [one.finding_id for one in setup.stop.opened.failed] == [FINDING_ID]
    setup.state.error = None
    setup.decide(DecisionKind.UNDO)
    assert setup.handle().result is FixResult.UNDONE


# ── Crashes, and two workers ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("at", range(1, 22))
def test_after_a_crash_at_any_step_the_next_run_finishes_the_undo(at: int) -> None:
    """One call, one count, one transition, whatever was done before the crash."""
    setup = requested()
    counter = [0]

    def killed() -> None:
        raise Killed

    parts: dict[str, Any] = {
        name: Interrupted(part, counter, at, killed)
        for name, part in {
            "store": setup.store,
            "source": setup.state,
            "fix_state": setup.state,
            "stop": setup.stop,
        }.items()
    }
    try:
        setup.handle(**parts, quota=parts["store"], writers=parts["source"], decisions=parts["store"])
    except Killed:
        setup.handle(clock=(datetime.fromisoformat(NOW) + LEASE + LEASE).isoformat)
    else:
        assert counter[0] < at
    finding = setup.store.one()
    assert (fix_of(finding).result, finding.transition) == (FixResult.UNDONE, Transition.FIX_UNDONE)
    assert attached(setup) == {OWN}
    assert undo_of(setup).calls
    assert [name for name, _ in setup.transitions].count("Fix Undone") == 1
    assert len({one.key for one in setup.stop.opened.failed}) == len(setup.stop.opened.failed) == 1


@pytest.mark.parametrize("at", range(1, 22))
def test_one_request_at_two_workers_is_one_undo(at: int) -> None:
    """The second worker gets the event at any moment of the first."""
    setup = requested()
    counter = [0]

    def second_worker() -> None:
        with suppress(RetryableError):
            setup.handle()

    parts: dict[str, Any] = {
        name: Interrupted(part, counter, at, second_worker)
        for name, part in {
            "store": setup.store,
            "source": setup.state,
            "fix_state": setup.state,
            "stop": setup.stop,
        }.items()
    }
    with suppress(RetryableError):
        setup.handle(**parts, quota=parts["store"], writers=parts["source"], decisions=parts["store"])
    setup.handle()
    assert [name for name, _ in setup.transitions].count("Fix Undone") == 1
    assert len(setup.state.detached) == 1
    assert len(setup.stop.opened.failed) == 1
    assert fix_of(setup.store.one()).result is FixResult.UNDONE


def test_what_others_attach_again_while_an_undo_is_interrupted_is_theirs() -> None:
    """The next run makes only the calls that the first one had planned."""
    setup = requested()
    change_role(setup, attached={OWN: a_policy(allow("logs:*"))})

    def killed(_delay: float) -> None:
        raise Killed

    with pytest.raises(Killed):
        setup.handle(wait=killed)
    change_role(setup, attached={SQS_POLICY_ARN: a_policy(SQS_POLICY)})
    assert setup.handle().result is FixResult.UNDONE
    assert (setup.state.detached, attached(setup)) == ([], {SQS_POLICY_ARN})


def test_an_undo_that_aws_does_not_show_yet_is_verified_later() -> None:
    """It is not recorded before, and the call is made again: it changes nothing then."""
    setup = requested()
    shown = setup.state.state
    with pytest.raises(FixNotVisibleError, match="AWS does not show yet that the fix is undone"):
        setup.handle(wait=lambda _delay: setattr(setup.state, "state", shown))
    assert fix_of(setup.store.one()).result is FixResult.UNDOING
    assert setup.handle().result is FixResult.UNDONE


def test_an_undo_that_another_invocation_makes_is_left_to_it() -> None:
    """Until its lease ends."""
    setup = requested()
    finding = setup.store.one()
    until = (datetime.fromisoformat(NOW) + LEASE).isoformat()
    setup.store.put(replace(finding, fix=replace(fix_of(finding), result=FixResult.UNDOING, lease_until=until)))
    with pytest.raises(FixInProgressError, match="another invocation is undoing the fix"):
        setup.handle()
    assert setup.state.detached == []


# ── The request ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_recorded_with_who_made_it_and_why() -> None:
    """For exactly the revision and the plan that the person has read."""
    setup = applied()
    revision = setup.store.one().revision
    decision = setup.decide(DecisionKind.UNDO, reason=" Orders must not read it ")
    assert setup.store.decision(FINDING_ID, revision) == decision
    assert (decision.by, decision.reason, decision.revision) == (JANE, "Orders must not read it", revision)
    finding = setup.store.one()
    assert (finding.transition, finding.revision) == (Transition.FIX_UNDO_REQUESTED, revision + 1)
    assert undo_of(setup) == UndoRecord(revision=revision, by=JANE, at=NOW, reason="Orders must not read it")
    assert setup.decide(DecisionKind.UNDO, revision=revision) == decision, "a lost reply"
    assert setup.store.one() == finding


@pytest.mark.parametrize("status", [Status.OPEN, Status.RESOLVED])
def test_the_undo_of_a_fix_is_requested_whatever_the_mode_of_its_rule(status: Status) -> None:
    """It was set lower since, perhaps because of this fix; FixMode still lets the bot write."""
    setup = applied()
    setup.store.put(replace(setup.store.one(), status=status))
    setup.config = GuardConfig(fixes=Fixes(mode=FixMode.OFF))
    assert setup.decide(DecisionKind.UNDO).kind is DecisionKind.UNDO


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"result": FixResult.PROPOSED}, "the fix is proposed: only an applied fix can be undone"),
        ({"result": FixResult.FAILED}, "the fix is failed: only an applied fix can be undone"),
        ({"result": FixResult.APPLYING}, "the fix is applying: only an applied fix can be undone"),
        ({"result": FixResult.UNDONE}, f"the fix was undone at {NOW}, as {JANE} requested"),
        ({"result": FixResult.UNDOING}, f"the fix is being undone, as {JANE} requested at {NOW}"),
        ({"calls": ()}, "an earlier version of the bot applied the fix, without a plan to undo it by"),
    ],
)
def test_only_an_applied_fix_can_be_undone(change: dict[str, Any], reason: str) -> None:
    """The refusal says what state it is in."""
    setup = applied()
    finding = setup.store.one()
    undo = UndoRecord(revision=2, by=JANE, at=NOW, ended_at=NOW)
    setup.store.put(replace(finding, fix=replace(fix_of(finding), undo_record=undo, **change)))
    with pytest.raises(RequestRefusedError) as refused:
        setup.decide(DecisionKind.UNDO)
    assert str(refused.value) == reason
    assert setup.store.decisions == {}
    assert why_not_undone(None) == "the finding has no fix"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"revision": 1}, "the finding has changed: read it again"),
        ({"plan_hash": "0" * 64}, "the finding has changed: read it again"),
        ({"function_arn": f"{FUNCTION_ARN}-other"}, "the finding does not exist"),
        ({"function_arn": FUNCTION_ARN.replace("123456789012", "999999999999")}, "is not a principal of account"),
    ],
)
def test_a_request_about_another_fix_or_account_is_refused(change: dict[str, Any], reason: str) -> None:
    """A person undoes what they have read."""
    setup = applied()
    with pytest.raises(RequestRefusedError, match=reason):
        setup.decide(DecisionKind.UNDO, **change)


@pytest.mark.parametrize("mode", [FixMode.OFF, FixMode.PLAN])
def test_where_the_bot_may_not_write_no_undo_is_requested(mode: FixMode) -> None:
    """It would never have an effect."""
    setup = applied()
    setup.mode = mode
    with pytest.raises(RequestRefusedError, match=f"FixMode is {mode}: no fix is undone"):
        setup.decide(DecisionKind.UNDO)


@pytest.mark.parametrize("stopped", ["by a person", "by the breaker"])
def test_no_undo_is_requested_while_fixing_is_stopped(stopped: str) -> None:
    """The refusal says who stopped it, and what to do."""
    setup = applied()
    if stopped == "by a person":
        setup.stop.switched = STOPPED
    else:
        setup.stop.opened = Breaker(opened_by=tuple(FailedFix(NOW, f"{FINDING_ID}#{number}") for number in range(3)))
    with pytest.raises(RequestRefusedError, match=r"^fixing is stopped since .* Resume fixing first: permission-guard"):
        setup.decide(DecisionKind.UNDO)
