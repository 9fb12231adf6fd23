"""`permission-guard config`: write, validate, show and deploy the configuration document."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from permission_guard.cli.starting_file import starting_file
from permission_guard.config.canonical import canonical
from permission_guard.config.fix_modes import effective_mode, modes_above
from permission_guard.config.read import config_of
from permission_guard.config.settings import FixMode
from permission_guard.errors import ConfigurationDocumentError, Problem
from permission_guard.fixes import fix_for
from permission_guard.fixes.approval import may_be_automatic
from permission_guard.reports.terminal import echo, echo_error, literal
from permission_guard.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.config.document import ExceptionEntry, GuardConfig

INVALID_USAGE = 2

app = typer.Typer(
    help="Write, validate, show and deploy the configuration document guard.yaml.",
    no_args_is_help=True,
)

DocumentPath = Annotated[Path, typer.Argument(help="The document, in YAML or JSON. - for standard input.")]

Ceiling = Annotated[
    FixMode | None,
    typer.Option("--fix-mode", help="The parameter FixMode of the stack: no rule's fix has a higher mode."),
]

_DEFAULT = Path("guard.yaml")
_STANDARD_STREAM = Path("-")


class ValidateFormat(StrEnum):
    """The output format of the mistakes."""

    TEXT = "text"
    JSON = "json"


class ShowFormat(StrEnum):
    """The output format of the configuration."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


