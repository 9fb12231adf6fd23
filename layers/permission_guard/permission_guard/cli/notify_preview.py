"""`permission-guard notify preview`: print what a channel or a ticket system would get, without sending it."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from permission_guard.cli.deployed import INVALID_USAGE, fail, find, open_stack
from permission_guard.cli.stack_options import STACK, Profile, Region, StackName
from permission_guard.config.destinations import STACK_CHANNELS, STACK_TICKET_SYSTEMS
from permission_guard.config.document import GuardConfig
from permission_guard.config.rule_names import RULE_NAMES
from permission_guard.delivery.previews import PREVIEWS, preview
from permission_guard.delivery.routes import channels_of, tickets_of
from permission_guard.errors import UNREADABLE, ConfigurationDocumentError, InputError
from permission_guard.findings.lifecycle import resolved
from permission_guard.model.findings import Finding, Status
from permission_guard.offline.input_file import STDIN, read
from permission_guard.offline.sample_findings import sample_finding
from permission_guard.reports.terminal import echo, echo_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON

_DEFAULT: Final = "sns"
_ID: Final = "[0-9a-f]{6,32}"
_FOR_PROGRAMS: Final = "document"
"""The part that no person reads: what queues and functions get from SNS."""
_OWN: Final = ("the stack's own",)
_PLACES: Final = {"channels": "Channels", "tickets": "Ticket systems"}


class PreviewFormat(StrEnum):
    """The output format of a preview."""

    TEXT = "text"
    JSON = "json"


def preview_message(  # noqa: PLR0917 - Typer passes every option
    what: Annotated[
        str,
        typer.Argument(
            metavar="FINDING|RULE",
            help="The id or name of a rule, for a sample finding of it; a file with a finding, as `findings show "
            "--format json` prints it (- for standard input); or the id of a finding of the deployed stack.",
        ),
    ],
    channel: Annotated[
        str,
        typer.Option(
            "--channel",
            help=f"A type: {', '.join(PREVIEWS)}; or a name of a channel or ticket system in the file of --config.",
        ),
    ] = _DEFAULT,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="A guard.yaml: its names, its owners, and where its routes send the finding."),
    ] = None,
    over: Annotated[bool, typer.Option("--resolved", help="As it is sent when the problem no longer exists.")] = False,
    format_: Annotated[PreviewFormat, typer.Option("--format", help="The output format.")] = PreviewFormat.TEXT,
    profile: Profile = None,
    region: Region = None,
    stack_name: StackName = STACK,
) -> None:
    """Print what would be sent about a finding. Nothing is sent; only the id of a finding needs an account.

    Each part is printed as it is sent. Slack's blocks can be pasted into Slack's Block Kit Builder.

    Examples:
      permission-guard notify preview PG201
      permission-guard notify preview public-invoke --channel slack --format json
      permission-guard findings show 3f9a1c --format json | permission-guard notify preview - --channel github
      permission-guard notify preview PG102 --config guard.yaml --channel payments

    Exit codes: 0 printed, 1 not found, 2 invalid usage or a file that is not valid, 3 an item of the table could not
    be read.

    """
    document = _configuration(config)
    type_ = _type(channel, document, config)
    finding = _finding(what, stack_name, profile, region)
    if over and finding.status is not Status.RESOLVED:
        finding = resolved(finding, "The problem no longer exists.", finding.changed_at).finding
    parts = preview(finding, type_, document.owners)
    places = _places(finding, document) if config is not None else {}
    if format_ is PreviewFormat.JSON:
        typer.echo(json.dumps({"channel": channel, "type": type_, **places, "content": parts}, indent=2))
        return
    for kind, names in places.items():
        echo(f"{_PLACES[kind]} of this finding: {', '.join(names) or 'none'}")
    if places:
        echo("")
    for number, (name, value) in enumerate(parts.items()):
        if name == _FOR_PROGRAMS:
            echo(f"\n{name.capitalize()}: see --format json")
        else:
            _print(name, value, is_first=not number)


def _print(name: str, value: JSON, *, is_first: bool) -> None:
    title = f"{name[:1].upper()}{name[1:]}".replace("_", " ")  # a vendor's name, such as `recordState`, stays readable
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    if "\n" not in text:
        echo(f"{title}: {text}")
        return
    echo(f"{'' if is_first else chr(10)}{title}:\n{text}")


def _places(finding: Finding, config: GuardConfig) -> Mapping[str, tuple[str, ...]]:
    """Return the channels and the ticket systems that a finding goes to. The stack's own ones depend on parameters."""
    return {
        "channels": channels_of(finding, config.routes, default=_OWN, known={*config.channels, *STACK_CHANNELS}),
        "tickets": tickets_of(
            finding, config.routes, default=_OWN, known={*config.tickets.systems, *STACK_TICKET_SYSTEMS}
        ),
    }


def _configuration(path: Path | None) -> GuardConfig:
    if path is None:
        return GuardConfig()
    from permission_guard.cli.config import echo_problems, read_document  # noqa: PLC0415 - loads the forms of all keys

    try:
        return read_document(path, rejects_expired=False)
    except ConfigurationDocumentError as error:
        echo_problems(path, error.problems)
        raise typer.Exit(INVALID_USAGE) from error


def _type(channel: str, config: GuardConfig, path: Path | None) -> str:
    if channel in config.channels:
        return str(config.channels[channel].type)
    if channel in config.tickets.systems:
        return str(config.tickets.systems[channel].type)
    if channel in PREVIEWS:
        return channel
    names = ", ".join([*config.channels, *config.tickets.systems])
    more = f"Names in {path}: {names or 'none'}." if path else "For a name in a guard.yaml, add --config <file>."
    return fail(INVALID_USAGE, f"There is no channel {channel!r}. Types: {', '.join(PREVIEWS)}. {more}")


def _finding(what: str, stack_name: str, profile: str | None, region: str | None) -> Finding:
    rule = next((id_ for id_, name in RULE_NAMES.items() if what.lower() in (id_.lower(), name)), None)
    if rule is not None:
        return sample_finding(rule)
    if what == STDIN or Path(what).is_file():
        return _from_file(Path(what))
    if not re.fullmatch(_ID, what):
        fail(
            INVALID_USAGE,
            f"There is no rule and no file {what!r}, and no finding has such an id. See permission-guard rules list.",
        )
    return find(open_stack(stack_name, profile, region), what)


def _from_file(path: Path) -> Finding:
    try:
        return Finding.from_document(read(path))
    except InputError as error:
        echo_error(f"{path}: {error}")
    except (*UNREADABLE, AttributeError) as error:
        echo_error(
            f"{path} is not a finding, as `findings show --format json` prints it: {type(error).__name__}: {error}"
        )
    raise typer.Exit(INVALID_USAGE)
