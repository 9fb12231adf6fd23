"""A fix of which a part was applied is finished as it was planned, or it is refused and says how to undo that part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.config.document import Fixes, GuardConfig
from permission_guard.config.settings import FixMode
from permission_guard.delivery.finding_messages import compose
from permission_guard.errors import RetryableError, WriteFailedError
from permission_guard.fixes.decisions import DecisionKind
from permission_guard.model.findings import FixResult
from permission_guard.model.state import Function, Role, Unread
from permission_guard.model.verdicts import finding_id
from tests.fakes import (
    FUNCTION_ARN,
    ROLE_ARN,
    TARGET,
    InMemoryFindings,
    InMemoryState,
    InMemoryStop,
    a_finding,
    a_policy,
    a_role,
    allow,
    polling,
)
from tests.unit.fixes.test_fixer import Killed, Setup, fix_of
from tests.unit.fixes.test_fixer_stopped import RESUMED, STOPPED, WHY, stopped, stopped_after

if TYPE_CHECKING:
    from collections.abc import Callable

INTERFACES_ARN = "arn:aws:iam::aws:policy/service-role/AWSLambdaENIManagementAccess"
VPC_ARN = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"
BOTH = [("orders-role", INTERFACES_ARN), ("orders-role", VPC_ARN)]
VPC_FINDING = finding_id("PG205", FUNCTION_ARN, "vpc-access")
IN_A_VPC = Function(
    arn=TARGET.arn, name=TARGET.name, role_arn=ROLE_ARN, configuration={"VpcConfig": {"SubnetIds": ["subnet-1"]}}
)


@dataclass
class KilledAfterOne(InMemoryState):
    """The process is killed after the next write, if `kills`."""

    kills: bool = False

    def attach_role_policy(self, role_name: str, policy_arn: str) -> None:
        super().attach_role_policy(role_name, policy_arn)
        if self.kills:
            self.kills = False
            raise Killed


def half_applied(mode: FixMode) -> Setup:
    """Return a setup in which one of the two policies of a plan was attached, and then the process was killed."""
    setup = planned(mode)
    assert isinstance(setup.state, KilledAfterOne)
    setup.state.kills = True
    with pytest.raises(Killed):
        setup.handle(finding_id=VPC_FINDING)
    assert setup.state.attached == BOTH[:1]
    return setup


def planned(mode: FixMode) -> Setup:
    """Return a setup in which a plan of two policies is about to be applied."""
    state = KilledAfterOne(
        replace(polling(a_role()), function=IN_A_VPC, versions={FUNCTION_ARN: IN_A_VPC}, mappings=()),
        {
            INTERFACES_ARN: a_policy(allow("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces")),
            VPC_ARN: a_policy(allow("ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")),
        },
    )
    found = a_finding(id=VPC_FINDING, rule_id="PG205", subject="vpc-access", evidence={"role_arn": ROLE_ARN})
    store = InMemoryFindings()
    store.put(found)
    setup = Setup(mode, state=state, store=store)
    if mode is FixMode.APPROVE:
        setup.handle(finding_id=VPC_FINDING)
        setup.decide()
    return setup


@pytest.mark.parametrize("mode", [FixMode.AUTO, FixMode.APPROVE])
def test_the_rest_is_applied_and_the_record_is_that_of_the_whole(mode: FixMode) -> None:
    """Planned again, the first policy would count as the state before, and nothing would undo it."""
    setup = half_applied(mode)
    decided_by = fix_of(setup.store.one()).decided_by
    assert setup.handle(finding_id=VPC_FINDING).result is FixResult.APPLIED
    fix = fix_of(setup.store.one())
    assert setup.state.attached == BOTH
    assert fix.before == {"role_arn": ROLE_ARN, "attached_policies": []}
    assert fix.after == {"role_arn": ROLE_ARN, "attached_policies": [INTERFACES_ARN, VPC_ARN]}
    assert (fix.attempts, fix.decided_by) == (1, decided_by)
    assert INTERFACES_ARN in fix.undo
    assert VPC_ARN in fix.undo


def assert_waits(setup: Setup) -> None:
    """One of two policies is attached, nothing is lost, and the record says what was done and what was not."""
    assert stopped(setup.handle(finding_id=VPC_FINDING))
    fix = fix_of(setup.store.one())
    assert setup.state.attached == BOTH[:1]
    assert (fix.result, fix.lease_until, fix.before["attached_policies"]) == (FixResult.APPLYING, "", [])
    assert fix.last_summary == fix.progress
    assert fix.progress == (
        f"Fixing was stopped in between. Done: iam:AttachRolePolicy orders-role, {INTERFACES_ARN}. "
        f"Not done until it is resumed: iam:AttachRolePolicy orders-role, {VPC_ARN}."
    )
    assert INTERFACES_ARN in fix.undo
    assert VPC_ARN in fix.undo


def assert_finished(setup: Setup) -> None:
    """After the resume the rest is attached, under the same attempt, and the record is that of the whole."""
    setup.stop.switched = RESUMED
    transitions, places = setup.transitions, dict(setup.store.fixes)
    assert setup.handle(finding_id=VPC_FINDING).result is FixResult.APPLIED
    fix = fix_of(setup.store.one())
    assert setup.state.attached == BOTH
    assert fix.before == {"role_arn": ROLE_ARN, "attached_policies": []}
    assert (fix.attempts, fix.progress) == (1, "")
    assert fix.summary.startswith(f"attach {INTERFACES_ARN} and {VPC_ARN}")
    assert (len(setup.transitions), setup.store.fixes) == (len(transitions) + 1, places)


@pytest.mark.parametrize("mode", [FixMode.AUTO, FixMode.APPROVE])
def test_a_stop_after_a_crash_keeps_the_rest_from_being_applied_until_a_resume(mode: FixMode) -> None:
    """However often it is tried."""
    setup = half_applied(mode)
    setup.stop = InMemoryStop(switched=STOPPED)
    assert_waits(setup)
    assert_waits(setup)
    assert_finished(setup)


@pytest.mark.parametrize("mode", [FixMode.AUTO, FixMode.APPROVE])
def test_a_stop_between_two_policies_keeps_the_second_one_from_being_attached(mode: FixMode) -> None:
    """The stop is read before each call: the third read is the one before the second policy."""
    setup = planned(mode)
    setup.stop = stopped_after(2)
    assert_waits(setup)
    assert_waits(setup)
    assert_finished(setup)


def test_a_part_that_aws_does_not_show_while_fixing_is_stopped_is_not_forgotten() -> None:
    """Released and planned again later, that part would count as the state before."""
    setup = planned(FixMode.AUTO)
    setup.stop = stopped_after(2)
    assert_waits(setup)
    shown = setup.state.state
    setup.state.state = replace(shown, roles={ROLE_ARN: replace(_role(setup), attached={})})
    assert_waits(setup)
    setup.state.state = shown
    assert_finished(setup)


def test_each_policy_has_its_read_of_the_stop() -> None:
    """One read before the place of the hour, and one before each of the two calls."""
    setup = planned(FixMode.AUTO)
    assert setup.handle(finding_id=VPC_FINDING).result is FixResult.APPLIED
    assert (setup.stop.reads, setup.state.attached) == (3, BOTH)


def _role(setup: Setup) -> Role:
    role = setup.state.state.roles[ROLE_ARN]
    assert isinstance(role, Role)
    return role


def _tag(setup: Setup) -> None:
    tagged = replace(_role(setup), tags={"permission-guard:fix": "never"})
    setup.state.state = replace(setup.state.state, roles={ROLE_ARN: tagged})


def _turn_off(setup: Setup) -> None:
    setup.config = GuardConfig(fixes=Fixes(mode=FixMode.OFF))


def _attach_another(setup: Setup) -> None:
    other = {"arn:aws:iam::aws:policy/Other": a_policy(allow("s3:*"))}
    role = replace(_role(setup), attached={**_role(setup).attached, **other})
    setup.state.state = replace(setup.state.state, roles={ROLE_ARN: role})


def _leave_the_vpc(setup: Setup) -> None:
    outside = replace(IN_A_VPC, configuration={})
    setup.state.state = replace(setup.state.state, function=outside, versions={FUNCTION_ARN: outside})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_tag, "is tagged permission-guard:fix=never"),
        (_turn_off, "fixes.mode is off"),
        (_attach_another, "it would be planned otherwise now"),
        (_leave_the_vpc, "the problem no longer exists"),
    ],
    ids=["tagged", "off", "another state", "not needed"],
)
def test_the_rest_is_not_applied_under_other_circumstances(change: Callable[[Setup], None], reason: str) -> None:
    """The guards, the mode and the plan hold for the rest as for the whole."""
    setup = half_applied(FixMode.AUTO)
    change(setup)
    setup.handle(finding_id=VPC_FINDING)
    assert_refused(setup, reason)


def assert_refused(setup: Setup, reason: str) -> None:
    """Nothing more was attached, and the record says why and how to undo the part."""
    fix = fix_of(setup.store.one())
    assert setup.state.attached == BOTH[:1]
    assert fix.result is FixResult.REFUSED
    assert fix.summary.startswith("A part of the fix was applied, and the rest was not: ")
    assert reason in fix.summary
    assert INTERFACES_ARN in fix.summary.partition(" Undo: ")[2]
    assert fix.before == {"role_arn": ROLE_ARN, "attached_policies": []}
    assert compose(setup.store.one()).happened == (
        "The bot refused to finish a fix that it had started. Manual action required."
    )


def test_a_failed_fix_says_what_of_it_was_done() -> None:
    """AWS denies the second policy. Nobody would know of the first one, and only a person can detach it."""
    setup = planned(FixMode.AUTO)
    attach, denied = setup.state.attach_role_policy, "iam:AttachRolePolicy failed with AccessDenied: no"

    def attach_one(role_name: str, policy_arn: str) -> None:
        if setup.state.attached:
            raise WriteFailedError(denied)
        attach(role_name, policy_arn)

    setup.state.attach_role_policy = attach_one  # type: ignore[method-assign]
    outcome = setup.handle(finding_id=VPC_FINDING)
    assert (outcome.result, setup.state.attached) == (FixResult.FAILED, BOTH[:1])
    assert outcome.summary == f"{denied}. Done: iam:AttachRolePolicy orders-role, {INTERFACES_ARN}."
    assert INTERFACES_ARN in fix_of(setup.store.one()).undo


# ── Its undo ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_undo_that_is_stopped_between_two_calls_says_what_was_done_and_ends() -> None:
    """The next request undoes what is left."""
    setup = planned(FixMode.AUTO)
    setup.handle(finding_id=VPC_FINDING)
    setup.decide(DecisionKind.UNDO)
    setup.stop = stopped_after(2)
    outcome = setup.handle(finding_id=VPC_FINDING)
    assert (outcome.result, setup.state.detached) == (FixResult.REFUSED, BOTH[:1])
    assert outcome.summary == (
        f"{WHY}. Done: iam:DetachRolePolicy orders-role, {INTERFACES_ARN}. "
        f"Not done: iam:DetachRolePolicy orders-role, {VPC_ARN}. Resume fixing, and request the undo again."
    )
    setup.stop = InMemoryStop(switched=RESUMED)
    setup.decide(DecisionKind.UNDO)
    assert setup.handle(finding_id=VPC_FINDING).result is FixResult.UNDONE
    assert (setup.state.detached, _role(setup).attached) == (BOTH, {})


# ── The function has another role by now ────────────────────────────────────────────────────────────────────────────

OTHER_ROLE_ARN = "arn:aws:iam::123456789012:role/other"


@dataclass
class WithAnotherRole(InMemoryState):
    """The role that the function no longer uses is read by its ARN only."""

    left: Role | Unread | None = None

    def role(self, arn: str) -> Role | Unread | None:
        return self.left if arn == ROLE_ARN else super().role(arn)


def use_another_role(setup: Setup, *, allows: bool) -> WithAnotherRole:
    """Give the function another role. Its snapshot no longer has the one to which a part of the fix was applied."""
    function = replace(IN_A_VPC, role_arn=OTHER_ROLE_ARN)
    other = replace(_role(setup), arn=OTHER_ROLE_ARN, attached=dict(setup.state.managed) if allows else {})
    state = WithAnotherRole(
        replace(setup.state.state, function=function, versions={FUNCTION_ARN: function}, roles={OTHER_ROLE_ARN: other}),
        setup.state.managed,
        attached=setup.state.attached,
        left=_role(setup),
    )
    setup.state = state
    return state


def test_a_part_stays_known_when_the_function_has_changed_its_role() -> None:
    """The other role lacks nothing. The record says what was done to the first one, and what undoes it."""
    setup = half_applied(FixMode.AUTO)
    use_another_role(setup, allows=True)
    setup.handle(finding_id=VPC_FINDING)
    assert_refused(setup, "the problem no longer exists")


def test_the_fix_of_the_other_role_does_not_replace_the_record_of_the_part() -> None:
    """First the finding must be about the other role; then its fix would be another one."""
    setup = half_applied(FixMode.AUTO)
    use_another_role(setup, allows=False)
    with pytest.raises(RetryableError, match="the finding is about another role"):
        setup.handle(finding_id=VPC_FINDING)
    setup.store.put(replace(setup.store.one(), evidence={"role_arn": OTHER_ROLE_ARN}))
    setup.handle(finding_id=VPC_FINDING)
    assert_refused(setup, "it would be planned otherwise now")


def test_nothing_is_in_effect_when_the_role_was_deleted() -> None:
    """There is nothing to undo."""
    setup = half_applied(FixMode.AUTO)
    use_another_role(setup, allows=True).left = None
    outcome = setup.handle(finding_id=VPC_FINDING)
    assert (outcome.result, outcome.summary) == (
        FixResult.REFUSED,
        "The fix was started, but nothing of it is in effect: the problem no longer exists.",
    )


def test_a_role_that_cannot_be_read_is_tried_again() -> None:
    """In doubt nothing is recorded."""
    setup = half_applied(FixMode.AUTO)
    use_another_role(setup, allows=True).left = Unread("iam:GetRole", "Throttling", "Rate exceeded", denied=False)
    with pytest.raises(RetryableError, match="could not be read"):
        setup.handle(finding_id=VPC_FINDING)
    assert fix_of(setup.store.one()).result is FixResult.APPLYING
