"""The log of a function takes every text."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from permission_guard.bootstrap.logs import MAX_LINE, function_logger, log_line


@pytest.mark.parametrize(
    "text",
    ["\ud800", "\udcff\ud800", "é文\U0001f512", "\x00\x1b[2J\u202e", "a\nb"],
    ids=["unpaired", "two unpaired", "not ASCII", "control", "two lines"],
)
def test_a_line_is_written_whatever_its_text(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unpaired surrogate has no bytes in UTF-8, and events can contain one; control characters are escaped too."""
    written = io.BytesIO()
    logger = function_logger("unit-logs")
    # pytest would put the line into its report, which has to be UTF-8 too.
    monkeypatch.setattr(logging.getLogger("unit-logs"), "propagate", False)
    # Lambda's output is UTF-8.
    logger.registered_handler.setStream(io.TextIOWrapper(written, encoding="utf-8", write_through=True))  # type: ignore[attr-defined]
    logger.error(text, extra={"finding_id": text, "others": {1, 2}})
    (line,) = written.getvalue().decode("ascii").splitlines()
    assert (json.loads(line)["message"], json.loads(line)["finding_id"]) == (text, text)
    assert capsys.readouterr().err == ""


DEEP: dict[str, Any] = {"x": "x" * 9_000}
for _ in range(50):
    DEEP = {"list": [DEEP] * 2}


@pytest.mark.parametrize(
    "entry",
    [
        {},
        DEEP,
        {"message": "\ud800" * 90_000},
        {"ids": ["\ud800" * 3_000] * 3_000},
        {f"key{number}": "x" * 9_000 for number in range(3_000)},
        {"k" * 90_000: {"k" * 90_000: ["v" * 90_000] * 90}},
        {"lists": [[["x" * 900] * 90] * 90] * 90},
        {"number": 10**5_000, "set": {1, 2}, "object": object(), "bytes": b"x" * 90_000},
    ],
    ids=lambda entry: next(iter(entry), "nothing")[:9],
)
def test_every_line_is_bounded_and_is_json(entry: dict[str, Any]) -> None:
    """Whatever a function logs."""
    line = log_line(entry)
    assert len(line) <= MAX_LINE
    assert isinstance(json.loads(line), dict)


def test_a_long_list_and_a_long_text_say_what_is_left_out() -> None:
    """The first ids and the end of a traceback are kept."""
    ids = [f"arn:aws:lambda:us-east-1:123456789012:function:orders-{number}" for number in range(3_000)]
    traceback = "Traceback\n" + "  File\n" * 50_000 + "ValueError: the reason"
    entry = json.loads(log_line({"message": "checks postponed", "function_arns": ids, "exception": traceback}))
    assert entry["function_arns"] == [*ids[:20], "2980 more"]
    assert entry["exception"].startswith("Traceback")
    assert entry["exception"].endswith("ValueError: the reason")
    assert "characters left out" in entry["exception"]


def test_a_line_that_is_still_too_long_keeps_its_message() -> None:
    """With the level and the time, and how much is left out."""
    entry = {
        "level": "ERROR",
        "message": "m" * 500,
        "timestamp": "now",
        **{f"key{n}": "\ud800" * 9_000 for n in range(60)},
    }
    kept = json.loads(log_line(entry))
    assert kept["level"] == "ERROR"
    assert kept["message"].startswith("mmm")


def test_a_short_line_is_complete() -> None:
    """Nothing is left out of what a check usually logs."""
    entry = {"message": "verdict is unknown", "reason": "r" * 2_000, "cloudtrail_event_ids": list("abc"), "number": 1.5}
    assert json.loads(log_line(entry)) == entry
