"""`permission-guard fixes undo`: have the bot undo an applied fix."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from permission_guard.cli.answers import AnswerFormat, Format
from permission_guard.cli.deployed import INVALID_USAGE, Id, fail, find, open_stack, require_id
from permission_guard.cli.fix_list import past_of
from permission_guard.cli.fixes import NOT_RECORDED, Yes, is_terminal
from permission_guard.cli.stack_options import STACK, Profile, Region, StackName
from permission_guard.errors import PermissionGuardError
from permission_guard.fixes.decisions import DecisionRequest, why_not_undone
from permission_guard.reports.fixes import FixOfFinding, earlier_fixes, print_undo
from permission_guard.reports.terminal import echo

if TYPE_CHECKING:
    from permission_guard.bootstrap.deployment import Deployment
    from permission_guard.model.findings import Finding, FixRecord

Reason = Annotated[str, typer.Option("--reason", help="Why, in at most 500 characters. Everybody can read it.")]
PlanHash = Annotated[str | None, typer.Option("--plan", help="The hash of the fix's plan: undo this one, unasked.")]


def undo_fix(  # noqa: PLR0917 - Typer passes every option
    finding_id: Id,
    reason: Reason = "",
    plan: PlanHash = None,
    yes: Yes = False,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
    format_: Format = AnswerFormat.TEXT,
) -> None:
    """Undo the applied fix of a finding: what it changed, as far as nobody has changed it since.

    The fix is shown, and undone if you confirm it. Only the last fix of a finding can be undone in this way. The
    finding is open again then, and the bot does not apply the fix again without an approval.

    Examples:
      permission-guard fixes undo 3f9a1c --reason "The function must not read this queue"
      permission-guard fixes undo 3f9a1c --plan HASH

    Exit codes: 0 requested, 1 not requested, 2 invalid usage, 3 the finding is recorded but could not be read.

    """
    require_id(finding_id)
    deployed = open_stack(stack_name, profile, region)
    finding = find(deployed, finding_id)
    in_json = format_ is AnswerFormat.JSON
    why, fix = _why_not(deployed, finding, plan), finding.fix
    if why or fix is None:
        fail(NOT_RECORDED, f"The finding {finding.id} has no such fix to undo: {why}")
    if plan is None:
        print_undo(FixOfFinding(finding, fix), Console(highlight=False, stderr=in_json))
        if not yes and not is_terminal():
            fail(INVALID_USAGE, f"Nobody can be asked here. Add --plan {fix.plan_hash} to undo this fix, or --yes.")
        if not yes:
            typer.confirm("Undo this fix?", abort=True, err=in_json)
    request = _request(finding, fix, reason)
    try:
        answer = deployed.decide(request)
    except PermissionGuardError as error:
        fail(NOT_RECORDED, f"Not requested: {error}")
    if in_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    see = f"permission-guard fixes show {finding.id}"
    echo(f"Requested by {answer.get('decided_by')}. The bot undoes the fix within minutes, or says why not: {see}")


def _why_not(deployed: Deployment, finding: Finding, plan: str | None) -> str:
    """Return why the named fix cannot be undone, empty if it can. An earlier one can only be undone by hand."""
    why = why_not_undone(finding.fix)
    if not why and finding.fix is not None and plan not in (None, finding.fix.plan_hash):
        why = "its last fix has another plan"
    if not why:
        return ""
    applied = (
        one.fix
        for one in earlier_fixes(past_of(deployed, finding), [finding])
        if plan in (None, one.fix.plan_hash) and not why_not_undone(one.fix)
    )
    if (fix := next(applied, None)) is None:
        return f"{why}."
    only = f"Only the last fix of a finding can be undone through its id. One that was applied before, at {fix.at}"
    return f"{why}. {only}, can be undone by hand: {fix.undo}"


def _request(finding: Finding, fix: FixRecord, reason: str) -> DecisionRequest:
    try:
        return DecisionRequest.from_document(
            {
                "kind": "undo",
                "finding_id": finding.id,
                "function_arn": finding.function_arn,
                "revision": finding.revision,
                "plan_hash": fix.plan_hash,
                "nonce": secrets.token_hex(16),
                "reason": reason,
            }
        )
    except PermissionGuardError as error:
        fail(INVALID_USAGE, f"Not requested: {error}")
