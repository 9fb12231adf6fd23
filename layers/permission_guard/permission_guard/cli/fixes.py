"""`permission-guard fixes`: approve or reject a proposed fix."""

from __future__ import annotations

import json
import secrets
from enum import StrEnum
from typing import Annotated

import typer

from permission_guard.errors import PermissionGuardError
from permission_guard.fixes.decisions import DecisionKind, DecisionRequest
from permission_guard.model.arns import parse_function_arn
from permission_guard.reports.terminal import echo_error, literal

NOT_RECORDED = 1
INVALID_USAGE = 2

app = typer.Typer(
    help="Approve or reject a fix that the bot proposes. The alert about the proposal has the whole command.",
    no_args_is_help=True,
)

FindingId = Annotated[str, typer.Argument(help="The id of the finding, 32 hexadecimal digits.")]
FunctionArn = Annotated[str, typer.Option("--function-arn", help="The ARN of the function that the finding is about.")]
Revision = Annotated[int, typer.Option("--revision", min=1, help="The revision of the finding that proposed the fix.")]
PlanHash = Annotated[str, typer.Option("--plan", help="The hash of the plan: you decide about exactly this plan.")]
DecideFix = Annotated[
    str, typer.Option("--decide-fix", help="The ARN of the function that takes decisions, an output of the stack.")
]
Profile = Annotated[str | None, typer.Option("--profile", help="The AWS profile whose credentials sign the decision.")]


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
        raise typer.Exit(NOT_RECORDED) from error
    if format_ is AnswerFormat.JSON:
        typer.echo(json.dumps(answer, indent=2))
        return
    done = "Approved" if request.kind is DecisionKind.APPROVE else "Rejected"
    typer.echo(f"{done} by {literal(str(answer.get('decided_by')))}.")
