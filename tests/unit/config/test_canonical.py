"""A configuration is written as a document, and read as the same configuration."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from permission_guard.config.canonical import canonical
from permission_guard.config.document import GuardConfig
from permission_guard.config.read import read_config, validate_config
from tests.paths import CASES

NOW: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_the_defaults_are_written() -> None:
    """What is shown and pushed depends on no default of the reader."""
    document = canonical(GuardConfig())
    assert document["trust"] == {"accounts": [], "organizations": []}
    assert document["baseline"] == "digest"
    assert read_config(json.dumps(document), now=NOW) == GuardConfig()


def test_every_key_is_read_as_it_was() -> None:
    """Ids in place of names, and times in UTC."""
    config = validate_config((CASES / "config" / "everything.json").read_text(), now=NOW)
    document = canonical(config)
    assert document["exceptions"][0]["expires"] == "2027-01-31T00:00:00Z"
    assert "sid" not in document["exceptions"][0]
    assert "roles" not in document["exceptions"][0]
    assert document["exclusions"] == [{"functions": ["tmp-*"], "reason": "They are deleted every night."}]
    assert validate_config(json.dumps(document), now=NOW) == config
