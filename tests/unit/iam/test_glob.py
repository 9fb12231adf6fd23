"""Wildcards."""

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
def test_only_stars_and_question_marks_are_special(pattern: str, text: str, expected: bool) -> None:
    """`*` is any run, `?` exactly one, the rest stands for itself."""
    assert compile_glob(pattern).matches(text) is expected


def test_a_question_mark_is_one_utf_16_unit() -> None:
    """As AWS was seen to count: a character beyond the first plane takes two."""
    assert not compile_glob("?").matches("𐐀")
    assert compile_glob("??").matches("𐐀")
    assert compile_glob("𐐀?").matches("𐐀é")
    assert compile_glob("*𐐀").matches("x𐐀")


def test_tokens_hold_literal_stars() -> None:
    """What a variable inserts is text, whatever it looks like."""
    assert tokenize("a*b") == ["a", ANY_RUN, "b"]
    glob = glob_of(["a*", ANY_RUN])
    assert glob.matches("a*b")
    assert not glob.matches("ab")


@pytest.mark.parametrize(
    ("pattern", "other", "expected"),
    [("a*", "ab", True), ("*b", "ab", True), ("a", "b", False), ("a?", "ab", True), ("", "", True), ("*", "", True)],
)
def test_two_patterns_may_have_a_text_in_common(pattern: str, other: str, expected: bool) -> None:
    """Decided by following both at once."""
    assert overlaps(pattern, list(other)) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*", True), ("123*", True), ("????????????", True), ("12345678901?", True), ("1234?", False), ("12a*", False)],
)
def test_a_pattern_may_admit_an_account(pattern: str, expected: bool) -> None:
    """Twelve digits, whatever they are."""
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
def test_a_text_pattern_may_admit_other_accounts(pattern: str, others: bool) -> None:
    """A star that crosses colons lets the account slip into the resource part."""
    named = ["123456789012"] if "123456789012" in pattern else []
    assert admits_other_accounts(pattern, named) is others
    assert admits_arn_of(pattern, "123456789012")
