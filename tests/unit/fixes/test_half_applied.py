"""A fix of which a part was applied is finished as it was planned, or it is refused and says how to undo that part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.config.document import Fixes, GuardConfig
from permission_guard.config.settings import FixMode
from permission_guard.model.findings import FixResult
from permission_guard.model.state import Function, Role
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
from tests.unit.fixes.test_fixer_stopped import STOPPED

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
    """The process is killed after its first write."""

    is_killed: bool = False

    def attach_role_policy(self, role_name: str, policy_arn: str) -> None:
        super().attach_role_policy(role_name, policy_arn)
        if not self.is_killed:
            self.is_killed = True
            raise Killed


def half_applied(mode: FixMode) -> Setup:
    """Return a setup in which one of the two policies of a plan was attached."""
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
    with pytest.raises(Killed):
        setup.handle(finding_id=VPC_FINDING)
    assert state.attached == BOTH[:1]
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


def test_the_rest_is_not_applied_while_fixing_is_stopped() -> None:
    """The record keeps what undoes the part, and the outcome says that fixing is stopped."""
    setup = half_applied(FixMode.AUTO)
    setup.stop = InMemoryStop(switched=STOPPED)
    outcome = setup.handle(finding_id=VPC_FINDING)
    assert "fixing is stopped" in outcome.stopped
    assert_refused(setup, "fixing is stopped")


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
