"""`permission-guard explain`: who can invoke a function and why, and what its execution role needs and has."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from permission_guard.cli.config import echo_problems, read_document
from permission_guard.cli.progress import waiting
from permission_guard.cli.regions import require_region
from permission_guard.config.document import GuardConfig
from permission_guard.errors import ConfigurationDocumentError, ConfigurationError, InputError, PermissionGuardError
from permission_guard.explain.explain import explain as explained
from permission_guard.explain.explanation import Answer
from permission_guard.explain.named_function import NamedFunction
from permission_guard.explain.question import may_invoke
from permission_guard.offline.saved_function import saved_state
from permission_guard.reports.explain import print_answer, print_explanation, print_json
from permission_guard.reports.terminal import echo_error
from permission_guard.rules import RULES
from permission_guard.rules.configured import configured, trust_set

if TYPE_CHECKING:
    from permission_guard.explain.state import FunctionState

DENIED, INVALID_USAGE, UNKNOWN = 1, 2, 3

_EVALUATED = tuple(rule for rule in RULES if not rule.full_check_only)
"""The rules that read one function, and not all of the account."""

_EXIT_CODES = {Answer.ALLOWED: 0, Answer.DENIED: DENIED, Answer.UNKNOWN: UNKNOWN}


class Format(StrEnum):
    """The output format of an explanation."""

    TEXT = "text"
    JSON = "json"


def explain(  # noqa: PLR0917 - each is an option
    function: Annotated[
        str, typer.Argument(metavar="FUNCTION", help="Its name, ARN or partial ARN, also with a version or an alias.")
    ],
    principal: Annotated[
        str | None,
        typer.Option(
            help="Answer only whether this principal may invoke it: the ARN of a role or user, an account ID, a "
            "service such as s3.amazonaws.com, or '*'.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="The ARN of the resource for which the service calls.", show_default=False)
    ] = None,
    qualifier: Annotated[
        str | None, typer.Option(help="Only this version or alias, or $LATEST.", show_default=False)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Show every role and user, not only the first ones.")] = False,
    config: Annotated[
        Path | None,
        typer.Option(help="The configuration document guard.yaml, for trust and rules.", show_default=False),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Read from this file, which scan --save wrote, and not from AWS.", show_default=False),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.TEXT,
    profile: Annotated[
        str | None, typer.Option(help="The AWS profile whose credentials read.", show_default="environment")
    ] = None,
    region: Annotated[str | None, typer.Option(help="The region of the function.", show_default="environment")] = None,
) -> None:
    """Explain who can invoke a function and why, what it polls and needs, and whether its role allows that.

    Examples:
      permission-guard explain orders
      permission-guard explain orders:live --all
      permission-guard explain orders --principal s3.amazonaws.com --source arn:aws:s3:::photos

    Exit codes: 1 findings, or something that is needed or asked for is denied; else 2 invalid usage;
    else 3 something is unknown or was not read; else 0.

    """
    try:
        if region is not None:
            require_region("--region", region)
        _require_principal(principal, source)
        named = NamedFunction.parse(function, qualifier=qualifier, region=region)
        document = read_document(config, rejects_expired=False) if config else GuardConfig()
        known = saved_state(state, named) if state else _live(named, profile)
        if principal is not None:
            _answer(known, principal, source or "", format_)
    except ConfigurationDocumentError as error:
        echo_problems(config or Path(), error.problems)
        raise typer.Exit(INVALID_USAGE) from None
    except (InputError, ConfigurationError, ValueError) as error:
        _fail(INVALID_USAGE, error)
    except PermissionGuardError as error:
        _fail(UNKNOWN, error)
    explanation = explained(known, configured(_EVALUATED, document), trust_set(document.trust))
    if format_ is Format.JSON:
        print_json(explanation)
    else:
        print_explanation(explanation, every=all_)
    if explanation.has_problems:
        raise typer.Exit(DENIED)
    raise typer.Exit(UNKNOWN if explanation.has_unknowns else 0)


def _require_principal(principal: str | None, source: str | None) -> None:
    if source is not None and principal is None:
        raise InputError("--source requires --principal")


def _live(named: NamedFunction, profile: str | None) -> FunctionState:
    from permission_guard.bootstrap.explain import live_state  # noqa: PLC0415 - loads boto3, which --state does not need

    with waiting("reading the function, and the roles and users of its account"):
        return live_state(named, profile=profile)


def _answer(state: FunctionState, principal: str, source: str, format_: Format) -> NoReturn:
    answer = may_invoke(state, principal, source)
    if format_ is Format.JSON:
        print_json(answer)
    else:
        print_answer(answer)
    raise typer.Exit(_EXIT_CODES[answer.answer])


def _fail(code: int, error: Exception) -> NoReturn:
    echo_error(" ".join(str(error).split()))
    raise typer.Exit(code)
