"""The protocol of a fix: it plans one change of a role or of a resource-based policy, and applies it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

from permission_guard.model.state import Snapshot
from permission_guard.model.verdicts import Verdict
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.fixes.certificate import Certificate
    from permission_guard.fixes.invoke_policies import InvokePolicy
    from permission_guard.fixes.policy_lists import PolicyLists
    from permission_guard.iam import Policy
    from permission_guard.model.findings import Finding, PlannedCall
    from permission_guard.model.invoke_events import InvokeCaller, NotRecorded
    from permission_guard.model.role_permissions import Permission
    from permission_guard.model.state import Role, Unread
    from permission_guard.model.targets import JSON, FunctionTarget


@record(kw_only=True)
class Plan:
    """One change: in words, as calls to AWS, the state that they change, and the command that undoes it.

    `change` is what the fix needs to apply the plan. `calls` are the exact calls that it then makes. `before` is the
    state that they change, and `expected` that state afterwards. `rests_on` are the facts that make the plan right.
    They and `before` are equal for the same state in AWS, so they contain no times. `unknowns` say what is not known.
    `missing` are the permissions that the finding is about. `grants` are all permissions that the change allows a role;
    None if they cannot be listed. `shared_by` are the ARNs of all functions that it concerns, empty if that is one.
    `leads_to` is the snapshot after the change. `narrows` is whether nothing is allowed after it that was not before.
    `approval` says why a person has to approve it in the mode `auto` too, empty if nobody has to.
    `certificate` says whether the change allows exactly what it should: a plan without one, or whose certificate does
    not hold, is refused.
    """

    summary: str
    change: Mapping[str, JSON]
    calls: tuple[PlannedCall, ...]
    before: Mapping[str, JSON]
    expected: Mapping[str, JSON]
    rests_on: Mapping[str, JSON]
    unknowns: tuple[str, ...]
    undo: str
    missing: tuple[Permission, ...]
    grants: tuple[Permission, ...] | None
    shared_by: tuple[str, ...] = ()
    leads_to: Snapshot | None = None
    narrows: bool = False
    approval: str = ""
    certificate: Certificate | None = None


@record
class Rest:
    """What is left of a change of which a part was applied, and the state as it would be without that part.

    `done` are the calls of the plan that are in effect.
    """

    change: Mapping[str, JSON]
    snapshot: Snapshot
    done: tuple[PlannedCall, ...]


Check = Callable[[Snapshot], Sequence[Verdict]]
"""Returns what the finding's rule says about a state."""


Shows = Callable[[Callable[[], bool]], bool]
"""Waits for AWS to show something; returns whether it does in time."""


class FixState(Protocol):
    """The state that a fix reads besides the snapshot."""

    def managed_policy(self, arn: str) -> Policy | Unread:
        """Read the default version of a managed policy."""

    def policy_lists(self) -> PolicyLists:
        """Return which policies may be attached."""

    def resource_tags(self, arn: str, target: FunctionTarget) -> Mapping[str, str] | Unread | None:
        """Read the tags of a resource that a function uses. None if AWS lists none."""

    def role(self, arn: str) -> Role | Unread | None:
        """Read a role without a cache; None when it does not exist."""

    def policies_per_role(self) -> int | Unread:
        """Return how many managed policies a role of the account can have."""

    def stack_of(self, physical_id: str) -> str | Unread | None:
        """Return the CloudFormation stack that owns a resource, None if no stack does."""

    def stack_in_region(self, physical_id: str) -> str | Unread | None:
        """Return the CloudFormation stack of the function's own region that owns a resource, None if none does."""

    def functions_of_role(self, role_arn: str) -> tuple[str, ...] | Unread:
        """Return the ARNs of all functions that run with a role, in every enabled region."""

    def invoke_policy(self, resource_arn: str) -> InvokePolicy | Unread:
        """Read the resource-based policy of a function, version or alias with its revision, without a cache."""

    def sees_every_source(self, target: FunctionTarget) -> bool:
        """Return whether no source of another account invokes a function, as `fixes.no_external_sources` says."""

    def invoke_callers(self, target: FunctionTarget) -> tuple[InvokeCaller, ...] | NotRecorded | None:
        """Return who invoked a function within 30 days; NotRecorded if an event may be missing.

        None if the parameter `InvokeEventsLogGroupArn` names no log group with CloudTrail's data events.
        """

    def replaces_policies(self) -> bool:
        """Return whether fixes may replace a whole resource-based policy: the parameter `AtomicNarrowing`."""


