"""The message that has what waits for an alert channel sent. It is put into the alert queue, not on the bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.bus.events import SOURCE
from permission_guard.errors import MalformedEventError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON

WAITING_DETAIL_TYPE: Final = "Waiting Messages Due"

_LONGEST: Final = 256


def waiting_body(channel: str) -> str:
    """Return the body of the message."""
    return json.dumps({"source": SOURCE, "detail-type": WAITING_DETAIL_TYPE, "detail": {"channel": channel}})


def read_waiting_channel(detail: Mapping[str, JSON]) -> str:
    """Read the `detail` of the message; MalformedEventError if it names no channel."""
    channel = detail.get("channel")
    if not isinstance(channel, str) or not 0 < len(channel) <= _LONGEST:
        raise MalformedEventError("the message has no valid `channel`")
    return channel
