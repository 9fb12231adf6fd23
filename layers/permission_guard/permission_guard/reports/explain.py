"""Print what `permission-guard explain` says: as text for people, as JSON for programs."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console

from permission_guard.explain.explanation import Answer
from permission_guard.iam import Restriction
from permission_guard.reports.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from permission_guard.explain.explanation import (
        Caller,
        Explanation,
        NeedExplanation,
        PrincipalAnswer,
        Requirement,
        RuleVerdict,
        StatementExplanation,
        TriggerExplanation,
        Way,
    )

_WIDTH: Final = 80
_SHOWN: Final = 5
_COLOURS: Final = {
    Answer.ALLOWED: "green",
    Answer.DENIED: "red",
    Answer.UNKNOWN: "yellow",
}
_OUTCOMES: Final = {"violation": "red", "unknown": "yellow", "pass": "green"}
_WHO: Final = {
    Answer.ALLOWED: "allowed",
    Answer.UNKNOWN: "unknown, because it depends on something",
    Answer.DENIED: "stopped, although a policy of their own allows it",
}
_RESTRICTIONS: Final[dict[str, str]] = {
    "": "",
    Restriction.OPEN: "not restricted",
    Restriction.WEAK: "restricted only to a name that others can take",
    Restriction.FOREIGN: "restricted to an account or organization that is not trusted",
    Restriction.HELD: "restricted to what is trusted",
    Restriction.NEVER: "never matches",
}

Line = tuple[str, str]
"""A line without a break, and its style."""


def print_json(document: Explanation | PrincipalAnswer) -> None:
    """Print an explanation or an answer as one JSON object."""
    typer.echo(json.dumps(asdict(document), indent=2))


def print_explanation(explanation: Explanation, *, every: bool = False) -> None:
    """Print an explanation as text. Of the roles and users with the same reason, show the first or `every` one."""
    _print(_explanation(explanation, every=every))


def print_answer(answer: PrincipalAnswer) -> None:
    """Print the answer to one question as text."""
    _print(_answer(answer))


def _print(lines: Iterable[Line]) -> None:
    console = Console(highlight=False, emoji=False)
    for text, style in lines:
        # A line of its own could pass for one of this command: a name has none.
        console.print(plain(text.replace("\n", "\\n"), style), soft_wrap=True)


def _answer(answer: PrincipalAnswer) -> Iterator[Line]:
    source = f" for {answer.source}" if answer.source else ""
    yield f"{answer.answer}: {answer.principal}{source}", f"bold {_COLOURS[answer.answer]}"
    yield from _prose(answer.reason, 2)
    for way in answer.ways:
        yield "", ""
        yield f"  {way.answer}: {_how(way.resource_arn, way.url)}", _COLOURS[way.answer]
        yield from _prose(way.reason, 4)
    yield from _limits(answer.limits)


def _explanation(explanation: Explanation, *, every: bool) -> Iterator[Line]:
    yield explanation.function_arn, "bold"
    yield from _heading("Who can invoke it, and why?")
    if not explanation.statements:
        yield from _prose("No statement of a resource-based policy was read.", 2)
    for statement in explanation.statements:
        yield from _statement(statement)
    for trigger in explanation.triggers:
        yield from _trigger(trigger)
    for way in explanation.ways:
        yield from _way(way, every=every)
    yield from _heading("What does it poll and need, and is it allowed?")
    for requirement in explanation.requirements:
        yield from _requirement(requirement)
    if explanation.verdicts:
        yield from _heading("What else do the rules report?")
        for verdict in explanation.verdicts:
            yield from _verdict(verdict, 2)
    if explanation.unread:
        yield from _heading("What was not read?")
        for sentence in explanation.unread:
            yield from _prose(sentence, 2)
    yield from _limits(explanation.limits)


def _heading(text: str) -> Iterator[Line]:
    yield "", ""
    yield text, "bold underline"


def _limits(limits: Sequence[str]) -> Iterator[Line]:
    if limits:
        yield "", ""
    for sentence in limits:
        yield from _prose(f"Note: {sentence}", 0)


def _statement(one: StatementExplanation) -> Iterator[Line]:
    yield "", ""
    worst = {"violation": "finding", "": "denies"}.get(one.outcome, one.outcome)
    yield f"  {worst}: statement {one.name}", _OUTCOMES.get(one.outcome, "")
    yield f"    on {one.resource_arn}", ""
    yield from _prose(f"{one.effect} {', '.join(one.actions)}", 4)
    for principal in one.principals:
        how = _RESTRICTIONS[principal.restriction]
        yield f"    to {principal.kind} {principal.value}", ""
        yield from _prose(": ".join(filter(None, (how, principal.why))), 6)
    for condition in one.conditions:
        yield from _prose(f"if {condition}", 4)
    if one.closed_by:
        yield from _prose(f"The Deny statement {one.closed_by} denies everything that it allows.", 4)
    for verdict in one.verdicts:
        yield from _verdict(verdict, 4)


def _verdict(one: RuleVerdict, indent: int) -> Iterator[Line]:
    what = f"{one.severity}" if one.severity else one.outcome
    yield f"{' ' * indent}{one.rule_id} {one.rule_name}, {what}", _OUTCOMES.get(one.outcome, "")
    yield from _prose(one.title or one.reason, indent + 2)


def _trigger(one: TriggerExplanation) -> Iterator[Line]:
    yield "", ""
    yield f"  {one.answer}: trigger {one.source}", _COLOURS[one.answer]
    yield from _prose(one.reason, 4)


def _how(resource_arn: str, url: str) -> str:
    return f"URL {url}" if url else f"Invoke API on {resource_arn}"


def _way(way: Way, *, every: bool) -> Iterator[Line]:
    yield "", ""
    auth = f" ({way.auth_type})" if way.auth_type else ""
    yield f"  {_how(way.resource_arn, way.url)}{auth}", "bold"
    if way.anyone is not Answer.DENIED:
        who = "Anyone, without credentials" if way.auth_type == "NONE" else "Anyone in AWS whose own account allows it"
        yield from _prose(f"{who}. {way.anyone_reason}", 4, _COLOURS[way.anyone])
    if way.unread:
        yield from _prose(f"The account's roles and users: unknown. {way.unread}", 4, _COLOURS[Answer.UNKNOWN])
        return
    if way.auth_type == "NONE":
        yield from _prose("Callers need no credentials: only the function's policy decides.", 4)
        return
    for answer in Answer.ALLOWED, Answer.UNKNOWN, Answer.DENIED:
        found = [caller for caller in way.callers if caller.answer is answer]
        if found:
            yield from _prose(f"{_counted(found)} {_WHO[answer]}:", 4, _COLOURS[answer])
            yield from _grouped(found, every=every)
    if not any(caller.answer is not Answer.DENIED for caller in way.callers):
        yield from _prose("No role or user of the account is allowed.", 4)
    if way.not_allowed:
        others = "other role or user is" if way.not_allowed == 1 else "other roles and users are"
        yield from _prose(f"{way.not_allowed:,} {others} not allowed.", 4)


def _counted(callers: Sequence[Caller]) -> str:
    counts = Counter(caller.kind for caller in callers)
    return ", ".join(f"{number:,} {kind}{'' if number == 1 else 's'}" for kind, number in counts.items())


def _grouped(callers: Sequence[Caller], *, every: bool) -> Iterator[Line]:
    groups: dict[str, list[Caller]] = {}
    for caller in callers:
        groups.setdefault(caller.reason, []).append(caller)
    for reason, found in sorted(groups.items(), key=lambda item: -len(item[1])):
        yield from _prose(reason, 6)
        shown = found if every else found[:_SHOWN]
        for caller in shown:
            linked = " (service-linked role)" if caller.kind.startswith("service") else ""
            yield f"        {caller.arn}{linked}", ""
        if len(found) > len(shown):
            yield f"        and {len(found) - len(shown):,} more: show them with --all", "dim"


def _requirement(one: Requirement) -> Iterator[Line]:
    yield "", ""
    state = f" ({one.state})" if one.state else ""
    yield f"  {one.what}{state}", "bold"
    yield f"    for {one.resource_arn}", ""
    if one.role_arn:
        yield f"    with {one.role_arn}", ""
    if one.note:
        yield from _prose(one.note, 4, "" if one.state else _COLOURS[Answer.UNKNOWN])
    for need in one.needs:
        yield from _need(need)


def _need(need: NeedExplanation) -> Iterator[Line]:
    optional = ", recommended only" if need.recommended else ""
    actions = " or ".join((need.action, *need.instead))
    yield f"    {need.answer}: {actions}{optional}", _COLOURS[need.answer]
    if need.resource != "*":
        for number, place in enumerate((need.resource, *need.elsewhere)):
            yield f"      {'or' if number else 'on'} {place}", ""
    yield from _prose(need.reason, 6)


def _prose(text: str, indent: int, style: str = "") -> Iterator[Line]:
    """Yield a text in lines of 80 columns. A word that is longer, such as an ARN, is not broken."""
    space = " " * indent
    wrapped = textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in wrapped:
        yield line, style
