"""The message about findings and their last transition.

Findings of one group (`groups.py`) are one message: what was changed, by whom and when is the same for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.delivery.evidence import evidence_lines
from permission_guard.delivery.links import event_url, function_url, role_url
from permission_guard.delivery.message import Fact, Link, Message, Section, SectionStyle, Time
from permission_guard.delivery.plans import PROSE, approved_until, plan_parts, undo_parts
from permission_guard.delivery.states import happened, needs_attention, needs_fix, state
from permission_guard.delivery.text import cut, first_sentence, listing, one_line, parsed_time, shown_time
from permission_guard.iam.arn import parse_arn
from permission_guard.model.findings import CHECK_REQUEST, FixResult, Status, Transition
from permission_guard.model.state import TOOL_NAMES
from permission_guard.model.verdicts import REMEDY_NAMES, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.delivery.message import Part
    from permission_guard.model.findings import Finding, FixRecord
    from permission_guard.model.state import ManagedBy
    from permission_guard.model.verdicts import Remedy

_TITLE: Final = 500
_FACT: Final = 300
_PROSE: Final = 4_000
_LISTING: Final = 20_000
_FUNCTIONS_SHOWN: Final = 10
_EVENTS_SHOWN: Final = 3
_DETAILED: Final = 3
"""How many findings a message shows in detail."""
_LISTED: Final = 10
"""How many findings are in one list: Slack shows 2,500 characters of it."""
_LINE: Final = 150
_CHANGES: Final = frozenset({Transition.OPENED, Transition.REOPENED, Transition.RESOLVED, Transition.SUPPRESSED})
"""The transitions that a change of the state, or a person, led to; the others keep who made the last change."""


def compose(*findings: Finding) -> Message:
    """Return the message about a finding, or about several of one group, the worst first: in whichever order they come.

    Of more than three findings all are listed, and the worst three shown in detail: every channel shows each of them.
    """
    ordered = sorted(findings, key=lambda one: (-[*Severity].index(one.severity), one.id))
    first, *others = ordered
    more = f" (and {len(others)} more)" if others else ""
    detailed = ordered[:_DETAILED]
    return Message(
        key="+".join(f"{one.id}-{one.revision}" for one in ordered),
        group=first.target_arn,
        attributes=_attributes(ordered),
        title=f"{one_line(first.title, _TITLE)}{more}",
        happened=happened(first),
        state=state(first),
        severity=first.severity if needs_attention(first) else None,
        facts=tuple(fact for fact in _facts(first) if fact.is_visible),
        sections=(*_lists(ordered), *(part for one in detailed for part in _sections(one, is_alone=not others))),
        references=tuple(fact for one in detailed for fact in _references(one) if fact.is_visible),
        evidence=tuple(section for one in detailed for section in _evidence(one, is_alone=not others)),
        rest=f"See {', '.join(map(_show, detailed))}.",
        owner=one_line(first.owner, _FACT),
        findings=tuple(one.id for one in ordered),
        over=frozenset(one.id for one in ordered if not needs_attention(one)),
    )


def remedy_name(remedy: Remedy) -> str:
    """Return the name of a remedy's kind, such as `AWS CLI`."""
    return REMEDY_NAMES.get(remedy.kind, one_line(remedy.kind, _FACT))


def _attributes(findings: Sequence[Finding]) -> dict[str, tuple[str, ...]]:
    """Return what subscribers filter by. Of several severities it is the worst one."""
    first = findings[0]
    return {
        "severity": (str(first.severity),),
        "rule_id": tuple(dict.fromkeys(one.rule_id for one in findings)),
        "transition": (str(first.transition),),
        "status": (str(first.status),),
        "account": (first.account,),
        "region": (first.region,),
    }


# ── What, who and when ──────────────────────────────────────────────────────────────────────────────────────────────


