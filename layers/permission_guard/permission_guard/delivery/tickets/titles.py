"""The title of a finding's ticket, the same in every system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.delivery.states import needs_attention
from permission_guard.delivery.text import one_line

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding


def title(finding: Finding, limit: int) -> str:
    """Return the title in at most `limit` characters: the rule, and what is wrong with which resource."""
    return one_line(f"{finding.rule_id}: {finding.title}", limit)


def title_with_severity(finding: Finding, limit: int) -> str:
    """Return the title for a system without a field for the severity. It begins with it while somebody has to act."""
    severity = f"[{finding.severity.upper()}] " if needs_attention(finding) else ""
    return one_line(f"{severity}{finding.rule_id}: {finding.title}", limit)
