"""The page: `docs/corpus.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tools.corpus import mappings, statements
from tools.corpus.text import ROOT, paragraph

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE: Final = ROOT / "docs" / "corpus.md"


def page(judged: Sequence[statements.Judged], judged_mappings: Sequence[mappings.Judged]) -> str:
    """Return `docs/corpus.md`."""
    return "\n".join(
        [
            "# What people and tools write, and what we say of it",
            "",
            paragraph("*`python -m tools.corpus` writes this page, from the tables that tests hold the rules to.*"),
            *statements.section(judged),
            *mappings.section(judged_mappings),
        ]
    )
