"""Evidence fits a screen, shows what decides, and says how to see the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.delivery.evidence import MOST_CHARACTERS, MOST_LINES, evidence_lines
from permission_guard.rules import RULES
from tests.rule_cases import RULE_CASES, snapshot_of, trust_of

SHOW = "permission-guard findings show 1"


def test_each_value_is_a_line_and_empty_texts_are_skipped() -> None:
    """A document is JSON on one line."""
    evidence = {"a": "x\ny", "b": None, "c": "", "d": 3, "e": ["z"], "f": False, "g": {"Sid": "é"}, "h": [], "i": {}}
    assert evidence_lines(evidence, SHOW) == 'a: x y\nd: 3\ne:\n  z\nf: false\ng: {"Sid": "\\u00e9"}\nh: []\ni: {}'


def test_of_a_list_the_first_items_are_shown() -> None:
    """The others are counted, and the command shows them."""
    lines = evidence_lines({"services": [f"s{number}:*" for number in range(40)], "last": "x"}, SHOW).split("\n")
    assert lines == ["services:", "  s0:*", "  s1:*", "  s2:*", "  and 37 more", "last: x", f"See all of it: {SHOW}"]


@pytest.mark.parametrize(
    "evidence",
    [
        {f"key{number}": "v" for number in range(100)},
        {f"key{number}": "v" * 1_000 for number in range(10)},
        {"statement": {f"key{number}": "v" * 1_000 for number in range(100)}},
        {"k" * 10_000: ["\N{GRINNING FACE}" * 1_000] * 10},
    ],
)
def test_it_fits_a_screen(evidence: dict[str, Any]) -> None:
    """Whatever a finding is based on."""
    text = evidence_lines(evidence, SHOW)
    lines = text.split("\n")
    assert len(lines) <= MOST_LINES + 1
    assert len(text) <= MOST_CHARACTERS + 400
    assert max(map(len, lines)) <= 310
    assert lines[-1] == f"See all of it: {SHOW}"


def test_the_evidence_of_every_rule_fits_a_screen() -> None:
    """Also that of PG210, which had a hundred lines."""
    rules = {rule.id: rule for rule in RULES}
    longest: dict[str, int] = {}
    for path in RULE_CASES:
        case = json.loads(path.read_text())
        for verdict in evaluate(snapshot_of(case), [rules[path.parent.name](trust_of(case))]).violations:
            lines = evidence_lines(verdict.evidence, SHOW).count("\n") + 1
            longest[verdict.rule_id] = max(lines, longest.get(verdict.rule_id, 0))
    assert "PG210" in longest
    assert max(longest.values()) <= MOST_LINES + 1
