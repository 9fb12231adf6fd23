"""The registry of rules, and the metadata of every rule."""

from __future__ import annotations

import re
from typing import Any

import pytest

from permission_guard import rules
from permission_guard.aws.readers.permissions import READS
from permission_guard.errors import UnknownStateError
from permission_guard.fixes import all_fixes
from permission_guard.iam import TrustSet
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome, Severity
from permission_guard.rules import RULES, rules_for
from permission_guard.rules.base import known
from tests.fakes import DENIED, FUNCTION_ARN

SECTIONS = ["What it flags", "Why it matters", "How to fix", "Fix safety", "Limits", "References"]
EACH_RULE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


def test_ids_and_names_are_unique() -> None:
    """An id is never reused, because existing tickets contain it."""
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_every_fix_is_for_rules_that_the_fixer_imports() -> None:
    """apply_fix imports the rules of both directions."""
    assert set().union(*(fix.rule_ids for fix in all_fixes())) <= {rule.id for rule in RULES}


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    """Only `RULES` is imported on first use."""
    with pytest.raises(AttributeError, match="RULE"):
        _ = rules.RULE  # type: ignore[attr-defined]


@EACH_RULE
def test_a_rule_has_valid_metadata(rule: Any) -> None:
    """Id, name, severity and direction are valid, and the first digit of the id matches the direction."""
    assert re.fullmatch(r"PG[12]\d\d", rule.id)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name)
    assert isinstance(rule.severity, Severity)
    assert rule.direction is (Direction.INVOKE_POLICY if rule.id.startswith("PG1") else Direction.EXECUTION_ROLE)


@EACH_RULE
def test_the_documentation_of_a_rule_has_its_sections_in_order(rule: Any) -> None:
    """The pages in docs/rules are generated from them."""
    doc = rule.__doc__
    assert doc.startswith("Allow ")
    assert re.findall(r"^ *## (.+)$", doc, re.MULTILINE) == SECTIONS
    assert re.findall(r"- https://docs\.aws\.amazon\.com/\S+$", doc, re.MULTILINE)


@EACH_RULE
def test_a_rule_reads_only_what_its_scope_may_read(rule: Any) -> None:
    """The checker's role has the permissions of its scope; full checks may also list functions."""
    assert rule.reads
    assert rule.reads <= READS[rule.direction] | ({"lambda:ListFunctions"} if rule.full_check_only else set())


def test_the_scopes_contain_all_rules_with_the_trusted_accounts() -> None:
    """Each rule belongs to one scope."""
    trust = TrustSet(frozenset({"111122223333"}))
    found = [rule for direction in Direction for rule in rules_for(direction, trust)]
    assert {rule.id for rule in found} == {rule.id for rule in RULES}
    assert all(rule.trust is trust for rule in found)


@EACH_RULE
def test_a_verdict_has_the_id_of_its_rule(rule: Any) -> None:
    """Of the passed and the unknown verdicts."""
    created = rule(TrustSet(frozenset()))
    assert created.passed(FUNCTION_ARN, "a", "r").outcome is Outcome.PASS
    assert created.unknown(FUNCTION_ARN, None, "r").subject is None
    assert created.unknown(FUNCTION_ARN, "a", "r").rule_id == rule.id


def test_a_part_that_could_not_be_read_is_an_error() -> None:
    """The engine reports it as unknown."""
    assert known("part") == "part"
    with pytest.raises(UnknownStateError, match="AccessDenied"):
        known(DENIED)
