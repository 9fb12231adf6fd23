"""The rules, a list for each scope; each checker imports its own alone, since a cold start waits for imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.targets import Direction
from permission_guard.rules.base import Rule

if TYPE_CHECKING:
    from permission_guard.iam import TrustSet

    RULES: tuple[type[Rule], ...]


def rules_of(direction: Direction) -> tuple[type[Rule], ...]:
    """Return the rules of a scope, in the order of their ids."""
    if direction is Direction.INVOKE_POLICY:
        from permission_guard.rules import invoke_policy  # noqa: PLC0415 - as the module's docstring says

        return invoke_policy.RULES
    from permission_guard.rules import execution_role  # noqa: PLC0415 - as above

    return execution_role.RULES


def rules_for(direction: Direction, trust: TrustSet) -> tuple[Rule, ...]:
    """Return the rules of a scope, with the accounts and organizations that are trusted."""
    return tuple(rule(trust) for rule in rules_of(direction))


if not TYPE_CHECKING:  # else every name would pass for one of this package

    def __getattr__(name: str) -> tuple[type[Rule], ...]:
        """Return `RULES`, all of them, which only programs that are in no hurry ask for."""
        if name == "RULES":
            return tuple(rule for direction in Direction for rule in rules_of(direction))
        raise AttributeError(f"{__name__} has no {name}")


__all__ = ["RULES", "Rule", "rules_for", "rules_of"]
