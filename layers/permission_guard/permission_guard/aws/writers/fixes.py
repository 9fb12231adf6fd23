"""The writers of fixes, put together: all that they may change besides event source mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.aws.writers.invoke_policies import InvokePolicyWriter
    from permission_guard.aws.writers.roles import RoleWriter
    from permission_guard.model.targets import JSON


@record
class FixWriter:
    """Changes roles and resource-based policies."""

    roles: RoleWriter
    policies: InvokePolicyWriter

    def for_finding(self, finding_id: str) -> FixWriter:
        """Return a writer whose calls name a finding."""
        return FixWriter(self.roles.for_finding(finding_id), self.policies.for_finding(finding_id))

    def attach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Attach a managed policy to a role."""
        self.roles.attach_role_policy(role_name, policy_arn)

    def detach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Detach a managed policy from a role."""
        self.roles.detach_role_policy(role_name, policy_arn)

    def add_permission(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Add a statement to a resource-based policy."""
        self.policies.add_permission(parameters, revision)

    def remove_permission(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Remove a statement from a resource-based policy."""
        self.policies.remove_permission(parameters, revision)

    def put_resource_policy(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Replace a resource-based policy."""
        self.policies.put_resource_policy(parameters, revision)
