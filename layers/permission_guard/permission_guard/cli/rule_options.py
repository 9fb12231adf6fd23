"""Which rules a person names: by their ids or their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.rules import Rule


def rule_named(text: str) -> type[Rule] | None:
    """Return the rule with an id or name, None if there is none."""
    return next((one for one in RULES if text.lower() in (one.id.lower(), one.name)), None)


def known_rules() -> str:
    """Return the ids of all rules, for an error message."""
    return ", ".join(one.id for one in RULES)


def rules_named(option: str, names: Sequence[str]) -> frozenset[str]:
    """Return the ids of the rules that an option names. ValueError if one does not exist."""
    found = {name: rule_named(name) for name in names}
    for name, rule in found.items():
        if rule is None:
            raise ValueError(
                f"{option} requires the id or name of a rule; got {name!r}. The rules are: {known_rules()}"
            )
    return frozenset(rule.id for rule in found.values() if rule)
