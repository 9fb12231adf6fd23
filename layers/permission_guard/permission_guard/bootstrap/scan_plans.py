"""The composition root of the plans of a scan: how fixes would change an account, planned as the bot plans them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.readers.fix_state import LiveFixState
from permission_guard.aws.readers.invoke_policies import InvokePolicyReader
from permission_guard.aws.readers.regions import EnabledRegions
from permission_guard.aws.readers.role_users import RoleUsers
from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.aws.readers.stacks import AccountStacks
from permission_guard.aws.sessions import client_of
from permission_guard.bootstrap.threads import thread_pool
from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.findings.checkpoint import Checkpoint
from permission_guard.findings.lifecycle import advanced
from permission_guard.fixes import fix_for
from permission_guard.fixes.mappings import with_mapping
from permission_guard.fixes.planner import Planner
from permission_guard.fixes.plans import proposal
from permission_guard.fixes.policy_lists import PolicyLists
from permission_guard.model.findings import FixRecord, FixResult, Transition
from permission_guard.model.verdicts import Outcome
from permission_guard.records import record
from permission_guard.rules import RULES
from permission_guard.rules.configured import configured

if TYPE_CHECKING:
    from permission_guard.aws.sessions import Session
    from permission_guard.config.document import Fixes, GuardConfig
    from permission_guard.fixes.base import Fix, Plan
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import Direction, FunctionTarget

_NO_MEMORY: Final = "Who changes the function and its role, such as Terraform: a scan sees no CloudTrail events."


class _Nothing:
    """What a scan remembers of earlier checks."""

    def checkpoint(self, _target: FunctionTarget, _direction: Direction) -> Checkpoint:
        """Return an empty checkpoint."""
        return Checkpoint()


@record
class _Follows:
    """What the configuration has follow a fix."""

    config: Fixes

    def planned(self, plan: Plan, finding: Finding, snapshot: Snapshot) -> Plan:
        """Return a plan with what follows it."""
        return with_mapping(plan, finding, snapshot) if self.config.enable_mappings else plan


@record
class _Read:
    """The state as the scan read it."""

    snapshot: Snapshot

    def snapshot_for_fix(self, _target: FunctionTarget, _direction: Direction) -> Snapshot:
        """Return it."""
        return self.snapshot


class ScanPlanner:
    """Plans the fixes of findings in one account and region. Nothing is written."""

    def __init__(self, session: Session, region: str, config: GuardConfig) -> None:
        self._config = config
        self._rules = {rule.id: rule for rule in configured(RULES, config)}

        @cache
        def client_in(service: str, wanted: str) -> Any:
            return client_of(session, service, wanted)

        regions = EnabledRegions(lambda: client_in("ec2", region))
        self._state = LiveFixState(
            client_in("iam", region),
            AccountStacks(regions, lambda wanted: client_in("cloudformation", wanted), thread_pool),
            RoleUsers(regions, lambda wanted: client_in("lambda", wanted), thread_pool),
            SourceReader(lambda service: client_in(service, region)),
            InvokePolicyReader(client_in("lambda", region)),
            lists=PolicyLists((), config.fixes.policies),
            no_external_sources=config.fixes.no_external_sources,
        )

    def planned(self, finding: Finding, snapshot: Snapshot, now: str) -> Finding:
        """Return a finding with the plan of its fix, or why there is none; unchanged if its rule has no fix.

        `snapshot` is the state of the rule's direction, with the function's tags. `now` is ISO-8601 in UTC.
        """
        fix = fix_for(finding.rule_id)
        if fix is None or finding.role_arn:
            return finding
        try:
            fix_record = self._plan(fix, finding, snapshot, now)
        except (FixRefusedError, RetryableError) as error:
            fix_record = FixRecord(name=fix.name, result=FixResult.REFUSED, summary=str(error), at=now, attempts=0)
            return replace(finding, fix=fix_record)
        return replace(advanced(finding, Transition.FIX_PROPOSED, now), fix=fix_record)

    def _plan(self, fix: Fix, finding: Finding, snapshot: Snapshot, now: str) -> FixRecord:
        planner = Planner(
            self._rules, self._config, _Read(snapshot), self._state, _Nothing(), _Follows(self._config.fixes)
        )
        target = snapshot.target
        _, verdict = planner.check(target, finding)
        if verdict is None or verdict.outcome is Outcome.PASS:
            raise FixRefusedError("The problem no longer exists.")
        planned = proposal(fix, planner.plan(target, fix, finding, snapshot, verdict), at=now, attempts=0)
        return replace(planned, unknowns=(*planned.unknowns, _NO_MEMORY))
