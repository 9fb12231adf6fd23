"""`permission-guard findings`: list and show what the bot found, suppress it, and check functions again."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from permission_guard.cli.completion import complete_rule
from permission_guard.cli.deployed import INVALID_USAGE, NOT_DONE, NOT_READ, Id, fail, find, open_stack, require_id
from permission_guard.cli.finding_filters import Filters, Statuses
from permission_guard.cli.progress import counting
from permission_guard.cli.stack_options import STACK, Profile, Region, StackName
from permission_guard.errors import PermissionGuardError
from permission_guard.findings.requests import FindingRequest
from permission_guard.model.arns import parse_function_name
from permission_guard.model.verdicts import Severity
from permission_guard.reports.findings import (
    Unreadable,
    print_csv,
    print_finding,
    print_finding_json,
    print_json,
    print_table,
    target_name,
    worst_first,
)
from permission_guard.reports.terminal import echo

if TYPE_CHECKING:
    from permission_guard.bootstrap.deployment import Deployment
    from permission_guard.model.findings import Finding

app = typer.Typer(
    help="List the findings of a deployed stack, suppress them, and check functions again. Reading needs "
    "cloudformation:DescribeStacks, dynamodb:Query and dynamodb:BatchGetItem. Writing needs lambda:InvokeFunction on "
    "the stack's function manage_findings.",
    no_args_is_help=True,
)


class ListFormat(StrEnum):
    """The output format of a list."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class ShowFormat(StrEnum):
    """The output format of one finding."""

    TEXT = "text"
    JSON = "json"


@app.command("list")
def list_findings(  # noqa: PLR0917 - Typer passes every option
    status: Annotated[Statuses, typer.Option("--status", help="Only findings with this status.")] = Statuses.OPEN,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule", help="Only findings of this rule: its id or name. Can be repeated.", autocompletion=complete_rule
        ),
    ] = None,
    severity: Annotated[
        Severity, typer.Option("--severity", help="Only findings of this severity or a higher one.")
    ] = Severity.LOW,
    function: Annotated[
        str | None, typer.Option("--function", help="Only functions whose name matches, such as 'orders-*'.")
    ] = None,
    role: Annotated[
        str | None, typer.Option("--role", help="Only findings about roles whose name matches, such as 'app-*'.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Show only so many, the worst first.")] = None,
    format_: Annotated[ListFormat, typer.Option("--format", help="The output format.")] = ListFormat.TABLE,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
) -> None:
    """List findings, the worst first.

    Examples:
      permission-guard findings list
      permission-guard findings list --severity high --function 'orders-*'
      permission-guard findings list --status suppressed --format csv > suppressed.csv

    Exit codes: 0 listed, 1 not listed, 2 invalid usage, 3 listed, but some items could not be read.

    """
    try:
        filters = Filters.of(status, rule or [], severity, function, role)
    except ValueError as error:
        fail(INVALID_USAGE, str(error))
    deployed = open_stack(stack_name, profile, region)
    try:
        with counting("findings read") as progress:
            listed = deployed.findings.read(deployed.findings.keys(filters.statuses), progress)
    except PermissionGuardError as error:
        fail(NOT_DONE, str(error))
    matching = worst_first([one for one in listed.findings if filters.matches(one)])
    shown, unreadable = matching[:limit], Unreadable(tuple(map(str, listed.unreadable)))
    if format_ is ListFormat.JSON:
        print_json(shown, len(matching), unreadable)
    elif format_ is ListFormat.CSV:
        print_csv(shown, unreadable)
    else:
        print_table(shown, len(matching), unreadable, now=datetime.now(UTC), what=filters.what)
    raise typer.Exit(NOT_READ if listed.unreadable else 0)


@app.command("show")
def show(
    finding_id: Id,
    format_: Annotated[ShowFormat, typer.Option("--format", help="The output format.")] = ShowFormat.TEXT,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
) -> None:
    """Show all of a finding: what, why, since when, who changed it, how to fix it, and its history.

    Example:
      permission-guard findings show 3f9a1c

    Exit codes: 0 shown, 1 not found, 2 invalid usage, 3 it is recorded but could not be read.

    """
    require_id(finding_id)
    finding = find(open_stack(stack_name, profile, region), finding_id)
    if format_ is ShowFormat.JSON:
        print_finding_json(finding)
    else:
        print_finding(finding, now=datetime.now(UTC))


