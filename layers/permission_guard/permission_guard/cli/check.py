"""`permission-guard check`: evaluate the rules on policies and templates in files, without AWS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from permission_guard.errors import InputError
from permission_guard.iam import TrustSet
from permission_guard.model.verdicts import Outcome
from permission_guard.offline.deployment import GivenPlace
from permission_guard.offline.documents import contents
from permission_guard.offline.input_file import read
from permission_guard.offline.scenarios import evaluate_check
from permission_guard.reports.check import Checked, Failed, Results, print_json, print_table
from permission_guard.reports.terminal import echo_error
from permission_guard.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.rules import Rule

FINDINGS, INVALID_USAGE, UNKNOWN = 1, 2, 3

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)


class Format(StrEnum):
    """The output format of the results."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class _Options:
    """The options that apply to every file."""

    rules: tuple[Rule, ...]
    place: GivenPlace
    trust: TrustSet
    parameters: Mapping[str, str]
    wanted: Sequence[str]


def check(  # noqa: PLR0917 - each is an option
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Output of aws lambda get-policy, resource-based policies, SAM and CloudFormation templates, in JSON "
            "or YAML. - is standard input.",
            show_default=False,
        ),
    ],
    trusted_account: Annotated[
        list[str] | None, typer.Option(help="The ID of another account that may use the functions. Can be repeated.")
    ] = None,
    trusted_organization: Annotated[
        list[str] | None,
        typer.Option(help="An organization whose accounts may use the functions, such as your own. Can be repeated."),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(help="The account to which templates are deployed.", show_default="as the ARNs of the file say"),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(help="The region to which templates are deployed.", show_default="as the ARNs of the file say"),
    ] = None,
    partition: Annotated[
        str | None, typer.Option(help="The partition to which templates are deployed.", show_default="from the region")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(help="The value of a template parameter, NAME=VALUE. Can be repeated.")
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(help="Evaluate only this rule: its id or name. Can be repeated.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.TABLE,
) -> None:
    """Evaluate the rules on policies and templates in files, without AWS and without credentials.

    SAM templates are translated first.
    A template parameter has its default or the value of --parameter.
    An outcome that depends on a value outside the file is unknown.

    Exit codes: 0 no findings; 1 findings; 3 no findings, but something is unknown;
    2 no findings, but invalid usage or a file that cannot be evaluated.
    """
    try:
        _accounts("--account", [account] if account is not None else [])
        trust = TrustSet(_accounts("--trusted-account", trusted_account or []), frozenset(trusted_organization or []))
        options = _Options(
            rules=_rules(rule or [], trust),
            place=GivenPlace(account, region, partition),
            trust=trust,
            parameters=_parameters(parameter or []),
            wanted=rule or [],
        )
    except ValueError as error:
        echo_error(str(error))
        raise typer.Exit(INVALID_USAGE) from None
    results = Results()
    for file in files:
        _check_file(file, options, results)
    if format_ is Format.JSON:
        print_json(results)
    else:
        print_table(results)
    raise typer.Exit(_exit_code(results))


def _check_file(file: Path, options: _Options, results: Results) -> None:
    """Add the verdicts on one file."""
    try:
        found = contents(read(file), options.place, options.trust, options.parameters)
    except InputError as error:
        results.failed.append(Failed(str(file), str(error)))
        return
    except RecursionError:
        results.failed.append(Failed(str(file), "nested too deeply"))
        return
    results.files += 1
    results.left_out += [(str(file), name) for name in found.left_out]
    if found.deployment is not None:
        results.deployments[str(file)] = found.deployment
    results.skipped[str(file)] = [one for one in found.skipped if _is_wanted(one.rule, options.wanted)]
    for offline_check in found.offline_checks:
        for verdict in evaluate_check(offline_check, options.rules):
            if verdict.outcome is Outcome.PASS:
                results.passed += 1
            else:
                place = found.deployment.place if found.deployment else None
                results.add(Checked.of(str(file), verdict, offline_check, place))


def _rules(wanted: Sequence[str], trust: TrustSet) -> tuple[Rule, ...]:
    for name in wanted:
        found = next((one for one in RULES if _is_wanted(one, [name])), None)
        if found is None:
            known = ", ".join(one.id for one in RULES)
            raise ValueError(f"--rule requires the id or name of a rule; got {name!r}. The rules are: {known}")
        if not found.offline:
            raise ValueError(f"--rule {found.id}: this rule needs account access and cannot be evaluated on files.")
    return tuple(one(trust) for one in RULES if one.offline and _is_wanted(one, wanted))


def _is_wanted(rule: type[Rule], wanted: Sequence[str]) -> bool:
    return not wanted or any(name.lower() in (rule.id.lower(), rule.name) for name in wanted)


def _accounts(option: str, accounts: Sequence[str]) -> frozenset[str]:
    for account in accounts:
        if not _ACCOUNT.fullmatch(account):
            raise ValueError(f"{option} requires an account ID of twelve digits; got {account!r}")
    return frozenset(accounts)


def _parameters(pairs: Sequence[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise ValueError(f"--parameter requires NAME=VALUE; got {pair!r}")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _exit_code(results: Results) -> int:
    if results.findings:
        return FINDINGS
    if results.failed:
        return INVALID_USAGE
    return UNKNOWN if results.unknowns else 0
