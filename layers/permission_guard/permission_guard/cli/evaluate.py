"""`permission-guard evaluate`: evaluate actions of a role, and print the statement that decides."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from permission_guard.cli.completion import complete_profile, complete_region
from permission_guard.cli.regions import require_region
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
from permission_guard.iam.arn import parse_arn, require_arn
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.names import ROLE_NAME
from permission_guard.offline.policy_file import read_policies
from permission_guard.offline.service_actions import action_problem, is_of_service
from permission_guard.reports.terminal import echo_error, literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DENIED, INVALID_USAGE, UNKNOWN = 1, 2, 3

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):role/[\w+=,.@/-]+", re.ASCII)
_ADVICE = {
    ("NoCredentialsError", "CredentialRetrievalError"): ". Run aws configure, or name a profile with --profile.",
    ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "UnauthorizedSSOTokenError"): (
        ". Your credentials expired: sign in again."
    ),
    ("InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException", "AuthFailure"): (
        ". AWS does not accept your credentials. In another partition than aws, set --region."
    ),
    ("AccessDenied", "AccessDeniedException"): (
        ". Your credentials need iam:GetRole and the IAM actions that list and get the policies of a role."
    ),
}
"""What to do about the errors that credentials cause, by their codes."""

_COLOURS = {
    EvalDecision.ALLOWED: "green",
    EvalDecision.IMPLICIT_DENY: "red",
    EvalDecision.EXPLICIT_DENY: "bold red",
    EvalDecision.CONDITIONAL: "yellow",
}


class Format(StrEnum):
    """The output format of the decisions."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class _Caller:
    """A role with its policies. `tags` is None if they were not read."""

    arn: str
    policies: PolicySet
    tags: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class _Options:
    """The options that apply to every action and resource."""

    caller: _Caller
    call: LambdaCall
    function: str | None
    known: Mapping[str, Any]
    absent: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """The decision on one action and resource."""

    action: str
    resource: str
    decision: Decision


