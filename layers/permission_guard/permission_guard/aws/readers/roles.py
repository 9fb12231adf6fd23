"""Read roles with all their policies."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from permission_guard.aws.calls import read
from permission_guard.iam import Policy, parse_policy
from permission_guard.iam.arn import account_of
from permission_guard.model.arns import role_name
from permission_guard.model.state import Role, Unread
from permission_guard.model.targets import RoleTarget

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_iam import IAMClient

    from permission_guard.model.targets import PolicyTarget

MAX_AGE_SECONDS = 15 * 60
"""For how long the document of an AWS managed policy is cached."""


class AwsManagedPolicies:
    """The documents of AWS managed policies, cached for 15 minutes across batches.

    Only AWS can change them, and does so a few times a year. Customer managed policies are never cached, because a
    check may be about a change of one. `clock` returns seconds. Unlike `time.monotonic`, it must continue while the
    execution environment is frozen.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._read_at: dict[str, tuple[float, Policy]] = {}

    def recall(self, arn: str) -> Policy | None:
        """Return a cached document. None if there is none, or it is too old."""
        found = self._read_at.get(arn)
        if found is None or not 0 <= self._clock() - found[0] < MAX_AGE_SECONDS:
            return None
        return found[1]

    def keep(self, arn: str, document: Policy) -> None:
        """Cache a document that was just read, if AWS owns the policy."""
        if account_of(arn) == "aws":
            self._read_at[arn] = (self._clock(), document)


class RoleReader:
    """Reads roles from IAM. It caches managed policies until `forget`."""

    def __init__(self, client: IAMClient, aws_managed: AwsManagedPolicies | None = None) -> None:
        self._iam = client
        self._aws_managed = aws_managed or AwsManagedPolicies()
        self._managed: dict[str, Policy | Unread] = {}

    def forget(self) -> None:
        """Drop the cache, except for AWS managed policies."""
        self._managed = {}

    def role(self, arn: str) -> Role | Unread | None:
        """Read a role with the documents of its policies and its boundary. None if it does not exist."""
        name = role_name(arn)
        reply = read("iam:GetRole", lambda: self._iam.get_role(RoleName=name))
        if reply is None or isinstance(reply, Unread):
            return reply
        attached = self._attached(name)
        inline = self._inline(name)
        if attached is None or inline is None:  # The role was deleted between the calls.
            return None
        if isinstance(attached, Unread):
            return attached
        if isinstance(inline, Unread):
            return inline
        role = reply["Role"]
        boundary_arn = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return Role(
            arn=role["Arn"],
            name=role["RoleName"],
            path=role["Path"],
            tags={tag["Key"]: tag["Value"] for tag in role.get("Tags", [])},
            trust_policy=parse_policy(role["AssumeRolePolicyDocument"], name="trust policy"),
            attached=attached,
            inline=inline,
            boundary_arn=boundary_arn,
            boundary=self.managed_policy(boundary_arn) if boundary_arn else None,
        )

    def managed_policy(self, arn: str) -> Policy | Unread:
        """Read the default version of a managed policy."""
        if arn not in self._managed:
            self._managed[arn] = self._aws_managed.recall(arn) or self._read_managed(arn)
        return self._managed[arn]

    def roles_of_policy(self, policy: PolicyTarget) -> tuple[RoleTarget, ...]:
        """List the roles that have a managed policy attached or as their boundary. A denied call raises."""
        # Without PolicyUsageFilter, IAM lists both usages.
        pages = self._iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=policy.arn, EntityFilter="Role")
        try:
            names = [role["RoleName"] for page in pages for role in page["PolicyRoles"]]
        except (
            self._iam.exceptions.NoSuchEntityException
        ):  # The policy does not exist. IAM deletes no policy that a role has.
            return ()
        return tuple(RoleTarget(policy.account, name) for name in names)

    def _attached(self, name: str) -> dict[str, Policy | Unread] | Unread | None:
        def call() -> list[str]:
            pages = self._iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
            return [policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"]]

        arns = read("iam:ListAttachedRolePolicies", call)
        if arns is None or isinstance(arns, Unread):
            return arns
        return {arn: self.managed_policy(arn) for arn in arns}

    def _inline(self, name: str) -> dict[str, Policy | Unread] | Unread | None:
        def call() -> list[str]:
            pages = self._iam.get_paginator("list_role_policies").paginate(RoleName=name)
            return [policy for page in pages for policy in page["PolicyNames"]]

        names = read("iam:ListRolePolicies", call)
        if names is None or isinstance(names, Unread):
            return names
        found = {policy: self._read_inline(name, policy) for policy in names}
        return {policy: document for policy, document in found.items() if document is not None}

    def _read_inline(self, role: str, policy: str) -> Policy | Unread | None:
        reply = read("iam:GetRolePolicy", lambda: self._iam.get_role_policy(RoleName=role, PolicyName=policy))
        if reply is None or isinstance(reply, Unread):
            return reply
        return parse_policy(reply["PolicyDocument"], name=policy)

    def _read_managed(self, arn: str) -> Policy | Unread:
        head = read("iam:GetPolicy", lambda: self._iam.get_policy(PolicyArn=arn))
        if isinstance(head, Unread):
            return head
        if head is None:
            return Unread("iam:GetPolicy", "NoSuchEntity", f"{arn} does not exist", denied=False)
        version = head["Policy"]["DefaultVersionId"]
        reply = read("iam:GetPolicyVersion", lambda: self._iam.get_policy_version(PolicyArn=arn, VersionId=version))
        if isinstance(reply, Unread):
            return reply
        if reply is None:
            return Unread("iam:GetPolicyVersion", "NoSuchEntity", f"{arn} has no version {version}", denied=False)
        document = parse_policy(reply["PolicyVersion"]["Document"], name=arn)
        self._aws_managed.keep(arn, document)
        return document
