"""The rules, one list for each direction. A checker imports only its own list, to keep its cold start short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.targets import Direction
from permission_guard.rules.base import Rule

if TYPE_CHECKING:
    from permission_guard.iam import TrustSet

    RULES: tuple[type[Rule], ...]


def rules_of(direction: Direction) -> tuple[type[Rule], ...]:
    """Return the rules of a direction, in the order of their ids."""
    if direction is Direction.INVOKE_POLICY:
        from permission_guard.rules import invoke_policy  # noqa: PLC0415 - see the docstring of the module

        return invoke_policy.RULES
    from permission_guard.rules import execution_role  # noqa: PLC0415 - the same

    return execution_role.RULES


def rules_for(direction: Direction, trust: TrustSet) -> tuple[Rule, ...]:
    """Create the rules of a direction, with the trusted accounts and organizations."""
    return tuple(rule(trust) for rule in rules_of(direction))


if not TYPE_CHECKING:  # a type checker would accept any name of this package

    def __getattr__(name: str) -> tuple[type[Rule], ...]:
        """Import and return `RULES`, the rules of both directions, on first use: the checkers never need them."""
        if name == "RULES":
            return tuple(rule for direction in Direction for rule in rules_of(direction))
        raise AttributeError(f"{__name__} has no {name}")


__all__ = ["RULES", "Rule", "rules_for", "rules_of"]
