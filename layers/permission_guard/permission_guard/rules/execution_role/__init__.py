"""List the rules on what the execution role allows. A new rule is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.rules.execution_role.call_denied import CallDenied
from permission_guard.rules.execution_role.event_source_dependency_missing import EventSourceDependencyMissing
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.event_source_unauthorized import EventSourceUnauthorized
from permission_guard.rules.execution_role.failure_destination_missing import FailureDestinationMissing
from permission_guard.rules.execution_role.feature_permission_missing import FeaturePermissionMissing
from permission_guard.rules.execution_role.function_unauthorized import FunctionUnauthorized
from permission_guard.rules.execution_role.logging_missing import LoggingMissing
from permission_guard.rules.execution_role.role_not_assumable import RoleNotAssumable
from permission_guard.rules.execution_role.role_overprivileged import RoleOverprivileged
from permission_guard.rules.execution_role.role_shared import RoleShared
from permission_guard.rules.execution_role.role_trust_too_broad import RoleTrustTooBroad
from permission_guard.rules.execution_role.tracing_missing import TracingMissing
from permission_guard.rules.execution_role.vpc_access_missing import VpcAccessMissing

if TYPE_CHECKING:
    from permission_guard.rules.base import Rule

RULES: tuple[type[Rule], ...] = (
    EventSourceReadMissing,
    EventSourceDependencyMissing,
    FailureDestinationMissing,
    LoggingMissing,
    VpcAccessMissing,
    TracingMissing,
    RoleNotAssumable,
    RoleTrustTooBroad,
    RoleShared,
    RoleOverprivileged,
    FeaturePermissionMissing,
    EventSourceUnauthorized,
    CallDenied,
    FunctionUnauthorized,
)
