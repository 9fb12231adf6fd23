"""`permission-guard fixes list` and `show`: the plans that wait for a decision, and what became of the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from permission_guard.cli.completion import complete_rule
from permission_guard.cli.deployed import INVALID_USAGE, NOT_DONE, NOT_READ, Id, fail, find, open_stack, require_id
from permission_guard.cli.finding_filters import Filters, Statuses
from permission_guard.cli.progress import counting
from permission_guard.cli.stack_options import STACK, Profile, Region, StackName
from permission_guard.errors import PermissionGuardError
from permission_guard.model.findings import CHANGED_AWS
from permission_guard.model.verdicts import Severity
from permission_guard.reports.findings import Unreadable
from permission_guard.reports.fixes import (
    FixOfFinding,
    FixStage,
    earlier_fixes,
    fixes_of,
    print_fix,
    print_fix_json,
    print_fixes_json,
    print_fixes_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.bootstrap.deployment import Deployment
    from permission_guard.model.findings import Finding


class ListFormat(StrEnum):
    """The output format of a list."""

    TABLE = "table"
    JSON = "json"


class ShowFormat(StrEnum):
    """The output format of one fix."""

    TEXT = "text"
    JSON = "json"


def list_fixes(  # noqa: PLR0917 - Typer passes every option
    stage: Annotated[
        list[FixStage] | None, typer.Option("--stage", help="Only fixes that are so far. Can be repeated.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule", help="Only fixes of this rule: its id or name. Can be repeated.", autocompletion=complete_rule
        ),
    ] = None,
    function: Annotated[
        str | None, typer.Option("--function", help="Only functions whose name matches, such as 'orders-*'.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=400, help="How far back, for fixes that have ended.")] = 30,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Show only so many.")] = None,
    format_: Annotated[ListFormat, typer.Option("--format", help="The output format.")] = ListFormat.TABLE,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
) -> None:
    """List the proposed fixes, and the recent ones: what waits for a decision first, then the newest.

    Each finding has its last fix, and the ones that were applied before it within 400 days.

    Examples:
      permission-guard fixes list
      permission-guard fixes list --stage waiting --format json
      permission-guard fixes list --stage applied --days 7

    Exit codes: 0 listed, 1 not listed, 2 invalid usage, 3 listed, but some items could not be read.

    """
    try:
        filters = Filters.of(Statuses.ALL, rule or [], Severity.LOW, function, None)
    except ValueError as error:
        fail(INVALID_USAGE, str(error))
    deployed = open_stack(stack_name, profile, region)
    try:
        with counting("findings read") as progress:
            listed = deployed.findings.read(deployed.findings.keys(filters.statuses), progress)
            past = deployed.findings.read(deployed.findings.keys(CHANGED_AWS))
    except PermissionGuardError as error:
        fail(NOT_DONE, str(error))
    now = datetime.now(UTC)
    since = (now - timedelta(days=days)).isoformat()
    found = (listed.findings, past.findings)
    matching = [
        one
        for one in fixes_of(*([finding for finding in some if filters.matches(finding)] for some in found))
        if (not stage or one.stage in stage) and (one.stage.is_open or one.fix.last_at >= since)
    ]
    shown, unreadable = matching[:limit], Unreadable(tuple(map(str, (*listed.unreadable, *past.unreadable))))
    if format_ is ListFormat.JSON:
        print_fixes_json(shown, len(matching), unreadable)
    else:
        print_fixes_table(shown, len(matching), unreadable, now=now)
    raise typer.Exit(NOT_READ if unreadable.keys else 0)


def show_fix(
    finding_id: Id,
    format_: Annotated[ShowFormat, typer.Option("--format", help="The output format.")] = ShowFormat.TEXT,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
) -> None:
    """Show all of a fix: its plan with what it rests on, who decided, the result, and its history.

    The fixes of the same finding that were applied before it follow: they are kept for 400 days.

    Example:
      permission-guard fixes show 3f9a1c

    Exit codes: 0 shown, 1 there is none, 2 invalid usage, 3 it is recorded but could not be read.

    """
    require_id(finding_id)
    deployed = open_stack(stack_name, profile, region)
    finding = find(deployed, finding_id)
    if finding.fix is None:
        fail(NOT_DONE, f"The finding {finding.id} has no fix: see permission-guard findings show {finding.id}")
    shown = FixOfFinding(finding, finding.fix)
    earlier = earlier_fixes(past_of(deployed, finding), [finding])
    if format_ is ShowFormat.JSON:
        print_fix_json(shown, earlier)
    else:
        print_fix(shown, earlier)


def past_of(deployed: Deployment, finding: Finding) -> Sequence[Finding]:
    """Return a finding as each transition left it that applied or undid a fix, or exit with what is wrong."""
    try:
        keys = [key for key in deployed.findings.keys(CHANGED_AWS) if key.finding_id == finding.id]
        return deployed.findings.read(keys).findings
    except PermissionGuardError as error:
        fail(NOT_DONE, str(error))
