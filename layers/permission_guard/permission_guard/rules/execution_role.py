"""The rules on what the execution role allows. Adding one is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.rules.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.role_not_assumable import RoleNotAssumable
from permission_guard.rules.role_overprivileged import RoleOverprivileged
from permission_guard.rules.role_trust_too_broad import RoleTrustTooBroad

if TYPE_CHECKING:
    from permission_guard.rules.base import Rule

RULES: tuple[type[Rule], ...] = (
    EventSourceReadMissing,
    RoleNotAssumable,
    RoleTrustTooBroad,
    RoleOverprivileged,
)
