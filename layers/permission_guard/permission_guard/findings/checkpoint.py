"""What a look leaves for the next one of the same function and scope."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from permission_guard.model.state import DeniedCall
from permission_guard.model.targets import RoleTarget
from permission_guard.needs.aws_messages import named_actions
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from permission_guard.model.targets import JSON

KEEP_DENIED_CALLS = timedelta(days=1)
_MAX_DENIED_CALLS = 10


@record
class Checkpoint:
    """What the last look that was recorded knew.

    `roles` are those that the function and its versions ran with. `denied_calls` are the calls about it that AWS denied
    within a day. `has_findings` is false where none was ever recorded, so that they need not be read.
    """

    roles: frozenset[RoleTarget] = frozenset()
    denied_calls: tuple[DeniedCall, ...] = ()
    has_findings: bool = True

    def to_json(self) -> str:
        """Return them as text, always the same for the same notes."""
        roles = sorted((role.account, role.name) for role in self.roles)
        document = {
            "roles": roles,
            "denied_calls": [asdict(refusal) for refusal in self.denied_calls],
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
            denied_calls=tuple(map(_refusal, document["denied_calls"])),
            has_findings=bool(document["has_findings"]),
        )


@record
class CheckRun:
    """A look that was begun: its number, and the notes that the last one left.

    `text` is how they are kept: another version of this may have written them, in other words than this one would.
    """

    number: int
    checkpoint: Checkpoint = Checkpoint()
    text: str = ""

    @classmethod
    def after(cls, number: int, text: str) -> Self:
        """Return a look with the notes in a text; what cannot be read as such is forgotten, and is overwritten."""
        try:
            checkpoint = Checkpoint.from_json(text)
        except (KeyError, TypeError, ValueError):
            checkpoint = Checkpoint()
        return cls(number, checkpoint, text)


def still_relevant(known: Iterable[DeniedCall], new: Iterable[DeniedCall], now: str) -> tuple[DeniedCall, ...]:
    """Return the refusals of the last day, the last of each call that was tried, the oldest first.

    When a call was refused is what an event says: a time that is none, or that is yet to come, is now. Of more than ten
    only the last are kept: somebody who tries a hundred names gets ten findings.
    """
    last: dict[tuple[str, ...], DeniedCall] = {}
    for refusal in (*known, *(_heard(refusal, now) for refusal in new)):
        if _time(now) - _time(refusal.at) < KEEP_DENIED_CALLS:
            last.pop(_what(refusal), None)
            last[_what(refusal)] = refusal
    return tuple(last.values())[-_MAX_DENIED_CALLS:]


def _what(refusal: DeniedCall) -> tuple[str, ...]:
    """Return what was tried: of which source, or, where it is about the function itself, with which service."""
    asked = refusal.configuration
    source = asked.get("EventSourceArn") or asked.get("SelfManagedEventSource")
    services = {action.partition(":")[0] for action in named_actions(refusal.message)}
    about = (json.dumps(source, sort_keys=True),) if refusal.mapping else tuple(sorted(services))
    return refusal.api, refusal.function_arn, refusal.role_arn, *about


def _refusal(document: Mapping[str, JSON]) -> DeniedCall:
    refusal = DeniedCall(**{name: document[name] for name in DeniedCall.__dataclass_fields__ if name in document})
    _time(refusal.at)
    return refusal


def _heard(refusal: DeniedCall, now: str) -> DeniedCall:
    try:
        is_past = _time(refusal.at) <= _time(now)
    except ValueError:
        is_past = False
    return refusal if is_past else replace(refusal, at=now)


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
