"""What follows a fix: a mapping that AWS disabled is enabled, and IAM's policy simulator is asked, where configured."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.config.document import Exclusion, Fixes, GuardConfig, RuleConfig
from permission_guard.config.settings import FixMode
from permission_guard.delivery.plans import plan_parts
from permission_guard.errors import (
    FixInProgressError,
    FixNotVisibleError,
    RetryableError,
    RoleNotReadyError,
    WriteFailedError,
)
from permission_guard.fixes.afterwards import PROPAGATION
from permission_guard.fixes.simulation import SimulatedDecision
from permission_guard.fixes.stop import Breaker
from permission_guard.model.findings import FixResult, PlannedCall, Transition
from permission_guard.model.state import Unread
from tests.fakes import (
    DENIED,
    FINDING_ID,
    FUNCTION_ARN,
    MAPPING_SUBJECT,
    MAPPING_UUID,
    NOW,
    QUEUE_ARN,
    ROLE_ARN,
    SQS_POLICY_ARN,
    THROTTLED,
    Clock,
    InMemoryState,
    a_finding,
    a_mapping,
    a_role,
    allow,
    polling,
)
from tests.unit.fixes.test_fixer import Setup, fix_of
from tests.unit.fixes.test_fixer_stopped import RESUMED, STOPPED, Killed, stopped, stopped_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.fixes.recorder import FixOutcome

ENABLING = GuardConfig(fixes=Fixes(enable_mappings=True))
SIMULATING = GuardConfig(fixes=Fixes(simulate=True))
LOST = "Lambda does not have required permissions to access the queue (sqs:ReceiveMessage)."
ATTACH = f"attach {SQS_POLICY_ARN} to {ROLE_ARN}"
UNDO_ATTACHMENT = f"aws iam detach-role-policy --region us-east-1 --role-name orders-role --policy-arn {SQS_POLICY_ARN}"
UNDO_ENABLING = f"aws lambda update-event-source-mapping --region us-east-1 --uuid {MAPPING_UUID} --no-enabled"
NOT_READY = RoleNotReadyError(f"lambda:UpdateEventSourceMapping failed with InvalidParameterValueException: {LOST}")
FORBIDDEN = WriteFailedError("lambda:UpdateEventSourceMapping failed with AccessDeniedException: no")


def disabled(mapping: dict[str, str] | None = None, **more: Any) -> Setup:
    """Return a fixer, and a mapping that AWS disabled because its role lost a permission."""
    held = a_mapping(**{"state": "Disabled", "state_transition_reason": LOST, **(mapping or {})})
    state = InMemoryState(polling(a_role(allow("logs:*")), mappings=(held,)))
    return Setup(**{"config": ENABLING, "state": state, **more})


def summary_of(setup: Setup) -> str:
    """Return what the finding says about its fix."""
    return fix_of(setup.store.one()).summary


def crash_at_write(setup: Setup, number: int) -> None:
    """Kill the process at a write to the table, once."""
    writes: list[int] = []

    def before_write() -> None:
        writes.append(1)
        if len(writes) == number:
            raise Killed

    setup.store.before_write = before_write


def much_later() -> Clock:
    """Return a clock after the time in which a change of a role propagates, and after the lease."""
    clock = Clock()
    clock.now = datetime.fromisoformat(NOW) + PROPAGATION + timedelta(minutes=5)
    return clock


def handle_later(setup: Setup) -> FixOutcome:
    """Handle the finding again, later."""
    clock = much_later()
    afterwards = replace(setup.fixer().afterwards, clock=clock)
    return setup.handle(clock=clock, afterwards=afterwards)


# ── The plan ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_mapping_is_enabled_after_the_policy_is_attached() -> None:
    """The record has both, and the undo command disables it first."""
    setup = disabled()
    setup.mappings.before_read = lambda: seen.append(len(setup.state.attached))
    seen: list[int] = []
    outcome = setup.handle()
    fix = fix_of(setup.store.one())
    assert (outcome.result, fix.summary) == (FixResult.APPLIED, f"{ATTACH}, then enable {MAPPING_SUBJECT}")
    assert setup.mappings.enabled == [(MAPPING_UUID, FINDING_ID)]
    assert set(seen) == {1}
    assert fix.calls == (
        PlannedCall(
            operation="iam:AttachRolePolicy", parameters={"RoleName": "orders-role", "PolicyArn": SQS_POLICY_ARN}
        ),
        PlannedCall(operation="lambda:UpdateEventSourceMapping", parameters={"UUID": MAPPING_UUID, "Enabled": True}),
    )
    assert fix.before == {
        "role_arn": ROLE_ARN,
        "attached_policies": [],
        "event_source_mapping": MAPPING_UUID,
        "mapping_state": "Disabled",
        "mapping_state_reason": LOST,
    }
    assert fix.expected == {
        "role_arn": ROLE_ARN,
        "attached_policies": [SQS_POLICY_ARN],
        "event_source_mapping": MAPPING_UUID,
        "mapping_state": "Enabled",
    }
    assert fix.after == {**fix.expected, "mapping_state_reason": "USER_INITIATED"}
    assert fix.undo == f"{UNDO_ENABLING}\n{UNDO_ATTACHMENT}"
    assert setup.store.one().transition is Transition.FIX_APPLIED


def test_enabling_is_in_the_hash_of_the_plan_and_in_its_text() -> None:
    """Who approves the plan approves this call; another reason, or none, is another plan."""
    hashes = set()
    for setup in (
        disabled(mode=FixMode.APPROVE),
        disabled(mode=FixMode.APPROVE, config=GuardConfig()),
        disabled({"last_processing_result": "PROBLEM: access denied"}, mode=FixMode.APPROVE),
    ):
        assert setup.handle().result is FixResult.PROPOSED
        hashes.add(fix_of(setup.store.one()).plan_hash)
    assert len(hashes) == 3
    setup = disabled(mode=FixMode.APPROVE)
    setup.handle()
    parts = dict(plan_parts(fix_of(setup.store.one())))
    assert parts["Calls to AWS"].splitlines()[-3:] == [
        "lambda:UpdateEventSourceMapping",
        f"  UUID: {MAPPING_UUID}",
        "  Enabled: true",
    ]
    assert "mapping_state: Disabled -> Enabled" in parts["Before and after"]


def test_a_mapping_that_is_just_being_disabled_gives_the_same_plan() -> None:
    """An approval must not become invalid within seconds."""
    plans = []
    for state in ("Disabling", "Disabled"):
        setup = disabled({"state": state}, mode=FixMode.APPROVE)
        setup.handle()
        plans.append(fix_of(setup.store.one()).plan_hash)
    assert plans[0] == plans[1]


def test_by_default_no_mapping_is_enabled() -> None:
    """The plan is the same as without a disabled mapping."""
    setup = disabled(config=GuardConfig())
    assert setup.handle().result is FixResult.APPLIED
    fix = fix_of(setup.store.one())
    assert (len(fix.calls), fix.undo, setup.mappings.enabled) == (1, UNDO_ATTACHMENT, [])
    assert fix.change.keys() == {"action", "role_arn", "policy_arns"}


@pytest.mark.parametrize("reason", ["USER_INITIATED", "User action", "user_initiated "])
def test_what_a_person_disabled_stays_disabled(reason: str) -> None:
    """The rule ignores such a mapping, so there is nothing to fix at all."""
    setup = disabled({"state_transition_reason": reason, "last_processing_result": LOST})
    assert setup.handle().result is None
    assert (setup.state.attached, setup.mappings.enabled) == ([], [])


@pytest.mark.parametrize(
    ("reason", "result"),
    [
        ("FUNCTION_CONFIG_NOT_VALID", ""),
        ("EVENT_SOURCE_AUTHN_ERROR", "SASL authentication failed"),
        ("PROBLEM: Lambda failed to assume your function execution role. access denied", ""),
    ],
)
def test_for_another_or_an_unknown_reason_the_mapping_stays_disabled(reason: str, result: str) -> None:
    """The role is fixed; the plan says what is not known."""
    setup = disabled({"state_transition_reason": reason, "last_processing_result": result})
    assert setup.handle().result is FixResult.APPLIED
    fix = fix_of(setup.store.one())
    assert (setup.state.attached, setup.mappings.enabled) == ([("orders-role", SQS_POLICY_ARN)], [])
    assert fix.unknowns[-1] == f"Why {MAPPING_SUBJECT} is disabled: AWS names no missing permission. It stays disabled."
    assert fix.undo == UNDO_ATTACHMENT


def test_if_aws_does_not_say_who_disabled_it_the_fix_is_refused() -> None:
    """The rule could not pass after the attachment."""
    setup = disabled({"state_transition_reason": "", "last_processing_result": LOST})
    assert setup.handle().result is FixResult.REFUSED
    assert setup.mappings.enabled == []


def test_an_enabled_mapping_changes_nothing_about_the_plan() -> None:
    """It is not touched."""
    setup = Setup(config=ENABLING)
    setup.handle()
    assert fix_of(setup.store.one()).change.keys() == {"action", "role_arn", "policy_arns"}
    assert setup.mappings.enabled == []


# ── Before the write ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"state_transition_reason": "USER_INITIATED"}, "state_transition_reason is now 'USER_INITIATED'"),
        ({"state": "Deleting"}, "state is now 'Deleting'"),
        ({"function_arn": FUNCTION_ARN + ":live"}, f"function_arn is now '{FUNCTION_ARN}:live'"),
        ({"last_processing_result": "OK"}, "last_processing_result is now 'OK'"),
    ],
)
def test_a_mapping_that_has_changed_is_not_enabled(values: dict[str, str], reason: str) -> None:
    """It is read again directly before the write. The attachment stays, and the undo is of that alone."""
    setup = disabled()
    setup.mappings.before_read = lambda: setup.mappings.change(MAPPING_UUID, **values)
    assert setup.handle().result is FixResult.APPLIED
    assert f"The mapping was not enabled: changed since it was planned: {reason}" in summary_of(setup)
    assert (setup.mappings.enabled, fix_of(setup.store.one()).undo) == ([], UNDO_ATTACHMENT)


def test_what_changes_at_the_last_moment_counts() -> None:
    """The first read of the mapping still had the state of the plan."""
    setup = disabled()
    reads: list[int] = []

    def change() -> None:
        reads.append(1)
        if len(reads) == 2:
            setup.mappings.change(MAPPING_UUID, state_transition_reason="User action")

    setup.mappings.before_read = change
    setup.handle()
    assert setup.mappings.enabled == []


def test_a_deleted_mapping_is_not_enabled() -> None:
    """The record says so."""
    setup = disabled()
    setup.mappings.before_read = lambda: setattr(setup.state, "state", replace(setup.state.state, mappings=()))
    assert setup.handle().result is FixResult.APPLIED
    assert "it no longer exists" in summary_of(setup)
    assert fix_of(setup.store.one()).after["mapping_state"] is None


def test_a_mapping_that_is_enabled_already_needs_no_call() -> None:
    """A person was first."""
    setup = disabled()
    setup.mappings.before_read = lambda: setup.mappings.change(MAPPING_UUID, state="Enabled")
    assert setup.handle().result is FixResult.APPLIED
    fix = fix_of(setup.store.one())
    assert (setup.mappings.enabled, fix.after["mapping_state"]) == ([], "Enabled")
    assert (fix.undo, fix.enabled_mapping) == (UNDO_ATTACHMENT, False), "what undoes the fix leaves the mapping enabled"
    assert fix.summary == f"{ATTACH}, then enable {MAPPING_SUBJECT}. Somebody else enabled the mapping"


def test_a_mapping_that_somebody_enables_between_two_tries_is_theirs() -> None:
    """AWS rejected the try of the fix."""
    setup = disabled()
    setup.mappings.errors = [NOT_READY]

    def enable(_seconds: float) -> None:
        if not setup.mappings.errors:
            setup.mappings.change(MAPPING_UUID, state="Enabled", state_transition_reason="USER_INITIATED")

    assert setup.handle(afterwards=replace(setup.fixer().afterwards, wait=enable)).result is FixResult.APPLIED
    fix = fix_of(setup.store.one())
    assert (fix.undo, fix.enabled_mapping, setup.mappings.enabled) == (UNDO_ATTACHMENT, False, [])


def test_a_mapping_that_may_not_be_read_is_not_enabled() -> None:
    """In doubt nothing is changed."""
    setup = disabled()
    setup.mappings.unread = DENIED
    assert setup.handle().result is FixResult.APPLIED
    assert f"it could not be read: {DENIED}" in summary_of(setup)
    assert setup.mappings.enabled == []


@pytest.mark.parametrize("state", [None, "Disabling"])
def test_a_mapping_that_cannot_be_read_or_enabled_now_is_tried_again(state: str | None) -> None:
    """The retry goes on after the attachment, and does not attach again."""
    setup = disabled()
    if state:
        setup.mappings.change(MAPPING_UUID, state=state)
    else:
        setup.mappings.unread = THROTTLED
    with pytest.raises(RetryableError):
        setup.handle()
    assert fix_of(setup.store.one()).result is FixResult.APPLYING
    setup.mappings.unread = None
    setup.mappings.change(MAPPING_UUID, state="Disabled")
    assert setup.handle().result is FixResult.APPLIED
    assert (len(setup.state.attached), len(setup.mappings.enabled)) == (1, 1)


# ── Guards, when an interrupted fix goes on ─────────────────────────────────────────────────────────────────────────


def interrupted() -> Setup:
    """Return a fix that was killed between the attachment and the enabling."""
    setup = disabled()

    def kill() -> None:
        raise Killed

    setup.mappings.before_read = kill
    with pytest.raises(Killed):
        setup.handle()
    setup.mappings.before_read = lambda: None
    assert (len(setup.state.attached), setup.mappings.enabled) == (1, [])
    assert fix_of(setup.store.one()).result is FixResult.APPLYING
    return setup


def test_the_next_try_finishes_what_a_crash_interrupted() -> None:
    """It attaches nothing again, and the record is that of the plan. What undoes it disables the mapping only then."""
    setup = interrupted()
    before = fix_of(setup.store.one())
    assert (before.undo, before.enabled_mapping) == (UNDO_ATTACHMENT, False)
    assert handle_later(setup).result is FixResult.APPLIED
    after = fix_of(setup.store.one())
    assert (len(setup.state.attached), setup.mappings.enabled) == (1, [(MAPPING_UUID, FINDING_ID)])
    assert (after.plan_hash, after.attempts, after.undo) == (before.plan_hash, 1, f"{UNDO_ENABLING}\n{UNDO_ATTACHMENT}")


@pytest.mark.parametrize("write", [2, 3])
def test_a_crash_before_or_after_the_enabling_enables_once(write: int) -> None:
    """The second write to the table records that the fix enables the mapping, the third one the result."""
    setup = disabled()
    crash_at_write(setup, write)
    with pytest.raises(Killed):
        setup.handle()
    assert len(setup.mappings.enabled) == write - 2
    assert handle_later(setup).result is FixResult.APPLIED
    assert (len(setup.state.attached), len(setup.mappings.enabled)) == (1, 1)
    fix = fix_of(setup.store.one())
    assert (fix.undo, fix.enabled_mapping) == (f"{UNDO_ENABLING}\n{UNDO_ATTACHMENT}", True)
    assert "Somebody else" not in fix.summary


def test_what_somebody_else_enabled_after_a_crash_is_theirs() -> None:
    """The record does not say that the fix was about to enable it."""
    setup = interrupted()
    setup.mappings.change(MAPPING_UUID, state="Enabled", state_transition_reason="USER_INITIATED")
    assert handle_later(setup).summary.endswith("Somebody else enabled the mapping")
    fix = fix_of(setup.store.one())
    assert (fix.undo, fix.enabled_mapping, setup.mappings.enabled) == (UNDO_ATTACHMENT, False, [])


def test_an_invocation_that_lost_the_fix_enables_nothing() -> None:
    """Another one owns it, since the lease has ended."""
    setup = disabled()
    reads: list[int] = []

    def take_over() -> None:
        reads.append(1)
        if len(reads) == 2:
            finding = setup.store.one()
            setup.store.put(replace(finding, fix=replace(fix_of(finding), owner="another")))

    setup.mappings.before_read = take_over
    with pytest.raises(FixInProgressError, match="another invocation is applying the fix"):
        setup.handle()
    assert setup.mappings.enabled == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda setup: setattr(setup, "config", GuardConfig()), "fixes.enable_mappings is false"),
        (lambda setup: setattr(setup, "mode", FixMode.PLAN), "FixMode is plan"),
        (
            lambda setup: setattr(setup, "config", replace(ENABLING, rules={"PG201": RuleConfig(fix=FixMode.OFF)})),
            "rules.PG201.fix is off",
        ),
        (
            lambda setup: setattr(
                setup, "config", replace(ENABLING, exclusions=(Exclusion(reason="A test.", functions=("ord*",)),))
            ),
            "the configuration excludes the function: A test",
        ),
        (
            lambda setup: setattr(
                setup.state, "state", replace(setup.state.state, tags={"permission-guard:fix": "never"})
            ),
            "is tagged permission-guard:fix=never",
        ),
    ],
)
def test_what_would_not_be_fixed_any_more_is_not_enabled(change: Callable[[Setup], None], reason: str) -> None:
    """The time between the two writes may be long."""
    setup = interrupted()
    change(setup)
    assert handle_later(setup).result is FixResult.APPLIED
    assert reason in summary_of(setup)
    assert (setup.mappings.enabled, fix_of(setup.store.one()).undo) == ([], UNDO_ATTACHMENT)


def test_nothing_is_enabled_while_something_is_still_missing() -> None:
    """The finding's own rule evaluates the role again: somebody has denied the action meanwhile."""
    setup = interrupted()
    role = setup.state.state.roles[ROLE_ARN]
    denying = a_role({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}]})
    changed = replace(denying, attached=role.attached)  # type: ignore[union-attr]
    setup.state.state = replace(setup.state.state, roles={ROLE_ARN: changed})
    assert handle_later(setup).result is FixResult.APPLIED
    assert "The mapping was not enabled: " in summary_of(setup)
    assert setup.mappings.enabled == []


