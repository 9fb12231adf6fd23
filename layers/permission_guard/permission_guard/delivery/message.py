"""What is said of a finding, apart from where it is said: a headline, facts and sections.

Each channel and ticket system renders these in its own form; `body` is the plain text for those that have none.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from permission_guard.delivery.text import as_json, cut, listing, one_line
from permission_guard.model.findings import FixResult, Status, Transition
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.model.findings import Finding, FixRecord
    from permission_guard.model.state import ManagedBy
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy

HAPPENED: Mapping[Transition, str] = {
    Transition.OPENED: "A problem was found.",
    Transition.REOPENED: "A problem that had been resolved is back.",
    Transition.RESOLVED: "The problem is gone.",
    Transition.SUPPRESSED: "The problem was suppressed: it stays as it is, and nothing more is said of it.",
    Transition.FIX_PROPOSED: "A fix is proposed. Nothing was changed yet.",
    Transition.FIX_APPROVED: "A person approved the fix. It is about to be made.",
    Transition.FIX_APPLIED: "A fix was applied and read back. The finding is resolved once the next check agrees.",
    Transition.FIX_REFUSED: "The bot refused to fix this. Nothing was changed: a person has to.",
    Transition.FIX_FAILED: "A fix was tried and failed. A person has to look.",
    Transition.FIX_UNDO_REQUESTED: "A person asked for the fix to be undone.",
    Transition.FIX_UNDONE: "The fix was undone: everything is as it was before it.",
}
"""What a transition means to a person, in a sentence."""

_REMEDY_NAMES = {
    "aws-cli": "AWS CLI",
    "sam": "AWS SAM",
    "cloudformation": "CloudFormation",
    "terraform": "Terraform",
    "policy-statement": "policy statement",
}
_CURE_UNDER_WAY = frozenset({Transition.FIX_APPROVED, Transition.FIX_APPLIED})

_HEADLINE = 500
_FACT = 300
_PROSE = 4_000
_LISTING = 20_000
_EVENTS_SHOWN = 3


class SectionStyle(Enum):
    """How the text of a section may be treated."""

    PROSE = auto()  # wrapped and cut as needed
    LISTING = auto()  # lines kept; may be cut at its end
    COMMAND = auto()  # to be pasted: shown whole or not at all, since half a command does something else


@record
class Section:
    """A titled part of a message."""

    title: str
    text: str
    form: SectionStyle


@record
class FindingMessage:
    """A message for people; nothing in it is longer than it can be read, and all of it is printable."""

    headline: str
    happened: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]

    @property
    def body(self) -> str:
        """The message as plain text."""
        width = max(len(label) for label, _ in self.facts) + 2
        facts = "\n".join(f"{label + ':':<{width}}{value}" for label, value in self.facts)
        sections = [f"{section.title}:\n{section.text}" for section in self.sections]
        return "\n\n".join([self.headline, self.happened, facts, *sections]) + "\n"


def compose(finding: Finding) -> FindingMessage:
    """Return what a person has to know of a finding and of what happened to it last."""
    return FindingMessage(
        headline=headline(finding),
        happened=HAPPENED[finding.transition],
        facts=tuple((label, one_line(value, _FACT)) for label, value in _facts(finding) if value),
        sections=tuple(_sections(finding)),
    )


def headline(finding: Finding) -> str:
    """Return one line that says how bad it is, what happened and to what."""
    return one_line(f"[{finding.severity.upper()}] {finding.transition}: {finding.title}", _HEADLINE)


def remedy_name(remedy: Remedy) -> str:
    """Return what a kind of remedy is called in a sentence."""
    return _REMEDY_NAMES.get(remedy.kind, one_line(remedy.kind, _FACT))


def _facts(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield what identifies the finding; the channels pick from it by these labels."""
    yield "Function", finding.function_arn
    yield "Account", finding.account
    yield "Region", finding.region
    yield "Severity", str(finding.severity)
    yield "Rule", f"{finding.rule_id} {finding.rule_name}"
    yield "Subject", finding.subject
    yield "Status", str(finding.status)
    yield "Opened at", finding.opened_at
    yield "Changed at", finding.changed_at
    yield "CloudTrail", ", ".join(finding.event_ids[:_EVENTS_SHOWN])
    yield "Finding id", finding.id


def _sections(finding: Finding) -> Iterator[Section]:
    is_resolved = finding.status is Status.RESOLVED
    needs_a_cure = finding.status is Status.OPEN and finding.transition not in _CURE_UNDER_WAY
    if finding.resolution:
        yield _prose("Resolution", finding.resolution)
    yield _prose("What it was" if is_resolved else "Why", finding.reason)
    if needs_a_cure and finding.impact:
        yield _prose("What could happen", finding.impact)
    if finding.fix is not None:
        yield from _fix(finding.fix, finding.transition)
    if finding.evidence and not is_resolved:
        yield Section("Evidence", cut(_evidence(finding.evidence), _LISTING), SectionStyle.LISTING)
    if needs_a_cure and finding.managed_by is not None:
        yield _prose("Where to fix it", _where(finding.managed_by))
    if needs_a_cure:
        for remedy in finding.remedies:
            yield _command(f"How to fix it ({remedy_name(remedy)})", remedy.text)


def _where(managed_by: ManagedBy) -> str:
    """Say what owns the function, and why the cure belongs there."""
    name = {"cloudformation": "CloudFormation", "terraform": "Terraform"}.get(managed_by.tool, managed_by.tool)
    owner = f"The {name} stack {managed_by.stack} owns" if managed_by.stack else f"{name} seems to manage"
    return f"{owner} this function. Change it there: what is changed by hand, the next deployment undoes."


def _fix(fix: FixRecord, transition: Transition) -> Iterator[Section]:
    if fix.result is FixResult.PROPOSED:
        yield _prose("What the bot would do", f"{fix.name}: {fix.summary}")
    else:
        tried = f"attempt {fix.attempts}, {fix.at}"
        yield _prose("What the bot did", f"{fix.name}: {fix.result} ({tried}). {fix.summary}")
    if fix.approve:
        yield _command("How to approve it", fix.approve)
    if fix.before:
        yield Section("Before", cut(as_json(fix.before), _LISTING), SectionStyle.LISTING)
    if fix.after:
        yield Section("After", cut(as_json(fix.after), _LISTING), SectionStyle.LISTING)
    if fix.undo and transition is not Transition.FIX_UNDONE:
        yield _command("How to undo it", fix.undo)


def _prose(title: str, text: str) -> Section:
    return Section(title, one_line(text, _PROSE), SectionStyle.PROSE)


def _command(title: str, text: str) -> Section:
    shown = listing(text).strip()
    if len(shown) > _LISTING:
        return Section(title, "Too long to be shown here: see the finding itself.", SectionStyle.PROSE)
    return Section(title, shown, SectionStyle.COMMAND)


def _evidence(evidence: Mapping[str, JSON]) -> str:
    """Return a line a value; lists and documents as indented JSON, what has no value left out."""
    return "\n".join(
        f"{listing(str(key))}: {_value(value)}" for key, value in evidence.items() if value not in (None, "")
    )


def _value(value: JSON) -> str:
    return one_line(value, _PROSE) if isinstance(value, str) else as_json(value)
