"""`permission-guard check`: evaluate the rules on policies and templates in files, without AWS."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from permission_guard.cli.completion import complete_partition, complete_region, complete_rule
from permission_guard.cli.in_processes import in_processes
from permission_guard.cli.regions import require_region
from permission_guard.cli.rule_options import rule_named, rules_named
from permission_guard.errors import InputError, UnreadFileError, UnsupportedFileError
from permission_guard.iam import TrustSet
from permission_guard.model.arns import PARTITIONS, partition_of
from permission_guard.model.names import ORGANIZATION_ID
from permission_guard.model.verdicts import Outcome
from permission_guard.offline.assumed_places import in_every_place
from permission_guard.offline.bounds import MAX_BYTES, MAX_SECONDS, TOO_DEEP, OutOfTime, time_bound
from permission_guard.offline.deployment import GivenPlace
from permission_guard.offline.documents import contents
from permission_guard.offline.find_files import InputFile, input_files, may_be_template
from permission_guard.offline.input_file import STDIN, read
from permission_guard.offline.scenarios import evaluate_check
from permission_guard.reports.check import Checked, Failed, Results, Unread, print_json, print_table
from permission_guard.reports.terminal import echo_error
from permission_guard.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.model.targets import JSON
    from permission_guard.offline.assumed_places import Evaluated
    from permission_guard.offline.template_file import Contents
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
    wanted: Sequence[str]
    place: GivenPlace
    trust: TrustSet
    parameters: Mapping[str, str]


def check(  # noqa: PLR0917 - each is an option
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Output of aws lambda get-policy, resource-based policies, SAM and CloudFormation templates, in JSON "
            "or YAML. Folders, patterns and - for standard input.",
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
        typer.Option(
            help="The region to which templates are deployed.",
            show_default="as the ARNs of the file say",
            autocompletion=complete_region,
        ),
    ] = None,
    partition: Annotated[
        str | None,
        typer.Option(
            help="The partition to which templates are deployed.",
            show_default="from the region",
            autocompletion=complete_partition,
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(help="The value of a template parameter, NAME=VALUE. Can be repeated.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(help="Evaluate only this rule: its id or name. Can be repeated.", autocompletion=complete_rule),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.TABLE,
) -> None:
    """Evaluate the rules on policies and templates in files, without AWS and without credentials.

    SAM templates are translated first.
    A template parameter has its default or the value of --parameter.
    An outcome that depends on a value outside the file is unknown.

    Exit codes: 1 findings; else 2 invalid usage or a named file that is not valid;
    else 3 something is unknown or was not read; else 0.
    """
    try:
        _accounts("--account", [account] if account is not None else [])
        organizations = _organizations(trusted_organization or [])
        trust = TrustSet(_accounts("--trusted-account", trusted_account or []), organizations)
        options = _Options(
            rules=_rules(rule or [], trust),
            wanted=rule or [],
            place=_place(account, region, partition),
            trust=trust,
            parameters=_parameters(parameter or []),
        )
    except ValueError as error:
        echo_error(str(error))
        raise typer.Exit(INVALID_USAGE) from None
    results = Results()
    found, problems = input_files(files)
    results.failed += [Failed(argument, problem) for argument, problem in problems]
    is_read_here = any(str(file.path) == STDIN for file in found)
    check_one = partial(_check_file, options=options)
    for of_file in map(check_one, found) if is_read_here else in_processes(check_one, found):
        results.extend(of_file)
    _require_some_file(results)
    _require_parameters(options, results)
    if format_ is Format.JSON:
        print_json(results)
    else:
        print_table(results)
    raise typer.Exit(_exit_code(results))


def _check_file(file: InputFile, options: _Options) -> Results:
    """Return the verdicts on one file. Whatever is wrong with the file does not stop the others."""
    name, results = str(file.path), Results()
    try:
        with time_bound():
            document = read(file.path)
            found = contents(document, options.place, options.trust, options.parameters)
            verdicts = in_every_place(
                _evaluated(found, options), found.deployment, partial(_evaluated_in, document, options)
            )
            place = found.deployment.place if found.deployment else None
            checked = [
                Checked.of(name, verdict, check, place)
                for check, verdict in verdicts
                if verdict.outcome is not Outcome.PASS
            ]
    except (UnreadFileError, OutOfTime) as error:
        reason = str(error) or f"it takes more than {MAX_SECONDS:g} seconds of processor time"
        _add_unread(file, reason, results)
    except InputError as error:
        if file.named:
            results.failed.append(Failed(name, str(error)))
        elif isinstance(error, UnsupportedFileError):
            results.skipped_files.append(Failed(name, str(error)))
        else:
            _add_unread(file, str(error), results)
    except RecursionError:
        _add_unread(file, TOO_DEEP, results)
    except Exception as error:  # noqa: BLE001 - an error of ours on one file must not lose the others
        problem = f"the check of this file failed, please report it: {type(error).__name__}: {error}"
        results.unread.append(Unread(name, "", problem))
    else:
        results.files += 1
        results.declared |= found.parameters
        results.skipped[name] = [one for one in found.skipped if _is_wanted(one.rule, options.wanted)]
        if found.deployment is not None:
            results.deployments[name] = found.deployment
        results.left_out += [(name, left_out) for left_out in found.left_out]
        results.nested += [(name, nested) for nested in found.nested]
        results.unread += [Unread(name, part, reason) for part, reason in found.unread]
        if file.named:
            results.failed += [Failed(name, problem) for _, problem in found.invalid]
        else:
            results.unread += [Unread(name, part, problem) for part, problem in found.invalid]
        results.passed += len(verdicts) - len(checked)
        for one in checked:
            results.add(one)
    return results


def _evaluated(found: Contents, options: _Options) -> list[Evaluated]:
    """Return the verdicts of the rules on the contents of a file."""
    return [
        (check, verdict)
        for check in found.offline_checks
        for verdict in evaluate_check(check, options.rules)
        if verdict.outcome is Outcome.VIOLATION or check.source_id not in found.without_function
    ]


def _evaluated_in(document: JSON, options: _Options, place: GivenPlace, rules: frozenset[str]) -> list[Evaluated]:
    """Return the verdicts of some rules on a document in another place."""
    found = contents(document, place, options.trust, options.parameters)
    return _evaluated(found, replace(options, rules=tuple(rule for rule in options.rules if rule.id in rules)))


def _add_unread(file: InputFile, reason: str, results: Results) -> None:
    """Add a file that was not read. In a folder, one that mentions nothing of AWS is skipped."""
    if file.named or may_be_template(file.path, MAX_BYTES):
        results.unread.append(Unread(str(file.path), "", reason))
    else:
        results.skipped_files.append(Failed(str(file.path), reason))


def _require_some_file(results: Results) -> None:
    """Report that nothing was checked: a run without a file must not look like one without findings."""
    if not results.files and not results.failed and not results.unread:
        results.failed.append(
            Failed("Nothing was checked", "none of the files is a template or a policy of a function")
        )


def _require_parameters(options: _Options, results: Results) -> None:
    """Report parameters that no template has: a misspelt one would be ignored."""
    unknown = sorted(options.parameters.keys() - results.declared) if results.files else []
    for name in unknown:
        declared = ", ".join(sorted(results.declared))
        known = f"The parameters are: {declared}" if declared else "No file has parameters"
        results.failed.append(Failed(f"--parameter {name}", f"no template has this parameter. {known}."))


def _place(account: str | None, region: str | None, partition: str | None) -> GivenPlace:
    if region is not None:
        require_region("--region", region)
    if partition is not None and partition not in PARTITIONS:
        raise ValueError(f"--partition requires one of {', '.join(PARTITIONS)}; got {partition!r}")
    if region is not None and partition not in {None, partition_of(region)}:
        raise ValueError(f"--partition {partition}: the region {region} is in the partition {partition_of(region)}")
    return GivenPlace(account, region, partition)


def _rules(wanted: Sequence[str], trust: TrustSet) -> tuple[Rule, ...]:
    for name in wanted:
        rules_named("--rule", [name])
        found = rule_named(name)
        if found is not None and not found.offline:
            raise ValueError(f"--rule {found.id}: this rule needs account access and cannot be evaluated on files.")
    return tuple(one(trust) for one in RULES if one.offline and _is_wanted(one, wanted))


def _is_wanted(rule: type[Rule], wanted: Sequence[str]) -> bool:
    return not wanted or any(name.lower() in (rule.id.lower(), rule.name) for name in wanted)


def _accounts(option: str, accounts: Sequence[str]) -> frozenset[str]:
    for account in accounts:
        if not _ACCOUNT.fullmatch(account):
            raise ValueError(f"{option} requires an account ID of twelve digits; got {account!r}")
    return frozenset(accounts)


def _organizations(organizations: Sequence[str]) -> frozenset[str]:
    for organization in organizations:
        if not ORGANIZATION_ID.match(organization):
            raise ValueError(f"--trusted-organization requires an ID such as o-exampleorgid; got {organization!r}")
    return frozenset(organizations)


def _parameters(pairs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ValueError(f"--parameter requires NAME=VALUE; got {pair!r}")
        if found.setdefault(name, value) != value:
            raise ValueError(f"--parameter {name} is given with two values: {found[name]!r} and {value!r}")
    return found


def _exit_code(results: Results) -> int:
    if results.findings:
        return FINDINGS
    if results.failed:
        return INVALID_USAGE
    return UNKNOWN if results.unknowns or results.unread else 0