def test_what_cannot_be_read_for_now_is_tried_again() -> None:
    """Nobody knows whether the fix has helped."""
    setup = interrupted()
    setup.state.state = replace(setup.state.state, tags=THROTTLED)
    with pytest.raises(RetryableError, match="Unknown for now whether the fix has helped"):
        handle_later(setup)
    assert setup.mappings.enabled == []


def test_the_mapping_of_a_suppressed_finding_is_not_enabled() -> None:
    """A person accepted the problem meanwhile."""
    setup = interrupted()
    finding = setup.store.one()
    setup.store.put(replace(finding, status=type(finding.status).SUPPRESSED))
    handle_later(setup)
    assert "the finding is suppressed" in summary_of(setup)
    assert setup.mappings.enabled == []


# ── The emergency stop ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_between_the_two_writes_keeps_the_mapping_disabled_until_a_resume() -> None:
    """The third read of the switch is the one before the second write. The sweep hands the finding over again."""
    setup = disabled(stop=stopped_after(2))
    assert stopped(setup.handle())
    assert (len(setup.state.attached), setup.mappings.enabled) == (1, [])
    fix = fix_of(setup.store.one())
    assert (fix.result, fix.lease_until) == (FixResult.APPLYING, "")
    assert (fix.undo, fix.enabled_mapping) == (UNDO_ATTACHMENT, False)
    done, left = fix.progress.split(" Not done until it is resumed: ")
    assert "iam:AttachRolePolicy" in done
    assert left.startswith("lambda:UpdateEventSourceMapping")
    assert stopped(handle_later(setup))
    assert setup.mappings.enabled == []
    setup.stop.switched = RESUMED
    clock = much_later()
    clock.now += timedelta(minutes=6)
    assert setup.handle(clock=clock).result is FixResult.APPLIED
    assert (len(setup.state.attached), len(setup.mappings.enabled)) == (1, 1)


