"""The verdicts on the statements that users and tools write, for the corpus of the material.

`corpus_judgements` has the expected verdicts and the reasons. The rules are those that read only the policy, and only
the function's account is trusted.
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
def test_each_statement_has_the_verdicts_of_its_family(pattern: str) -> None:
    """Exactly these, and unknown only if the table says so."""
    for item in STATEMENTS:
        if item.pattern == pattern:
            assert (item.record, item.rule_ids, item.unknown) == (
                item.record,
                item.family.rule_ids,
                item.family.unknown,
            )


def test_no_rule_crashes_and_each_statement_that_allows_gets_a_verdict_of_each_rule() -> None:
    """The one Deny gets none, because it allows nothing."""
    assert [item.record for item in STATEMENTS if item.error] == []
    assert Counter(item.verdicts for item in STATEMENTS) == {len(statements.RULES): len(STATEMENTS) - 1, 0: 1}


def test_only_the_listed_statement_is_unknown() -> None:
    """A console's copy of a statement, with an element that no policy has: AWS never returns one."""
    assert {item.record: item.unknown for item in STATEMENTS if item.unknown} == {"p-4ccb8c5080dd6f04": ("PG107",)}


def test_the_rules_are_those_that_read_only_the_policy() -> None:
    """PG110 and PG112 read other resources of the account."""
    assert [rule.id for rule in statements.RULES] == [
        *(f"PG{number}" for number in range(101, 110)),
        "PG111",
    ]


def test_every_pattern_and_every_record_of_the_table_is_in_the_corpus_and_in_one_family() -> None:
    """The table has no superfluous entry."""
    patterns = [pattern for family in FAMILIES for pattern in family.patterns]
    records = [record for family in FAMILIES for record in family.records]
    assert sorted(patterns) == PATTERNS
    assert len(records) == len(set(records))
    assert set(records) <= {item.record for item in STATEMENTS}
    assert all(family.why.endswith(".") for family in FAMILIES)


def test_a_pattern_without_a_family_is_an_error() -> None:
    """It is not counted as a statement without a finding."""
    with pytest.raises(KeyError, match="is in no family"):
        family_of("p-0", "service:new.amazonaws.com | InvokeFunction | no-conditions")


def test_the_page_is_up_to_date() -> None:
    """`python -m tools.corpus` writes it from the corpus and the tables."""
    assert PAGE.read_text() == page(STATEMENTS, mappings.judged())