def _facts(finding: Finding) -> Iterator[Fact]:
    arn = parse_arn(finding.target_arn)
    resource = one_line(arn.resource if arn else finding.target_arn, _FACT)
    place = one_line(f"{finding.account}, {finding.region}", _FACT)
    if finding.role_arn:
        url, label, name = role_url(finding.role_arn, finding.region), "Role", resource.rpartition("/")[2]
    else:
        url, label, name = function_url(finding.function_arn), "Function", resource.removeprefix("function:")
    yield Fact(label, (_linked(name, url), " in account ", place))
    if finding.owner:
        yield _fact("Owner", finding.owner)
    if functions := _functions(finding):
        yield _fact("Functions", functions)
    if finding.changed_by or finding.changed_from:
        label = "Changed by" if finding.transition in _CHANGES else "Last changed by"
        yield Fact(label, tuple(_caller(finding)))
    if time := parsed_time(finding.changed_at):
        yield Fact("Time", (Time(time),))
    if events := tuple(_events(finding)):
        yield Fact("CloudTrail", events)


def _caller(finding: Finding) -> Iterator[Part]:
    """Yield who made the change, with which tool and from where, as far as an event names it."""
    yield one_line(finding.changed_by, _FACT) or "unknown"
    for word, value in (("with", finding.changed_with), ("from", finding.changed_from)):
        if shown := one_line(value, _FACT):
            yield f" {word} "
            yield shown


def _events(finding: Finding) -> Iterator[Part]:
    """Yield the event of the change with its link; otherwise the ids of what led to it, whose region is unknown."""
    if finding.changed_event:
        yield _linked(one_line(finding.changed_event, _FACT), event_url(finding.changed_event, finding.changed_in))
        return
    ids = [one for one in finding.event_ids if not one.startswith(CHECK_REQUEST)][:_EVENTS_SHOWN]
    if ids:
        yield one_line(", ".join(ids), _FACT)


def _linked(text: str, url: str | None) -> Part:
    return Link(text, url) if url and text else text


def _functions(finding: Finding) -> str:
    """Return the names of the functions that use the role which a finding is about, and how many more there are."""
    names = [arn.rpartition(":")[2] for arn in finding.functions[:_FUNCTIONS_SHOWN]]
    more = finding.function_count - len(names)
    return ", ".join([*names, *([f"{more} more"] if more > 0 else [])])


# ── Why it matters and how to fix it ────────────────────────────────────────────────────────────────────────────────


def _lists(findings: Sequence[Finding]) -> Iterator[Section]:
    """Yield lists of all findings, if not all of them are shown in detail."""
    if len(findings) <= _DETAILED:
        return
    for start in range(0, len(findings), _LISTED):
        part = findings[start : start + _LISTED]
        title = f"Findings {start + 1} to {start + len(part)} of {len(findings)}"
        yield _listing(title, "\n".join(map(_line, part)))


def _line(finding: Finding) -> str:
    return f"[{finding.severity.upper()}] {finding.rule_id} {one_line(finding.title, _LINE)}: {finding.id}"


def _sections(finding: Finding, *, is_alone: bool) -> Iterator[Section]:
    """Yield why it matters, how to fix it, and what the bot did about it."""
    if not is_alone:
        yield _prose(f"{finding.rule_id} {finding.rule_name}", finding.title)
    if finding.resolution:
        yield _prose("Resolution", finding.resolution)
    if needs_fix(finding):
        yield from _remedies(finding)
    if finding.fix is not None:
        yield from _fix(finding.fix, finding)


def _remedies(finding: Finding) -> Iterator[Section]:
    """Yield the remedies in the finding's order: that of the tool that owns the function or the role comes first."""
    if finding.impact:
        yield _prose("Why it matters", first_sentence(one_line(finding.impact, _PROSE)))
    if finding.managed_by is not None:
        yield _prose("Where to fix it", _where(finding.managed_by))
    for remedy in finding.remedies:
        yield _command(f"How to fix it ({', '.join(_form(remedy))})", remedy.text, finding)
        if remedy.changes:
            yield _prose("What else changes", remedy.changes)


def _form(remedy: Remedy) -> Iterator[str]:
    """Yield the name of a remedy, which step it is, and whether a person decides first."""
    yield remedy_name(remedy)
    if remedy.step:
        yield one_line(remedy.step, _FACT)
    if remedy.needs_decision:
        yield "after a decision"


