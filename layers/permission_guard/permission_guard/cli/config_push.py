"""`permission-guard config push`: deploy the configuration document to a stack."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from permission_guard.cli.config import DocumentPath, echo_problems, read_document, warn
from permission_guard.cli.stack_options import STACK, Profile, Region, StackName, require_stack
from permission_guard.config.deployed import to_deploy
from permission_guard.config.rollout import RolloutState
from permission_guard.errors import ConfigurationDocumentError, DeliveryError, PermissionGuardError
from permission_guard.reports.terminal import echo, echo_error

if TYPE_CHECKING:
    from permission_guard.config.rollout import Rollout

NOT_DEPLOYED = 1
INVALID_USAGE = 2

_POLL_SECONDS = 2.0
_MAX_FAILURES = 10
"""How many reads of a deployment may fail in a row: the deployment goes on without us."""


class Sender(Protocol):
    """Deploys documents to a stack. `fix_mode` is its parameter `FixMode`, empty if it has none."""

    fix_mode: str

    def start(self, document: str) -> int:
        """Start the deployment of a document in JSON; return its number."""

    def rollout(self, number: int) -> Rollout:
        """Return how far a deployment is."""


def push(
    path: DocumentPath = Path("guard.yaml"),
    stack_name: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the deployment.")] = False,
) -> None:
    """Validate a document, deploy it, and wait until it is in place or rolled back by one of the stack's alarms.

    Exit codes: 0 in place, 1 not deployed or rolled back, 2 invalid usage, mistakes or a file that cannot be read.
    """
    try:
        require_stack(stack_name, region)
    except ValueError as error:
        echo_error(str(error))
        raise typer.Exit(INVALID_USAGE) from error
    from permission_guard.bootstrap.command_line import ConfigurationSender  # noqa: PLC0415 - loads boto3, which other commands do not need

    try:
        config = read_document(path, rejects_expired=True)
    except ConfigurationDocumentError as error:
        echo_problems(path, error.problems)
        raise typer.Exit(INVALID_USAGE) from error
    try:
        sender = ConfigurationSender(stack_name, profile=profile, region=region)
        warn(config, ceiling=sender.fix_mode)
        if not yes:
            typer.confirm(f"Deploy {path} to the stack {stack_name} in {sender.region}?", abort=True)
        number = sender.start(to_deploy(config))
    except PermissionGuardError as error:
        echo_error(f"Not deployed: {error}")
        raise typer.Exit(NOT_DEPLOYED) from error
    try:
        ended = _wait(sender, number)
    except PermissionGuardError as error:
        echo_error(f"Deployment {number} goes on, but cannot be followed: {error}")
        raise typer.Exit(NOT_DEPLOYED) from error
    if ended.state is not RolloutState.COMPLETE:
        reason = f" {ended.reason}." if ended.reason else ""
        echo_error(f"Rolled back: the stack uses the document before this one again.{reason}")
        raise typer.Exit(NOT_DEPLOYED)
    echo(f"{path} is in place. Every function reads it within a minute.")


def _wait(sender: Sender, number: int) -> Rollout:
    """Print each step of a deployment, and return its last one. DeliveryError if AWS cannot be called for a while."""
    shown, failures = "", 0
    while True:
        try:
            rollout = sender.rollout(number)
        except DeliveryError:
            failures += 1
            if failures == _MAX_FAILURES:
                raise
        else:
            failures = 0
            if rollout.state.has_ended:
                return rollout
            step = _step(number, rollout)
            if step != shown:
                echo(step)
            shown = step
        time.sleep(_POLL_SECONDS)


def _step(number: int, rollout: Rollout) -> str:
    if rollout.state is RolloutState.WATCHED:
        return f"Deployment {number}: in place, and rolled back if an alarm goes off within {rollout.minutes} minutes."
    if rollout.state is RolloutState.ROLLING_BACK:
        return f"Deployment {number}: rolling back."
    return f"Deployment {number}: {rollout.percent} %."