@app.command("init")
def init(
    path: Annotated[Path, typer.Argument(help="The file to write, in YAML. - for standard output.")] = _DEFAULT,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write a starting file: every key with its description and default, and examples as comments.

    Exit codes: 0 written, 2 the file exists or cannot be written.
    """
    text = starting_file(datetime.now(UTC))
    if path == _STANDARD_STREAM:
        typer.echo(text, nl=False)
        return
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        echo_error(f"{path} exists. Choose another name, or replace it with --force.")
        raise typer.Exit(INVALID_USAGE) from error
    except OSError as error:
        echo_error(f"{path} cannot be written: {error.strerror}")
        raise typer.Exit(INVALID_USAGE) from error
    echo(f"Wrote {path}. Check it with: permission-guard config validate {path}")


@app.command("validate")
def validate(
    path: DocumentPath = _DEFAULT,
    format_: Annotated[ValidateFormat, typer.Option("--format", help="The output format.")] = ValidateFormat.TEXT,
    fix_mode: Ceiling = None,
) -> None:
    """Report every mistake of a document: file, line, column, key, and what to write.

    A mode of fixes that has no effect is a warning: the rule has no fix, or --fix-mode allows less.

    Exit codes: 0 valid, 2 mistakes or a file that cannot be read.
    """
    problems: tuple[Problem, ...] = ()
    config = None
    try:
        config = read_document(path, rejects_expired=True)
    except ConfigurationDocumentError as error:
        problems = error.problems
    if format_ is ValidateFormat.JSON:
        found = [{"file": str(path), **problem._asdict()} for problem in problems]
        warnings = list(_warnings(config, fix_mode)) if config is not None else []
        typer.echo(json.dumps({"valid": not problems, "problems": found, "warnings": warnings}, indent=2))
    elif config is not None:
        echo(f"{path} is valid: {_summary(config)}.")
        warn(config, ceiling=fix_mode or "")
    else:
        echo_problems(path, problems)
    if problems:
        raise typer.Exit(INVALID_USAGE)


@app.command("show")
def show(
    path: DocumentPath = _DEFAULT,
    format_: Annotated[ShowFormat, typer.Option("--format", help="The output format.")] = ShowFormat.TABLE,
    fix_mode: Ceiling = None,
) -> None:
    """Show the effective configuration: the document with every default, and every rule with its severity and fix mode.

    A stack's parameter FixMode is the ceiling of every fix mode; --fix-mode shows the modes under it.

    The output of every format is for reading: it also has the rules' names and defaults, so `config validate` and
    `config push` refuse it. Push the document itself.

    An exception that has expired is shown as such; `config validate` and `config push` refuse it.

    Exit codes: 0 shown, 2 mistakes or a file that cannot be read.
    """
    try:
        config = read_document(path, rejects_expired=False)
    except ConfigurationDocumentError as error:
        echo_problems(path, error.problems)
        raise typer.Exit(INVALID_USAGE) from error
    document = {**canonical(config), "rules": _effective_rules(config, fix_mode)}
    if format_ is ShowFormat.JSON:
        typer.echo(json.dumps(document, indent=2))
    elif format_ is ShowFormat.YAML:
        import yaml  # noqa: PLC0415 - other commands run without PyYAML

        typer.echo(yaml.safe_dump(document, sort_keys=False, width=120), nl=False)
    else:
        _print_tables(config, fix_mode)


def warn(config: GuardConfig, *, ceiling: str) -> None:
    """Print what has no effect to standard error. `ceiling` is the parameter `FixMode`, empty if it is not known."""
    known = FixMode(ceiling) if ceiling in list(FixMode) else None
    for warning in _warnings(config, known):
        echo_error(f"Warning: {warning}")


def read_document(path: Path, *, rejects_expired: bool) -> GuardConfig:
    """Read a file in YAML or JSON. ConfigurationDocumentError has every mistake with its line and column."""
    try:
        from permission_guard.offline.configuration_file import compose_file  # noqa: PLC0415 - loads PyYAML, as above
    except ModuleNotFoundError as error:
        problem = Problem("", "reading it needs PyYAML. Install it: pip install 'permission-guard[cli]'")
        raise ConfigurationDocumentError([problem]) from error
    return config_of(compose_file(path), now=datetime.now(UTC), rejects_expired=rejects_expired)


def echo_problems(path: Path, problems: tuple[Problem, ...]) -> None:
    """Print each mistake on a line, as compilers do, so that editors find its place."""
    for problem in problems:
        echo_error(f"{path}{':' if problem.line is not None else ': '}{problem}")


def _summary(config: GuardConfig) -> str:
    counts = {
        "exception": len(config.exceptions),
        "exclusion": len(config.exclusions),
        "changed rule": len(config.rules),
    }
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())


def _warnings(config: GuardConfig, ceiling: FixMode | None) -> Iterator[str]:
    """Yield what has no effect, and why: modes of fixes, and ticket systems that no route names."""
    for rule_id, rule in config.rules.items():
        if rule.fix is not None and fix_for(rule_id) is None:
            yield f"rules.{rule_id}.fix has no effect: the bot has no fix for {rule_id}."
    for found in modes_above(config, ceiling) if ceiling else ():
        yield f"{found}, but the stack's FixMode is {ceiling}, and applies. A deployment can change it."
    routed = {name for route in config.routes for name in route.tickets}
    for name in sorted(config.tickets.systems.keys() - routed):
        yield f"tickets.systems.{name} gets no new tickets: no route names it."


def _effective_rules(config: GuardConfig, ceiling: FixMode | None) -> dict[str, dict[str, Any]]:
    """Return every rule. `severity_set` says whether the document sets the severity, or the rule decides it.

    `fix_mode` is the mode of its fixes, None if it has no fix. `ceiling` is the parameter `FixMode`, if it is known.
    """
    rules = {}
    for rule in RULES:
        found = config.rules.get(rule.id)
        severity = found.severity if found else None
        rules[rule.id] = {
            "name": rule.name,
            "enabled": found.enabled if found else True,
            "severity": str(severity or rule.severity),
            "severity_set": severity is not None,
            "fix_mode": _fix_mode(config, rule.id, ceiling or FixMode.AUTO),
        }
    return rules


def _fix_mode(config: GuardConfig, rule_id: str, ceiling: FixMode) -> str | None:
    """Return the mode of a rule's fixes, None if it has no fix: `approve` where `auto` does not suffice."""
    fix = fix_for(rule_id)
    if fix is None:
        return None
    mode = effective_mode(config, rule_id, ceiling).mode
    waits = mode is FixMode.AUTO and not may_be_automatic(config, fix, rule_id)
    return str(FixMode.APPROVE if waits else mode)


def _print_tables(config: GuardConfig, ceiling: FixMode | None) -> None:
    console = Console(highlight=False, emoji=False)
    settings = _table("setting", "value")
    for name, value in _settings(config).items():
        settings.add_row(name, literal(value))
    console.print(settings)
    rules = _table("id", "name", "enabled", "severity", "fix mode")
    for rule_id, rule in _effective_rules(config, ceiling).items():
        severity = f"{rule['severity']} (set here)" if rule["severity_set"] else rule["severity"]
        rules.add_row(rule_id, rule["name"], "yes" if rule["enabled"] else "no", severity, _mode_cell(rule, ceiling))
    console.print(rules)
    if config.exceptions:
        exceptions = _table("exception", "rules", "only", "expires", "owner", "reason")
        for entry in config.exceptions:
            expires = f"{entry.expires:%Y-%m-%d %H:%M} UTC"
            if entry.expires <= datetime.now(UTC):
                expires += " (expired)"
            cells = (entry.id, ", ".join(entry.rules), _narrowed(entry), expires, entry.owner, entry.reason)
            exceptions.add_row(*map(literal, cells))
        console.print(exceptions)
    if config.exclusions:
        exclusions = _table("excluded", "reason")
        for exclusion in config.exclusions:
            exclusions.add_row(literal(_keys(canonical(exclusion), {"reason"})), literal(exclusion.reason))
        console.print(exclusions)
    if config.routes:
        routes = _table("route", "findings", "goes to")
        for route in config.routes:
            document = canonical(route)
            destinations = {"channels", "tickets", "only"}
            found = _keys(document, {"id", *destinations}) or "all"
            routes.add_row(literal(route.id), literal(found), literal(_keys(document, set(document) - destinations)))
        console.print(routes)
    if config.fixes.managed_elsewhere:
        managed = _table("not fixed", "managed by")
        for other in config.fixes.managed_elsewhere:
            managed.add_row(literal(_keys(canonical(other), {"tool"})), literal(str(other.tool)))
        console.print(managed)


def _mode_cell(rule: dict[str, Any], ceiling: FixMode | None) -> str:
    """Return the mode of a rule's fixes; without a known ceiling `auto` is whatever the stack allows."""
    if rule["fix_mode"] is None:
        return "-"
    return "as FixMode" if rule["fix_mode"] == FixMode.AUTO and ceiling is None else rule["fix_mode"]


def _settings(config: GuardConfig) -> dict[str, str]:
    """Return what is not a list of its own."""
    tags = config.function_tags
    return {
        "trust.accounts": ", ".join(config.trust.accounts) or "-",
        "trust.organizations": ", ".join(config.trust.organizations) or "-",
        "grace_period_seconds": str(config.grace_period_seconds),
        "function_tags.enabled": "yes" if tags.enabled else "no",
        "function_tags.rules": ", ".join(tags.rules) or "all rules",
        "alerts.min_severity": str(config.alerts.min_severity),
        "alerts.limit": f"{config.alerts.limit.messages} messages in {config.alerts.limit.minutes} minutes",
        "alerts.digest": f"{config.alerts.digest}, from {config.alerts.digest_hour}:00 UTC",
        "tickets.min_severity": str(config.tickets.min_severity),
        "tickets.limit": f"{config.tickets.limit.tickets} tickets in {config.tickets.limit.hours} hours",
        "tickets.systems": ", ".join(config.tickets.systems) or "-",
        "channels": ", ".join(config.channels) or "-",
        "owners": ", ".join(config.owners) or "-",
        "fixes.mode": str(config.fixes.mode),
        "fixes.policies": str(config.fixes.policies),
        "fixes.simulate": "yes" if config.fixes.simulate else "no",
        "fixes.enable_mappings": "yes" if config.fixes.enable_mappings else "no",
        "fixes.no_external_sources": ", ".join(config.fixes.no_external_sources) or "-",
        "fixes.watch_hours": str(config.fixes.watch_hours),
        "baseline": str(config.baseline),
    }


def _narrowed(entry: ExceptionEntry) -> str:
    return _keys(canonical(entry), {"id", "rules", "reason", "owner", "expires"})


def _keys(document: dict[str, Any], without: set[str]) -> str:
    """Return the keys of an exception or exclusion that are given, as text."""
    given = {name: value for name, value in document.items() if value and name not in without}
    return "; ".join(f"{name}: {_text(value)}" for name, value in given.items())


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def _table(*headings: str) -> Table:
    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
