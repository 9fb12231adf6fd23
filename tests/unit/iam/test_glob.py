"""Wildcards in patterns, and patterns with a common match."""

from __future__ import annotations

import pytest

from permission_guard.iam.glob import ANY_RUN, compile_glob, glob_of, tokenize
from permission_guard.iam.patterns import admits_account, admits_arn_of, admits_other_accounts, overlaps


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("**", "abc", True),
        ("a*", "a", True),
        ("a*a", "a", False),
        ("ab*ba", "aba", False),
        ("a*b*c", "a__b__c", True),
        ("a*b*c", "a__c__b", False),
        ("*ab*ba*", "xabax", False),
        ("*ab*ba*", "xabbax", True),
        ("?", "", False),
        ("??", "ab", True),
        ("a?c*", "abcd", True),
        ("*?c", "c", False),
        ("*a?c*", "xxabcxx", True),
        ("*a?c*", "xxabxxc", False),
        ("*??", "a", False),
        ("[a]", "a", False),
        ("a.c", "abc", False),
        ("a\\*", "a\\b", True),
        ("*\n*", "a\nb", True),
    ],
)
def test_only_stars_and_question_marks_are_wildcards(pattern: str, text: str, expected: bool) -> None:
    """`*` matches any characters, `?` exactly one, and all other characters are literal."""
    assert compile_glob(pattern).matches(text) is expected


def test_a_question_mark_is_one_utf_16_unit() -> None:
    """AWS was observed to count a character beyond the first plane as two."""
    assert not compile_glob("?").matches("𐐀")
    assert compile_glob("??").matches("𐐀")
    assert compile_glob("𐐀?").matches("𐐀é")
    assert compile_glob("*𐐀").matches("x𐐀")


def test_tokens_can_contain_literal_stars() -> None:
    """The value of a variable is literal text, even if it contains wildcards."""
    assert tokenize("a*b") == ["a", ANY_RUN, "b"]
    glob = glob_of(["a*", ANY_RUN])
    assert glob.matches("a*b")
    assert not glob.matches("ab")


@pytest.mark.parametrize(
    ("pattern", "other", "expected"),
    [("a*", "ab", True), ("*b", "ab", True), ("a", "b", False), ("a?", "ab", True), ("", "", True), ("*", "", True)],
)
def test_two_patterns_can_match_the_same_text(pattern: str, other: str, expected: bool) -> None:
    """Both patterns are followed at the same time."""
    assert overlaps(pattern, list(other)) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*", True), ("123*", True), ("????????????", True), ("12345678901?", True), ("1234?", False), ("12a*", False)],
)
def test_a_pattern_can_match_an_account_id(pattern: str, expected: bool) -> None:
    """Any twelve digits."""
    assert admits_account(pattern) is expected


@pytest.mark.parametrize(
    ("pattern", "others"),
    [
        ("arn:aws:sns:us-east-1:123456789012:*", False),
        ("arn:aws:sns:us-east-1:123456789012:t?", False),
        ("arn:aws:sns:*:123456789012:t", True),
        ("arn:aws:sns:us-east-1:*:t", True),
        ("*:123456789012:*", True),
    ],
)
def test_a_text_pattern_can_match_arns_of_other_accounts(pattern: str, others: bool) -> None:
    """A `*` also matches colons, so that the named account can be in the resource part."""
    named = ["123456789012"] if "123456789012" in pattern else []
    assert admits_other_accounts(pattern, named) is others
    assert admits_arn_of(pattern, "123456789012")
