"""What a maintenance run leaves for the next one."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, Self

from permission_guard.model.documents import known_fields
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON


@record(kw_only=True)
class ExceptionMemory:
    """What is remembered of an exception: when it was first seen, and when it last suppressed a finding.

    `warned_of` is the expiry of which its owner was warned, and `reported` when it was last reported as stale. Times
    are ISO-8601 in UTC, and empty for never.
    """

    first_seen: str
    last_matched: str = ""
    warned_of: str = ""
    reported: str = ""


@record(kw_only=True)
class MaintenanceState:
    """Where maintenance continues, and what it remembers.

    `suppressed_after` and `open_after` are the ARNs of the targets up to which the suppressed and the open findings
    were handled, empty if all were. `configuration` is a digest of the exceptions with which open findings were last
    compared, and `comparisons` how many times they still are. `exceptions` has an entry for each exception's id.
    `watches` are the ids of the digests about watched fixes that were sent. `watched_after` is the id of the finding up
    to whose fix they were watched, empty if all were. `reviewed_on` is the day for which tickets were last
    requested to be read, and `reviewed_after` the target and the id of the finding up to which they were, empty if all
    were. `summarized` is the period of the last digest of what is open, empty before the first one. `revision` counts
    the writes.
    """

    revision: int = 0
    suppressed_after: str = ""
    open_after: str = ""
    configuration: str = ""
    comparisons: int = 0
    exceptions: Mapping[str, ExceptionMemory] = field(default_factory=dict, hash=False)
    watches: tuple[str, ...] = ()
    watched_after: str = ""
    reviewed_on: str = ""
    reviewed_after: str = ""
    summarized: str = ""

    def to_document(self) -> dict[str, JSON]:
        """Return the state as JSON values."""
        # The state of a thousand exceptions fits an item because what is empty is left out.
        exceptions = {
            name: {key: value for key, value in asdict(memory).items() if value}
            for name, memory in self.exceptions.items()
        }
        return {**asdict(self), "exceptions": exceptions, "watches": list(self.watches)}

    @classmethod
    def from_document(cls, document: Mapping[str, JSON]) -> Self:
        """Read a state. One of UNREADABLE if it is invalid; unknown fields are ignored."""
        fields = known_fields(cls, document)
        fields["exceptions"] = {name: _memory(one) for name, one in fields.get("exceptions", {}).items()}
        fields["watches"] = tuple(map(str, fields.get("watches", ())))
        return cls(**fields)


class MaintenanceStates(Protocol):
    """Stores the state between the runs."""

    def state(self) -> MaintenanceState:
        """Return the state; a new one if there is none or it cannot be read."""

    def put_state(self, state: MaintenanceState) -> MaintenanceState:
        """Store a state; return it with its new revision. ConflictError if another run has stored one since."""


def _memory(document: Mapping[str, JSON]) -> ExceptionMemory:
    memory = ExceptionMemory(**known_fields(ExceptionMemory, document))
    for time in (memory.first_seen, *filter(None, (memory.last_matched, memory.warned_of, memory.reported))):
        if datetime.fromisoformat(time).tzinfo is None:
            raise ValueError(f"not a time in UTC: {time!r:.50}")
    return memory