@app.command("suppress")
def suppress(  # noqa: PLR0917 - Typer passes every option
    finding_id: Id,
    until: Annotated[
        str, typer.Option("--until", help="The last day, such as 2026-12-31, or a time such as 2026-12-31T18:00+01:00.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why, in at most 500 characters. Everybody can read it.")],
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
) -> None:
    """Suppress a finding: no more alerts and no fix until then, and its ticket is closed with the reason.

    You are recorded as its owner. If the problem still exists at the end, the finding opens again.

    Example:
      permission-guard findings suppress 3f9a1c --until 2026-12-31 --reason "Public on purpose, see ADR 12"

    Exit codes: 0 suppressed, 1 refused or not sent, 2 invalid usage, 3 it is recorded but could not be read.

    """
    require_id(finding_id)
    end = _end(until)
    deployed = open_stack(stack_name, profile, region)
    finding = find(deployed, finding_id)
    answer = _manage(
        deployed, kind="suppress", finding_id=finding.id, target_arn=finding.target_arn, until=end, reason=reason
    )
    done = "Suppressed" if answer.get("changed") is True else "Already suppressed"
    echo(f"{done} until {end} by {answer.get('by')!s}: {_named(finding)}.")


@app.command("unsuppress")
def unsuppress(
    finding_id: Id,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
) -> None:
    """End the suppression of a finding: it is open again, with an alert and its ticket.

    What an exception of the configuration or a tag of the function suppresses is ended there.

    Example:
      permission-guard findings unsuppress 3f9a1c

    Exit codes: 0 open again, 1 refused or not sent, 2 invalid usage, 3 it is recorded but could not be read.

    """
    require_id(finding_id)
    deployed = open_stack(stack_name, profile, region)
    finding = find(deployed, finding_id)
    answer = _manage(deployed, kind="unsuppress", finding_id=finding.id, target_arn=finding.target_arn)
    done = "Open again" if answer.get("changed") is True else "Was open already"
    echo(f"{done}: {_named(finding)}.")


@app.command("recheck")
def recheck(
    function: Annotated[str, typer.Argument(metavar="FUNCTION", help="The name or ARN of a function.")],
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
) -> None:
    """Check a function again, in both directions: who may invoke it, and what its role allows.

    Example:
      permission-guard findings recheck orders

    Exit codes: 0 requested, 1 refused or not sent, 2 invalid usage.

    """
    try:
        parse_function_name(function, region="us-east-1", account="0" * 12)
    except ValueError as error:
        fail(INVALID_USAGE, str(error))
    deployed = open_stack(stack_name, profile, region)
    own = deployed.stack.arn
    target, _ = parse_function_name(function, region=own.region, account=own.account)
    _manage(deployed, kind="recheck", target_arn=target.arn)
    echo(f"Two checks of {target.name} are requested. In a minute: permission-guard findings list")


# ── What the commands share ─────────────────────────────────────────────────────────────────────────────────────────


def _manage(deployed: Deployment, **fields: str) -> Any:
    """Send a request; return the answer, or exit with why it is not done."""
    try:
        request = FindingRequest.from_document({"nonce": secrets.token_hex(16), **fields})
    except PermissionGuardError as error:
        fail(INVALID_USAGE, f"Not sent: {error}")
    try:
        return deployed.manage(request)
    except PermissionGuardError as error:
        fail(NOT_DONE, f"Not done: {error}")


def _named(finding: Finding) -> str:
    return f"{finding.rule_id} {target_name(finding)}: {finding.title}"


def _end(until: str) -> str:
    """Return the end of a suppression in UTC: of a day, its last second. Exit if there is no such time."""
    try:
        day = date.fromisoformat(until)
        end = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
    except ValueError:
        end = _time(until)
    return end.isoformat(timespec="seconds")


def _time(until: str) -> datetime:
    try:
        given = datetime.fromisoformat(until)
        in_utc = given.astimezone(UTC) if given.tzinfo is not None else None
    except (ValueError, OverflowError):
        in_utc = None
    if in_utc is None:
        example = "a day such as 2026-12-31, or a time with its zone such as 2026-12-31T18:00Z"
        fail(INVALID_USAGE, f"--until requires {example}; got {until!r}")
    return in_utc
