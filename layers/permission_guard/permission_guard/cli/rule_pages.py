"""Build a rule's page from its docstring and its attributes, for `docs/rules/` and for the terminal."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from permission_guard.fixes import fix_for

if TYPE_CHECKING:
    from permission_guard.rules.base import Rule


def page(rule: type[Rule]) -> str:
    """Return a rule's page as Markdown."""
    summary, _, sections = inspect.cleandoc(rule.__doc__ or "").partition("\n\n")
    fix = fix_for(rule.id)
    fixed = f"`{fix.name}`, writes {_listed(fix.writes)}" if fix else "none"
    facts = [f"| severity | {rule.severity} |", f"| reads | {_listed(rule.reads)} |", f"| fix | {fixed} |"]
    head = [f"# {rule.id} {rule.name}", "", summary, "", "| | |", "|---|---|", *facts, ""]
    return "\n".join(head) + "\n" + sections + "\n"


def _listed(actions: frozenset[str]) -> str:
    return ", ".join(f"`{action}`" for action in sorted(actions))
