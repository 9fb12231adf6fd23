"""What a fix needs to know in addition to a snapshot, without a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.roles import RoleReader

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

    from permission_guard.aws.readers.stacks import AccountStacks
    from permission_guard.iam import Policy
    from permission_guard.model.state import Role, Unread


class LiveFixState:
    """Reads from IAM and CloudFormation."""

    def __init__(self, iam: IAMClient, stacks: AccountStacks) -> None:
        self._iam = iam
        self._stacks = stacks

    def managed_policy(self, arn: str) -> Policy | Unread:
        """Read the default version of a managed policy."""
        return RoleReader(self._iam).managed_policy(arn)

    def role(self, arn: str) -> Role | Unread | None:
        """Read a role, None if it does not exist."""
        return RoleReader(self._iam).role(arn)

    def stack_of(self, physical_id: str) -> str | Unread | None:
        """Return the CloudFormation stack that owns a resource, None if no stack does."""
        return self._stacks.stack_of(physical_id)
