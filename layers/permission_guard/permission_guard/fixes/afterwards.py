"""What follows a fix once AWS shows its change: enable a mapping, and ask IAM's policy simulator, where configured.

What undoes a fix disables the mapping again, before it takes back the change.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from permission_guard.errors import (
    FixingStoppedError,
    FixNotVisibleError,
    FixRefusedError,
    RoleNotReadyError,
    WriteFailedError,
)
from permission_guard.fixes.mappings import (
    READ,
    UPDATE,
    calls_to_disable,
    enabled_step,
    enabling,
    is_enabled,
    not_enabling,
    read_mapping,
    state_of,
    step_of,
    why_changed,
    with_mapping,
)
from permission_guard.fixes.recorder import fix_of
from permission_guard.fixes.simulation import region_of, simulate
from permission_guard.fixes.stop import count_failed_fix, why_stopped
from permission_guard.fixes.stoppable import StoppableMappingWriter
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.config.document import Fixes
    from permission_guard.fixes.base import Plan
    from permission_guard.fixes.mappings import MappingReader, MappingWriters
    from permission_guard.fixes.simulation import Simulator
    from permission_guard.fixes.stop import BreakerStore
    from permission_guard.model.findings import Finding, FixRecord, PlannedCall
    from permission_guard.model.state import EventSourceMapping, Snapshot
    from permission_guard.model.targets import JSON

READS: Final = frozenset({"iam:SimulatePrincipalPolicy", READ})
"""The IAM actions that this reads with."""
WRITES: Final = frozenset({UPDATE})
"""The IAM actions that this writes with."""

PROPAGATION: Final = timedelta(minutes=5)
"""For how long after its plan a role that Lambda still rejects is taken for one whose change has not propagated."""


@record
class Followed:
    """What followed: the record of the fix with it, and more of the state after it.

    `stopped` says why fixing is stopped. `waits` is true if that kept the mapping from being enabled: the fix is then
    not at its end.
    """

    fix: FixRecord
    after: Mapping[str, JSON]
    stopped: str = ""
    waits: bool = False


@record
class Afterwards:
    """Does what `config` says. `wait` sleeps for some seconds before each of the reads that `verify_after` lists."""

    config: Fixes
    mappings: MappingReader
    writers: MappingWriters
    simulator: Simulator
    stop: BreakerStore
    clock: Callable[[], str]
    wait: Callable[[float], None]
    verify_after: Sequence[float]

    def planned(self, plan: Plan, finding: Finding, snapshot: Snapshot) -> Plan:
        """Return a plan with what follows it."""
        return with_mapping(plan, finding, snapshot) if self.config.enable_mappings else plan

    def follow(self, finding: Finding, guard: Callable[[], None], save: Callable[[FixRecord], None]) -> Followed:
        """Do what follows the started fix of a finding.

        `guard` raises FixRefusedError if the mapping may not be enabled any more. `save` records what the next try must
        know. RetryableError when AWS does not show yet that the mapping is enabled, or something could not be read for
        now: the next try goes on here.
        """
        intent = fix_of(finding)
        step = step_of(intent)
        followed = Followed(intent, {}) if step is None else self._enable(finding, step, guard, save)
        if followed.waits or not self.config.simulate:
            return followed
        answer = simulate(intent, region_of(finding.function_arn), self.simulator, self.wait, self.verify_after[1:])
        return replace(followed, fix=_with_note(followed.fix, answer)) if answer else followed

    def undo_calls(self, fix: FixRecord) -> tuple[PlannedCall, ...]:
        """Return the calls that undo what followed a fix, as far as it still is so. They are made first.

        FixRefusedError or RetryableError if that cannot be read.
        """
        step = enabled_step(fix)
        return () if step is None else calls_to_disable(step, read_mapping(step, self.mappings))

    def undo(self, call: PlannedCall, finding_id: str) -> None:
        """Make one of the calls that undo what followed. FixingStoppedError if fixing is stopped."""
        writer = StoppableMappingWriter(self.writers.for_finding(finding_id), self.stop)
        writer.disable_mapping(call.parameters["UUID"])

    def state(self, fix: FixRecord) -> Mapping[str, JSON]:
        """Return the current state of what followed a fix; RetryableError when it cannot be read."""
        step = enabled_step(fix)
        return {} if step is None else state_of(read_mapping(step, self.mappings), step)

    def _enable(
        self,
        finding: Finding,
        step: Mapping[str, JSON],
        guard: Callable[[], None],
        save: Callable[[FixRecord], None],
    ) -> Followed:
        """Enable the mapping if nothing has changed, and verify it. One that is enabled needs no call."""
        intent = fix_of(finding)
        if is_enabled(mapping := read_mapping(step, self.mappings)):
            return _followed(intent, mapping, step)
        if not self.config.enable_mappings:
            return self._not_enabled(intent, step, "fixes.enable_mappings is false")
        try:
            guard()
        except FixRefusedError as error:
            return self._not_enabled(intent, step, str(error))
        try:
            return self._write(finding, step, save)
        except WriteFailedError as error:
            # The role has what it lacked, so the fix is applied. The failed write still counts.
            count_failed_fix(self.stop, finding.id, finding.revision, self.clock())
            return replace(self._not_enabled(intent, step, str(error)), stopped=why_stopped(self.stop))

    def _write(self, finding: Finding, step: Mapping[str, JSON], save: Callable[[FixRecord], None]) -> Followed:
        """Enable the mapping. That the fix does so is recorded before: a later try cannot see who enabled it."""
        intent, writer = fix_of(finding), StoppableMappingWriter(self.writers.for_finding(finding.id), self.stop)
        rejected: RoleNotReadyError | None = None
        for delay in self.verify_after:
            self.wait(delay)
            mapping = read_mapping(step, self.mappings)  # again: a person may have changed it since
            if is_enabled(mapping):
                return _followed(intent, mapping, step)
            if changed := why_changed(step, mapping):
                return self._not_enabled(intent, step, changed)
            save(intent := enabling(intent, step))
            try:
                writer.enable_mapping(step["uuid"])
            except FixingStoppedError as error:
                save(intent := not_enabling(intent, step))
                return Followed(intent, {}, str(error), waits=True)
            except RoleNotReadyError as error:
                rejected = error
                save(intent := not_enabling(intent, step))
                continue
            return self._verified(intent, step)
        if rejected and datetime.fromisoformat(self.clock()) - datetime.fromisoformat(intent.at) > PROPAGATION:
            raise rejected
        raise FixNotVisibleError(f"Lambda does not see the change of the role yet: {rejected}")

    def _verified(self, intent: FixRecord, step: Mapping[str, JSON]) -> Followed:
        for delay in self.verify_after:
            self.wait(delay)
            mapping = read_mapping(step, self.mappings)
            if is_enabled(mapping):
                return _followed(intent, mapping, step)
        raise FixNotVisibleError(f"AWS does not show yet that the mapping is enabled. Undo: {intent.undo}")

    def _not_enabled(self, intent: FixRecord, step: Mapping[str, JSON], reason: str) -> Followed:
        """Return a fix whose change is applied, and whose mapping stays as it is."""
        fix = not_enabling(intent, step)
        after = state_of(read_mapping(step, self.mappings), step)
        return Followed(_with_note(fix, f"The mapping was not enabled: {reason}"), after)


def _followed(fix: FixRecord, mapping: EventSourceMapping, step: Mapping[str, JSON]) -> Followed:
    """Return a fix whose mapping is enabled, by it or by somebody else."""
    noted = fix if fix.enabled_mapping else _with_note(fix, "Somebody else enabled the mapping")
    return Followed(noted, state_of(mapping, step))


def _with_note(fix: FixRecord, note: str) -> FixRecord:
    return replace(fix, summary=f"{fix.summary.rstrip('.')}. {note}")
