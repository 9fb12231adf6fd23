"""What the commands share that use a deployed stack: they open it, find a finding in it, or exit with what is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from permission_guard.cli.progress import counting
from permission_guard.cli.stack_options import require_stack
from permission_guard.errors import PermissionGuardError
from permission_guard.model.findings import Status
from permission_guard.reports.findings import Unreadable, counted
from permission_guard.reports.terminal import echo_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.bootstrap.deployment import Deployment
    from permission_guard.findings.listed import ItemKey
    from permission_guard.model.findings import Finding

NOT_DONE = 1
INVALID_USAGE = 2
NOT_READ = 3

_ID = re.compile(r"[0-9a-f]{6,32}", re.ASCII)
_CANDIDATES_SHOWN = 5

Id = Annotated[str, typer.Argument(metavar="ID", help="The id of a finding, or its first six or more characters.")]


def open_stack(stack_name: str, profile: str | None, region: str | None) -> Deployment:
    """Return the deployed stack, or exit with what is wrong."""
    try:
        require_stack(stack_name, region)
    except ValueError as error:
        fail(INVALID_USAGE, str(error))
    from permission_guard.bootstrap import deployment  # noqa: PLC0415 - loads boto3, which other commands do not need

    try:
        return deployment.deployment(stack_name, profile=profile, region=region)
    except PermissionGuardError as error:
        fail(NOT_DONE, str(error))


def find(deployed: Deployment, finding_id: str) -> Finding:
    """Return the only finding whose id starts so, or exit with what is wrong."""
    try:
        with counting("ids compared") as progress:
            found = _starting_with(deployed, finding_id, progress)
        listed = deployed.findings.read(found[:1])
    except PermissionGuardError as error:
        fail(NOT_DONE, str(error))
    if len(found) > 1:
        names = ", ".join(key.finding_id for key in found[:_CANDIDATES_SHOWN])
        start = f"{counted(len(found), 'finding')} start with {finding_id}"
        fail(INVALID_USAGE, f"{start}: {names}. Give more characters.")
    if listed.unreadable:
        fail(NOT_READ, str(Unreadable(tuple(map(str, listed.unreadable)))))
    if not listed.findings:
        fail(NOT_DONE, f"There is no finding {finding_id}: see permission-guard findings list --status all")
    return listed.findings[0]


def _starting_with(deployed: Deployment, finding_id: str, progress: Callable[[int], None]) -> list[ItemKey]:
    found = set()
    for number, key in enumerate(deployed.findings.keys(Status)):
        progress(number)
        if key.finding_id.startswith(finding_id):
            found.add(key)
    return sorted(found)


def require_id(finding_id: str) -> None:
    """Exit unless this can be the id of a finding, or its first characters."""
    if not _ID.fullmatch(finding_id):
        fail(INVALID_USAGE, f"ID requires 6 to 32 characters of a finding's id, such as 3f9a1c; got {finding_id!r}")


def fail(code: int, message: str) -> NoReturn:
    """Print an error message, and exit."""
    echo_error(message)
    raise typer.Exit(code)