def _where(managed_by: ManagedBy) -> str:
    """Return which tool owns the function, and why to make the fix there."""
    name = TOOL_NAMES.get(managed_by.tool, "a tool outside AWS")
    what = f"the role {managed_by.role}" if managed_by.role else "this function"
    verb = "manages" if managed_by.is_configured else "seems to manage"
    owner = f"The {name} stack {managed_by.stack} owns {what}" if managed_by.stack else f"{name} {verb} {what}"
    return f"{owner[:1].upper()}{owner[1:]}. Make the fix there: the next deployment overwrites manual changes."


def _fix(fix: FixRecord, finding: Finding) -> Iterator[Section]:
    """Yield what the bot did or would do and who decided it, then the commands, and the whole plan last.

    A command must not be what a format with less room omits.
    """
    if fix.result in (FixResult.PROPOSED, FixResult.REJECTED):
        yield _prose("What the bot would do", f"{fix.name}: {fix.summary}")
    else:
        attempt = f"attempt {fix.attempts}, {shown_time(fix.at)}"
        yield _prose("What the bot did", f"{fix.name}: {fix.result} ({attempt}). {fix.summary}")
    if fix.decided_by:
        until = f" until {until}" if (until := approved_until(fix)) else ""
        yield _prose("Rejected by" if fix.result is FixResult.REJECTED else "Approved by", f"{fix.decided_by}{until}")
    yield from _commands(fix, finding)
    yield from (_part_of_plan(title, text) for title, text in (*undo_parts(fix), *plan_parts(fix)))


def _commands(fix: FixRecord, finding: Finding) -> Iterator[Section]:
    """Yield how to approve the fix, or how to undo it unless it was undone."""
    if fix.approve:
        yield _command("How to approve it", fix.approve, finding)
    if fix.result is FixResult.UNDONE or finding.transition is Transition.FIX_UNDONE:
        return
    if fix.result is FixResult.APPLIED and fix.calls:
        yield _command("How to undo it", f"permission-guard fixes undo {finding.id}", finding)
        yield _command("How to undo it by hand", fix.undo, finding)
    elif fix.undo:
        yield _command("How to undo it", fix.undo, finding)


def _part_of_plan(title: str, text: str) -> Section:
    return Section(title, cut(text, _PROSE), SectionStyle.PROSE) if title in PROSE else _listing(title, text)


# ── What identifies it, and what it is based on ─────────────────────────────────────────────────────────────────────


def _references(finding: Finding) -> Iterator[Fact]:
    yield _fact("Rule", f"{finding.rule_id} {finding.rule_name}")
    yield _fact("Rule page", f"permission-guard rules show {finding.rule_id}")
    if finding.subject:
        yield _fact("Subject", finding.subject)
    first_seen = parsed_time(finding.first_seen)
    if first_seen and finding.first_seen != finding.changed_at:
        yield Fact("First seen", (Time(first_seen),))
    yield _fact("Finding id", finding.id)
    yield _fact("Details", _show(finding))


def _fact(label: str, text: str) -> Fact:
    return Fact(label, (one_line(text, _FACT),))


def _show(finding: Finding) -> str:
    return one_line(f"permission-guard findings show {finding.id}", _FACT)


def _evidence(finding: Finding, *, is_alone: bool) -> Iterator[Section]:
    """Yield what was found, the state before and after a fix without a plan, and what the finding is based on."""
    rule = "" if is_alone else f" ({finding.rule_id})"
    is_over = finding.status is Status.RESOLVED
    yield _prose(f"{'What was wrong' if is_over else 'What is wrong'}{rule}", finding.reason)
    fix = finding.fix
    if fix is not None and not fix.calls:
        for title, values in (("Before", fix.before), ("After", fix.after)):
            if lines := evidence_lines(values, _show(finding)):
                yield _listing(f"{title}{rule}", lines)
    if not is_over and (lines := evidence_lines(finding.evidence, _show(finding))):
        yield _listing(f"Evidence{rule}", lines)


def _prose(title: str, text: str) -> Section:
    return Section(title, one_line(text, _PROSE), SectionStyle.PROSE)


def _listing(title: str, text: str) -> Section:
    return Section(title, cut(text, _LISTING), SectionStyle.LISTING)


def _command(title: str, text: str, finding: Finding) -> Section:
    shown = listing(text).strip()
    if len(shown) > _LISTING:
        return Section(title, f"Too long for a message. See {_show(finding)}.", SectionStyle.PROSE)
    return Section(title, shown, SectionStyle.COMMAND)
