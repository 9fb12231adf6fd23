"""What is said of the statements that people and tools really write, where the corpus of them is at hand.

`corpus_judgements` has the answers and the reasons. The rules are those that need nothing but the policy, and the own
account alone is trusted.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest

from tests.conformance.corpus_judgements import FAMILIES, family_of
from tools.corpus import mappings, statements
from tools.corpus.page import PAGE, page

STATEMENTS: Final = statements.judged()
PATTERNS: Final = sorted({item.pattern for item in STATEMENTS})

assert STATEMENTS, "the material has no corpus of statements"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_says_of_each_statement_of_a_pattern_what_its_family_says(pattern: str) -> None:
    """Neither more nor less, and unknown only where the table says so."""
    for item in STATEMENTS:
        if item.pattern == pattern:
            assert (item.record, item.said, item.unknown) == (item.record, item.family.said, item.family.unknown)


def test_no_rule_crashes_and_each_statement_that_allows_gets_a_verdict_of_each_rule() -> None:
    """The one Deny gets none: there is nobody whom it lets in."""
    assert [item.record for item in STATEMENTS if item.error] == []
    assert Counter(item.verdicts for item in STATEMENTS) == {len(statements.RULES): len(STATEMENTS) - 1, 0: 1}


def test_what_is_unknown_has_a_reason() -> None:
    """A console's copy of a statement, with an element that no policy has: AWS never returns one."""
    assert {item.record: item.unknown for item in STATEMENTS if item.unknown} == {"p-4ccb8c5080dd6f04": ("PG107",)}


def test_the_rules_are_those_that_need_nothing_but_the_policy() -> None:
    """PG110 and PG112 ask what else there is in the account."""
    assert [rule.id for rule in statements.RULES] == [
        *(f"PG{number}" for number in range(101, 110)),
        "PG111",
    ]


def test_every_pattern_and_every_record_of_the_table_is_in_the_corpus_and_in_one_family() -> None:
    """What is not there would hide nothing and explain nothing."""
    patterns = [pattern for family in FAMILIES for pattern in family.patterns]
    records = [record for family in FAMILIES for record in family.records]
    assert sorted(patterns) == PATTERNS
    assert len(records) == len(set(records))
    assert set(records) <= {item.record for item in STATEMENTS}
    assert all(family.why.endswith(".") for family in FAMILIES)


def test_a_pattern_that_nobody_has_judged_is_refused() -> None:
    """Rather than counted as clean."""
    with pytest.raises(KeyError, match="is in no family"):
        family_of("p-0", "service:new.amazonaws.com | InvokeFunction | no-conditions")


def test_the_page_is_what_the_corpus_and_the_tables_make_of_it() -> None:
    """`python -m tools.corpus` writes it."""
    assert PAGE.read_text() == page(STATEMENTS, mappings.judged())
