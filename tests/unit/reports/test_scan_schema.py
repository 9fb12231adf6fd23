"""The JSON output of a scan is as its schema says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import pytest

from permission_guard.sweep.bulk import Gap, GapKind
from tests.fake_scans import BUCKETS, PUBLIC, FakeAccounts, FakeFunction
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = json.loads((REPOSITORY / "docs" / "schemas" / "scan.v1.json").read_text())


def test_the_output_is_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With findings, plans, unknown outcomes, gaps, excluded functions, and errors."""
    config = tmp_path / "guard.yaml"
    config.write_text("version: 1\nexclusions:\n  - {functions: [thumbs], reason: a test}\n")
    gap = Gap(kind=GapKind.UNREAD, what="the triggers of log groups", reason="AWS denied it.", rules=("PG112",))
    functions = [
        FakeFunction("orders", [PUBLIC]),
        FakeFunction("thumbs", [BUCKETS]),
        FakeFunction("secret", unread=True),
    ]
    accounts = FakeAccounts.with_functions(*functions, gaps=(gap,), no_role=frozenset({"111122223333"}))
    words = ["--account", "111122223333", "--account", "123456789012", "--role-name", "audit"]
    document = accounts.document(monkeypatch, "--config", str(config), "--plan", *words)
    jsonschema.validate(document, SCHEMA)
    for name in ("findings", "unknowns", "gaps", "not_evaluated", "errors", "places"):
        assert document[name], name


def test_another_document_is_not_valid() -> None:
    """Else the schema would say nothing."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"version": 1, "findings": []}, SCHEMA)
