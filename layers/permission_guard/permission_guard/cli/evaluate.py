"""`permission-guard evaluate`: would AWS allow it, and which statement decides."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from permission_guard.errors import ConfigurationError, PolicyFileError
from permission_guard.iam import (
    Decision,
    EvalDecision,
    LambdaCall,
    PolicySet,
    Principal,
    Request,
    execution_role_context,
)
from permission_guard.iam import evaluate as decide
from permission_guard.offline.policy_file import read_policies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DENIED, WRONG_USAGE, UNKNOWN = 1, 2, 3

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):role/[\w+=,.@/-]+", re.ASCII)
_COLOURS = {
    EvalDecision.ALLOWED: "green",
    EvalDecision.IMPLICIT_DENY: "red",
    EvalDecision.EXPLICIT_DENY: "bold red",
    EvalDecision.CONDITIONAL: "yellow",
}


class Format(StrEnum):
    """How an answer is printed."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class _Caller:
    """A role with its policies. `tags` is None where they were not read."""

    arn: str
    policies: PolicySet
    tags: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class _Question:
    """What all answers have in common."""

    caller: _Caller
    call: LambdaCall
    function: str | None
    known: Mapping[str, Any]
    absent: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Answer:
    action: str
    resource: str
    decision: Decision


def evaluate(  # noqa: PLR0917 - each is an option
    role: Annotated[
        str, typer.Option(help="The execution role: its name in the account of your credentials, or its ARN.")
    ],
    action: Annotated[list[str], typer.Option(help="An action, such as sqs:ReceiveMessage. May be repeated.")],
    resource: Annotated[list[str], typer.Option(help="The ARN of what it is done to, or *. May be repeated.")],
    policies: Annotated[
        Path | None,
        typer.Option(
            help="Take the policies from this JSON file, not from AWS: a policy, a list of them, or an object with "
            "identity, boundary, session, scps, rcps and resource."
        ),
    ] = None,
    call: Annotated[
        LambdaCall, typer.Option(help="Who calls with the role; only some calls carry lambda:SourceFunctionArn.")
    ] = LambdaCall.CODE,
    function: Annotated[str | None, typer.Option(help="The ARN of the function, for lambda:SourceFunctionArn.")] = None,
    context: Annotated[
        list[str] | None, typer.Option(help="A condition key's value, KEY=VALUE. Several of one key make a list.")
    ] = None,
    absent: Annotated[list[str] | None, typer.Option(help="A condition key that is not there.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print the answer.")] = Format.TEXT,
) -> None:
    """Tell whether AWS would allow an action with an execution role, and which statement decides.

    Keys that nobody knows make the answer conditional, never a guess. Exit code: 0 allowed, 1 denied, 2 wrong usage,
    3 not certain.
    """
    try:
        known = _known(context or [])
        caller = _from_file(role, policies) if policies else _from_account(role)
    except (PolicyFileError, typer.BadParameter) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_USAGE) from None
    asked = _Question(caller, call, function, known, absent or [])
    answers = [_Answer(each, arn, _decide(asked, each, arn)) for each in action for arn in resource]
    if format_ is Format.JSON:
        typer.echo(json.dumps([_document(caller, answer) for answer in answers], indent=2))
    else:
        _show(caller, answers)
    raise typer.Exit(_exit_code(answers))


def _decide(asked: _Question, action: str, resource: str) -> Decision:
    parts = resource.split(":", 5)
    region, owner = (parts[3], parts[4]) if len(parts) == 6 else ("", "")  # noqa: PLR2004 - an ARN has six parts
    context = execution_role_context(
        asked.call,
        role_arn=asked.caller.arn,
        account=asked.caller.arn.split(":")[4],
        region=region,
        function_arn=asked.function,
        tags=asked.caller.tags,
        resource_account=owner or None,
        known=asked.known,
        absent=asked.absent,
    )
    return decide(Request(Principal.role(asked.caller.arn), action, resource, context), asked.caller.policies)


def _known(pairs: Sequence[str]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"--context takes KEY=VALUE, and {pair!r} is not that")
        if key in known:
            earlier = known[key]
            known[key] = [*(earlier if isinstance(earlier, list) else [earlier]), value]
        else:
            known[key] = value
    return known


def _from_file(role: str, path: Path) -> _Caller:
    if not _ROLE_ARN.fullmatch(role):
        raise typer.BadParameter(f"with --policies the role is named by its ARN, and {role!r} is none")
    return _Caller(role, read_policies(path), None)


def _from_account(role: str) -> _Caller:
    """Read the role and all of its policies from AWS."""
    from permission_guard.bootstrap.roles import live_role  # noqa: PLC0415 - files are evaluated without boto3
    from permission_guard.model.state import Unread  # noqa: PLC0415 - as above
    from permission_guard.needs.decision import policies_of  # noqa: PLC0415 - as above

    name = role.rsplit("/", 1)[-1]
    try:
        found = live_role(name)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from error
    if found is None:
        raise typer.BadParameter(f"there is no role {name!r} in this account")
    if isinstance(found, Unread):
        typer.echo(f"The role cannot be read: {found}", err=True)
        raise typer.Exit(UNKNOWN)
    if role.startswith("arn:") and role != found.arn:
        raise typer.BadParameter(f"these credentials are of the account of {found.arn}, not of {role}")
    return _Caller(found.arn, policies_of(found), found.tags)


def _document(caller: _Caller, answer: _Answer) -> dict[str, Any]:
    """Return an answer as JSON values, with AWS's own names for the decision."""
    decision = answer.decision
    statement = decision.statement
    return {
        "role": caller.arn,
        "action": answer.action,
        "resource": answer.resource,
        "decision": str(decision.decision),
        "explanation": decision.explain(),
        "statement": None
        if statement is None
        else {
            "policy": statement.policy,
            "kind": statement.kind,
            "sid": statement.sid,
            "index": statement.index,
            "effect": statement.effect,
        },
        "blocked_by": decision.blocked_by,
        "unknown_keys": list(decision.unknown_keys),
        "reasons": list(decision.reasons),
    }


def _show(caller: _Caller, answers: Sequence[_Answer]) -> None:
    console = Console(highlight=False)
    table = Table(title=caller.arn, title_justify="left", show_lines=len(answers) > 1)
    for heading in ("action", "resource", "decision", "why"):
        table.add_column(heading, overflow="fold")
    for answer in answers:
        decision = answer.decision.decision
        shown = f"[{_COLOURS[decision]}]{decision}[/]"
        table.add_row(escape(answer.action), escape(answer.resource), shown, escape(answer.decision.explain()))
    console.print(table)


def _exit_code(answers: Sequence[_Answer]) -> int:
    if any(answer.decision.decision is EvalDecision.CONDITIONAL for answer in answers):
        return UNKNOWN
    return DENIED if any(answer.decision.denied for answer in answers) else 0
