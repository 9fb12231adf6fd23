"""The options of the commands that use a deployed stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from permission_guard.cli.regions import require_region
from permission_guard.errors import PermissionGuardError
from permission_guard.reports.terminal import echo_error

if TYPE_CHECKING:
    from permission_guard.bootstrap.deployment import Deployment

NOT_DONE: Final = 1
INVALID_USAGE: Final = 2

STACK: Final = "permission-guard"
"""The name of the stack, unless an option names another."""

Profile = Annotated[str | None, typer.Option("--profile", help="The AWS profile to use.", show_default="environment")]
Region = Annotated[str | None, typer.Option("--region", help="The region of the stack.", show_default="environment")]
StackName = Annotated[str, typer.Option("--stack-name", help="The name of the deployed stack.")]

_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,127}", re.ASCII)


def require_stack(stack_name: str, region: str | None) -> None:
    """Raise ValueError unless a stack can have this name, and there is such a region."""
    if not _NAME.fullmatch(stack_name):
        raise ValueError(f"--stack-name requires the name of a stack, such as {STACK}; got {stack_name!r}")
    if region is not None:
        require_region("--region", region)


def deployment_of(stack_name: str, profile: str | None, region: str | None) -> Deployment:
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


def fail(code: int, message: str) -> NoReturn:
    """Exit with a code after an error message."""
    echo_error(message)
    raise typer.Exit(code)
