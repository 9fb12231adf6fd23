"""The emergency stop: what stops fixing, what counts, and what only a person can end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from permission_guard.errors import ConflictError
from permission_guard.fixes.stop import (
    BREAKER,
    Breaker,
    FailedFix,
    Fixing,
    Switch,
    SwitchState,
    count_failed_fix,
    state_of,
    why_stopped,
)
from tests.fakes import NOW, InMemoryStop

JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
STOPPED = Switch(state=SwitchState.STOPPED, reason="Orders is down", by=JANE, at=NOW, nonce="1" * 32)
RESUMED = replace(STOPPED, state=SwitchState.RESUMED, reason="Repaired", nonce="2" * 32)


def at(**later: float) -> str:
    """Return a time after NOW."""
    return (datetime.fromisoformat(NOW) + timedelta(**later)).isoformat(timespec="milliseconds")


def counted(*fixes: tuple[str, str], stop: InMemoryStop | None = None) -> InMemoryStop:
    """Return what is left after fixes of findings have failed at some times."""
    stop = stop or InMemoryStop()
    for finding, time in fixes:
        count_failed_fix(stop, finding, 1, time)
    return stop


THREE = (("a", NOW), ("b", at(minutes=20)), ("c", at(minutes=59)))


def test_nothing_stops_fixing_at_first() -> None:
    """Before anybody has set the switch, and before anything failed."""
    assert why_stopped(InMemoryStop()) == ""
    assert state_of(None, Breaker()) == Fixing(False)
    assert str(Fixing(False)) == "fixing was never stopped"


def test_a_person_stops_and_resumes() -> None:
    """The reason names who did it and since when."""
    stop = InMemoryStop(switched=STOPPED)
    assert why_stopped(stop) == f"fixing is stopped since {NOW} by {JANE}: Orders is down"
    stop.switched = RESUMED
    assert why_stopped(stop) == ""
    assert str(state_of(RESUMED, Breaker())) == f"fixing is resumed since {NOW} by {JANE}: Repaired"


def test_three_failed_fixes_within_an_hour_stop_all_fixing() -> None:
    """The reason names the findings."""
    assert why_stopped(counted(*THREE[:2])) == ""
    assert why_stopped(counted(*THREE)) == (
        f"fixing is stopped since {THREE[2][1]} by {BREAKER}: "
        "3 fixes failed or were undone within an hour, of the findings a, b, c"
    )


def test_the_hour_slides() -> None:
    """A clock hour would count two before and two after it as two; an old failure no longer counts."""
    late = counted(("a", NOW), ("b", at(minutes=59)), ("c", at(minutes=60)))
    assert why_stopped(late) == ""
    assert why_stopped(counted(("d", at(minutes=61)), stop=late)).endswith("of the findings b, c, d")


def test_each_fix_counts_once() -> None:
    """Its message may be delivered again; another revision of the finding is another fix."""
    stop = counted(("a", NOW), ("a", at(minutes=6)), ("a", at(minutes=12)), ("b", at(minutes=18)))
    assert why_stopped(stop) == ""
    count_failed_fix(stop, "a", 2, at(minutes=20))
    assert why_stopped(stop).endswith("of the findings a, b, a")


def test_a_fix_that_opened_the_breaker_is_not_counted_for_the_next_time() -> None:
    """Its message may be delivered again after the breaker has opened."""
    stop = counted(*THREE, ("c", at(minutes=59)))
    assert (stop.opened.failed, len(stop.opened.opened_by)) == ((), 3)


def test_a_resume_ends_the_opening_that_it_names_and_no_later_one() -> None:
    """No clock is compared: the opening has a name of its own."""
    stop = counted(*THREE)
    stop.switched = replace(RESUMED, opening=stop.opened.opening)
    assert why_stopped(stop) == ""
    counted(("d", at(hours=1)), ("e", at(hours=1)), stop=stop)
    assert why_stopped(stop) == ""
    counted(("f", at(hours=1)), stop=stop)
    assert why_stopped(stop).endswith("of the findings d, e, f")


def test_a_resume_before_the_breaker_opened_does_not_end_its_stop() -> None:
    """Somebody resumed what a person had stopped."""
    stop = counted(*THREE)
    stop.switched = RESUMED
    assert why_stopped(stop) != ""


def test_the_stop_of_a_person_is_shown_before_that_of_the_breaker() -> None:
    """Both hold."""
    assert why_stopped(counted(*THREE, stop=InMemoryStop(switched=STOPPED))).endswith("Orders is down")


@pytest.mark.parametrize("part", ["switch", "breaker"])
def test_what_cannot_be_read_stops(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Somebody else, or another version, wrote the item."""

    def damaged(_self: InMemoryStop) -> None:
        raise KeyError("state")

    monkeypatch.setattr(InMemoryStop, part, damaged)
    assert why_stopped(InMemoryStop()) == "fixing is stopped, because what stops it cannot be read: 'state'"


def test_an_error_of_the_table_is_raised() -> None:
    """Nothing is written then either, and the message is delivered again."""

    class Unreachable(InMemoryStop):
        def breaker(self) -> Breaker:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        why_stopped(Unreachable())


def test_the_switch_is_read_before_the_breaker() -> None:
    """Otherwise a breaker that opens between the reads could be ended by a resume that did not name it."""
    read: list[str] = []

    class Watched(InMemoryStop):
        def switch(self) -> Switch | None:
            read.append("switch")
            return super().switch()

        def breaker(self) -> Breaker:
            read.append("breaker")
            return super().breaker()

    why_stopped(Watched())
    assert read == ["switch", "breaker"]


def test_two_invocations_that_count_at_the_same_time_count_both() -> None:
    """The one that is late reads again."""
    stop = InMemoryStop()

    def other_writer() -> None:
        stop.before_write = lambda: None
        count_failed_fix(stop, "b", 1, NOW)

    stop.before_write = other_writer
    count_failed_fix(stop, "a", 1, NOW)
    assert [one.key for one in stop.opened.failed] == ["b#1", "a#1"]


def test_counting_gives_up_when_others_always_count_first() -> None:
    """The message is delivered again, and the fix is tried again."""
    stop = InMemoryStop()

    def always() -> None:
        stop.opened = replace(stop.opened, number=stop.opened.number + 1)

    stop.before_write = always
    with pytest.raises(ConflictError):
        count_failed_fix(stop, "a", 1, NOW)


def test_a_failed_fix_knows_its_finding() -> None:
    """Its key has the revision, too."""
    assert FailedFix(NOW, "abc#7").finding_id == "abc"
