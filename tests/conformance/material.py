"""Where the material from outside the repository is: the environment variable MATERIAL names its folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest


def _folder() -> Path:
    named = os.environ.get("MATERIAL", "")
    folder = Path(named).resolve()
    if not named or not folder.is_dir():
        raise pytest.UsageError(
            f"MATERIAL must name the folder with the material; got {named!r}. "
            "Run: make test-conformance MATERIAL=<folder>"
        )
    return folder


MATERIAL: Final = _folder()
CLOUDTRAIL: Final = MATERIAL / "cloudtrail"
ORACLES: Final = MATERIAL / "oracles"
STATEMENTS: Final = MATERIAL / "corpus" / "statements.jsonl"
SPECS: Final = MATERIAL / "specs"
