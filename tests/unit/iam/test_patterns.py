"""Comparison of patterns with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permission_guard.iam.glob import compile_glob
from permission_guard.iam.patterns import (
    FIELD_RUN,
    WITHOUT_COLON,
    PatternGroups,
    accounts_of,
    admits_account,
    overlaps,
    symbols_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.iam.patterns import Symbol

OWN, OTHER = "123456789012", "999999999999"
ANY, RUN = symbols_of("?*")
law = settings(max_examples=200, deadline=None, derandomize=True, database=None)
patterns = st.text("ab:*?", max_size=7)
symbols = st.lists(st.sampled_from(["a", "b", ":", ANY, RUN, FIELD_RUN, frozenset("ab")]), max_size=7)


@pytest.mark.parametrize(
    ("pattern", "other", "expected"),
    [("a*", "ab", True), ("*b", "ab", True), ("a", "b", False), ("a?", "ab", True), ("", "", True), ("*", "", True)],
)
def test_two_patterns_can_match_the_same_text(pattern: str, other: str, expected: bool) -> None:
    """Both patterns are followed at the same time."""
    assert overlaps(pattern, list(other)) is expected


@law
@given(patterns, symbols)
def test_patterns_overlap_by_their_definition(pattern: str, other: Sequence[Symbol]) -> None:
    """The automaton agrees with a recursive definition."""
    assert overlaps(pattern, other) is _can_be_equal(symbols_of(pattern), other)


@law
@given(st.lists(st.lists(patterns, max_size=3), max_size=4), patterns)
def test_groups_are_compared_by_themselves(groups: list[list[str]], pattern: str) -> None:
    """Whether a group overlaps does not depend on the other groups."""
    compiled = PatternGroups([[symbols_of(text) for text in group] for group in groups])
    found = compiled.overlapping(symbols_of(pattern))
    for group, bit in zip(groups, compiled.groups, strict=True):
        assert bool(found & bit) is any(overlaps(pattern, symbols_of(text)) for text in group)


@law
@given(st.lists(patterns, max_size=3), st.text("ab:", max_size=7))
def test_a_text_is_within_the_patterns_that_match_it(group: list[str], text: str) -> None:
    """A text without wildcards."""
    compiled = PatternGroups([[symbols_of(pattern) for pattern in group]])
    assert bool(compiled.within(text)) is any(compile_glob(pattern).matches(text) for pattern in group)


@law
@given(patterns, patterns, st.lists(st.text("ab:", max_size=2), min_size=7, max_size=7))
def test_a_pattern_within_another_matches_only_what_the_other_matches(one: str, two: str, texts: list[str]) -> None:
    """Whatever its wildcards stand for."""
    if PatternGroups([[symbols_of(two)]]).within(one):
        values = iter(texts)
        text = "".join(
            next(values) if sign == "*" else next(values)[:1] or "a" if sign == "?" else sign for sign in one
        )
        assert compile_glob(two).matches(text)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("a*", "*", True),
        ("a*c", "a*", True),
        ("a?", "a*", True),
        ("a*", "a?", False),
        ("?", "?", True),
        ("*", "a", False),
    ],
)
def test_a_wildcard_is_within_a_wildcard_that_matches_as_much(one: str, two: str, expected: bool) -> None:
    """A `?` of a pattern does not match everything that a `*` stands for."""
    assert bool(PatternGroups([[symbols_of(two)]]).within(one)) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*", True), ("123*", True), ("????????????", True), ("12345678901?", True), ("1234?", False), ("12a*", False)],
)
def test_a_pattern_can_match_an_account_id(pattern: str, expected: bool) -> None:
    """Any twelve digits."""
    assert admits_account(pattern) is expected


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        (f"arn:aws:sns:us-east-1:{OWN}:*", {OWN}),
        (f"arn:aws:sns:us-east-1:{OWN}:t?", {OWN}),
        ("arn:aws:sns:us-east-1:12345678901:t", set()),
        (f"arn:aws:sns:us-east-1:x{OWN}:t", set()),
        (f"arn:aws:sns:us-east-1:{OWN}", set()),
        (f"arn:aws:s3:::{OWN}:t", set()),
        (OWN, set()),
    ],
)
def test_a_text_pattern_names_the_accounts_that_it_can_match(pattern: str, named: set[str]) -> None:
    """As whole parts of an ARN."""
    found = accounts_of(pattern)
    assert not found.any
    assert found.named == named


@pytest.mark.parametrize(
    "pattern",
    [
        f"arn:aws:sns:*:{OWN}:t",
        "arn:aws:sns:us-east-1:*:t",
        f"arn:aws:sns:us-east-1:{OWN[:11]}?:t",
        f"arn:aws:sns:us-east-1:{OWN[:11]}*:t",
        f"*:{OWN}:*",
        "arn:*",
        f"arn:aws:sns:*:{OWN}*",
    ],
)
def test_a_text_pattern_can_match_arns_of_other_accounts(pattern: str) -> None:
    """A `*` also matches colons, so that the named account can be in the resource part."""
    assert accounts_of(pattern).any


def test_a_star_matches_no_colon_where_the_name_has_none() -> None:
    """Then the account that follows it is the account of the ARN."""
    for pattern in (
        f"arn:aws:sns:*:{OWN}:*",
        f"arn:aws:sns:us-east-1:{OWN[:5]}*{OWN[5:]}:t",
        f"arn:*:{OWN}:t",
        f"*:{OWN}:*",
    ):
        assert accounts_of(pattern).any
        assert not accounts_of(pattern, WITHOUT_COLON).any
        assert accounts_of(pattern, WITHOUT_COLON).named == {OWN}
    assert accounts_of(f"arn:aws:sns:*:{OWN}*", WITHOUT_COLON).any
    assert accounts_of(f"arn:aws:sns:*:{OTHER}:*{OWN}:*", WITHOUT_COLON).named == set()


def test_an_arn_without_account_is_recognized() -> None:
    """A bucket's ARN, or a pattern that matches one."""
    assert accounts_of("arn:aws:s3:::b").without
    assert accounts_of("arn:aws:s3*").without
    assert not accounts_of(f"arn:aws:s3::{OWN}:b").without


def _can_be_equal(one: Sequence[Symbol], two: Sequence[Symbol]) -> bool:
    """Return whether a text over a, b, c and the colon matches both."""
    if not one and not two:
        return True
    if one and one[0] in (RUN, FIELD_RUN) and _can_be_equal(one[1:], two):
        return True
    if two and two[0] in (RUN, FIELD_RUN) and _can_be_equal(one, two[1:]):
        return True
    if not one or not two or not set(_characters(one[0])) & set(_characters(two[0])):
        return False
    left = one if one[0] in (RUN, FIELD_RUN) else one[1:]
    right = two if two[0] in (RUN, FIELD_RUN) else two[1:]
    return (len(left), len(right)) != (len(one), len(two)) and _can_be_equal(left, right)


def _characters(symbol: Symbol) -> str:
    if symbol in (ANY, RUN):
        return "abc:"
    return "abc" if symbol == FIELD_RUN else "".join(symbol) if isinstance(symbol, (str, frozenset)) else ""
