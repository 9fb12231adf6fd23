"""The rules. Adding one is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.rules.base import Rule
from permission_guard.rules.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.source_missing import SourceMissing

if TYPE_CHECKING:
    from permission_guard.iam import TrustSet
    from permission_guard.model import Scope

RULES: tuple[type[Rule], ...] = (SourceMissing, EventSourceReadMissing)


def rules_for(scope: Scope, trust: TrustSet) -> tuple[Rule, ...]:
    """Return the rules of a scope, with the accounts and organizations that are trusted."""
    return tuple(rule(trust) for rule in RULES if rule.scope is scope)


__all__ = ["RULES", "Rule", "rules_for"]
