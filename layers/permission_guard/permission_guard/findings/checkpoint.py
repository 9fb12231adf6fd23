"""What a look leaves for the next one of the same function and scope."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from permission_guard.model.state import Refusal
from permission_guard.model.targets import RoleTarget
from permission_guard.needs.aws_messages import named_actions
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from permission_guard.model.targets import JSON

KEEP_REFUSALS = timedelta(days=1)
_MAX_REFUSALS = 10


@record(frozen=True, slots=True)
class Notes:
    """What the last look that was recorded knew.

    `roles` are those that the function and its versions ran with. `refusals` are the calls about it that AWS refused,
    of a day. `has_findings` is false where none was ever recorded, so that nobody needs to ask for them.
    """

    roles: frozenset[RoleTarget] = frozenset()
    refusals: tuple[Refusal, ...] = ()
    has_findings: bool = True

    def to_json(self) -> str:
        """Return them as text, always the same for the same notes."""
        roles = sorted((role.account, role.name) for role in self.roles)
        document = {
            "roles": roles,
            "refusals": [asdict(refusal) for refusal in self.refusals],
            "has_findings": self.has_findings,
        }
        return json.dumps(document, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read them; KeyError, TypeError or ValueError when the text is not of `to_json`.

        What a newer version has added is passed over.
        """
        document = json.loads(text)
        return cls(
            roles=frozenset(RoleTarget(account, name) for account, name in document["roles"]),
            refusals=tuple(map(_refusal, document["refusals"])),
            has_findings=bool(document["has_findings"]),
        )


@record(frozen=True, slots=True)
class Begun:
    """A look that was begun: its number, and the notes that the last one left.

    `text` is how they are kept: another version of this may have written them, in other words than this one would.
    """

    number: int
    notes: Notes = Notes()
    text: str = ""

    @classmethod
    def after(cls, number: int, text: str) -> Self:
        """Return a look with the notes in a text; what cannot be read as such is forgotten, and is overwritten."""
        try:
            notes = Notes.from_json(text)
        except (KeyError, TypeError, ValueError):
            notes = Notes()
        return cls(number, notes, text)


def still_told(known: Iterable[Refusal], new: Iterable[Refusal], now: str) -> tuple[Refusal, ...]:
    """Return the refusals of the last day, the last of each call that was tried, the oldest first.

    When a call was refused is what an event says: a time that is none, or that is yet to come, is now. Of more than ten
    only the last are kept: somebody who tries a hundred names gets ten findings.
    """
    last: dict[tuple[str, ...], Refusal] = {}
    for refusal in (*known, *(_heard(refusal, now) for refusal in new)):
        if _time(now) - _time(refusal.at) < KEEP_REFUSALS:
            last.pop(_what(refusal), None)
            last[_what(refusal)] = refusal
    return tuple(last.values())[-_MAX_REFUSALS:]


def _what(refusal: Refusal) -> tuple[str, ...]:
    """Return what was tried: of which source, or, where it is about the function itself, with which service."""
    asked = refusal.configuration
    source = asked.get("EventSourceArn") or asked.get("SelfManagedEventSource")
    services = {action.partition(":")[0] for action in named_actions(refusal.message)}
    about = (json.dumps(source, sort_keys=True),) if refusal.mapping else tuple(sorted(services))
    return refusal.api, refusal.function_arn, refusal.role_arn, *about


def _refusal(document: Mapping[str, JSON]) -> Refusal:
    refusal = Refusal(**{name: document[name] for name in Refusal.__dataclass_fields__ if name in document})
    _time(refusal.at)
    return refusal


def _heard(refusal: Refusal, now: str) -> Refusal:
    try:
        is_past = _time(refusal.at) <= _time(now)
    except ValueError:
        is_past = False
    return refusal if is_past else replace(refusal, at=now)


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
