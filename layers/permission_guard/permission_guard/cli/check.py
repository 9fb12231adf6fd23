"""`permission-guard check`: policies and templates in files, judged by the rules without AWS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from permission_guard.errors import InputError
from permission_guard.iam import TrustSet
from permission_guard.model.arns import partition_of
from permission_guard.model.verdicts import Outcome
from permission_guard.offline.documents import contents
from permission_guard.offline.input_file import read
from permission_guard.offline.physical_names import Place
from permission_guard.offline.scenarios import judge
from permission_guard.reports.check import Checked, Failed, Results, print_json, print_table
from permission_guard.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.rules import Rule

FOUND, WRONG_USAGE, UNKNOWN = 1, 2, 3
PLACEHOLDER = "123456789012"

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)


class Format(StrEnum):
    """How the results are printed."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of every file."""

    rules: tuple[Rule, ...]
    place: Place
    trust: TrustSet
    parameters: Mapping[str, str]


def check(  # noqa: PLR0917 - each is an option
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Replies of aws lambda get-policy, resource-based policies, SAM and CloudFormation templates, in JSON "
            "or YAML. - is standard input.",
            show_default=False,
        ),
    ],
    trusted_account: Annotated[
        list[str] | None, typer.Option(help="Another account that may use the functions. May be repeated.")
    ] = None,
    trusted_organization: Annotated[
        list[str] | None, typer.Option(help="An organization whose accounts may, such as your own. May be repeated.")
    ] = None,
    account: Annotated[str, typer.Option(help="The account that templates are deployed to.")] = PLACEHOLDER,
    region: Annotated[str, typer.Option(help="The region that templates are deployed to.")] = "us-east-1",
    partition: Annotated[str | None, typer.Option(help="The partition.", show_default="that of the region")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(help="A template parameter's value, NAME=VALUE. May be repeated.")
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(help="Ask this rule only, by its id or name. May be repeated.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print the results.")] = Format.TABLE,
) -> None:
    """Judge policies and templates in files by the rules, without AWS and without credentials.

    SAM templates are translated first. Parameters have their defaults or what --parameter gives; what a file does not
    say makes an answer unknown where it matters, never a guess.

    Exit codes: 0 nothing found; 1 something found, whatever else there is; 2 nothing found, and used wrongly or a file
    could not be judged; 3 nothing found, and something is not certain.
    """
    try:
        _accounts([account])
        trust = TrustSet(_accounts(trusted_account or []), frozenset(trusted_organization or []))
        asked = _Asked(
            rules=_rules(rule or [], trust),
            place=Place(account, region, partition or partition_of(region)),
            trust=trust,
            parameters=_parameters(parameter or []),
        )
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_USAGE) from None
    results = Results(tuple(one for one in RULES if not one.offline and _is_wanted(one, rule or [])))
    if account == PLACEHOLDER:
        results.placeholder = account
    for file in files:
        _check_file(file, asked, results)
    if format_ is Format.JSON:
        print_json(results)
    else:
        print_table(results)
    raise typer.Exit(_exit_code(results))


def _check_file(file: Path, asked: _Asked, results: Results) -> None:
    """Add what the rules say of one file."""
    try:
        found = contents(read(file), asked.place, asked.trust, asked.parameters)
    except InputError as error:
        results.failed.append(Failed(str(file), str(error)))
        return
    except RecursionError:
        results.failed.append(Failed(str(file), "it is nested too deeply"))
        return
    results.files += 1
    results.left_out += [(str(file), name) for name in found.left_out]
    for offline_check in found.offline_checks:
        for verdict in judge(offline_check, asked.rules):
            if verdict.outcome is Outcome.PASS:
                results.passed += 1
            else:
                results.add(Checked.of(str(file), verdict, offline_check, asked.place))


def _rules(wanted: Sequence[str], trust: TrustSet) -> tuple[Rule, ...]:
    for name in wanted:
        found = next((one for one in RULES if _is_wanted(one, [name])), None)
        if found is None:
            raise ValueError(f"There is no rule {name!r}; there are {', '.join(one.id for one in RULES)}.")
        if not found.offline:
            raise ValueError(f"{found.id} asks an account, and files are judged without one.")
    return tuple(one(trust) for one in RULES if one.offline and _is_wanted(one, wanted))


def _is_wanted(rule: type[Rule], wanted: Sequence[str]) -> bool:
    return not wanted or any(name.lower() in (rule.id.lower(), rule.name) for name in wanted)


def _accounts(accounts: Sequence[str]) -> frozenset[str]:
    for account in accounts:
        if not _ACCOUNT.fullmatch(account):
            raise ValueError(f"An account id has twelve digits, and {account!r} has not.")
    return frozenset(accounts)


def _parameters(pairs: Sequence[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise ValueError(f"--parameter takes NAME=VALUE, and {pair!r} is not that.")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _exit_code(results: Results) -> int:
    if results.findings:
        return FOUND
    if results.failed:
        return WRONG_USAGE
    return UNKNOWN if results.unknowns else 0
