"""Read everything that the rules of one direction need to know about one function, as a snapshot.

What only one direction needs is imported at first use, to keep the cold start of the checkers short.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.model.state import STACK_TAG, ManagedBy, ResourcePolicy, Role, Snapshot, Unread
from permission_guard.model.targets import Direction, FunctionTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from permission_guard.aws.readers.functions import FunctionReader
    from permission_guard.aws.readers.inventories import InventoryReader
    from permission_guard.aws.readers.organization import OrganizationReader
    from permission_guard.aws.readers.roles import RoleReader
    from permission_guard.aws.readers.sources.reader import SourceReader
    from permission_guard.iam.conditions import Condition
    from permission_guard.model.state import DeniedCall, EventSourceMapping, Inventory


class StateReader:
    """Reads snapshots. Call `forget` before each batch, so that nothing cached is older than the batch.

    It caches what several functions share: the event source mappings of the account, and roles. `sources` caches
    queues, keys and similar resources. `inventories` keeps its cache longer than a batch.
    """

    def __init__(
        self,
        functions: FunctionReader,
        roles: RoleReader,
        sources: SourceReader,
        inventories: Callable[[], InventoryReader],
        organization: OrganizationReader,
    ) -> None:
        self._functions = functions
        self._roles = roles
        self._sources = sources
        self._inventories = inventories
        self._organization = organization
        self.forget()

    def snapshot(
        self,
        target: FunctionTarget,
        direction: Direction,
        *,
        not_before: float = 0.0,
        denied_calls: Sequence[DeniedCall] = (),
    ) -> Snapshot:
        """Read what `direction` needs. What cannot be read is in the snapshot as Unread; nothing raises.

        Inventories are read after `not_before`, in seconds since 1970. `denied_calls` are the calls about the function
        that AWS denied: what they need is read too, even if the function does not exist.
        """
        if direction is Direction.INVOKE_POLICY:
            return self._who_may_invoke(target, not_before)
        return self._what_the_roles_allow(target, denied_calls)

    def managed_by(self, target: FunctionTarget) -> ManagedBy | Unread | None:
        """Return the stack that a function belongs to, from the tag that only CloudFormation can set.

        SAM adds a tag of its own:
        https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
        """
        tags = self.tags(target)
        if isinstance(tags, Unread):
            return tags
        if STACK_TAG not in tags:
            return None
        return ManagedBy("sam" if tags.get("lambda:createdBy") == "SAM" else "cloudformation", tags[STACK_TAG])

    def tags(self, target: FunctionTarget) -> Mapping[str, str] | Unread:
        """Return the tags of a function, read once for a check."""
        if target not in self._cached_tags:
            self._cached_tags[target] = self._functions.tags(target)
        return self._cached_tags[target]

    def _who_may_invoke(self, target: FunctionTarget, not_before: float) -> Snapshot:
        # A function that was deleted and one without policies and URLs give the same answers here. So the function is
        # read after them: one that is deleted between the calls is deleted, and not one whose statements were removed.
        policies, urls = self._functions.resource_policies(target), self._functions.function_urls(target)
        function = self._functions.function(target.arn)
        if function is None:
            return Snapshot(target, None)
        reader = self._inventories()
        inventories = reader.read(target, not_before)
        documents = [policy.document for policy in policies if isinstance(policy, ResourcePolicy)]
        statements = [statement for document in documents for statement in document.statements]
        conditions = [condition for statement in statements for condition in statement.conditions]
        sources = (text for condition in conditions if condition.key == "aws:sourcearn" for text in condition.texts)
        return Snapshot(
            target,
            function,
            resource_policies=policies,
            function_urls=urls,
            own_organization=self._own_organization(conditions),
            inventories=inventories,
            foreign_buckets={
                bucket: reader.bucket_exists(bucket, not_before) for bucket in _foreign_buckets(sources, inventories)
            },
        )

    def _what_the_roles_allow(self, target: FunctionTarget, denied_calls: Sequence[DeniedCall]) -> Snapshot:
        snapshot = self._what_runs(target, denied_calls)
        if snapshot.function is None and not denied_calls:
            return snapshot
        running = set(snapshot.role_arns.values())
        named = {denied_call.role_arn for denied_call in denied_calls if _is_own_role(denied_call.role_arn, target)}
        roles = {arn: self._role(arn) for arn in sorted(running | named)}
        trusts = [role.trust_policy for role in roles.values() if isinstance(role, Role)]
        conditions = [item for trust in trusts for statement in trust.statements for item in statement.conditions]
        snapshot = replace(
            snapshot, roles=roles, denied_calls=tuple(denied_calls), own_organization=self._own_organization(conditions)
        )
        return self._with_denials(self._with_sources(snapshot))

    def _what_runs(self, target: FunctionTarget, denied_calls: Sequence[DeniedCall]) -> Snapshot:
        """Return the mappings and destinations of a function, with the versions behind them.

        The function is read after the destinations, because they are gone with it. Its mappings are not.
        """
        configs = self._functions.invoke_configs(target)
        function = self._functions.function(target.arn)
        if function is None:
            return Snapshot(target, None)
        mappings = self._mappings_of(target)
        arns = {target.arn, *(denied_call.function_arn for denied_call in denied_calls)}
        if not isinstance(mappings, Unread):
            arns |= {mapping.function_arn for mapping in mappings}
        if not isinstance(configs, Unread):
            arns |= {config.function_arn for config in configs if config.on_success or config.on_failure}
        versions = {arn: function if arn == target.arn else self._functions.function(arn) for arn in sorted(arns)}
        return Snapshot(target, function, mappings=mappings, versions=versions, invoke_configs=configs)

    def _with_sources(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot with the state and the policies of the resources that can change the outcome.

        A resource can lead to another one: an encrypted queue to its key, an access point to its file system.
        """
        from permission_guard.needs.of_snapshot import (  # noqa: PLC0415 - see the docstring of the module
            policies_to_read,
            states_to_read,
            tagged_resources,
        )

        for _ in range(_ROUNDS):
            states = {arn: self._sources.state(arn, snapshot.target) for arn in sorted(states_to_read(snapshot))}
            found = {arn: state for arn, state in states.items() if state is not None}
            if not found:
                break
            snapshot = replace(snapshot, sources={**snapshot.sources, **found})
        policies = {arn: self._sources.policy(arn, snapshot.target) for arn in sorted(policies_to_read(snapshot))}
        tags = {arn: self._sources.resource_tags(arn, snapshot.target) for arn in sorted(tagged_resources(snapshot))}
        known = {arn: found for arn, found in tags.items() if found is not None}
        return replace(snapshot, source_policies=policies, resource_tags=known)

    def _with_denials(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot with what the organization denies the roles, where AWS reports a denial."""
        from permission_guard.needs.of_snapshot import denied_by_aws  # noqa: PLC0415 - see the docstring of the module

        roles = dict(snapshot.roles)
        for arn, requests in denied_by_aws(snapshot).items():
            role = roles[arn]
            if isinstance(role, Role):
                denials = self._organization.denied(role.arn, requests, snapshot.target.region)
                roles[arn] = replace(role, denied_by_organization=denials)
        return replace(snapshot, roles=roles)

    def _own_organization(self, conditions: Iterable[Condition]) -> str | Unread | None:
        """Return the own organization if a condition depends on it, else None."""
        depends = any(condition.key in _ORGANIZATION_KEYS for condition in conditions)
        return self._organization.own_organization() if depends else None

    def snapshot_for_fix(self, target: FunctionTarget, direction: Direction) -> Snapshot:
        """Read what `direction` needs without a cache, with the function's tags: they say whether a fix is allowed.

        Inventories are at most a minute old: a fix reads several times what is large in some accounts.
        """
        self.forget()
        not_before = time.time() - _FRESH_SECONDS
        return replace(self.snapshot(target, direction, not_before=not_before), tags=self._functions.tags(target))

    def forget(self) -> None:
        """Drop the caches, except for those that are valid for longer than a batch."""
        self._cached_mappings: Mapping[str, tuple[EventSourceMapping, ...]] | Unread | None = None
        self._cached_roles: dict[str, Role | Unread | None] = {}
        self._cached_tags: dict[FunctionTarget, Mapping[str, str] | Unread] = {}
        self._roles.forget()
        self._sources.forget()
        self._organization.forget()

    def _mappings_of(self, target: FunctionTarget) -> tuple[EventSourceMapping, ...] | Unread:
        # They are read at the first snapshot, so that they are newer than the start of every check of the batch.
        if self._cached_mappings is None:
            self._cached_mappings = self._functions.mappings()
        if isinstance(self._cached_mappings, Unread):
            return self._cached_mappings
        return self._cached_mappings.get(target.arn, ())

    def _role(self, arn: str) -> Role | Unread | None:
        if arn not in self._cached_roles:
            self._cached_roles[arn] = self._roles.role(arn)
        return self._cached_roles[arn]


_FRESH_SECONDS = 60.0

_ROUNDS = 3
"""How often a resource may lead to another one. Two are known."""

_ORGANIZATION_KEYS = frozenset({"aws:sourceorgid", "aws:sourceorgpaths", "aws:principalorgid", "aws:principalorgpaths"})


def _foreign_buckets(patterns: Iterable[str], inventories: Iterable[Inventory]) -> set[str]:
    """Return the buckets that patterns name and that the account does not have."""
    from permission_guard.invokers.sources import source_named  # noqa: PLC0415 - see the docstring of the module

    own = next((inventory.sources for inventory in inventories if inventory.name == "s3"), None)
    named = {source_named(pattern) for pattern in patterns}
    return {arn for arn in named if arn and ":s3:::" in arn and not isinstance(own, Unread | None) and arn not in own}


def _is_own_role(arn: str, target: FunctionTarget) -> bool:
    """Return whether a role is one of the account. IAM would read the role of the same name for a foreign ARN."""
    return re.fullmatch(rf"arn:{target.partition}:iam::{target.account}:role/.+", arn) is not None