def test_the_stop_is_read_before_each_try() -> None:
    """AWS rejects the first one."""
    setup = disabled()
    setup.mappings.errors = [NOT_READY]

    def stop(_seconds: float) -> None:
        if len(setup.mappings.errors) == 0:
            setup.stop.switched = STOPPED

    afterwards = replace(setup.fixer().afterwards, wait=stop)
    assert stopped(setup.handle(afterwards=afterwards))
    assert setup.mappings.enabled == []


# ── The write ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_role_that_lambda_does_not_see_yet_is_tried_again() -> None:
    """IAM changes take time to propagate, also to Lambda."""
    setup = disabled()
    setup.mappings.errors = [NOT_READY, NOT_READY, None]
    assert setup.handle().result is FixResult.APPLIED
    assert len(setup.mappings.enabled) == 1
    assert setup.stop.opened == Breaker()


def test_a_role_that_lambda_rejects_for_minutes_is_no_reason_to_try_for_ever() -> None:
    """First the message is delivered again; then the record says what AWS answers, and the failure counts."""
    setup = disabled()
    setup.mappings.errors = [NOT_READY] * 8
    with pytest.raises(FixNotVisibleError, match="Lambda does not see the change of the role yet"):
        setup.handle()
    assert setup.stop.opened == Breaker()
    assert handle_later(setup).result is FixResult.APPLIED
    assert f"The mapping was not enabled: {NOT_READY}".rstrip(".") in summary_of(setup)
    assert (setup.mappings.enabled, fix_of(setup.store.one()).undo) == ([], UNDO_ATTACHMENT)
    assert len(setup.stop.opened.failed) == 1


