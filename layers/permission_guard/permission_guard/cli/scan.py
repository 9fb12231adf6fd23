"""`permission-guard scan`: evaluate the rules on the functions of accounts, with read-only credentials."""

from __future__ import annotations

import io
import threading
from contextlib import ExitStack
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from permission_guard.cli.config import echo_problems, read_document
from permission_guard.cli.deployed import fail
from permission_guard.cli.scan_options import (
    ALL,
    FailOn,
    Output,
    ScanFormat,
    calls_a_second,
    coverage,
    outputs,
    require_writable,
    wanted_functions,
    wanted_rules,
    wanted_tags,
)
from permission_guard.cli.scan_progress import showing
from permission_guard.cli.scan_run import ScanRun, stopped_by_interrupts
from permission_guard.cli.stack_options import Profile  # noqa: TC001 - Typer reads the annotations
from permission_guard.config.document import GuardConfig
from permission_guard.errors import ConfigurationDocumentError, PermissionGuardError
from permission_guard.model.verdicts import Severity
from permission_guard.offline.state_file import StateWriter
from permission_guard.reports.findings import new_console
from permission_guard.reports.scan import TableOptions, as_csv, as_json, print_table
from permission_guard.reports.scan_results import BaselineFile, ScanResults, selected_rules
from permission_guard.reports.terminal import echo_error
from permission_guard.sweep.bulk import BulkOptions

if TYPE_CHECKING:
    from permission_guard.bootstrap.scan_places import Caller
    from permission_guard.cli.scan_options import Coverage
    from permission_guard.reports.scan_results import ScanDocument

FINDINGS, INVALID_USAGE, UNKNOWN = 1, 2, 3

_WHAT, _WHERE, _OUTPUT, _ACCESS = "What to evaluate", "Accounts and regions", "Output", "Permissions"
_FILE_WIDTH = 200


def scan(  # noqa: PLR0917 - Typer passes every option
    profile: Profile = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            help="A region to scan, or all for every enabled one. Can be repeated.",
            show_default="environment",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(
            "--account",
            help="An account to scan, with --role-name. Can be repeated.",
            show_default="the caller's",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    organization: Annotated[
        bool,
        typer.Option("--organization", help="Scan every active account of the organization.", rich_help_panel=_WHERE),
    ] = False,
    role_name: Annotated[
        str | None,
        typer.Option(
            "--role-name",
            help="The role to assume in each account. The caller's own account needs none.",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", help="Evaluate only this rule: its id or name. Can be repeated.", rich_help_panel=_WHAT),
    ] = None,
    exclude_rule: Annotated[
        list[str] | None,
        typer.Option("--exclude-rule", help="Do not evaluate this rule. Can be repeated.", rich_help_panel=_WHAT),
    ] = None,
    function: Annotated[
        list[str] | None,
        typer.Option(
            "--function",
            help="Only functions whose name, or ARN, matches, such as 'orders-*'. Can be repeated.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag", help="Only functions with this tag, KEY=VALUE. Can be repeated: all apply.", rich_help_panel=_WHAT
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="The configuration document guard.yaml: trust, exceptions, exclusions, and rules apply.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Read the URLs and the state of each function too: for PG112 and PG214.",
            rich_help_panel=_WHAT,
        ),
    ] = False,
    rate: Annotated[
        str,
        typer.Option(
            "--rate",
            metavar="default|full|NUMBER",
            help="Calls a second to Lambda's control plane besides GetPolicy. Deployments share the limit of 15.",
            rich_help_panel=_WHAT,
        ),
    ] = "default",
    severity: Annotated[
        Severity,
        typer.Option("--severity", help="Show only findings that are at least as severe.", rich_help_panel=_OUTPUT),
    ] = Severity.LOW,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline", help="The JSON output of an earlier scan: show only new findings.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            "--fail-on", help="Exit with 1 for findings that are at least as severe.", rich_help_panel=_OUTPUT
        ),
    ] = FailOn.LOW,
    format_: Annotated[
        list[ScanFormat] | None,
        typer.Option(
            "--format",
            help="The format of standard output; then of each --output, unless their endings decide.",
            show_default="table",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output", help="Write a file too: .json, .csv or .txt. Can be repeated.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    details: Annotated[
        bool,
        typer.Option("--details", help="Add reasons and remedies to the table.", rich_help_panel=_OUTPUT),
    ] = False,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Add the plans of fixes, with their proofs. Nothing is changed.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            help="Keep the state that was read, for explain --state. Compressed if it ends in .gz.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.", rich_help_panel=_OUTPUT)] = False,
    show_policy: Annotated[
        bool,
        typer.Option(
            "--show-policy", help="Print the IAM policy that this scan needs, and exit.", rich_help_panel=_ACCESS
        ),
    ] = False,
    check_access: Annotated[
        bool,
        typer.Option(
            "--check-access", help="Report what of that policy the caller lacks, and exit.", rich_help_panel=_ACCESS
        ),
    ] = False,
) -> None:
    """Evaluate the rules on every function of an account, with your read-only credentials. Nothing is deployed.

    Nothing in the account is changed. What cannot be read is unknown, and is named.
    Ctrl-C ends the scan with what was found.

    Examples:
      permission-guard scan
      permission-guard scan --region all --output findings.json --output findings.csv
      permission-guard scan --organization --role-name audit --fail-on high
      permission-guard scan --show-policy --rule PG102

    Exit codes: 1 findings or a denied action, 2 invalid usage, 3 something is unknown or was not read, 0 no problem.

    """
    if show_policy and check_access:
        fail(INVALID_USAGE, "--show-policy and --check-access exclude each other")
    try:
        guard = _configuration(config)
        rules = wanted_rules(rule or [], exclude_rule or [], guard)
        shown, files = outputs(format_ or [], output or [])
        options = BulkOptions(
            config=guard,
            rules=rules,
            full=full,
            functions=wanted_functions(function or []),
            tags=wanted_tags(tag or []),
            rate=calls_a_second(rate),
        )
        if show_policy:
            covered = coverage(region or [ALL], account or [], role_name, "", organization=organization)
            _show_policy(options, covered, plans=plan, all_regions=ALL in (region or []))
            return
        known = BaselineFile.read(baseline).ids if baseline else frozenset()
        for name, path in [("--output", one.path) for one in files] + ([("--save", save)] if save else []):
            require_writable(name, path)
        caller = _caller(profile)
        covered = coverage(region or [], account or [], role_name, caller.region, organization=organization)
    except (ValueError, PermissionGuardError) as error:
        fail(INVALID_USAGE, str(error))
    if check_access:
        raise typer.Exit(_check_access(options, covered, caller, plans=plan))
    results = ScanResults(guard, rules=selected_rules(rules), severity=severity, known=known)
    _run(options, results, caller, covered, save=save, plans=plan, quiet=quiet)
    found = results.document()
    problems = _write(found, shown, files, TableOptions(details=details, errors=False))
    if found.fails_on(fail_on.severity):
        raise typer.Exit(FINDINGS)
    if problems:
        raise typer.Exit(INVALID_USAGE)
    raise typer.Exit(UNKNOWN if found.unknowns or not found.is_complete else 0)