def evaluate(  # noqa: PLR0917 - each is an option
    role: Annotated[
        str, typer.Option(help="The execution role: its name in the account of your credentials, or its ARN.")
    ],
    action: Annotated[list[str], typer.Option(help="An action, such as sqs:ReceiveMessage. Can be repeated.")],
    resource: Annotated[list[str], typer.Option(help="The ARN of the resource, or *. Can be repeated.")],
    profile: Annotated[
        str | None,
        typer.Option(
            help="The AWS profile whose credentials read the role.",
            show_default=False,
            autocompletion=complete_profile,
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            help="A region of the partition of your account, such as cn-north-1.",
            show_default=False,
            autocompletion=complete_region,
        ),
    ] = None,
    policies: Annotated[
        Path | None,
        typer.Option(
            help="Read the policies from this JSON file, not from AWS: a policy, a list of policies, or an object with "
            "identity, boundary, session, scps, rcps and resource."
        ),
    ] = None,
    call: Annotated[
        LambdaCall, typer.Option(help="The caller that uses the role. Only some calls have lambda:SourceFunctionArn.")
    ] = LambdaCall.CODE,
    function: Annotated[str | None, typer.Option(help="The ARN of the function, for lambda:SourceFunctionArn.")] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(help="The value of a condition key, KEY=VALUE. Repeat a key to give it several values."),
    ] = None,
    absent: Annotated[
        list[str] | None, typer.Option(help="A condition key that is not in the request. Can be repeated.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.TEXT,
) -> None:
    """Evaluate whether AWS would allow actions of an execution role, and print the statement that decides.

    A decision that depends on an unknown condition key is conditional.

    Exit codes: 1 something is denied; else 2 invalid usage; else 3 something is unknown; else 0.
    """
    try:
        requests = _requests(action, resource)
        known = _known(context or [])
        _require_valid(role, region, function)
        caller = _from_file(role, policies) if policies else _from_account(role, profile, region)
    except (PolicyFileError, typer.BadParameter) as error:
        echo_error(str(error))
        raise typer.Exit(INVALID_USAGE) from None
    options = _Options(caller, call, function, known, absent or [])
    evaluations = [_Evaluation(each, arn, _decide(options, each, arn)) for each, arn in requests]
    if format_ is Format.JSON:
        typer.echo(json.dumps([_document(caller, evaluation) for evaluation in evaluations], indent=2))
    else:
        _print_table(caller, evaluations)
    raise typer.Exit(_exit_code(evaluations))


def _requests(actions: Sequence[str], resources: Sequence[str]) -> list[tuple[str, str]]:
    """Return each action with the resources of its service. BadParameter for one that AWS does not have."""
    for action in actions:
        problem = action_problem(action)
        if problem:
            raise typer.BadParameter(f"--action {problem}{'' if problem.endswith('?') else '.'}")
    for resource in resources:
        if resource != "*" and parse_arn(resource) is None:
            raise typer.BadParameter(f"--resource requires an ARN or *; got {resource!r}")
    pairs = [(action, resource) for action in actions for resource in resources if is_of_service(resource, action)]
    for action in actions:
        if all(action != of for of, _ in pairs):
            raise typer.BadParameter(f"--action {action}: none of the resources is one of this service.")
    for resource in resources:
        if all(resource != of for _, of in pairs):
            raise typer.BadParameter(f"--resource {resource}: none of the actions is one of this service.")
    return pairs


def _require_valid(role: str, region: str | None, function: str | None) -> None:
    """Raise BadParameter for a role, region or function that none can be."""
    if not (_ROLE_ARN.fullmatch(role) if role.startswith("arn:") else ROLE_NAME.match(role)):
        raise typer.BadParameter(f"--role requires the name or the ARN of a role; got {role!r}")
    if region is not None:
        try:
            require_region("--region", region)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    if function is not None:
        try:
            parse_function_arn(function)
        except ValueError as error:
            raise typer.BadParameter(f"--function requires the ARN of a function; got {function!r}") from error


def _decide(options: _Options, action: str, resource: str) -> Decision:
    arn = parse_arn(resource)
    region, owner = (arn.region, arn.account) if arn else ("", "")
    context = execution_role_context(
        options.call,
        role_arn=options.caller.arn,
        account=require_arn(options.caller.arn).account,
        region=region,
        function_arn=options.function,
        tags=options.caller.tags,
        resource_account=owner or None,
        known=options.known,
        absent=options.absent,
    )
    return decide(Request(Principal.role(options.caller.arn), action, resource, context), options.caller.policies)


def _known(pairs: Sequence[str]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"--context requires KEY=VALUE; got {pair!r}")
        if key in known:
            values = known[key]
            known[key] = [*(values if isinstance(values, list) else [values]), value]
        else:
            known[key] = value
    return known


def _from_file(role: str, path: Path) -> _Caller:
    if not _ROLE_ARN.fullmatch(role):
        raise typer.BadParameter(f"--policies requires a role ARN; got {role!r}")
    return _Caller(role, read_policies(path), None)


def _from_account(role: str, profile: str | None, region: str | None) -> _Caller:
    """Read the role and all of its policies from AWS."""
    from permission_guard.bootstrap.roles import live_role  # noqa: PLC0415 - evaluating files does not load boto3
    from permission_guard.model.state import Unread  # noqa: PLC0415 - as above
    from permission_guard.needs.decision import policies_of  # noqa: PLC0415 - as above

    name = role.rsplit("/", 1)[-1]
    try:
        found = live_role(name, profile=profile, region=region)
    except ConfigurationError as error:
        raise typer.BadParameter(" ".join(str(error).split())) from error
    except Exception as error:  # noqa: BLE001 - what boto3 raises for settings of the environment is not documented
        echo_error(f"The role {name!r} cannot be read: {type(error).__name__}: {' '.join(str(error).split())}")
        raise typer.Exit(UNKNOWN) from None
    if found is None:
        raise typer.BadParameter(f"The role {name!r} does not exist in the account of your credentials.")
    if isinstance(found, Unread):
        advice = next((text for codes, text in _ADVICE.items() if found.code in codes), "")
        echo_error(f"The role {name!r} cannot be read: {' '.join(str(found).split())}{advice}")
        raise typer.Exit(UNKNOWN)
    if role.startswith("arn:") and role != found.arn:
        raise typer.BadParameter(f"Your credentials are for the account of {found.arn}, not of {role}.")
    return _Caller(found.arn, policies_of(found), found.tags)


def _document(caller: _Caller, evaluation: _Evaluation) -> dict[str, Any]:
    """Return an evaluation as JSON values, with AWS's names for the decision."""
    decision = evaluation.decision
    statement = decision.statement
    return {
        "role": caller.arn,
        "action": evaluation.action,
        "resource": evaluation.resource,
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


def _print_table(caller: _Caller, evaluations: Sequence[_Evaluation]) -> None:
    console = Console(highlight=False, emoji=False)
    table = Table(title=literal(caller.arn), title_justify="left", show_lines=len(evaluations) > 1)
    for heading in ("action", "resource", "decision", "reason"):
        table.add_column(heading, overflow="fold")
    for one in evaluations:
        decision = one.decision.decision
        shown = f"[{_COLOURS[decision]}]{decision}[/]"
        table.add_row(literal(one.action), literal(one.resource), shown, literal(one.decision.explain()))
    console.print(table)


def _exit_code(evaluations: Sequence[_Evaluation]) -> int:
    if any(one.decision.denied for one in evaluations):
        return DENIED
    return UNKNOWN if any(one.decision.decision is EvalDecision.CONDITIONAL for one in evaluations) else 0
