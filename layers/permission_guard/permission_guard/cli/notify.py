"""`permission-guard notify`: test the alert channels and ticket systems of a deployed stack."""

from __future__ import annotations

import json
import secrets
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from permission_guard.cli.deployed import NOT_DONE, fail, open_stack
from permission_guard.cli.progress import waiting
from permission_guard.cli.stack_options import STACK, Profile, Region, StackName
from permission_guard.errors import PermissionGuardError
from permission_guard.findings.requests import FindingRequest, FindingRequestKind
from permission_guard.model.destinations import read_results
from permission_guard.reports.destinations import print_results

if TYPE_CHECKING:
    from permission_guard.bootstrap.deployment import Deployment
    from permission_guard.model.destinations import DestinationResult

NOTHING = (
    "Nothing is configured: there is no alert channel and no ticket system. Set AlertEmail, SlackSecretArn, "
    "TicketSystem or ImportToSecurityHub of the stack, or name channels and tickets.systems in guard.yaml."
)

app = typer.Typer(
    help="Show the messages that people get, and test where they go. A test needs cloudformation:DescribeStacks, and "
    "lambda:InvokeFunction on the stack's function manage_findings.",
    no_args_is_help=True,
)


class TestFormat(StrEnum):
    """The output format of a test."""

    TABLE = "table"
    JSON = "json"


@app.command("test")
def send_test(
    format_: Annotated[TestFormat, typer.Option("--format", help="The output format.")] = TestFormat.TABLE,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
) -> None:
    """Send a test message to every alert channel, and open and close a test ticket in every ticket system.

    Each is labelled [TEST], and nothing is recorded as a finding. It takes up to a minute and prints what each of them
    answered. A subscription with a filter policy gets the message only if the policy accepts the attribute `notice`
    with the value `Test Message`.

    Examples:
      permission-guard notify test
      permission-guard notify test --format json

    Exit codes: 0 everything was sent, 1 something was not, or nothing is configured, 2 invalid usage.

    """
    results = _results(open_stack(stack_name, profile, region))
    if format_ is TestFormat.JSON:
        typer.echo(json.dumps({"results": [one.to_document() for one in results]}, indent=2))
    elif results:
        print_results(results)
    if not results:
        fail(NOT_DONE, NOTHING)
    raise typer.Exit(0 if all(one.is_done for one in results) else NOT_DONE)


def _results(deployed: Deployment) -> list[DestinationResult]:
    """Return what became of a test at each destination, or exit with why it is not done."""
    request = FindingRequest(kind=FindingRequestKind.TEST_MESSAGE, nonce=secrets.token_hex(16))
    try:
        with waiting("waiting for the answers of all channels and ticket systems: up to a minute"):
            return read_results(deployed.manage(request))
    except PermissionGuardError as error:
        fail(NOT_DONE, f"Not done: {error}")
