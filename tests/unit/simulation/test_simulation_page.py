"""The page on the simulation describes what there is."""

from __future__ import annotations

import re

from tests.paths import REPOSITORY
from tests.simulation import invariants

PAGE = (REPOSITORY / "docs" / "simulation.md").read_text()


def test_the_page_has_every_invariant() -> None:
    """People search there for the name with which a failure begins; two are not about a quiet stack."""
    table = PAGE.partition("\n| invariant | what must hold |\n|---|---|\n")[2].partition("\n\n")[0]
    names = [invariant.__name__ for invariant in invariants._INVARIANTS]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*names, "becomes_quiet", "raises_nothing"]


def test_the_files_that_the_page_names_exist() -> None:
    """In its table of what is where."""
    table = PAGE.partition("\n| what | where in `tests/simulation/` |\n|---|---|\n")[2].partition("\n\n")[0]
    files = re.findall(r"`(\w+\.py)`", table)
    assert len(files) >= 8
    assert [name for name in files if not (REPOSITORY / "tests" / "simulation" / name).is_file()] == []
