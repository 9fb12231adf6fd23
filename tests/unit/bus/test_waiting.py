"""The message that has what waits sent names a channel, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.bus.events import read_message
from permission_guard.bus.waiting import WAITING_DETAIL_TYPE, read_waiting_channel, waiting_body
from permission_guard.errors import MalformedEventError


def test_the_message_names_the_channel() -> None:
    """What waits for it is in the table."""
    detail_type, detail = read_message(waiting_body("slack"))
    assert detail_type == WAITING_DETAIL_TYPE
    assert read_waiting_channel(detail) == "slack"


@pytest.mark.parametrize("detail", [{}, {"channel": ""}, {"channel": 7}, {"channel": "s" * 257}, {"channel": ["sns"]}])
def test_another_message_is_malformed(detail: dict[str, Any]) -> None:
    """It goes to the dead-letter queue."""
    with pytest.raises(MalformedEventError, match="no valid `channel`"):
        read_waiting_channel(detail)
