"""The plan of a fix as text, the same in alerts, in tickets and on the command line.

Its values come from AWS, whose callers choose them: each is shown on one line, without invisible characters.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.text import one_line, shown_time, utc
from permission_guard.model.findings import APPROVAL, APPROVAL_HOURS, FixResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from permission_guard.model.findings import FixRecord, PlannedCall
    from permission_guard.model.targets import JSON

_VALUE = 2_100
"""More characters than an ARN has."""

_UNKNOWN, _HASH, _REQUESTED, _ENDED = "What is unknown", "Hash of the plan", "Undo requested by", "How the undo ended"

PROSE: Final = frozenset({_UNKNOWN, _HASH, _REQUESTED, _ENDED})
"""The titles of the parts that are sentences. The others are listings."""


def plan_parts(fix: FixRecord) -> Iterator[tuple[str, str]]:
    """Yield titles and texts: the calls, what they change, on what the plan rests, its certificate, and its hash.

    Nothing for a fix without a plan: it was refused, or an earlier version recorded it.
    """
    if not fix.calls:
        return
    yield "Calls to AWS", "\n".join(_calls(fix.calls))
    yield "Before and after", "\n".join(_changes(fix.before, fix.after or fix.expected)) or "Nothing changes."
    if fix.rests_on:
        yield "What the plan rests on", "\n".join([*_entries(fix.rests_on), f"read at: {shown_time(fix.planned_at)}"])
    if fix.certificate:
        yield "What is certain about the plan", "\n".join(_certificate(fix.certificate))
    if fix.resolves:
        yield "What it also resolves", "\n".join(f"finding {one_line(one, _VALUE)}" for one in fix.resolves)
    yield _UNKNOWN, "\n".join(one_line(text, _VALUE) for text in fix.unknowns) or "Nothing."
    yield _HASH, f"{fix.plan_hash}\n{_validity(fix)}".rstrip()


def undo_parts(fix: FixRecord) -> Iterator[tuple[str, str]]:
    """Yield titles and texts about the undo of a fix: who requested it, how it ended, its calls, and what they changed.

    Nothing if nobody requested it.
    """
    undo = fix.undo_record
    if undo is None:
        return
    yield (
        _REQUESTED,
        one_line(f"{undo.by} at {shown_time(undo.at)}{f': {undo.reason}' if undo.reason else ''}", _VALUE),
    )
    if not undo.ended_at:
        return
    yield _ENDED, one_line(f"{shown_time(undo.ended_at)}: {undo.summary}", _VALUE)
    if undo.calls:
        yield "Calls to AWS that undo it", "\n".join(_calls(undo.calls))
    if undo.before and (others := "\n".join(_changes(fix.after, undo.before))):
        yield "What others changed since the fix", others
    if undo.after and (changes := "\n".join(_changes(undo.before, undo.after))):
        yield "Before and after the undo", changes


def undo_preview(fix: FixRecord) -> str:
    """Return what the undo of an applied fix changes, as far as it still is as the fix left it."""
    kept = {"mapping_state_reason"} if fix.enabled_mapping else {"mapping_state_reason", "mapping_state"}
    left = fix.after or fix.expected
    restored = {name: value for name, value in fix.before.items() if name in left and name not in kept}
    return "\n".join(_changes(left, restored)) or "Nothing changes."


def approved_until(fix: FixRecord) -> str:
    """Return when the approval of a fix ends, empty unless one was given and nothing was applied since."""
    if fix.result is not FixResult.PROPOSED or not fix.decided_by or fix.approve:
        return ""
    return utc(datetime.fromisoformat(fix.at) + APPROVAL)


def _validity(fix: FixRecord) -> str:
    if until := approved_until(fix):
        return f"The approval of this plan is valid until {until}."
    if fix.approve:
        return (
            f"An approval is of this plan only, and valid for {APPROVAL_HOURS} hours. If the state in AWS no longer "
            "fits, the plan is not applied, and a new one is proposed."
        )
    return ""


def _calls(calls: Iterable[PlannedCall]) -> Iterator[str]:
    for call in calls:
        yield one_line(call.operation, _VALUE)
        yield from (f"  {line}" for line in _entries(call.parameters))


def _certificate(certificate: Mapping[str, JSON]) -> Iterator[str]:
    """Yield whether it holds, and its grounds."""
    yield f"The certificate ({one_line(str(certificate.get('kind')), _VALUE)}) holds:"
    yield from (f"  {_value(text)}" for text in certificate.get("grounds", ()))


def _entries(values: Mapping[str, JSON]) -> Iterator[str]:
    """Yield a line for each value, and for each item of a list."""
    for name, value in values.items():
        if isinstance(value, list | tuple):
            yield f"{_key(name)}:"
            yield from (f"  {_value(item)}" for item in value)
        else:
            yield f"{_key(name)}: {_value(value)}"


def _changes(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> Iterator[str]:
    """Yield what differs: of a list, each item that is added (+) or removed (-), and how many stay.

    Of what is only in `before`, it is not known how it will be.
    """
    for name in after:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if not isinstance(old, list) or not isinstance(new, list):
            yield f"{_key(name)}: {_value(old)} -> {_value(new)}"
            continue
        yield f"{_key(name)}:"
        yield from (f"  - {_value(item)}" for item in old if item not in new)
        yield from (f"  + {_value(item)}" for item in new if item not in old)
        yield f"  {sum(item in new for item in old)} unchanged"


def _key(name: str) -> str:
    return one_line(name, _VALUE)


def _value(value: JSON) -> str:
    return one_line(value if isinstance(value, str) else json.dumps(value, default=str), _VALUE)
