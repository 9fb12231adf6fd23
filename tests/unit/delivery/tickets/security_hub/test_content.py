"""A finding as Security Hub accepts it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.security_hub.content import document
from tests.unit.delivery.examples import OPENED

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize("blank", [" ", "\u3000", "\u200b"])
def test_a_field_without_a_visible_character_is_left_out(blank: str) -> None:
    """Security Hub refuses the whole finding for it."""
    finding = replace(OPENED, tags={"owner": blank}, subject=blank, changed_event=blank, changed_by=blank)
    fields: dict[str, Any] = document(finding, Mark.of(finding), NOW)["ProductFields"]
    assert fields["Finding id"] == OPENED.id
    assert not {"Owner", "Subject", "CloudTrail"} & fields.keys()
    assert all(value.strip() for name, value in fields.items() if not name.startswith("permission-guard/"))
