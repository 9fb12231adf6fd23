"""Read everything one scope needs to know of one function, as a snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.event_sources import event_source_of
from permission_guard.execution_role import sources_in_question
from permission_guard.iam import FUNCTION_URL_KEYS
from permission_guard.model import (
    STACK_TAG,
    Function,
    FunctionTarget,
    ManagedBy,
    ResourcePolicy,
    Role,
    Scope,
    Snapshot,
    Unread,
)
from permission_guard.triggers import source_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from permission_guard.aws.functions import FunctionReader
    from permission_guard.aws.inventories import InventoryReader
    from permission_guard.aws.organization import OrganizationReader
    from permission_guard.aws.roles import RoleReader
    from permission_guard.aws.source_policies import SourcePolicyReader
    from permission_guard.iam import Policy
    from permission_guard.model import EventSourceMapping
    from permission_guard.triggers import Inventory


class StateReader:
    """Reads snapshots. Make one for each batch, so that what it remembers is as young as the batch.

    It remembers what serves several functions: the event source mappings of the account, roles, policies of sources.
    What is set up to invoke functions serves longer than a batch: `inventories` remembers that itself.
    """

    def __init__(
        self,
        functions: FunctionReader,
        roles: RoleReader,
        sources: SourcePolicyReader,
        inventories: Callable[[], InventoryReader],
        organization: OrganizationReader,
    ) -> None:
        self._functions = functions
        self._roles = roles
        self._sources = sources
        self._inventories = inventories
        self._organization = organization
        self._forget()

    def snapshot(self, target: FunctionTarget, scope: Scope, *, not_before: float = 0.0) -> Snapshot:
        """Read what `scope` needs; what cannot be read is in the snapshot as Unread, nothing raises.

        Inventories are read after `not_before`, in seconds since 1970.
        """
        function = self._functions.function(target.arn)
        if function is None:
            return Snapshot(target, None)
        if scope is Scope.INVOKE_POLICY:
            return self._who_may_invoke(target, function, not_before)
        return self._what_the_role_allows(target, function)

    def managed_by(self, target: FunctionTarget) -> ManagedBy | Unread | None:
        """Return the stack that a function belongs to: CloudFormation tags what it makes, and nobody else may."""
        tags = self._functions.tags(target)
        if isinstance(tags, Unread):
            return tags
        return ManagedBy("cloudformation", tags[STACK_TAG]) if STACK_TAG in tags else None

    def _who_may_invoke(self, target: FunctionTarget, function: Function | Unread, not_before: float) -> Snapshot:
        policies = self._functions.resource_policies(target)
        reader = self._inventories()
        inventories = reader.read(target, not_before)
        documents = [policy.document for policy in policies if isinstance(policy, ResourcePolicy)]
        statements = [statement for document in documents for statement in document.statements]
        conditions = [condition for statement in statements for condition in statement.conditions]
        by_url = any(text.lower() == "lambda:invokefunctionurl" for item in statements for text in item.action_texts)
        keys = {condition.key for condition in conditions}
        sources = (text for condition in conditions if condition.key == "aws:sourcearn" for text in condition.texts)
        return Snapshot(
            target,
            function,
            resource_policies=policies,
            function_urls=self._functions.function_urls(target) if by_url or keys & FUNCTION_URL_KEYS else None,
            own_organization=self._organization.own_organization() if keys & _ORGANIZATION_KEYS else None,
            inventories=inventories,
            foreign_buckets={
                bucket: reader.bucket_exists(bucket, not_before) for bucket in _foreign_buckets(sources, inventories)
            },
        )

    def _what_the_role_allows(self, target: FunctionTarget, function: Function | Unread) -> Snapshot:
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


_ORGANIZATION_KEYS = frozenset({"aws:sourceorgid", "aws:sourceorgpaths", "aws:principalorgid", "aws:principalorgpaths"})


def _foreign_buckets(patterns: Iterable[str], inventories: Iterable[Inventory]) -> set[str]:
    """Return the buckets that are named and are not among those of the account."""
    own = next((inventory.sources for inventory in inventories if inventory.name == "s3"), None)
    named = {source_named(pattern) for pattern in patterns}
    return {arn for arn in named if arn and ":s3:::" in arn and not isinstance(own, Unread | None) and arn not in own}


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
