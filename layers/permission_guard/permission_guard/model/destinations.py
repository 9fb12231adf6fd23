"""What became of a test at each alert channel and ticket system.

`send_alert` and `open_ticket` answer with it, `manage_findings` passes it on, and the command line shows it.
"""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from permission_guard.errors import MalformedEventError
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON

_TEXTS: Final = ("name", "type", "kind", "outcome", "reference", "reason")


class DestinationKind(StrEnum):
    """What a destination is."""

    ALERTS = "alert channel"
    TICKETS = "ticket system"


class Outcome(StrEnum):
    """What became of a test at a destination."""

    SENT = "sent"
    OPENED_AND_CLOSED = "opened and closed"
    ALREADY_SENT = "already sent"
    NOT_CLOSED = "opened, but not closed"
    FAILED = "failed"


@record(kw_only=True)
class Destination:
    """An alert channel or a ticket system.

    A default destination gets every finding that no route with `only` takes from it. `routes` has the ids of the
    routes that name the destination.
    """

    name: str
    type: str
    kind: DestinationKind
    is_default: bool = False
    routes: tuple[str, ...] = ()


@record(kw_only=True)
class DestinationResult:
    """What became of a test at a destination.

    `reference` is what the destination calls it, such as the key of a ticket, and `reason` why it failed. Both may be
    empty.
    """

    destination: Destination
    outcome: Outcome
    reference: str = ""
    reason: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the destination works."""
        return self.outcome not in (Outcome.NOT_CLOSED, Outcome.FAILED)

    def to_document(self) -> dict[str, JSON]:
        """Return the result as JSON values."""
        where = self.destination
        return {
            **asdict(where),
            "kind": str(where.kind),
            "routes": list(where.routes),
            "outcome": str(self.outcome),
            "sent": self.is_done,
            "reference": self.reference,
            "reason": self.reason,
        }

    @classmethod
    def from_document(cls, document: JSON) -> Self:
        """Read a result. MalformedEventError if it is none."""
        if not isinstance(document, dict) or not all(isinstance(document.get(name), str) for name in _TEXTS):
            raise MalformedEventError("the result of a test is not readable")
        routes = document.get("routes")
        if not isinstance(routes, list) or not all(isinstance(one, str) for one in routes):
            raise MalformedEventError("the result of a test has no `routes`")
        if document["kind"] not in set(DestinationKind) or document["outcome"] not in set(Outcome):
            raise MalformedEventError("the result of a test is of another version: install that of the stack")
        where = Destination(
            name=document["name"],
            type=document["type"],
            kind=DestinationKind(document["kind"]),
            is_default=document.get("is_default") is True,
            routes=tuple(routes),
        )
        reference, reason = document["reference"], document["reason"]
        return cls(destination=where, outcome=Outcome(document["outcome"]), reference=reference, reason=reason)


def read_results(answer: JSON) -> list[DestinationResult]:
    """Return the results in an answer. MalformedEventError if it has none."""
    found = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise MalformedEventError("the answer has no results of a test")
    return [DestinationResult.from_document(one) for one in found]
