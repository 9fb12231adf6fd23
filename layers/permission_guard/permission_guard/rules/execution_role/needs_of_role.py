"""What the functions, versions and mappings of a snapshot require of one role, whether or not the role exists."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from permission_guard.errors import UnknownStateError
from permission_guard.iam import TrustSet
from permission_guard.needs.decision import decide
from permission_guard.remedies.new_role import NewRole, needed_role
from permission_guard.rules.execution_role.event_source_dependency_missing import EventSourceDependencyMissing
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.failure_destination_missing import FailureDestinationMissing
from permission_guard.rules.execution_role.feature_permission_missing import FeaturePermissionMissing
from permission_guard.rules.execution_role.logging_missing import LoggingMissing
from permission_guard.rules.execution_role.need_rule import Requirement
from permission_guard.rules.execution_role.tracing_missing import TracingMissing
from permission_guard.rules.execution_role.vpc_access_missing import VpcAccessMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.iam import Decision
    from permission_guard.model.state import Role, Snapshot
    from permission_guard.needs.base import Need
    from permission_guard.rules.execution_role.need_rule import NeedRule

_RULES: Final[tuple[type[NeedRule], ...]] = (
    LoggingMissing,
    EventSourceReadMissing,
    EventSourceDependencyMissing,
    FailureDestinationMissing,
    VpcAccessMissing,
    TracingMissing,
    FeaturePermissionMissing,
)
_NO_TRUST: Final = TrustSet(frozenset())
"""No need depends on whom the owner trusts."""


def requirements_of_role(role_arn: str, snapshot: Snapshot) -> Iterator[Requirement]:
    """Yield what is required of a role, as far as it was read."""
    for rule in _RULES:
        with suppress(UnknownStateError):
            for one in rule(_NO_TRUST).requirements(snapshot):
                if isinstance(one, Requirement) and one.function.role_arn == role_arn:
                    yield one


def unmet_needs(role: Role, snapshot: Snapshot) -> Iterator[tuple[Need, Decision]]:
    """Yield what is required of a role and not certainly allowed by these policies of it."""
    for requirement in requirements_of_role(role.arn, snapshot):
        for need in requirement.needs:
            decision = decide(need, role, requirement.function.arn, snapshot.source_policies, snapshot.resource_tags)
            if not decision.allowed and not need.recommended:
                yield need, decision


def required_role(role_arn: str, snapshot: Snapshot) -> NewRole:
    """Return a role with what is certainly required of it: AWS managed policies where they exist."""
    policies: dict[str, None] = {}
    needs: dict[Need, None] = {}
    for requirement in requirements_of_role(role_arn, snapshot):
        certain = [need for need in requirement.needs if not need.recommended and not need.doubt]
        if certain and requirement.managed_policy:
            policies[requirement.managed_policy] = None
        else:
            needs |= dict.fromkeys(certain)
    return needed_role(role_arn, tuple(policies), tuple(needs))
