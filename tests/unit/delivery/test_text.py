"""Text from AWS is made safe to show."""

from __future__ import annotations

import pytest

from permission_guard.delivery.text import (
    cut,
    cut_bytes,
    first_sentence,
    listing,
    one_line,
    parsed_time,
    shown_time,
    utc,
)


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


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-11-20T10:15:30.987+00:00", "2026-11-20T10:15:30Z"),
        ("2026-11-20T11:15:30+01:00", "2026-11-20T10:15:30Z"),
        ("2026-11-20T10:15:30", "2026-11-20T10:15:30Z"),
        ("yesterday\n", "yesterday"),
        ("0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00+23:59"),
        ("9999-12-31T23:59:59-00:01", "9999-12-31T23:59:59-00:01"),
        ("", ""),
    ],
)
def test_a_time_is_shown_in_utc_to_the_second(time: str, shown: str) -> None:
    """What is no time is shown as it is."""
    assert shown_time(time) == shown
    parsed = parsed_time(time)
    assert (utc(parsed) if parsed else one_line(time, 40)) == shown


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Callers get 403. The URL is unused.", "Callers get 403."),
        ("Lambda stops: records are lost.", "Lambda stops: records are lost."),
        (
            "s3.amazonaws.com may invoke it, e.g. from abroad. It runs.",
            "s3.amazonaws.com may invoke it, e.g. from abroad.",
        ),
        ("no end", "no end"),
        ("", ""),
    ],
)
def test_the_first_sentence_ends_before_a_capital_letter(text: str, sentence: str) -> None:
    """A dot in a name ends none."""
    assert first_sentence(text) == sentence


def test_a_cut_text_is_marked_and_within_the_limit() -> None:
    """The reader sees that there is more."""
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcde…"


@pytest.mark.parametrize("limit", range(4, 20))
def test_bytes_are_cut_between_characters(limit: int) -> None:
    """Half a character is not valid UTF-8."""
    assert len(cut_bytes("größer 🚀🚀🚀", limit).encode()) <= limit
    assert cut_bytes("größer", 8) == "größer"
