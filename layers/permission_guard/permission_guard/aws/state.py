"""Read everything one scope needs to know of one function, as a snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.event_sources import event_source_of
from permission_guard.execution_role import sources_in_question
from permission_guard.model import Function, FunctionTarget, Role, Scope, Snapshot, Unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.aws.functions import FunctionReader
    from permission_guard.aws.roles import RoleReader
    from permission_guard.aws.source_policies import SourcePolicyReader
    from permission_guard.iam import Policy
    from permission_guard.model import EventSourceMapping

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
            "dynamodb:GetResourcePolicy",
            "kinesis:GetResourcePolicy",
            "sqs:GetQueueAttributes",
        },
    ),
}
"""The IAM actions that a snapshot of each scope takes; a test holds the roles in template.yaml to them."""


class StateReader:
    """Reads snapshots. Make one for each batch, so that what it remembers is as young as the batch.

    It remembers what serves several functions: the event source mappings of the account, roles, policies of sources.
    """

    def __init__(self, functions: FunctionReader, roles: RoleReader, sources: SourcePolicyReader) -> None:
        self._functions = functions
        self._roles = roles
        self._sources = sources
        self._forget()

    def snapshot(self, target: FunctionTarget, scope: Scope) -> Snapshot:
        """Read what `scope` needs; what cannot be read is in the snapshot as Unread, nothing raises."""
        function = self._functions.function(target.arn)
        if function is None:
            return Snapshot(target, None)
        if scope is Scope.INVOKE_POLICY:
            return Snapshot(target, function, resource_policies=self._functions.resource_policies(target))
        mappings = self._mappings_of(target)
        names = {mapping.function_arn for mapping in mappings} if not isinstance(mappings, Unread) else set()
        versions = {
            arn: function if arn == target.arn else self._functions.function(arn) for arn in {*names, target.arn}
        }
        role_arns = {version.role_arn for version in versions.values() if isinstance(version, Function)}
        snapshot = Snapshot(
            target,
            function,
            mappings=mappings,
            versions=versions,
            roles={arn: self._role(arn) for arn in role_arns},
        )
        policies = {arn: self._source_policy(arn, target) for arn in _sources_in_question(snapshot)}
        return replace(snapshot, source_policies=policies)

    def snapshot_for_fix(self, target: FunctionTarget, scope: Scope) -> Snapshot:
        """Read what `scope` needs afresh, with the function's tags, which say whether it may be changed."""
        self._forget()
        return replace(self.snapshot(target, scope), tags=self._functions.tags(target))

    def _forget(self) -> None:
        self._seen_mappings: Mapping[str, tuple[EventSourceMapping, ...]] | Unread | None = None
        self._seen_roles: dict[str, Role | Unread | None] = {}
        self._seen_policies: dict[str, Policy | Unread | None] = {}

    def _mappings_of(self, target: FunctionTarget) -> tuple[EventSourceMapping, ...] | Unread:
        # Read at the first snapshot and not before, so that it is younger than every look of the batch.
        if self._seen_mappings is None:
            self._seen_mappings = self._functions.mappings()
        if isinstance(self._seen_mappings, Unread):
            return self._seen_mappings
        return self._seen_mappings.get(target.arn, ())

    def _role(self, arn: str) -> Role | Unread | None:
        if arn not in self._seen_roles:
            self._seen_roles[arn] = self._roles.role(arn)
        return self._seen_roles[arn]

    def _source_policy(self, arn: str, target: FunctionTarget) -> Policy | Unread | None:
        if arn not in self._seen_policies:
            self._seen_policies[arn] = self._sources.policy(arn, target)
        return self._seen_policies[arn]


def _sources_in_question(snapshot: Snapshot) -> Iterator[str]:
    """Yield the resources whose own policies have to be read to tell whether the mappings can be polled."""
    if isinstance(snapshot.mappings, Unread):
        return
    for mapping in snapshot.mappings:
        source = event_source_of(mapping)
        version = snapshot.versions[mapping.function_arn]
        role = snapshot.roles.get(version.role_arn) if isinstance(version, Function) else None
        if source and isinstance(role, Role) and not mapping.is_off_on_purpose:
            yield from sources_in_question(source.needs(mapping), role, mapping.function_arn)
