"""`permission-guard fixes approve` and `reject`: decide about a proposed fix."""

from __future__ import annotations

import json
import secrets
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from permission_guard.cli.answers import AnswerFormat, Format
from permission_guard.cli.deployed import INVALID_USAGE, Id, fail, find, open_stack, require_id
from permission_guard.cli.stack_options import STACK, Profile, Region, StackName
from permission_guard.errors import PermissionGuardError
from permission_guard.fixes.decisions import DecisionKind, DecisionRequest
from permission_guard.model.arns import parse_function_arn
from permission_guard.records import record
from permission_guard.reports.fixes import FixOfFinding, FixStage, print_plan
from permission_guard.reports.terminal import literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.bootstrap.deployment import Deployment
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

NOT_RECORDED = 1

app = typer.Typer(
    help="List the fixes that the bot proposes, show their plans, approve or reject them, and undo what was applied. "
    "Stop all fixing, and resume it. A decision needs lambda:InvokeFunction on the stack's function decide_fix, and so "
    "does a stop.",
    no_args_is_help=True,
)

FunctionArn = Annotated[
    str | None,
    typer.Option("--function-arn", help="The ARN of the function that the finding is about, as in an alert."),
]
Revision = Annotated[
    int | None, typer.Option("--revision", min=1, help="The revision of the finding that proposed the fix.")
]
PlanHash = Annotated[
    str | None, typer.Option("--plan", help="The hash of the plan: you decide about exactly this plan, unasked.")
]
DecideFix = Annotated[
    str | None,
    typer.Option("--decide-fix", help="The ARN of the function that takes decisions, an output of the stack."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Decide about the current plan without being asked.")]


@app.command("approve")
def approve(  # noqa: PLR0917 - Typer passes every option
    finding_id: Id,
    function_arn: FunctionArn = None,
    revision: Revision = None,
    plan: PlanHash = None,
    decide_fix: DecideFix = None,
    yes: Yes = False,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
    format_: Format = AnswerFormat.TEXT,
) -> None:
    """Approve a proposed fix: the bot applies it within the next 24 hours, if the plan still fits.

    With the id alone, the plan is read from the stack, shown, and approved if you confirm it. The command in an alert
    has all of --function-arn, --revision, --plan and --decide-fix, and reads nothing.

    Examples:
      permission-guard fixes approve 3f9a1c
      permission-guard fixes approve 3f9a1c --plan HASH

    Exit codes: 0 recorded, 1 not recorded, 2 invalid usage, 3 the finding is recorded but could not be read.

    """
    given = _Given(DecisionKind.APPROVE, finding_id, function_arn, revision, plan, decide_fix)
    _decide(given, lambda: open_stack(stack_name, profile, region), profile=profile, yes=yes, format_=format_)


@app.command("reject")
def reject(  # noqa: PLR0917 - Typer passes every option
    finding_id: Id,
    function_arn: FunctionArn = None,
    revision: Revision = None,
    plan: PlanHash = None,
    decide_fix: DecideFix = None,
    yes: Yes = False,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
    format_: Format = AnswerFormat.TEXT,
) -> None:
    """Reject a proposed fix: the bot does not propose it again unless the problem comes back.

    It takes the same options as `approve`.

    Example:
      permission-guard fixes reject 3f9a1c

    Exit codes: 0 recorded, 1 not recorded, 2 invalid usage, 3 the finding is recorded but could not be read.

    """
    given = _Given(DecisionKind.REJECT, finding_id, function_arn, revision, plan, decide_fix)
    _decide(given, lambda: open_stack(stack_name, profile, region), profile=profile, yes=yes, format_=format_)


# ── What both commands share ────────────────────────────────────────────────────────────────────────────────────────


@record
class _Given:
    """What a person gave: all of it from an alert, or the id of a finding, perhaps with the hash of the plan."""

    kind: DecisionKind
    finding_id: str
    function_arn: str | None
    revision: int | None
    plan: str | None
    decide_fix: str | None

    @property
    def is_id_alone(self) -> bool:
        """Whether the rest is to be read from the stack."""
        return self.function_arn is None and self.revision is None and self.decide_fix is None


def _decide(
    given: _Given, opened: Callable[[], Deployment], *, profile: str | None, yes: bool, format_: AnswerFormat
) -> None:
    """Send the decision and print the answer, or exit with what is wrong. `opened` returns the deployed stack."""
    if not given.is_id_alone:
        answer = _sent(lambda: _send_as_alerted(given, profile))
    else:
        require_id(given.finding_id)
        deployed = opened()
        request = _confirmed(given, find(deployed, given.finding_id), yes=yes, in_json=format_ is AnswerFormat.JSON)
        answer = _sent(lambda: deployed.decide(request))
    if format_ is AnswerFormat.JSON:
        typer.echo(json.dumps(answer, indent=2))
        return
    done = "Approved" if given.kind is DecisionKind.APPROVE else "Rejected"
    typer.echo(f"{done} by {literal(str(answer.get('decided_by')))}.")


def _sent(send: Callable[[], JSON]) -> JSON:
    try:
        return send()
    except PermissionGuardError as error:
        fail(NOT_RECORDED, f"Not recorded: {error}")


def _send_as_alerted(given: _Given, profile: str | None) -> JSON:
    """Send the decision of a command that was copied from an alert. It reads nothing."""
    from permission_guard.bootstrap.command_line import send_decision  # noqa: PLC0415 - loads boto3, which other commands do not need

    if given.function_arn is None or given.revision is None or given.plan is None or given.decide_fix is None:
        fail(
            INVALID_USAGE,
            "--function-arn, --revision, --plan and --decide-fix belong together: copy the whole command from the "
            f"alert or the ticket, or give the id alone: permission-guard fixes {given.kind} {given.finding_id}",
        )
    request = _request(given.kind, given.finding_id, given.function_arn, given.revision, given.plan)
    try:
        target, qualifier = parse_function_arn(given.decide_fix)
    except ValueError as error:
        fail(INVALID_USAGE, f"--decide-fix is {error}")
    own = request.target
    # The signature and the session token go to this function: it must be the bot of the same account.
    if qualifier or (target.partition, target.region, target.account) != (own.partition, own.region, own.account):
        fail(INVALID_USAGE, "--decide-fix is not a function of the account and region of --function-arn")
    return send_decision(request, given.decide_fix, profile)


def _confirmed(given: _Given, finding: Finding, *, yes: bool, in_json: bool) -> DecisionRequest:
    """Return the decision about the current plan of a finding, after the person has confirmed it. Exit otherwise."""
    shown = FixOfFinding(finding, finding.fix) if finding.fix else None
    if shown is None or shown.stage is not FixStage.WAITING:
        state = f"its fix is {shown.stage}" if shown else "it has no fix"
        see = "permission-guard fixes list --stage waiting"
        fail(NOT_RECORDED, f"The finding {finding.id} has no plan that waits for an approval: {state}. See {see}")
    current = shown.fix.plan_hash
    if given.plan is None:
        print_plan(shown, Console(highlight=False, stderr=in_json))
        if not yes and not is_terminal():
            fail(INVALID_USAGE, f"Nobody can be asked here. Add --plan {current} to {given.kind} this plan, or --yes.")
        if not yes:
            typer.confirm(f"{given.kind.capitalize()} this plan?", abort=True, err=in_json)
    elif given.plan != current:
        see = f"permission-guard fixes show {finding.id}"
        fail(NOT_RECORDED, f"The plan has changed: its hash is now {current}. Read it with {see}")
    return _request(given.kind, finding.id, finding.function_arn, finding.revision, current)


def is_terminal() -> bool:
    """Return whether a person can be asked."""
    return sys.stdin.isatty()


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
        fail(INVALID_USAGE, f"{error}: copy the whole command from the alert or the ticket.")
