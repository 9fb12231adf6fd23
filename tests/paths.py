"""Where the tests find their material inside the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[1]
LAYER: Final = REPOSITORY / "layers" / "permission_guard"
EVENTS: Final = REPOSITORY / "events"
CASES: Final = REPOSITORY / "tests" / "cases"
FINDINGS: Final = CASES / "findings"
"""Finding documents, each with the alert that is made of it."""
