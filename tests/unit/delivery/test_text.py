"""Text from AWS is made safe to show."""

from __future__ import annotations

import pytest

from permission_guard.delivery.text import as_json, cut, cut_bytes, listing, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\r\nlines\tand  spaces ", "two lines and spaces"),
        ("\x1b[31mred\x07\x00", "[31mred"),
        ("abc\u202edcba\u200b", "abcdcba"),
        ("line\u2028paragraph\u2029end", "line paragraph end"),
        ("half a pair \ud83d", "half a pair"),
        ("launch 🚀 größer", "launch 🚀 größer"),
    ],
)
def test_prose_is_one_line_of_visible_characters(text: str, shown: str) -> None:
    """Line breaks, escape sequences, text directions and unpaired surrogates are removed."""
    assert one_line(text, 100) == shown


def test_text_to_paste_keeps_its_lines_and_shows_invisible_characters() -> None:
    """An invisible character changes what a command does, so it must be neither hidden nor dropped."""
    assert listing("a \\\r\n\tb\u202e\x1b\U000e0001") == "a \\\n\tb\\u202e\\u001b\\U000e0001"


def test_json_is_indented_and_in_ascii() -> None:
    """Non-ASCII characters are escaped, so that similar and hidden characters are visible."""
    assert as_json({"Sid": "a\u202eb", "n": [1]}) == '{\n  "Sid": "a\\u202eb",\n  "n": [\n    1\n  ]\n}'


def test_a_cut_text_is_marked_and_within_the_limit() -> None:
    """The reader sees that there is more."""
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcde…"


@pytest.mark.parametrize("limit", range(4, 20))
def test_bytes_are_cut_between_characters(limit: int) -> None:
    """Half a character is not valid UTF-8."""
    assert len(cut_bytes("größer 🚀🚀🚀", limit).encode()) <= limit
    assert cut_bytes("größer", 8) == "größer"
