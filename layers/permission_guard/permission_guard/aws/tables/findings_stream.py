"""Read the stream of the findings table: the transition in a stream record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.tables.findings import FINDING_PREFIX, read_finding
from permission_guard.errors import MalformedEventError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON


def transition_of(record: Mapping[str, JSON]) -> Finding | None:
    """Return the finding that made a transition, None if the record has no transition.

    MalformedEventError if the item is a finding that cannot be read.
    """
    change = record["dynamodb"]
    new, old = change.get("NewImage"), change.get("OldImage")
    if not new or not new["sk"]["S"].startswith(FINDING_PREFIX):  # deleted, expired, or bookkeeping
        return None
    if old and old.get("revision") == new.get("revision"):
        return None
    try:
        return read_finding(new)
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedEventError(f"{new['pk']['S']} {new['sk']['S']} is not a valid finding: {error!r}") from error
