"""Read everything one scope needs to know of one function, as a snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.model import Function, FunctionTarget, Role, Scope, Snapshot, Unread

if TYPE_CHECKING:
    from permission_guard.aws.functions import FunctionReader
    from permission_guard.aws.roles import RoleReader

READS: dict[Scope, frozenset[str]] = {
    Scope.INVOKE_POLICY: frozenset(
        {
            "lambda:GetFunctionConfiguration",
            "lambda:GetPolicy",
            "lambda:ListAliases",
            "lambda:ListVersionsByFunction",
        },
    ),
    Scope.EXECUTION_ROLE: frozenset(
        {
            "lambda:GetFunctionConfiguration",
            "lambda:ListEventSourceMappings",
            "iam:GetRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:GetRolePolicy",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
        },
    ),
}
"""The IAM actions that a snapshot of each scope takes; a test holds the roles in template.yaml to them."""


class StateReader:
    """Reads snapshots. Make one for each batch, so that what it remembers of a role is as young as the batch."""

    def __init__(self, functions: FunctionReader, roles: RoleReader) -> None:
        self._functions = functions
        self._roles = roles
        self._seen_roles: dict[str, Role | Unread | None] = {}

    def snapshot(self, target: FunctionTarget, scope: Scope) -> Snapshot:
        """Read what `scope` needs; what cannot be read is in the snapshot as Unread, nothing raises."""
        function = self._functions.function(target.arn)
        if function is None:
            return Snapshot(target, None)
        if scope is Scope.INVOKE_POLICY:
            return Snapshot(target, function, resource_policies=self._functions.resource_policies(target))
        mappings = self._functions.mappings(target)
        names = {mapping.function_arn for mapping in mappings} if not isinstance(mappings, Unread) else set()
        versions = {
            arn: function if arn == target.arn else self._functions.function(arn) for arn in {*names, target.arn}
        }
        role_arns = {version.role_arn for version in versions.values() if isinstance(version, Function)}
        return Snapshot(
            target,
            function,
            mappings=mappings,
            versions=versions,
            roles={arn: self._role(arn) for arn in role_arns},
        )

    def snapshot_for_fix(self, target: FunctionTarget, scope: Scope) -> Snapshot:
        """Read what `scope` needs afresh, with the function's tags, which say whether it may be changed."""
        self._seen_roles.clear()
        return replace(self.snapshot(target, scope), tags=self._functions.tags(target))

    def _role(self, arn: str) -> Role | Unread | None:
        if arn not in self._seen_roles:
            self._seen_roles[arn] = self._roles.role(arn)
        return self._seen_roles[arn]