def _configuration(path: Path | None) -> GuardConfig:
    """Return the configuration of a file, the default one without a file; exit if it has mistakes."""
    if path is None:
        return GuardConfig()
    try:
        return read_document(path, rejects_expired=False)
    except ConfigurationDocumentError as error:
        echo_problems(path, error.problems)
        raise typer.Exit(INVALID_USAGE) from error


def _caller(profile: str | None) -> Caller:
    from permission_guard.bootstrap import scan_places  # noqa: PLC0415 - loads boto3, which --show-policy does not need

    return scan_places.Caller(profile)


def _show_policy(options: BulkOptions, covered: Coverage, *, plans: bool, all_regions: bool) -> None:
    from permission_guard.cli.scan_access import needed_actions, print_policy  # noqa: PLC0415 - few scans need it

    needed = needed_actions(options.rules, full=options.full, plans=plans, all_regions=all_regions)
    print_policy(needed, covered)


def _check_access(options: BulkOptions, covered: Coverage, caller: Caller, *, plans: bool) -> int:
    from permission_guard.cli import scan_access  # noqa: PLC0415 - few scans need it

    needed = scan_access.needed_actions(options.rules, full=options.full, plans=plans, all_regions=not covered.regions)
    return scan_access.check_access(caller, covered, needed)


def _run(
    options: BulkOptions,
    results: ScanResults,
    caller: Caller,
    covered: Coverage,
    *,
    save: Path | None,
    plans: bool,
    quiet: bool,
) -> None:
    """Scan, and keep the state where that is wanted."""
    stop = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(stopped_by_interrupts(stop))
        saves = None
        if save is not None:
            try:
                saves = stack.enter_context(StateWriter(save))
            except OSError as error:
                fail(INVALID_USAGE, f"--save {save} cannot be written: {error.strerror or error}")
        progress = stack.enter_context(showing(quiet=quiet))
        scan_run = ScanRun(options=options, results=results, progress=progress, stop=stop, saves=saves, plans=plans)
        scan_run.run(caller, covered)
        if saves is not None:
            found = results.document()
            places = [(place.account, place.region) for place in found.places]
            saves.finish(saved_at=found.ended_at, is_complete=found.is_complete, places=places)


def _write(found: ScanDocument, shown: ScanFormat, files: tuple[Output, ...], options: TableOptions) -> bool:
    """Write the results to standard output and the files; return whether a file could not be written.

    What was not scanned is named on standard error, whatever the format.
    """
    is_failed = False
    for one in files:
        try:
            one.path.write_text(_text(found, one.format, options), encoding="utf-8")
        except OSError as error:
            echo_error(f"--output {one.path} cannot be written: {error.strerror or error}")
            is_failed = True
    if shown is ScanFormat.TABLE:
        print_table(found, new_console(), options)
    else:
        typer.echo(_text(found, shown, options), nl=False)
    for problem in found.errors:
        echo_error(str(problem))
    return is_failed


def _text(found: ScanDocument, format_: ScanFormat, options: TableOptions) -> str:
    if format_ is ScanFormat.JSON:
        return as_json(found)
    if format_ is ScanFormat.CSV:
        return as_csv(found)
    text = io.StringIO()
    console = Console(file=text, width=_FILE_WIDTH, highlight=False, no_color=True)
    print_table(found, console, TableOptions(details=options.details))
    return text.getvalue()
