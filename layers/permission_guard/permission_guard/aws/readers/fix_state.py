"""What a fix needs to know in addition to a snapshot, without a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.calls import read
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.findings.exceptions import names_function
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_iam import IAMClient

    from permission_guard.aws.readers.invoke_events import InvokeEvents
    from permission_guard.aws.readers.invoke_policies import InvokePolicyReader
    from permission_guard.aws.readers.role_users import RoleUsers
    from permission_guard.aws.readers.sources.reader import SourceReader
    from permission_guard.aws.readers.stacks import AccountStacks
    from permission_guard.fixes.invoke_policies import InvokePolicy
    from permission_guard.fixes.policy_lists import PolicyLists
    from permission_guard.iam import Policy
    from permission_guard.model.invoke_events import InvokeCaller, NotRecorded
    from permission_guard.model.state import Role
    from permission_guard.model.targets import FunctionTarget


class LiveFixState:
    """Reads from IAM, CloudFormation, Lambda and the services of resources.

    `lists` says which policies may be attached, and `replaces_policies` whether a resource-based policy may be
    replaced. No source of another account invokes the functions that `no_external_sources` names, with globs. For the
    others `invoke_events` may say so.
    """

    def __init__(
        self,
        iam: IAMClient,
        stacks: AccountStacks,
        users: RoleUsers,
        sources: SourceReader,
        policies: InvokePolicyReader,
        *,
        lists: PolicyLists,
        no_external_sources: tuple[str, ...] = (),
        invoke_events: InvokeEvents | None = None,
        replaces_policies: bool = False,
    ) -> None:
        self._iam = iam
        self._stacks = stacks
        self._users = users
        self._sources = sources
        self._policies = policies
        self._lists = lists
        self._no_external_sources = no_external_sources
        self._invoke_events = invoke_events
        self._replaces_policies = replaces_policies

    def policy_lists(self) -> PolicyLists:
        """Return which policies may be attached."""
        return self._lists

    def resource_tags(self, arn: str, target: FunctionTarget) -> Mapping[str, str] | Unread | None:
        """Read the tags of a resource that a function uses. None if AWS lists none, or not for such a resource."""
        self._sources.forget()
        return self._sources.resource_tags(arn, target)

    def managed_policy(self, arn: str) -> Policy | Unread:
        """Read the default version of a managed policy."""
        return RoleReader(self._iam).managed_policy(arn)

    def role(self, arn: str) -> Role | Unread | None:
        """Read a role, None if it does not exist."""
        return RoleReader(self._iam).role(arn)

    def policies_per_role(self) -> int | Unread:
        """Return how many managed policies a role of the account can have.

        https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html
        """
        reply = read("iam:GetAccountSummary", self._iam.get_account_summary)
        if isinstance(reply, Unread):
            return reply
        quota = reply["SummaryMap"].get("AttachedPoliciesPerRoleQuota") if reply else None
        return quota or Unread("iam:GetAccountSummary", "NotFound", "no quota in the reply", denied=False)

    def stack_of(self, physical_id: str) -> str | Unread | None:
        """Return the CloudFormation stack that owns a resource, None if no stack does."""
        return self._stacks.stack_of(physical_id)

    def stack_in_region(self, physical_id: str) -> str | Unread | None:
        """Return the stack of the own region that owns a resource: a permission is in the region of its function."""
        return self._stacks.stack_in_own_region(physical_id)

    def functions_of_role(self, role_arn: str) -> tuple[str, ...] | Unread:
        """Return the ARNs of the functions that run with a role, in all enabled regions."""
        return self._users.functions_of(role_arn)

    def invoke_policy(self, resource_arn: str) -> InvokePolicy | Unread:
        """Read the resource-based policy of a function, version or alias with its revision."""
        return self._policies.policy(resource_arn)

    def sees_every_source(self, target: FunctionTarget) -> bool:
        """Return whether the configuration says that no source of another account invokes a function."""
        return names_function(self._no_external_sources, target)

    def invoke_callers(self, target: FunctionTarget) -> tuple[InvokeCaller, ...] | NotRecorded | None:
        """Return who invoked a function within 30 days, None if no log group has CloudTrail's data events."""
        return self._invoke_events.callers(target) if self._invoke_events else None

    def replaces_policies(self) -> bool:
        """Return whether fixes may replace a whole resource-based policy."""
        return self._replaces_policies
