"""The fixes, and which rules each of them fixes.

They are imported at first use: functions that only read plans and decisions need none of them.
"""

from __future__ import annotations

from functools import cache

from permission_guard.fixes.base import Fix, Plan


@cache
def all_fixes() -> tuple[Fix, ...]:
    """Return every fix."""
    from permission_guard.fixes.add_permission import AddPermission  # noqa: PLC0415 - see the docstring of the module
    from permission_guard.fixes.attach_managed_policy import AttachManagedPolicy  # noqa: PLC0415 - the same
    from permission_guard.fixes.compact_policy import CompactPolicy  # noqa: PLC0415 - the same
    from permission_guard.fixes.narrow_statement import NarrowStatement  # noqa: PLC0415 - the same
    from permission_guard.fixes.remove_statement import RemoveStatement  # noqa: PLC0415 - the same

    return AttachManagedPolicy(), NarrowStatement(), AddPermission(), RemoveStatement(), CompactPolicy()


def fix_for(rule_id: str) -> Fix | None:
    """Return the fix for a rule's findings, None if there is none."""
    return next((fix for fix in all_fixes() if rule_id in fix.rule_ids), None)


__all__ = ["Fix", "Plan", "all_fixes", "fix_for"]
