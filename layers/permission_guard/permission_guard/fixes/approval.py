"""Why a plan needs a person's approval in the mode `auto` too, whatever it restores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.config.fix_modes import is_set_for_rule
from permission_guard.config.settings import FixMode

if TYPE_CHECKING:
    from permission_guard.config.document import GuardConfig
    from permission_guard.fixes.base import Fix, Plan
    from permission_guard.model.findings import Finding


def may_be_automatic(config: GuardConfig, fix: Fix, rule_id: str) -> bool:
    """Return whether the mode `auto` may apply a fix: one that is not safe only if the rule itself is set to `auto`."""
    return fix.is_safe or is_set_for_rule(config, rule_id, FixMode.AUTO)


def why_to_approve(config: GuardConfig, fix: Fix, finding: Finding, plan: Plan) -> str:
    """Return why a person has to approve a plan, empty if nobody has to."""
    if plan.shared_by:
        return f"{len(plan.shared_by)} functions use the role, so a person has to approve it."
    if not may_be_automatic(config, fix, finding.rule_id):
        return f"A person has to approve it, because rules.{finding.rule_id}.fix is not auto."
    return f"{plan.approval} So a person has to approve it." if plan.approval else ""
