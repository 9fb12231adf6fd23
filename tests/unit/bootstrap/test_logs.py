"""The log of a function takes every text."""

from __future__ import annotations

import io
import json
import logging

import pytest

from permission_guard.bootstrap.logs import function_logger


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