def test_a_write_that_aws_denies_leaves_the_fix_applied_and_counts_as_failed() -> None:
    """The role has what it lacked; three such failures stop all fixing."""
    setup = disabled()
    setup.mappings.errors = [FORBIDDEN]
    outcome = setup.handle()
    assert (outcome.result, setup.store.one().transition) == (FixResult.APPLIED, Transition.FIX_APPLIED)
    assert f"The mapping was not enabled: {FORBIDDEN}" in summary_of(setup)
    assert fix_of(setup.store.one()).after["mapping_state"] == "Disabled"
    assert [one.key for one in setup.stop.opened.failed] == [f"{FINDING_ID}#1"]


def test_an_enabling_that_aws_does_not_show_is_read_again() -> None:
    """AWS has accepted it."""
    setup = disabled()
    setup.mappings.hidden = 1
    with pytest.raises(FixNotVisibleError, match="AWS does not show yet that the mapping is enabled"):
        setup.handle()
    setup.mappings.change(MAPPING_UUID, state="Enabled")
    assert setup.handle().result is FixResult.APPLIED
    assert len(setup.mappings.enabled) == 1


# ── The simulator ───────────────────────────────────────────────────────────────────────────────────────────────────

ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


UNREADABLE = (
    "Unknown whether IAM's policy simulator allows what was missing: iam:SimulatePrincipalPolicy failed with "
    "AccessDenied: no."
)
DEPENDS = (
    f"Unknown to IAM's policy simulator: sqs:ReceiveMessage on {QUEUE_ARN} (depends on aws:SourceVpc, which only a "
    "real call has)."
)


