"""Base class of the rules on an execution role itself, which check each role of the function once."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from permission_guard.model.state import Unread
from permission_guard.model.targets import Direction
from permission_guard.rules.base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.verdicts import Verdict

ROLE_READS = frozenset({"lambda:GetFunctionConfiguration", "lambda:ListEventSourceMappings", "iam:GetRole"})
"""The actions for finding and reading the roles of a function and of its versions with event source mappings."""
POLICY_READS = frozenset(
    {
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:GetRolePolicy",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
    }
)
"""The additional actions for reading the policies of a role; without one of them a role counts as unread."""


class RoleRule(Rule):
    """A rule that checks each role that the function, or a version of it that was read, uses."""

    direction = Direction.EXECUTION_ROLE
    reads: ClassVar[frozenset[str]] = ROLE_READS | POLICY_READS
    subjects: ClassVar[str] = "role"

    @abstractmethod
    def check_role(self, role: Role | None, role_arn: str, snapshot: Snapshot) -> Iterable[Verdict]:
        """Yield a verdict for each subject of a role that was read; None is a role that does not exist."""

    def about(self, role_arn: str) -> str:
        """Return the subject of an unknown verdict on a whole role."""
        return f"{self.subjects}/{role_arn}"

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield the verdicts on each role."""
        arn = snapshot.target.arn
        parts = (snapshot.mappings, snapshot.invoke_configs, *snapshot.versions.values())
        unread = [part for part in parts if isinstance(part, Unread)]
        for reason in dict.fromkeys(map(str, unread)):
            yield self.unknown(arn, f"{self.subjects}/*", reason)
        for role_arn in roles_of(snapshot):
            role = snapshot.roles.get(role_arn)
            if isinstance(role, Unread):
                yield self.unknown(arn, self.about(role_arn), str(role), role_arn=role_arn if self.of_role else "")
            else:
                yield from self.check_role(role, role_arn, snapshot)


def roles_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the role ARNs of the function and of its versions that were read, the function's own role first."""
    first = snapshot.target.arn
    ordered = sorted(snapshot.role_arns.items(), key=lambda item: (item[0] != first, item[0]))
    return tuple(dict.fromkeys(role_arn for _, role_arn in ordered))
