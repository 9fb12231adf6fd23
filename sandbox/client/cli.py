"""`python -m sandbox serve`: run the sandbox in the foreground, and print its trail and what the bot does."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.client import configuration
from sandbox.client.activity import Activity
from sandbox.client.process import ACCOUNT, REGION, Sandbox, SandboxError, shell_setup
from sandbox.client.watcher import Watcher

if TYPE_CHECKING:
    from types import FrameType

STACK = "permission-guard"
_PAUSE = 0.5
_PARAMETERS = {"TicketSystem": "opsitem"}

app = typer.Typer(add_completion=False, no_args_is_help=True, help="AWS on this machine, for the demo and the tests.")

_TERRAFORM = """\
# Terraform, in the provider "aws" block:
#   skip_credentials_validation = true
#   skip_metadata_api_check     = true
#   skip_region_validation      = true
#   s3_use_path_style           = true
#   endpoints { <each service you use, e.g. lambda> = "<AWS_ENDPOINT_URL above>" }
"""


@app.callback()
def main() -> None:
    """AWS on this machine, for the demo and the tests."""


@app.command()
def serve(
    parameters: Annotated[list[str] | None, typer.Argument(help="Stack parameters for --deploy, as KEY=VALUE.")] = None,
    port: Annotated[int, typer.Option(help="The loopback port to serve on.")] = 4566,
    deploy: Annotated[bool, typer.Option("--deploy", help="Deploy the built stack first.")] = False,
    stack_name: Annotated[str, typer.Option(help="The name of the stack that --deploy creates.")] = STACK,
    config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The configuration for --deploy, as JSON.")
    ] = None,
) -> None:
    """Serve AWS on this machine until Ctrl-C. Print each Lambda and IAM write, and what the bot does."""
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell's background job starts with SIGINT ignored
        signal.signal(ending, _interrupt)
    try:
        with Sandbox.start(port) as aws:
            print(banner(aws))
            activity = Activity(_deploy(aws, stack_name, parameters or [], config)) if deploy else None
            follow(aws, activity)
    except SandboxError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        print("\nStopped. All files of the sandbox are removed.")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def banner(aws: Sandbox) -> str:
    """Return the instructions for using the sandbox from another terminal."""
    lines = [f"AWS account {ACCOUNT}, region {REGION}, at {aws.endpoint} (Ctrl-C stops it). In another terminal:", ""]
    return "\n".join([*lines, *shell_setup(aws.port), "", _TERRAFORM])


def _deploy(aws: Sandbox, stack_name: str, arguments: list[str], config: Path | None) -> Watcher:
    wrong = [argument for argument in arguments if "=" not in argument]
    if wrong:
        raise SandboxError(f"Stack parameters must be KEY=VALUE; got {wrong[0]!r}.")
    start = time.monotonic()
    print(f"Deploying {stack_name} ...", flush=True)
    given = {**_PARAMETERS, **dict(argument.split("=", 1) for argument in arguments)}
    if config is None:
        outputs = aws.deploy(stack_name, given)
    else:
        outputs = configuration.deploy(aws, stack_name, given, json.loads(config.read_text()))
    print(f"Deployed in {time.monotonic() - start:.1f} s.")
    for name, value in outputs.items():
        print(f"  {name} = {value}")
    return Watcher(aws, outputs)


def follow(aws: Sandbox, activity: Activity | None = None) -> None:
    """Print a line for each record and each action of the bot, until interrupted."""
    seen = 0
    actions = ", and what the bot does" if activity else ""
    print(f"Lambda and IAM writes, as CloudTrail records them{actions}:", flush=True)
    while aws.is_running():
        records, last = aws.trail(seen)
        for record in records:
            print(line(record), flush=True)
        seen = last
        if activity and not _print_actions(activity):
            activity = None
        time.sleep(_PAUSE)
    raise SandboxError(f"The sandbox stopped unexpectedly:\n{aws.log[-2_000:]}")


def _print_actions(activity: Activity) -> bool:
    """Print what the bot has done. Return False if its table cannot be read, as after the stack's deletion."""
    try:
        for action in activity.lines():
            print(action, flush=True)
    except (ClientError, BotoCoreError) as error:
        print(f"The bot's table cannot be read any more, so its actions are not printed: {error}", flush=True)
        return False
    return True


def line(record: dict[str, Any]) -> str:
    """Return one record as one line: time, event, caller, outcome."""
    identity = record["userIdentity"]
    who = identity.get("arn", identity["type"]).rpartition(":")[2]
    via = f" via {identity['invokedBy']}" if "invokedBy" in identity else ""
    outcome = f"{record['errorCode']}: {record['errorMessage']}" if "errorCode" in record else "ok"
    return f"{record['eventTime'][11:19]}  {record['eventName']:<40} {who}{via}  {outcome}"
