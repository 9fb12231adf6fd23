"""Why a function is checked, and what the check found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.findings import Cause
from permission_guard.records import field, record

if TYPE_CHECKING:
    from permission_guard.checks.role_findings import Roles
    from permission_guard.findings.callers import Caller
    from permission_guard.findings.lifecycle import Change
    from permission_guard.model.role_permissions import RoleChange
    from permission_guard.model.state import DeniedCall, Unread
    from permission_guard.model.targets import FunctionTarget
    from permission_guard.rules.report import Report


@record
class CheckRequest:
    """Why a function is checked.

    `event_ids` are those of the events that led to it; `tool` is the infrastructure code that made the change, where an
    event names it. `requested_at` is when the check was requested, in seconds since 1970: what is read once for many
    functions, such as all triggers, is read after it. `after_grace_period` is true where nothing was changed just now:
    rules with a grace period then report. A `full` check also reads which other functions use the function's roles.
    `denied_calls` are the calls about the function that AWS denied, and `role_changes` the calls that can have removed
    permissions from its roles. `changed_by` is the ARN of who made the last change, `changed_from` the address and
    `changed_with` the user agent of that call, `changed_event` the id of its event and `changed_in` the event's region,
    where an event names them. `iam_change` is true if a role or a policy was changed: until IAM propagates that, a read
    can have the old state. `baseline` is true for a check that only the first sweep requested: one digest reports its
    findings. `redelivered` is true if a message was delivered before: its check may have been recorded, and have ended
    before it requested other checks. `callers` are all who made a change.
    """

    event_ids: tuple[str, ...] = ()
    tool: str = ""
    changed_by: str = ""
    changed_from: str = ""
    changed_with: str = ""
    changed_in: str = ""
    changed_event: str = ""
    requested_at: float = 0.0
    after_grace_period: bool = False
    full: bool = False
    denied_calls: tuple[DeniedCall, ...] = ()
    role_changes: tuple[RoleChange, ...] = ()
    iam_change: bool = False
    baseline: bool = False
    redelivered: bool = False
    # A check that is requested again does not carry them.
    callers: tuple[Caller, ...] = field(default=(), compare=False)

    @property
    def cause(self) -> Cause:
        """What led to the changes that the check finds."""
        return Cause(
            self.event_ids,
            self.changed_by,
            self.changed_from,
            self.changed_with,
            event_id=self.changed_event,
            region=self.changed_in,
        )


@record
class CheckResult:
    """What a check found. `stale` is true where another check was recorded meanwhile, so that nothing was written.

    `recheck` is the check that has to follow after the grace period: a new violation waits for it, IAM still has to
    propagate a change, or AWS still creates or updates the function. `related` are functions to check because this one
    began or ceased to share their role. `unreadable` are the ids of recorded findings that cannot be read: they stay as
    they are.
    """

    target: FunctionTarget
    report: Report
    changes: tuple[Change, ...]
    unread: tuple[Unread, ...]
    stale: bool
    recheck: CheckRequest | None = None
    related: tuple[FunctionTarget, ...] = ()
    unreadable: frozenset[str] = frozenset()
    roles: Roles | None = None
