"""What was read about one function, for an explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.model.state import ResourcePolicy, Unread
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.identities import AccountIdentities
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import FunctionTarget

_GET_POLICY: Final = "lambda:GetPolicy"


@record(kw_only=True)
class FunctionState:
    """The state of one function: both snapshots, and the roles and users of its account.

    `qualifier` limits the explanation to a version or an alias; None for everything. `runs` is None if what the
    execution role needs was not read. `aliases` are the names of its aliases, and `versions` the numbers of its
    published versions, None if they were not read. `tags` are None if they were not read.
    """

    target: FunctionTarget
    invokes: Snapshot
    runs: Snapshot | None
    identities: AccountIdentities
    qualifier: str | None = None
    aliases: tuple[str, ...] | Unread | None = None
    versions: tuple[str, ...] | Unread | None = None
    tags: Mapping[str, str] | Unread | None = field(default=None)

    @property
    def arn(self) -> str:
        """The ARN in question. `$LATEST` is the function itself."""
        return self.target.arn if self.qualifier in (None, "$LATEST") else f"{self.target.arn}:{self.qualifier}"

    @property
    def resource_arns(self) -> tuple[str, ...]:
        """The ARNs in question: the one with the qualifier or, without one, of the function and all that are known."""
        if self.qualifier is not None:
            return (self.arn,)
        found = {policy.resource_arn: None for policy in self.policies}
        if isinstance(self.aliases, tuple):
            found |= {f"{self.target.arn}:{alias}": None for alias in self.aliases}
        return (self.target.arn, *sorted(arn for arn in found if arn != self.target.arn))

    @property
    def other_versions(self) -> tuple[str, ...] | None:
        """The ARNs of versions that are not in `resource_arns`, None if which versions there are was not read."""
        if not isinstance(self.versions, tuple):
            return None
        known = set(self.resource_arns)
        arns = (f"{self.target.arn}:{version}" for version in self.versions)
        return tuple(arn for arn in arns if arn not in known)

    @property
    def policies(self) -> tuple[ResourcePolicy, ...]:
        """The resource-based policies that were read."""
        return tuple(one for one in self.invokes.resource_policies if isinstance(one, ResourcePolicy))

    def policy_of(self, resource_arn: str) -> ResourcePolicy | Unread | None:
        """Return the policy of an ARN. Each version and alias has its own; None if there is none."""
        for policy in self.policies:
            if policy.resource_arn == resource_arn:
                return policy
        parts = self.invokes.resource_policies
        return next((one for one in parts if isinstance(one, Unread) and one.action == _GET_POLICY), None)
