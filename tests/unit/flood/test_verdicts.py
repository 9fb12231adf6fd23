"""What `make flood` says is wrong: each of it is found, and what is right is not."""

from __future__ import annotations

import pytest

from tests.flood.verdicts import Row, Seen, fullest, rows

IDS = ("a" * 32, "b" * 32, "c" * 32)
MINUTES = 1


def row(seen: Seen) -> Row:
    """Return the row of the only channel, which had no message before the second 100."""
    (made,) = rows({"sns": seen}, IDS, MINUTES * 60, 100.0)
    return made


def problems(*texts: str, times: tuple[float, ...] = (100.0,), most: int = 2) -> list[str]:
    """Return what is wrong with these messages."""
    return list(row(Seen(times, texts)).problems(most, MINUTES))


def test_nothing_is_wrong_when_each_finding_is_in_one_message() -> None:
    """One has a message of its own, and two are in a digest."""
    assert problems(f"High {IDS[0]}", f"2 findings waited: {IDS[1]} {IDS[2]}", times=(100.0, 130.0)) == []


def test_what_is_in_no_message_is_missing() -> None:
    """Also if nothing arrived at all."""
    assert problems(IDS[0]) == ["sns: findings in no message: 2"]
    assert problems(times=()) == ["sns: findings in no message: 3"]


def test_what_is_in_two_messages_is_repeated() -> None:
    """Its alert and a digest."""
    assert problems(IDS[0], " ".join(IDS)) == ["sns: findings in more than one message: 1"]


def test_more_messages_than_the_limit_in_a_window_are_too_many() -> None:
    """The window begins anywhere: these three cross a full minute."""
    times = (150.0, 170.0, 209.9)
    assert problems(" ".join(IDS), times=times) == ["sns got 3 messages within 1 min; the limit is 2"]
    assert problems(" ".join(IDS), times=(150.0, 170.0, 210.0)) == []


@pytest.mark.parametrize(
    ("times", "most"), [((), 0), ((5.0,), 1), ((70.0, 0.0, 60.0), 2), ((0.0, 60.0, 120.0), 1), ((1.0, 1.0, 1.0), 3)]
)
def test_the_fullest_window_is_found_in_any_order_of_messages(times: tuple[float, ...], most: int) -> None:
    """What is a whole window later is in the next one."""
    assert fullest(times, 60) == most


def test_a_row_counts_the_messages_of_one_finding_and_the_last_one() -> None:
    """Digests are the others; a message about none of the findings, such as the one of the first sweep, is counted."""
    made = row(Seen((90.0, 101.0, 102.5), ("First sweep", IDS[0], f"{IDS[1]} {IDS[2]}")))
    assert (made.messages, made.alone, made.others, made.last) == (3, 1, 1, 2.5)
