"""The message that has a digest sent. It is put into the alert queue, not on the bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.bus.events import SOURCE
from permission_guard.errors import MalformedEventError
from permission_guard.model.digests import DIGEST_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON

DIGEST_DETAIL_TYPE: Final = "Digest Due"


def digest_body(digest_id: str) -> str:
    """Return the body of the message."""
    return json.dumps({"source": SOURCE, "detail-type": DIGEST_DETAIL_TYPE, "detail": {"digest_id": digest_id}})


def read_digest_id(detail: Mapping[str, JSON]) -> str:
    """Read the `detail` of the message; MalformedEventError if it names no digest."""
    digest_id = detail.get("digest_id")
    if not isinstance(digest_id, str) or not DIGEST_ID.fullmatch(digest_id):
        raise MalformedEventError("the message has no valid `digest_id`")
    return digest_id
