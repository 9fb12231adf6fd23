"""The examples of the documentation run: each is a scan with options that fit."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.fake_scans import BUCKETS, FakeAccounts, FakeFunction
from tests.fakes import ACCOUNT, REGION
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = sorted(
    {
        match[1].partition(" #")[0].partition(" > ")[0].strip()
        for name in ("README.md", "docs/scan.md", "layers/permission_guard/permission_guard/cli/scan.py")
        for match in re.finditer(r"^ +\S*permission-guard scan(?![\w-])(.*)$", (REPOSITORY / name).read_text(), re.M)
    }
)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, example: str) -> None:
    """With the files that it names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "guard.yaml").write_text("version: 1\n")
    accounts = FakeAccounts({(ACCOUNT, REGION): [FakeFunction("orders", [BUCKETS])]})
    accounts.scan(monkeypatch, "--output", "known.json")
    done = accounts.scan(monkeypatch, *shlex.split(example))
    assert done.exit_code in (0, 1), done.stderr


def test_there_are_examples() -> None:
    """Of the README, the page and the help text."""
    assert len(EXAMPLES) > 7
