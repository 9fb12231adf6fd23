"""`make demo`: start AWS on this machine, deploy the bot, play the story, and stop everything."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.client import configuration
from sandbox.client.deliveries import Deliveries
from sandbox.client.engineer import Engineer, document
from sandbox.client.process import ACCOUNT, REGION, Sandbox, SandboxError, shell_setup
from sandbox.client.watcher import Watcher
from sandbox.demo.screen import Screen
from sandbox.demo.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

STACK = "permission-guard"
_PARAMETERS = {"FixMode": "auto", "TicketSystem": "opsitem"}
_CONFIGURATION = {"version": 1, "grace_period_seconds": 1}
_LOG_LINES = 12


def main(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the sandbox running until Ctrl-C.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Write the first part of the story to this file, as an SVG.")
    ] = None,
) -> None:
    """Show how the bot finds, reports, tickets and repairs misconfigured functions, on a real AWS API."""
    signal.signal(signal.SIGTERM, _interrupt)
    screen = Screen(picture)
    screen.title(
        "Permission Guard",
        "AWS on this machine, the stack of template.yaml, FixMode=auto.\n"
        "Grace period before alerting: 1 s here, 2 minutes by default.\n"
        "Not shown: the calls that create the functions, roles, queues and buckets.",
    )
    try:
        with _started(screen) as aws:
            succeeded = _play(aws, screen)
            if succeeded and keep:
                _keep(aws, screen)
    except SandboxError as error:
        screen.failed("The sandbox", str(error))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        screen.say("\nStopped. All files of the sandbox are removed.")
        raise typer.Exit(130) from None
    if not succeeded:
        raise typer.Exit(1)


def _started(screen: Screen) -> Sandbox:
    with screen.doing("Started AWS on this machine (MiniStack, with IAM authorization)"):
        return Sandbox.start()


def _play(aws: Sandbox, screen: Screen) -> bool:
    start = time.monotonic()
    try:
        with screen.doing("Deployed template.yaml with SAM"):
            outputs = configuration.deploy(aws, STACK, _PARAMETERS, _CONFIGURATION)
        rows = Story(
            Engineer(aws),
            Engineer(aws, screen.called),
            Watcher(aws, outputs),
            screen,
            person=_person(aws, outputs),
            grant=lambda: _deploy_again(aws),
            deliveries=partial(Deliveries, aws),
        ).play()
    except (TimeoutError, AssertionError, ClientError, BotoCoreError) as error:
        screen.failed(str(error), _last_errors(aws.log))
        return False
    screen.summary(rows)
    screen.say(f"[dim]Deployment and story took {time.monotonic() - start:.0f} s.[/]")
    return True


def _person(aws: Sandbox, outputs: Mapping[str, str]) -> Callable[[str], str]:
    """Create a role that may read findings and decide about fixes; return what runs a command with it.

    TimeoutError with the command's error if it fails.
    """
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="platform", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{outputs['FindingsTableName']}"
    reads = {"Action": ["dynamodb:Query", "dynamodb:BatchGetItem"], "Resource": [table, f"{table}/index/by-status"]}
    policy = document(
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": outputs["DecideFixFunctionArn"]},
        {"Effect": "Allow", "Action": "cloudformation:DescribeStacks", "Resource": "*"},
        {"Effect": "Allow", **reads},
    )
    iam.put_role_policy(RoleName="platform", PolicyName="decide", PolicyDocument=policy)
    keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="jane")["Credentials"]
    credentials = {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }

    def run(command: str) -> str:
        words = [str(Path(sys.executable).parent / "permission-guard"), *shlex.split(command)[1:]]
        done = subprocess.run(words, env=aws.env() | credentials, capture_output=True, text=True, check=False)
        if done.returncode:
            raise TimeoutError(f"{command} failed: {done.stderr}")
        return done.stdout

    return run


def _deploy_again(aws: Sandbox) -> None:
    aws.deploy(STACK, {**_PARAMETERS, "AutoFix": "grant"})


def _last_errors(log: str) -> str:
    errors = [line for line in log.splitlines() if '"level":"ERROR"' in line or " ERROR " in line]
    return "\n".join(errors[-_LOG_LINES:]) or "The bot's logs show no error."


def _keep(aws: Sandbox, screen: Screen) -> None:
    screen.say(f"\nThe sandbox keeps running at {aws.endpoint} until Ctrl-C. In another terminal:\n")
    for line in shell_setup(aws.port):
        screen.copyable(line)
    signal.pause()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    typer.run(main)
