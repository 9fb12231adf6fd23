"""What a scan shows while it runs."""

from __future__ import annotations

import io

from rich.console import Console

from permission_guard.cli.scan_progress import ScanProgress
from permission_guard.sweep.bulk import CallRate, Progress

PLACE = "123456789012 us-east-1"


def progress(**more: object) -> Progress:
    """Return the progress of a region: 30 of 120 functions, after 15 seconds."""
    rates = (
        CallRate(name="lambda:GetPolicy", calls=30, throttled=2, rate=12.34, limit=15.0),
        CallRate(name="other services", calls=5, throttled=0, rate=None, limit=None),
    )
    values = {"listed": 120, "is_listed": True, "done": 30, "findings": 4, "seconds": 15.0, "rates": rates}
    return Progress(**{**values, **more})  # type: ignore[arg-type]


def shown(display: ScanProgress) -> str:
    """Return what a terminal of 160 columns shows."""
    text = io.StringIO()
    Console(file=text, width=160).print(display.rendered())
    return " ".join(text.getvalue().split())


def test_the_display_has_places_rates_time_left_and_findings() -> None:
    """The rate beside its limit, and what AWS throttled."""
    display = ScanProgress(None)
    display.places(3)
    display.start(PLACE)
    display.update(PLACE, progress())
    text = shown(display)
    assert "0 of 3 accounts and regions, 4 findings so far" in text
    assert f"{PLACE} 30 of 120 functions 45 s left lambda:GetPolicy 12.3/15 a second (2 throttled)" in text


def test_what_all_functions_wait_for_is_named() -> None:
    """An inventory can take a minute."""
    display = ScanProgress(None)
    display.start(PLACE)
    display.update(PLACE, progress(is_listed=False, waits_for="the triggers of log groups"))
    assert "30 of 120 or more functions" in shown(display)
    assert "waits for the triggers of log groups" in shown(display)


def test_a_long_region_has_a_line_each_half_minute() -> None:
    """In a log of CI, silence looks like a program that hangs."""
    lines: list[str] = []
    now = [0.0]
    display = ScanProgress(lines.append, clock=lambda: now[0])
    display.start(PLACE)
    for second in (1.0, 29.0, 31.0, 40.0, 62.0):
        now[0] = second
        display.update(PLACE, progress())
    display.end(PLACE, 120, 4)
    assert lines == [f"{PLACE}: 30 of 120 functions, 4 findings, 45 s left"] * 2 + [
        f"{PLACE}: 120 functions, 4 findings"
    ]