def decisions(**of_the_first: Any) -> list[SimulatedDecision]:
    """Return the simulator's answer: everything is allowed but what is said about the first action."""
    first, *others = (SimulatedDecision(action=action, resource=QUEUE_ARN, is_allowed=True) for action in ACTIONS)
    return [replace(first, **of_the_first), *others]


def test_by_default_the_simulator_is_not_asked() -> None:
    """It would be a call more for each fix."""
    setup = Setup()
    setup.handle()
    assert setup.simulator.asked == []


def test_the_summary_says_that_the_simulator_allows_what_was_missing() -> None:
    """It is asked about exactly that, on the source."""
    setup = Setup(config=SIMULATING)
    assert setup.handle().summary == f"{ATTACH}. IAM's policy simulator allows what was missing."
    ((role_arn, requests, region),) = setup.simulator.asked
    assert (role_arn, region) == (ROLE_ARN, "us-east-1")
    assert set(requests) == {(action, QUEUE_ARN) for action in ACTIONS}


@pytest.mark.parametrize(
    ("denied_by", "words"),
    [
        (("a statement of deny-all denies it",), "a statement of deny-all denies it"),
        (("the organization's policies do not allow it",), "the organization's policies do not allow it"),
        ((), "no statement allows it"),
    ],
)
def test_the_summary_says_what_the_simulator_denies_and_why(denied_by: tuple[str, ...], words: str) -> None:
    """The fix is applied, and the finding stays what it is."""
    setup = Setup(config=SIMULATING)
    setup.simulator.answers = [decisions(is_allowed=False, denied_by=denied_by)]
    outcome = setup.handle()
    assert outcome.result is FixResult.APPLIED
    assert outcome.summary == f"{ATTACH}. IAM's policy simulator denies sqs:ReceiveMessage on {QUEUE_ARN} ({words})."
    assert len(setup.simulator.asked) == 4
    assert setup.store.one().status is a_finding().status


