"""The mode of fixes of each rule: the lower one of the parameter `FixMode` and what the document sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.config.rule_names import RULE_NAMES
from permission_guard.config.settings import FixMode
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.config.document import GuardConfig


@record
class EffectiveMode:
    """The mode of fixes that applies to a rule. `setting` names what decides it."""

    mode: FixMode
    setting: str

    def __str__(self) -> str:
        return f"{self.setting} is {self.mode}"


def mode_set(config: GuardConfig, rule_id: str) -> EffectiveMode:
    """Return the mode that the document sets for a rule, for itself or for all rules."""
    rule = config.rules.get(rule_id)
    if rule is not None and rule.fix is not None:
        return EffectiveMode(rule.fix, f"rules.{rule_id}.fix")
    return EffectiveMode(config.fixes.mode, "fixes.mode")


def effective_mode(config: GuardConfig, rule_id: str, ceiling: FixMode) -> EffectiveMode:
    """Return the mode that applies to a rule. `ceiling` is the parameter `FixMode`: no document allows more."""
    found = mode_set(config, rule_id)
    return found if ceiling.allows_more_than(found.mode) else EffectiveMode(ceiling, "FixMode")


def is_set_for_rule(config: GuardConfig, rule_id: str, mode: FixMode) -> bool:
    """Return whether the document sets a mode for a rule by its id, and not only for all rules."""
    rule = config.rules.get(rule_id)
    return rule is not None and rule.fix is mode


def modes_above(config: GuardConfig, ceiling: FixMode) -> Iterator[EffectiveMode]:
    """Yield each mode that a document sets above the ceiling, where it has no effect.

    `fixes.mode: auto` is not one of them: it is the default, which follows the ceiling.
    """
    if config.fixes.mode is not FixMode.AUTO and config.fixes.mode.allows_more_than(ceiling):
        yield EffectiveMode(config.fixes.mode, "fixes.mode")
    for rule_id in RULE_NAMES:
        found = config.rules.get(rule_id)
        if found is not None and found.fix is not None and found.fix.allows_more_than(ceiling):
            yield mode_set(config, rule_id)
