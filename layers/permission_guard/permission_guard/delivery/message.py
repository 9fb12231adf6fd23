"""The message about a finding, the same for every channel.

Its order is that of a reader under pressure: what is wrong, why it matters, how to fix it, then facts and evidence.

Each channel and ticket system renders the message in its own format; `body` is the plain text.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from itertools import compress
from typing import TYPE_CHECKING

from permission_guard.delivery.plans import approved_until, plan_parts, undo_parts
from permission_guard.delivery.text import as_json, cut, listing, one_line
from permission_guard.model.findings import FixResult, Status, Transition
from permission_guard.model.state import TOOL_NAMES
from permission_guard.model.verdicts import REMEDY_NAMES
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from permission_guard.model.findings import Finding, FixRecord
    from permission_guard.model.state import ManagedBy
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy

HAPPENED: Mapping[Transition, str] = {
    Transition.OPENED: "A problem was found.",
    Transition.REOPENED: "A problem that was resolved exists again.",
    Transition.RESOLVED: "The problem no longer exists.",
    Transition.SUPPRESSED: "The finding was suppressed. The problem still exists. No alerts until that ends.",
    Transition.FIX_PROPOSED: "A fix is proposed. Nothing was changed yet.",
    Transition.FIX_APPROVED: "The fix was approved. It is about to be applied.",
    Transition.FIX_REJECTED: "The proposed fix was rejected. Nothing was changed.",
    Transition.FIX_APPLIED: "Fix applied and verified. The finding resolves at the next check.",
    Transition.FIX_REFUSED: "The bot refused to fix this. Nothing was changed. Manual action required.",
    Transition.FIX_FAILED: "The fix failed. Manual action required.",
    Transition.FIX_UNDO_REQUESTED: "Someone, or the bot itself, requested that the fix be undone.",
    Transition.FIX_UNDONE: "The fix was undone. What others changed since stays. It is not applied again by itself.",
}
"""What happened, for each transition."""

_NOT_UNDONE: Mapping[Transition, str] = {
    Transition.FIX_REFUSED: "The bot refused to undo the fix, or all of it. Manual action required.",
    Transition.FIX_FAILED: "Undoing the fix failed. Manual action required.",
}

_REFUSED = Transition.FIX_REFUSED
_NOT_FINISHED = "The bot refused to finish a fix that it had started. Manual action required."

_FIX_IN_PROGRESS = frozenset({Transition.FIX_APPROVED, Transition.FIX_APPLIED})

_HEADLINE = 500
_FACT = 300
_PROSE = 4_000
_LISTING = 20_000
_FUNCTIONS_SHOWN = 10
_EVENTS_SHOWN = 3
_OMITTED = "Omitted because of the size limit"
_NOTE_BYTES = 2_000
"""More than the note on omitted sections takes: a title and a fact, in characters of up to four bytes."""


class SectionStyle(Enum):
    """How a channel may format the text of a section."""

    PROSE = auto()  # may be wrapped and cut
    LISTING = auto()  # keeps its lines; may be cut at its end
    COMMAND = auto()  # to paste: whole or not at all, since half a command does something else


@record
class Section:
    """A titled part of a message."""

    title: str
    text: str
    style: SectionStyle


@record
class FindingMessage:
    """A message for people, in the order of its parts. Each has a maximum length and only printable characters.

    `resource` is the ARN of the function or the role.
    """

    headline: str
    resource: str
    happened: str
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...]
    evidence: tuple[Section, ...]

    @property
    def body(self) -> str:
        """Return the message as plain text."""
        width = max(len(label) for label, _ in self.facts) + 2
        facts = "\n".join(f"{label + ':':<{width}}{value}" for label, value in self.facts)
        sections, evidence = map(_plain, self.sections), map(_plain, self.evidence)
        return "\n\n".join([self.headline, self.resource, self.happened, *sections, facts, *evidence]) + "\n"

    def body_within(self, limit: int) -> str:
        """Return the message as plain text of at most `limit` bytes; it names the sections that are omitted.

        No section is cut: half a command does something else.
        """
        if len(self.body.encode()) <= limit:
            return self.body
        bare = replace(self, sections=(), evidence=())
        every = (*self.sections, *self.evidence)
        fits = _fitting(every, limit - len(bare.body.encode()) - _NOTE_BYTES)
        omitted = ", ".join(section.title for section, does_fit in zip(every, fits, strict=True) if not does_fit)
        note = _prose(_OMITTED, f"{one_line(omitted, _FACT)}. See the finding in the findings table.")
        evidence = compress(self.evidence, fits[len(self.sections) :])
        return replace(self, sections=tuple(compress(self.sections, fits)), evidence=(*evidence, note)).body


def compose(finding: Finding) -> FindingMessage:
    """Return the message about a finding and its last transition."""
    return FindingMessage(
        headline=headline(finding),
        resource=one_line(finding.target_arn, _FACT),
        happened=_happened(finding),
        sections=tuple(_sections(finding)),
        facts=tuple((label, one_line(value, _FACT)) for label, value in _facts(finding) if value),
        evidence=tuple(_evidence(finding)),
    )


def _happened(finding: Finding) -> str:
    """Return what happened: the end of a suppression opens a finding again whose problem was never resolved."""
    before = [past.transition for past in finding.history if past.revision == finding.revision - 1]
    if finding.transition is Transition.REOPENED and before == [Transition.SUPPRESSED]:
        return "The finding is no longer suppressed. The problem still exists."
    fix = finding.fix
    if fix is not None and fix.result is FixResult.APPLIED and finding.transition in _NOT_UNDONE:
        return _NOT_UNDONE[finding.transition]
    # A refused fix has calls only if it was started: a part of them can have been made.
    if fix is not None and fix.result is FixResult.REFUSED and fix.calls and finding.transition is _REFUSED:
        return _NOT_FINISHED
    return HAPPENED[finding.transition]


def headline(finding: Finding) -> str:
    """Return one line: the severity, the transition and the title."""
    return one_line(f"[{finding.severity.upper()}] {finding.transition}: {finding.title}", _HEADLINE)


def remedy_name(remedy: Remedy) -> str:
    """Return the name of a remedy's kind, such as `AWS CLI`."""
    return REMEDY_NAMES.get(remedy.kind, one_line(remedy.kind, _FACT))


