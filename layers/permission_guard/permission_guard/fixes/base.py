"""What every fix is: a plan made from a fresh snapshot, and the one change that carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.iam import Policy
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Role, Snapshot, Unread
    from permission_guard.model.targets import JSON


@record(kw_only=True)
class Plan:
    """One change to make, in words and as the call that makes it; what it touches now; how to take it back."""

    summary: str
    change: Mapping[str, JSON]
    before: Mapping[str, JSON]
    undo: str


class FixState(Protocol):
    """What a fix has to know besides the snapshot."""

    def managed_policy(self, arn: str) -> Policy | Unread:
        """Read the default version of a managed policy."""

    def role(self, arn: str) -> Role | Unread | None:
        """Read a role afresh, None when it does not exist."""

    def stack_of(self, physical_id: str) -> str | Unread | None:
        """Return the CloudFormation stack that owns a resource, None when none does."""


class Writer(Protocol):
    """The writes that fixes may make."""

    def attach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Attach a managed policy to a role."""


class Fix(Protocol):
    """A way to put findings of some rules right.

    `reads` and `writes` name the IAM actions it takes besides those of the rules. A plan's `change` is all that
    `apply`, `state` and `is_made` need: it is what is remembered of a fix that was cut short.
    """

    name: ClassVar[str]
    rule_ids: ClassVar[frozenset[str]]
    reads: ClassVar[frozenset[str]]
    writes: ClassVar[frozenset[str]]

    def plan(self, finding: Finding, snapshot: Snapshot, fix_state: FixState) -> Plan:
        """Return what to do about a finding that the snapshot still shows.

        FixRefusedError says why nothing; RetryableError when that cannot be told this time.
        """

    def apply(self, change: Mapping[str, JSON], writer: Writer) -> None:
        """Carry the change out."""

    def state(self, change: Mapping[str, JSON], fix_state: FixState) -> Mapping[str, JSON]:
        """Return what the change touches as it is now; RetryableError when that cannot be read."""

    def is_made(self, change: Mapping[str, JSON], fix_state: FixState) -> bool:
        """Tell whether AWS shows the change; RetryableError when that cannot be read."""