def test_a_denial_is_asked_again_since_the_change_may_not_have_propagated() -> None:
    """The second answer counts."""
    setup = Setup(config=SIMULATING)
    setup.simulator.answers = [decisions(is_allowed=False), decisions()]
    assert setup.handle().summary.endswith("allows what was missing.")
    assert len(setup.simulator.asked) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            Unread("iam:SimulatePrincipalPolicy", "AccessDenied", "no", denied=True),
            UNREADABLE,
        ),
        (
            decisions(is_allowed=False, missing_keys=("aws:SourceVpc",)),
            DEPENDS,
        ),
        (
            decisions(missing_keys=("aws:SourceVpc",)),
            DEPENDS,
        ),
        (decisions()[1:], f"Unknown to IAM's policy simulator: sqs:ReceiveMessage on {QUEUE_ARN} (no answer)."),
    ],
)
def test_what_the_simulator_does_not_say_is_unknown(answer: Any, words: str) -> None:
    """It is neither a success nor a failed fix."""
    setup = Setup(config=SIMULATING)
    setup.simulator.answers = [answer]
    outcome = setup.handle()
    assert (outcome.result, outcome.summary) == (FixResult.APPLIED, f"{ATTACH}. {words}")
    assert setup.stop.opened == Breaker()


def test_the_simulator_is_asked_after_the_mapping_and_not_while_that_waits() -> None:
    """A fix that is not at its end has no result."""
    config = GuardConfig(fixes=Fixes(simulate=True, enable_mappings=True))
    setup = disabled(config=config)
    assert setup.handle().summary == (
        f"{ATTACH}, then enable {MAPPING_SUBJECT}. IAM's policy simulator allows what was missing."
    )
    waiting = disabled(config=config, stop=stopped_after(2))
    waiting.handle()
    assert waiting.simulator.asked == []


def test_a_fix_of_an_earlier_version_asks_nothing() -> None:
    """Its record does not say what was missing."""
    setup = Setup(config=SIMULATING)
    crash_at_write(setup, 2)
    with pytest.raises(Killed):
        setup.handle()
    held = setup.store.one()
    setup.store.put(replace(held, fix=replace(fix_of(held), rests_on={})))
    setup.simulator.asked.clear()
    assert handle_later(setup).result is FixResult.APPLIED
    assert setup.simulator.asked == []
