"""`permission-guard fixes`: approve or reject a proposed fix; stop and resume all fixing."""

from __future__ import annotations

import json
import secrets
from enum import StrEnum
from typing import Annotated, Any

import typer

from permission_guard.cli.stack_options import (
    INVALID_USAGE,
    NOT_DONE,
    STACK,
    Profile,
    Region,
    StackName,
    deployment_of,
    fail,
)
from permission_guard.errors import PermissionGuardError
from permission_guard.fixes.decisions import DecisionKind, DecisionRequest
from permission_guard.fixes.stop import Fixing
from permission_guard.fixes.stop_requests import StopRequest, StopRequestKind
from permission_guard.model.arns import parse_function_arn
from permission_guard.reports.terminal import echo, echo_error, literal

app = typer.Typer(
    help="Approve or reject a fix that the bot proposes: the alert about the proposal has the whole command. Stop all "
    "fixing, and resume it. Each needs lambda:InvokeFunction on the stack's function decide_fix.",
    no_args_is_help=True,
)

FindingId = Annotated[str, typer.Argument(help="The id of the finding, 32 hexadecimal digits.")]
FunctionArn = Annotated[str, typer.Option("--function-arn", help="The ARN of the function that the finding is about.")]
Revision = Annotated[int, typer.Option("--revision", min=1, help="The revision of the finding that proposed the fix.")]
PlanHash = Annotated[str, typer.Option("--plan", help="The hash of the plan: you decide about exactly this plan.")]
DecideFix = Annotated[
    str, typer.Option("--decide-fix", help="The ARN of the function that takes decisions, an output of the stack.")
]


class AnswerFormat(StrEnum):
    """The output format of an answer."""

    TEXT = "text"
    JSON = "json"


Format = Annotated[AnswerFormat, typer.Option("--format", help="The output format.")]


@app.command("approve")
def approve(  # noqa: PLR0917 - Typer passes every option
    finding_id: FindingId,
    function_arn: FunctionArn,
    revision: Revision,
    plan: PlanHash,
    decide_fix: DecideFix,
    profile: Profile = None,
    format_: Format = AnswerFormat.TEXT,
) -> None:
    """Approve a proposed fix: the bot applies it within the next 24 hours, if the plan still fits.

    Exit codes: 0 recorded, 1 not recorded, 2 invalid usage.
    """
    request = _request(DecisionKind.APPROVE, finding_id, function_arn, revision, plan)
    _send(request, decide_fix, profile, format_)


@app.command("reject")
def reject(  # noqa: PLR0917 - Typer passes every option
    finding_id: FindingId,
    function_arn: FunctionArn,
    revision: Revision,
    plan: PlanHash,
    decide_fix: DecideFix,
    profile: Profile = None,
    format_: Format = AnswerFormat.TEXT,
) -> None:
    """Reject a proposed fix: the bot does not propose it again unless the problem comes back.

    Exit codes: 0 recorded, 1 not recorded, 2 invalid usage.
    """
    request = _request(DecisionKind.REJECT, finding_id, function_arn, revision, plan)
    _send(request, decide_fix, profile, format_)


@app.command("stop")
def stop(
    reason: Annotated[str, typer.Option("--reason", help="Why, in at most 500 characters. Everybody can read it.")],
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


@app.command("resume")
def resume(
    reason: Annotated[str, typer.Option("--reason", help="Why, in at most 500 characters. Everybody can read it.")],
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


@app.command("status")
def status(
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


def _switch(kind: StopRequestKind, reason: str, stack_name: str, profile: str | None, region: str | None) -> Any:
    """Send a request to stop or resume; return the answer, or exit with why it is not done."""
    try:
        request = StopRequest.from_document({"kind": str(kind), "reason": reason, "nonce": secrets.token_hex(16)})
    except PermissionGuardError as error:
        fail(INVALID_USAGE, f"Not sent: {error}")
    try:
        return deployment_of(stack_name, profile, region).switch(request)
    except PermissionGuardError as error:
        fail(NOT_DONE, f"Not done: {error}")


def _show(answer: Any, format_: AnswerFormat, done: str = "") -> None:
    if format_ is AnswerFormat.JSON:
        typer.echo(json.dumps(answer, indent=2))
        return
    since, by, reason = (str(answer.get(name, "")) for name in ("since", "by", "reason"))
    state = str(Fixing(answer.get("stopped") is True, since, by, reason))
    echo(f"{done}: {state}." if done else f"{state[0].upper()}{state[1:]}.")


def _request(kind: DecisionKind, finding_id: str, function_arn: str, revision: int, plan: str) -> DecisionRequest:
    try:
        return DecisionRequest.from_document(
            {
                "kind": str(kind),
                "finding_id": finding_id,
                "function_arn": function_arn,
                "revision": revision,
                "plan_hash": plan,
                "nonce": secrets.token_hex(16),
            }
        )
    except PermissionGuardError as error:
        echo_error(f"{error}: copy the whole command from the alert or the ticket.")
        raise typer.Exit(INVALID_USAGE) from error


def _send(request: DecisionRequest, decide_fix: str, profile: str | None, format_: AnswerFormat) -> None:
    from permission_guard.bootstrap.command_line import send_decision  # noqa: PLC0415 - loads boto3, which other commands do not need

    try:
        target, qualifier = parse_function_arn(decide_fix)
    except ValueError as error:
        echo_error(f"--decide-fix is {error}")
        raise typer.Exit(INVALID_USAGE) from error
    own = request.target
    # The signature and the session token go to this function: it must be the bot of the same account.
    if qualifier or (target.partition, target.region, target.account) != (own.partition, own.region, own.account):
        echo_error("--decide-fix is not a function of the account and region of --function-arn")
        raise typer.Exit(INVALID_USAGE)
    try:
        answer = send_decision(request, decide_fix, profile)
    except PermissionGuardError as error:
        echo_error(f"Not recorded: {error}")
        raise typer.Exit(NOT_DONE) from error
    if format_ is AnswerFormat.JSON:
        typer.echo(json.dumps(answer, indent=2))
        return
    done = "Approved" if request.kind is DecisionKind.APPROVE else "Rejected"
    typer.echo(f"{done} by {literal(str(answer.get('decided_by')))}.")
