"""The title of a ticket, the same in every system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.delivery.text import one_line
from permission_guard.delivery.tickets.summary import is_urgent
from permission_guard.model.findings import Finding

if TYPE_CHECKING:
    from permission_guard.delivery.tickets.summary import Ticketed


def title(about: Ticketed, limit: int) -> str:
    """Return the title in at most `limit` characters: the rule, and what is wrong with which resource."""
    return one_line(_title(about), limit)


def title_with_severity(about: Ticketed, limit: int) -> str:
    """Return the title for a system without a field for the severity. It begins with it while somebody has to act."""
    severity = f"[{about.severity.upper()}] " if is_urgent(about) else ""
    return one_line(f"{severity}{_title(about)}", limit)


def _title(about: Ticketed) -> str:
    return f"{about.rule_id}: {about.title}" if isinstance(about, Finding) else about.title
