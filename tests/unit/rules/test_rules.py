"""The registry of rules, and what every rule says of itself."""

from __future__ import annotations

import re
from typing import Any

import pytest

from permission_guard import rules
from permission_guard.aws.readers.permissions import READS
from permission_guard.errors import UnknownStateError
from permission_guard.fixes import FIXES
from permission_guard.iam import TrustSet
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome, Severity
from permission_guard.rules import RULES, rules_for, rules_of
from permission_guard.rules.base import known
from tests.fakes import DENIED, FUNCTION_ARN

SECTIONS = ["What it flags", "Why it matters", "How to fix", "Fix safety", "Limits", "References"]
EACH_RULE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


def test_ids_and_names_are_given_once() -> None:
    """An id is never reused: tickets out there hold it."""
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_every_fix_is_for_rules_that_the_fixer_is_given() -> None:
    """apply_fix imports the rules on execution roles alone."""
    assert set().union(*(fix.rule_ids for fix in FIXES)) <= {rule.id for rule in rules_of(Direction.EXECUTION_ROLE)}


def test_the_package_has_nothing_else_to_offer_late() -> None:
    """A misspelt name is an error like any other."""
    with pytest.raises(AttributeError, match="RULE"):
        _ = rules.RULE  # type: ignore[attr-defined]


@EACH_RULE
def test_a_rule_s_metadata_is_whole(rule: Any) -> None:
    """Id, name, severity and scope have their forms; the first digit of the id tells the direction."""
    assert re.fullmatch(r"PG[12]\d\d", rule.id)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name)
    assert isinstance(rule.severity, Severity)
    assert rule.direction is (Direction.INVOKE_POLICY if rule.id.startswith("PG1") else Direction.EXECUTION_ROLE)


@EACH_RULE
def test_a_rule_s_documentation_has_its_sections_in_their_order(rule: Any) -> None:
    """The pages in docs/rules are made from them."""
    doc = rule.__doc__
    assert doc.startswith("Allow ")
    assert re.findall(r"^ *## (.+)$", doc, re.MULTILINE) == SECTIONS
    assert re.findall(r"- https://docs\.aws\.amazon\.com/\S+$", doc, re.MULTILINE)


@EACH_RULE
def test_a_rule_reads_nothing_that_its_scope_does_not(rule: Any) -> None:
    """The checker's role is made for its scope; thorough looks may list functions besides."""
    assert rule.reads
    assert rule.reads <= READS[rule.direction] | ({"lambda:ListFunctions"} if rule.full_check_only else set())


def test_the_rules_of_a_scope_are_all_of_them_and_know_whom_to_trust() -> None:
    """Each rule belongs to one scope."""
    trust = TrustSet(frozenset({"111122223333"}))
    found = [rule for direction in Direction for rule in rules_for(direction, trust)]
    assert {rule.id for rule in found} == {rule.id for rule in RULES}
    assert all(rule.trust is trust for rule in found)


@EACH_RULE
def test_what_a_rule_says_carries_its_id(rule: Any) -> None:
    """The three verdicts."""
    asked = rule(TrustSet(frozenset()))
    assert asked.passed(FUNCTION_ARN, "a", "r").outcome is Outcome.PASS
    assert asked.unknown(FUNCTION_ARN, None, "r").subject is None
    assert asked.unknown(FUNCTION_ARN, "a", "r").rule_id == rule.id


def test_a_part_that_was_read_is_known_and_another_is_an_error() -> None:
    """The engine makes it an unknown."""
    assert known("part") == "part"
    with pytest.raises(UnknownStateError, match="AccessDenied"):
        known(DENIED)
