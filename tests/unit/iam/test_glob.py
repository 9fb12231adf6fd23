"""Wildcards in patterns, and patterns with a common match."""

from __future__ import annotations

import pytest

from permission_guard.iam.glob import ANY_RUN, compile_glob, glob_of, tokenize


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
