"""The fixes, and which rules each of them fixes."""

from __future__ import annotations

from permission_guard.fixes.add_permission import AddPermission
from permission_guard.fixes.attach_managed_policy import AttachManagedPolicy
from permission_guard.fixes.base import Fix, Plan
from permission_guard.fixes.compact_policy import CompactPolicy
from permission_guard.fixes.narrow_statement import NarrowStatement
from permission_guard.fixes.remove_statement import RemoveStatement

FIXES: tuple[Fix, ...] = (
    AttachManagedPolicy(),
    NarrowStatement(),
    AddPermission(),
    RemoveStatement(),
    CompactPolicy(),
)


def fix_for(rule_id: str) -> Fix | None:
    """Return the fix for a rule's findings, None if there is none."""
    return next((fix for fix in FIXES if rule_id in fix.rule_ids), None)


__all__ = ["FIXES", "Fix", "Plan", "fix_for"]
