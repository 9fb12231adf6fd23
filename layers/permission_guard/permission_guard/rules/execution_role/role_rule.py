"""What the rules on an execution role itself have in common: each role that the function runs with is judged once."""

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
"""What it takes to find the roles, a function's and those of the versions that are polled for, and to read them."""
POLICY_READS = frozenset(
    {
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:GetRolePolicy",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
    }
)
"""What it takes besides to read the policies of a role: one that has none of them read is not read at all."""


class RoleRule(Rule):
    """A question about each role with which the function, or a version of it that was read, runs."""

    direction = Direction.EXECUTION_ROLE
    reads: ClassVar[frozenset[str]] = ROLE_READS | POLICY_READS
    subjects: ClassVar[str] = "role"

    @abstractmethod
    def judge(self, role: Role | None, role_arn: str, snapshot: Snapshot) -> Iterable[Verdict]:
        """Yield a verdict for each subject of a role that was read; None is one that does not exist."""

    def about(self, role_arn: str) -> str:
        """Return the subject of what cannot be told of one role."""
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
                yield self.unknown(arn, self.about(role_arn), str(role))
            else:
                yield from self.judge(role, role_arn, snapshot)


def roles_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the ARNs of the roles of the function and of its versions that were read, the function's own first."""
    first = snapshot.target.arn
    ordered = sorted(snapshot.role_arns.items(), key=lambda item: (item[0] != first, item[0]))
    return tuple(dict.fromkeys(role_arn for _, role_arn in ordered))
