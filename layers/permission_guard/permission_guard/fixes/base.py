"""What every fix is: a plan made from a fresh snapshot, and the one change that carries it out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.iam import Policy
    from permission_guard.model import JSON, Finding, Snapshot, Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One change to make: what it is, what it touches now, and the command that takes it back."""

    summary: str
    role_name: str
    policy_arn: str
    before: Mapping[str, JSON] = field(default_factory=dict)
    undo: str = ""


class PolicySource(Protocol):
    """Where a managed policy's document is read from."""

    def managed_policy(self, arn: str) -> Policy | Unread:
        """Read the default version of a managed policy."""


class Writer(Protocol):
    """The writes that fixes may make."""

    def attach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Attach a managed policy to a role."""


class Fix(Protocol):
    """A way to put findings of some rules right. `writes` names the IAM actions it takes."""

    name: ClassVar[str]
    rule_ids: ClassVar[frozenset[str]]
    writes: ClassVar[frozenset[str]]

    def plan(self, finding: Finding, snapshot: Snapshot, policies: PolicySource) -> Plan:
        """Return what to do about a finding that the snapshot still shows; FixRefusedError says why nothing."""

    def apply(self, plan: Plan, writer: Writer) -> None:
        """Carry the plan out."""

    def state(self, finding: Finding, snapshot: Snapshot) -> Mapping[str, JSON]:
        """Return what the fix touches as the snapshot shows it, for the record of before and after."""
