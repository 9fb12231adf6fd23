"""Plan a fix from the current state: read it, evaluate the finding's rule, and let the guards refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.checks.engine import evaluate
from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.findings.lifecycle import verdict_about
from permission_guard.fixes.guards import Managers, guard_managed_elsewhere
from permission_guard.fixes.restore import removals
from permission_guard.fixes.reverted import reverted_fixes
from permission_guard.model.findings import FixResult
from permission_guard.model.state import Role
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.config.document import GuardConfig
    from permission_guard.findings.checkpoint import Checkpoint
    from permission_guard.findings.role_permissions import RolePermissions
    from permission_guard.fixes.base import Fix, FixState, Plan
    from permission_guard.fixes.stores import FixStateSource
    from permission_guard.model.findings import Finding, RevertedFix
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import FunctionTarget
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule


class Checkpoints(Protocol):
    """What the last check of each function left."""

    def checkpoint(self, target: FunctionTarget, direction: Direction) -> Checkpoint:
        """Return it, an empty one if there is none. It is incomplete if it cannot be read."""


class WhatFollows(Protocol):
    """What a plan does besides the fix."""

    def planned(self, plan: Plan, finding: Finding, snapshot: Snapshot) -> Plan:
        """Return a plan with what follows it."""


@record
class Planner:
    """Plans the fixes of findings. `rules` are all rules by id."""

    rules: Mapping[str, Rule]
    config: GuardConfig
    source: FixStateSource
    fix_state: FixState
    store: Checkpoints
    afterwards: WhatFollows

    def check(self, target: FunctionTarget, finding: Finding) -> tuple[Snapshot, Verdict | None]:
        """Read the current state and evaluate the finding's rule; the verdict is None if the subject was deleted."""
        rule = self.rules[finding.rule_id]
        snapshot = self.source.snapshot_for_fix(target, rule.direction)
        return snapshot, verdict_about(finding, evaluate(snapshot, (rule,)).verdicts)

    def guard_managed(self, target: FunctionTarget, finding: Finding, snapshot: Snapshot, verdict: Verdict) -> None:
        """Refuse what a tool outside CloudFormation manages. What else is wrong with the role, the fix says."""
        direction = self.rules[finding.rule_id].direction
        role = snapshot.roles.get(verdict.evidence.get("role_arn", ""))
        if not isinstance(role, Role):
            if direction is Direction.EXECUTION_ROLE:
                return
            role = None
        checkpoint = self.store.checkpoint(target, direction)
        callers = checkpoint.callers if checkpoint.is_complete else None
        guard_managed_elsewhere(Managers(self.config.fixes.managed_elsewhere, callers), finding, snapshot, role)

    def plan(self, target: FunctionTarget, fix: Fix, finding: Finding, snapshot: Snapshot, verdict: Verdict) -> Plan:
        """Plan a fix for the problem in the snapshot; FixRefusedError when the verdict is unknown.

        RetryableError if a temporary error is the cause, because a refused fix is not retried.
        """
        temporary = [unread for unread in snapshot.unread if not unread.denied]
        if temporary and (verdict.outcome is Outcome.UNKNOWN or snapshot.tags in temporary):
            raise RetryableError(f"Unknown for now whether the problem still exists: {temporary[0]}")
        if verdict.outcome is Outcome.UNKNOWN:
            raise FixRefusedError(f"Unknown whether the problem still exists: {verdict.reason}")
        rule = self.rules[finding.rule_id]
        self.guard_managed(target, finding, snapshot, verdict)
        plan = fix.plan(finding, snapshot, self.fix_state, lambda state: evaluate(state, (rule,)).verdicts)
        return self.afterwards.planned(plan, finding, snapshot)

    def reverted(self, target: FunctionTarget, fix: Fix, finding: Finding, plan: Plan) -> tuple[RevertedFix, ...]:
        """Return which fixes of the finding were taken back; RetryableError if the role cannot be read."""
        last = finding.fix
        is_applied = last is None or last.result is not FixResult.APPLIED or fix.is_applied(last.change, self.fix_state)
        permissions = self.permissions(target, finding)
        return reverted_fixes(last, removals(plan, permissions), is_applied=is_applied)

    def permissions(self, target: FunctionTarget, finding: Finding) -> RolePermissions:
        """Return what earlier checks remember of the permissions of the function's roles."""
        return self.store.checkpoint(target, self.rules[finding.rule_id].direction).permissions
