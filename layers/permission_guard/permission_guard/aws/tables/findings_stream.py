"""Read the stream of the findings table: the transition in a stream record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.tables.finding_items import FINDING_PREFIX, read_finding
from permission_guard.errors import UNREADABLE, MalformedEventError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

_KEY_SHOWN = 300


def transition_of(record: Mapping[str, JSON]) -> Finding | None:
    """Return the finding that made a transition, None if the record has no transition.

    MalformedEventError if the item is a finding that cannot be read.
    """
    change = record["dynamodb"]
    new, old = change.get("NewImage"), change.get("OldImage")
    try:
        if not new or not new["sk"]["S"].startswith(FINDING_PREFIX):  # deleted, expired, or bookkeeping
            return None
        if old and old.get("revision") == new.get("revision"):
            return None
        return read_finding(new)
    except UNREADABLE as error:
        keys = " ".join(str(new.get(name, {}).get("S"))[:_KEY_SHOWN] for name in ("pk", "sk"))
        raise MalformedEventError(f"{keys} is not a valid finding: {error!r:.500}") from error
