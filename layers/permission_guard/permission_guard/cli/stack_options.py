"""The options of the commands that use a deployed stack."""

from __future__ import annotations

import re
from typing import Annotated, Final

import typer

from permission_guard.cli.completion import complete_profile, complete_region
from permission_guard.cli.regions import require_region

STACK: Final = "permission-guard"
"""The name of the stack, unless an option names another."""

Profile = Annotated[
    str | None,
    typer.Option(
        "--profile", help="The AWS profile to use.", show_default="environment", autocompletion=complete_profile
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region", help="The region of the stack.", show_default="environment", autocompletion=complete_region
    ),
]
StackName = Annotated[str, typer.Option("--stack-name", help="The name of the deployed stack.")]

_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,127}", re.ASCII)


def require_stack(stack_name: str, region: str | None) -> None:
    """Raise ValueError unless a stack can have this name, and there is such a region."""
    if not _NAME.fullmatch(stack_name):
        raise ValueError(f"--stack-name requires the name of a stack, such as {STACK}; got {stack_name!r}")
    if region is not None:
        require_region("--region", region)