def _form(remedy: Remedy) -> Iterator[str]:
    """Yield the name of a remedy, which step it is, and whether a person decides first."""
    yield remedy_name(remedy)
    if remedy.step:
        yield one_line(remedy.step, _FACT)
    if remedy.needs_decision:
        yield "after a decision"


def _facts(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield labels and values that identify the finding; channels select facts by their labels."""
    yield "Account", finding.account
    yield "Region", finding.region
    yield "Severity", str(finding.severity)
    yield "Rule", f"{finding.rule_id} {finding.rule_name}"
    yield "Subject", finding.subject
    yield "Status", str(finding.status)
    yield "Functions", _functions(finding)
    yield "First seen", finding.first_seen if finding.first_seen != finding.opened_at else ""
    yield "Opened at", finding.opened_at
    yield "Changed at", finding.changed_at
    yield "Changed by", finding.changed_by
    yield "Changed from", finding.changed_from
    yield "Changed with", finding.changed_with
    yield "CloudTrail", ", ".join(finding.event_ids[:_EVENTS_SHOWN])
    yield "Finding id", finding.id


def _functions(finding: Finding) -> str:
    """Return the names of the functions that use the role which a finding is about, and how many more there are."""
    names = [arn.rpartition(":")[2] for arn in finding.functions[:_FUNCTIONS_SHOWN]]
    more = finding.function_count - len(names)
    return ", ".join([*names, *([f"{more} more"] if more > 0 else [])])


def _sections(finding: Finding) -> Iterator[Section]:
    """Yield what is wrong, why it matters, how to fix it, and what the bot did about it."""
    is_resolved = finding.status is Status.RESOLVED
    needs_fix = finding.status is Status.OPEN and finding.transition not in _FIX_IN_PROGRESS
    if finding.resolution:
        yield _prose("Resolution", finding.resolution)
    yield _prose("What was wrong" if is_resolved else "What is wrong", finding.reason)
    if needs_fix and finding.impact:
        yield _prose("Why it matters", finding.impact)
    if needs_fix and finding.managed_by is not None:
        yield _prose("Where to fix it", _where(finding.managed_by))
    if needs_fix:
        for remedy in finding.remedies:
            yield _command(f"How to fix it ({', '.join(_form(remedy))})", remedy.text)
            if remedy.changes:
                yield _prose("What else changes", remedy.changes)
    if finding.fix is not None:
        yield from _fix(finding.fix, finding)


def _evidence(finding: Finding) -> Iterator[Section]:
    """Yield the state before and after a fix, and what the finding is based on."""
    if finding.fix is not None and finding.fix.before:
        yield _listing("Before", as_json(finding.fix.before))
    if finding.fix is not None and finding.fix.after:
        yield _listing("After", as_json(finding.fix.after))
    if finding.evidence and finding.status is not Status.RESOLVED:
        yield _listing("Evidence", _values(finding.evidence))


def _where(managed_by: ManagedBy) -> str:
    """Return which tool owns the function, and why to make the fix there."""
    name = TOOL_NAMES.get(managed_by.tool, "a tool outside AWS")
    what = f"the role {managed_by.role}" if managed_by.role else "this function"
    verb = "manages" if managed_by.is_configured else "seems to manage"
    owner = f"The {name} stack {managed_by.stack} owns {what}" if managed_by.stack else f"{name} {verb} {what}"
    return f"{owner[:1].upper()}{owner[1:]}. Make the fix there: the next deployment overwrites manual changes."


def _fix(fix: FixRecord, finding: Finding) -> Iterator[Section]:
    if fix.result in (FixResult.PROPOSED, FixResult.REJECTED):
        yield _prose("What the bot would do", f"{fix.name}: {fix.summary}")
    else:
        attempt = f"attempt {fix.attempts}, {fix.at}"
        yield _prose("What the bot did", f"{fix.name}: {fix.result} ({attempt}). {fix.summary}")
    yield from (_listing(title, text) for title, text in plan_parts(fix))
    if fix.decided_by:
        until = f" until {until}" if (until := approved_until(fix)) else ""
        yield _prose("Rejected by" if fix.result is FixResult.REJECTED else "Approved by", f"{fix.decided_by}{until}")
    if fix.approve:
        yield _command("How to approve it", fix.approve)
    yield from (_listing(title, text) for title, text in undo_parts(fix))
    if fix.result is FixResult.UNDONE or finding.transition is Transition.FIX_UNDONE:
        return
    if fix.result is FixResult.APPLIED and fix.calls:
        yield _command("How to undo it", f"permission-guard fixes undo {finding.id}")
        yield _command("How to undo it by hand", fix.undo)
    elif fix.undo:
        yield _command("How to undo it", fix.undo)


def _prose(title: str, text: str) -> Section:
    return Section(title, one_line(text, _PROSE), SectionStyle.PROSE)


def _listing(title: str, text: str) -> Section:
    return Section(title, cut(text, _LISTING), SectionStyle.LISTING)


def _fitting(sections: Iterable[Section], limit: int) -> list[bool]:
    """Return for each section whether it is among the first ones that take at most `limit` bytes together."""
    fits = []
    for section in sections:
        size = len(f"\n\n{_plain(section)}".encode())
        fits.append(size <= limit)
        limit -= size if size <= limit else 0
    return fits


def _plain(section: Section) -> str:
    return f"{section.title}:\n{section.text}"


def _command(title: str, text: str) -> Section:
    shown = listing(text).strip()
    if len(shown) > _LISTING:
        return Section(title, "Too long for this message: see the finding in the findings table.", SectionStyle.PROSE)
    return Section(title, shown, SectionStyle.COMMAND)


def _values(evidence: Mapping[str, JSON]) -> str:
    """Return one line for each value; lists and documents as indented JSON. Skip empty values."""
    return "\n".join(
        f"{listing(str(key))}: {_value(value)}" for key, value in evidence.items() if value not in (None, "")
    )


def _value(value: JSON) -> str:
    return one_line(value, _PROSE) if isinstance(value, str) else as_json(value)
