"""The roles and users of an account with their policies, as frozen records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.iam import Policy
    from permission_guard.model.state import Unread

SERVICE_LINKED = ":role/aws-service-role/"
"""The path of service-linked roles. Only AWS creates them, and nobody can change their policies."""


@record
class Identity:
    """A role or user with all of its own policies, and those of its groups.

    `policies` are named as people know them: by the ARN of a managed policy, by the name of an inline policy, and with
    `group NAME: ` before both for those of a group. `boundary_arn` is None if there is no permissions boundary.
    `trust_policy` is None for a user.
    """

    arn: str
    tags: Mapping[str, str]
    policies: Mapping[str, Policy | Unread]
    boundary_arn: str | None = None
    boundary: Policy | Unread | None = None
    trust_policy: Policy | None = None

    @property
    def is_role(self) -> bool:
        """Whether it is a role."""
        return self.trust_policy is not None

    @property
    def is_service_linked(self) -> bool:
        """Whether it is a service-linked role."""
        return SERVICE_LINKED in self.arn


@record
class AccountIdentities:
    """All roles and users of an account, sorted by ARN. `unread` is why they could not be read, None if they were."""

    account: str
    identities: tuple[Identity, ...] = field(default=(), repr=False)
    unread: Unread | None = None
