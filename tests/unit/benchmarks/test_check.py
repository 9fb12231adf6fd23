"""The benchmark of `check` checks every template that it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.check import measure, write_templates

if TYPE_CHECKING:
    from pathlib import Path


def test_all_templates_are_checked_and_none_has_a_problem(tmp_path: Path) -> None:
    """A template that is skipped or not read would make the benchmark faster."""
    write_templates(tmp_path, 2)
    _, counts = measure(tmp_path)
    passed = counts.pop("passed")
    assert passed > 10
    assert counts == {"files": 2, "findings": 0, "unknowns": 0, "unread": 0, "errors": 0, "skipped_files": 0}