class Writer(Protocol):
    """The writes that fixes may make."""

    def attach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Attach a managed policy to a role."""

    def detach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Detach a managed policy from a role; detaching what is not attached changes nothing."""

    def add_permission(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Add a statement to a resource-based policy that has a revision, empty if there is no policy.

        `parameters` are those of AddPermission. RetryableError if the policy has another revision by now.
        """

    def remove_permission(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Remove a statement. The parameters are those of RemovePermission, the errors those of `add_permission`."""

    def put_resource_policy(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Replace a policy. The parameters are those of PutResourcePolicy, the errors those of `add_permission`."""


class Writers(Protocol):
    """Makes the writers of fixes."""

    def for_finding(self, finding_id: str) -> Writer:
        """Return a writer whose calls name a finding in CloudTrail."""


class Fix(Protocol):
    """A fix for the findings of some rules.

    `reads` and `writes` are the IAM actions that it requires besides those of the rules. `is_safe`: in the mode `auto`
    it is applied; one that is not only if the rule itself is set to `auto`. `apply`, `state` and `is_applied` need only
    a plan's `change`, which is recorded: so an interrupted fix can be finished. What undoes it needs the state before
    it besides, which is recorded too.
    """

    name: ClassVar[str]
    rule_ids: ClassVar[frozenset[str]]
    reads: ClassVar[frozenset[str]]
    writes: ClassVar[frozenset[str]]
    is_safe: ClassVar[bool]

    def plan(self, finding: Finding, snapshot: Snapshot, fix_state: FixState, check: Check) -> Plan:
        """Return the plan for a finding that the snapshot still shows. `check` evaluates what the plan leads to.

        FixRefusedError with the reason if there is none; RetryableError when state could not be read for now.
        """

    def apply(self, change: Mapping[str, JSON], writer: Writer, fix_state: FixState, shows: Shows) -> None:
        """Apply the change; calls that are in effect are not made again.

        `shows` waits for the effect of a call, where the next one needs it. RetryableError if that is not seen, or the
        state is not the one of the plan any more: what is left is then planned again.
        """

    def rest(
        self, change: Mapping[str, JSON], before: Mapping[str, JSON], snapshot: Snapshot, fix_state: FixState
    ) -> Rest | None:
        """Return what is left of a change of which a part was applied since `before`, None if nothing was.

        Also if the snapshot no longer has what was changed. RetryableError when the state cannot be read.
        """

    def state(self, change: Mapping[str, JSON], fix_state: FixState) -> Mapping[str, JSON]:
        """Return the current state that the change affects; RetryableError when it cannot be read."""

    def is_applied(self, change: Mapping[str, JSON], fix_state: FixState) -> bool:
        """Return whether AWS shows the change; RetryableError when that cannot be read."""

    def guard_undo(self, change: Mapping[str, JSON], account: str, fix_state: FixState) -> None:
        """Refuse to undo a change of what the bot must not change; the function is guarded besides.

        FixRefusedError with the reason; RetryableError when state could not be read for now.
        """

    def undo_calls(
        self, change: Mapping[str, JSON], before: Mapping[str, JSON], fix_state: FixState
    ) -> tuple[PlannedCall, ...]:
        """Return the calls that undo a change: what the change made of the state `before` it, as far as it still is so.

        None of them touches what others changed since. FixRefusedError if the record does not say what to restore;
        RetryableError when the state cannot be read.
        """

    def undo(self, call: PlannedCall, change: Mapping[str, JSON], writer: Writer, fix_state: FixState) -> None:
        """Make one of the calls that undo a change. RetryableError if the state is not the one of the plan any more."""
