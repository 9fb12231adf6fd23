"""The mode of fixes of a rule is the lower one of the ceiling and what the document sets."""

from __future__ import annotations

from itertools import product

import pytest

from permission_guard.config.document import Fixes, GuardConfig, RuleConfig
from permission_guard.config.fix_modes import effective_mode, is_set_for_rule, modes_above
from permission_guard.config.settings import FixMode

ORDER = [FixMode.OFF, FixMode.PLAN, FixMode.APPROVE, FixMode.AUTO]


@pytest.mark.parametrize(("ceiling", "given"), [*product(ORDER, ORDER)])
def test_the_lower_mode_applies(ceiling: FixMode, given: FixMode) -> None:
    """Whether the document sets it for the rule or for all rules."""
    lower = ORDER[min(ORDER.index(ceiling), ORDER.index(given))]
    for config in (GuardConfig(rules={"PG201": RuleConfig(fix=given)}), GuardConfig(fixes=Fixes(mode=given))):
        assert effective_mode(config, "PG201", ceiling).mode is lower


@pytest.mark.parametrize("ceiling", ORDER)
def test_without_a_setting_the_rule_follows_the_ceiling(ceiling: FixMode) -> None:
    """Also a rule of which something else is set."""
    for config in (GuardConfig(), GuardConfig(rules={"PG201": RuleConfig(enabled=True)})):
        assert str(effective_mode(config, "PG201", ceiling)) == f"FixMode is {ceiling}"


def test_the_rule_s_own_mode_counts_not_the_one_for_all_rules() -> None:
    """It can be higher or lower. The text names the key that decides."""
    config = GuardConfig(rules={"PG201": RuleConfig(fix=FixMode.APPROVE)}, fixes=Fixes(mode=FixMode.PLAN))
    assert str(effective_mode(config, "PG201", FixMode.AUTO)) == "rules.PG201.fix is approve"
    assert str(effective_mode(config, "PG204", FixMode.AUTO)) == "fixes.mode is plan"
    assert str(effective_mode(config, "PG201", FixMode.OFF)) == "FixMode is off"


def test_a_mode_above_the_ceiling_is_found() -> None:
    """The default for all rules is none: it follows the ceiling."""
    rules = {"PG201": RuleConfig(fix=FixMode.AUTO), "PG204": RuleConfig(fix=FixMode.OFF), "PG205": RuleConfig()}
    assert [*map(str, modes_above(GuardConfig(rules=rules), FixMode.PLAN))] == ["rules.PG201.fix is auto"]
    assert [*modes_above(GuardConfig(rules=rules), FixMode.AUTO)] == []
    for_all = GuardConfig(fixes=Fixes(mode=FixMode.APPROVE))
    assert [*map(str, modes_above(for_all, FixMode.PLAN))] == ["fixes.mode is approve"]
    assert [*modes_above(GuardConfig(), FixMode.OFF)] == []


def test_a_mode_is_set_for_a_rule_only_by_its_id() -> None:
    """The mode of all rules is a ceiling, and says nothing about one of them."""
    by_name = GuardConfig(rules={"PG112": RuleConfig(fix=FixMode.AUTO), "PG110": RuleConfig()})
    assert is_set_for_rule(by_name, "PG112", FixMode.AUTO)
    assert not is_set_for_rule(by_name, "PG112", FixMode.APPROVE)
    assert not is_set_for_rule(by_name, "PG110", FixMode.AUTO)
    assert not is_set_for_rule(GuardConfig(fixes=Fixes(mode=FixMode.AUTO)), "PG112", FixMode.AUTO)
