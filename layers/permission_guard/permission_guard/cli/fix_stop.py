"""`permission-guard fixes stop`, `resume` and `status`: stop all fixing at once, and resume it."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from permission_guard.cli.answers import AnswerFormat, Format
from permission_guard.cli.deployed import INVALID_USAGE, NOT_DONE, fail, open_stack
from permission_guard.cli.stack_options import STACK, Profile, Region, StackName
from permission_guard.errors import PermissionGuardError
from permission_guard.fixes.stop import Fixing
from permission_guard.fixes.stop_requests import StopRequest, StopRequestKind
from permission_guard.reports.terminal import echo

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON

Reason = Annotated[str, typer.Option("--reason", help="Why, in at most 500 characters. Everybody can read it.")]


def stop_fixing(
    reason: Reason,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
    format_: Format = AnswerFormat.TEXT,
) -> None:
    """Stop all fixing at once: the bot writes nothing to IAM until somebody resumes it. It still checks and alerts.

    Stopping also needs cloudformation:DescribeStacks, which finds the function. You are recorded as who stopped it.

    Example:
      permission-guard fixes stop --reason "The fixes break the deployment of orders"

    Exit codes: 0 stopped, 1 refused or not sent, 2 invalid usage.

    """
    answer = _switch(StopRequestKind.STOP, reason, stack_name, profile, region)
    _show(answer, format_, "Nothing is fixed any more" if answer.get("changed") is True else "Nothing changed")


def resume_fixing(
    reason: Reason,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
    format_: Format = AnswerFormat.TEXT,
) -> None:
    """Resume fixing, whoever stopped it: a person, or the bot itself after three failed fixes within an hour.

    The next sweep hands over what waits. An approval that is older than 24 hours by then is proposed again.

    Example:
      permission-guard fixes resume --reason "The service control policy is corrected"

    Exit codes: 0 resumed, 1 refused or not sent, 2 invalid usage.

    """
    answer = _switch(StopRequestKind.RESUME, reason, stack_name, profile, region)
    resumed = "Fixing goes on, and the next sweep hands over what waits"
    _show(answer, format_, resumed if answer.get("changed") is True else "Nothing changed")


def show_status(
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
    format_: Format = AnswerFormat.TEXT,
) -> None:
    """Show whether fixing is stopped: since when, by whom and why.

    Example:
      permission-guard fixes status

    Exit codes: 0 shown, 1 refused or not sent, 2 invalid usage.

    """
    _show(_switch(StopRequestKind.STATUS, "", stack_name, profile, region), format_)


def _switch(kind: StopRequestKind, reason: str, stack_name: str, profile: str | None, region: str | None) -> JSON:
    """Send a request to stop or resume; return the answer, or exit with why it is not done."""
    try:
        request = StopRequest.from_document({"kind": str(kind), "reason": reason, "nonce": secrets.token_hex(16)})
    except PermissionGuardError as error:
        fail(INVALID_USAGE, f"Not sent: {error}")
    try:
        return open_stack(stack_name, profile, region).switch(request)
    except PermissionGuardError as error:
        fail(NOT_DONE, f"Not done: {error}")


def _show(answer: JSON, format_: AnswerFormat, done: str = "") -> None:
    if format_ is AnswerFormat.JSON:
        typer.echo(json.dumps(answer, indent=2))
        return
    since, by, reason = (str(answer.get(name, "")) for name in ("since", "by", "reason"))
    state = str(Fixing(answer.get("stopped") is True, since, by, reason))
    echo(f"{done}: {state}." if done else f"{state[0].upper()}{state[1:]}.")
