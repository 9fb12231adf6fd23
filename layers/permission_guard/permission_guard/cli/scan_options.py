"""What the options of `permission-guard scan` say: mistakes are reported before anything is called."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from permission_guard.cli.regions import require_region
from permission_guard.cli.rule_options import rules_named
from permission_guard.model.verdicts import Severity
from permission_guard.records import record
from permission_guard.reports.scan_results import selected_rules
from permission_guard.sweep.bulk import DEFAULT_RATE, FULL_RATE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from permission_guard.config.document import GuardConfig

ALL: Final = "all"
"""The region that stands for every enabled one."""

_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)
_ROLE_NAME: Final = re.compile(r"[\w+=,.@/-]{1,576}", re.ASCII)
_LONGEST_PATTERN: Final = 200
_LONGEST_TAG_KEY: Final = 128
_LEAST_RATE: Final = 0.1


class ScanFormat(StrEnum):
    """The output format of a scan."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class FailOn(StrEnum):
    """The least severity of a finding that makes the exit code 1."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
    NONE = "none"

    @property
    def severity(self) -> Severity | None:
        """The severity, None if no finding makes the scan fail."""
        return None if self is FailOn.NONE else Severity(self)


_ENDINGS: Final = {".json": ScanFormat.JSON, ".csv": ScanFormat.CSV, ".txt": ScanFormat.TABLE}


@record
class Output:
    """A file to write, and its format."""

    path: Path
    format: ScanFormat


@record(kw_only=True)
class Coverage:
    """What is scanned. No `regions` mean every enabled one, no `accounts` the own one or those of the organization."""

    regions: tuple[str, ...]
    accounts: tuple[str, ...]
    organization: bool
    role_name: str | None


def coverage(
    regions: Sequence[str], accounts: Sequence[str], role_name: str | None, own_region: str, *, organization: bool
) -> Coverage:
    """Return what is scanned. ValueError, in plain words, if the options do not fit."""
    if organization and accounts:
        raise ValueError("--organization and --account exclude each other: the first scans every active account")
    if organization and role_name is None:
        raise ValueError("--organization requires --role-name: a role that exists in every account")
    if role_name is not None and not organization and not accounts:
        raise ValueError("--role-name requires --account or --organization: the accounts in which to assume the role")
    if role_name is not None and not _ROLE_NAME.fullmatch(role_name):
        raise ValueError(f"--role-name requires the name of a role, with its path if it has one; got {role_name!r}")
    for account in accounts:
        if not _ACCOUNT.fullmatch(account):
            raise ValueError(f"--account requires an account ID of twelve digits; got {account!r}")
    if ALL in regions:
        if len(regions) > 1:
            raise ValueError("--region all excludes other regions")
        found: tuple[str, ...] = ()
    else:
        found = tuple(dict.fromkeys(regions)) or ((own_region,) if own_region else ())
        for region in found:
            require_region("--region", region)
        if not found:
            raise ValueError("no region is known: name one with --region, or all enabled ones with --region all")
    return Coverage(
        regions=found,
        accounts=tuple(dict.fromkeys(accounts)),
        organization=organization,
        role_name=role_name.lstrip("/") if role_name else None,
    )


def wanted_rules(rules: Sequence[str], excluded: Sequence[str], config: GuardConfig) -> frozenset[str] | None:
    """Return the ids of the rules to evaluate, None for all. ValueError if a name is wrong, or no rule is left."""
    named, without = rules_named("--rule", rules), rules_named("--exclude-rule", excluded)
    disabled = {rule_id for rule_id, rule in config.rules.items() if not rule.enabled}
    if not (named or without or disabled):
        return None
    left = (named or frozenset(selected_rules(None))) - without - disabled
    if not left:
        raise ValueError("no rule is left to evaluate: see --rule, --exclude-rule, and the rules of --config")
    return left


def wanted_functions(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns of functions. ValueError if one is empty or too long."""
    for pattern in patterns:
        if not 0 < len(pattern) <= _LONGEST_PATTERN:
            raise ValueError(
                f"--function requires a name or an ARN, with * and ?, of 1 to {_LONGEST_PATTERN} characters"
            )
    return tuple(patterns)


def wanted_tags(pairs: Sequence[str]) -> dict[str, str]:
    """Return the tags that functions must have. ValueError if one is not KEY=VALUE, or has two values."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not 0 < len(key) <= _LONGEST_TAG_KEY or len(value) > _LONGEST_PATTERN:
            raise ValueError(f"--tag requires KEY=VALUE, where VALUE can have * and ?; got {pair!r}")
        if found.setdefault(key, value) != value:
            raise ValueError(f"--tag {key} is given with two values: {found[key]!r} and {value!r}")
    return found


def calls_a_second(text: str) -> float:
    """Return the rate that `--rate` names. ValueError if it is no rate."""
    named = {"default": DEFAULT_RATE, "full": FULL_RATE}
    if text in named:
        return named[text]
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not _LEAST_RATE <= rate <= FULL_RATE:
        raise ValueError(
            f"--rate requires default ({DEFAULT_RATE:g}), full ({FULL_RATE:g}) or a number from {_LEAST_RATE:g} to "
            f"{FULL_RATE:g}, in calls a second; got {text!r}"
        )
    return rate


def outputs(formats: Sequence[ScanFormat], paths: Sequence[Path]) -> tuple[ScanFormat, tuple[Output, ...]]:
    """Return the format of standard output, and the files with theirs.

    Each file has the format of its ending. Formats that are given are those of standard output and then of the files,
    or only of the files if there are as many. ValueError if the options do not fit.
    """
    doubled = {str(path) for path in paths if list(map(str, paths)).count(str(path)) > 1}
    if doubled:
        raise ValueError(f"--output {min(doubled)} is given twice")
    of_files = list(formats)
    shown = ScanFormat.TABLE
    if len(of_files) == len(paths) + 1:
        shown, *of_files = of_files
    if of_files and len(of_files) != len(paths):
        raise ValueError(
            f"--format is given {len(formats)} times for standard output and {len(paths)} files. Give one for standard "
            "output, then one for each --output; or one for each --output; or none, and the endings of the files decide"
        )
    given = of_files or [_by_ending(path) for path in paths]
    return shown, tuple(map(Output, paths, given))


def _by_ending(path: Path) -> ScanFormat:
    found = _ENDINGS.get(path.suffix.lower())
    if found is None:
        endings = ", ".join(_ENDINGS)
        raise ValueError(f"--output {path}: the ending names no format ({endings}): add a --format for it")
    return found


def require_writable(option: str, path: Path) -> None:
    """Raise ValueError if a file cannot be written: better now than after an hour."""
    if path.is_dir():
        raise ValueError(f"{option} {path}: this is a folder; name a file in it")
    if not path.parent.is_dir():
        raise ValueError(f"{option} {path}: the folder {path.parent} does not exist")
