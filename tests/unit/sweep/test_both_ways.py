"""Bulk evaluation gives the verdicts of the checkers: every case of every rule, read one by one and by lists."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any, cast

import pytest

from permission_guard.aws.readers.bulk.function_list import FunctionList
from permission_guard.aws.readers.bulk.lists import MappingList
from permission_guard.aws.readers.bulk.parts import SharedParts
from permission_guard.aws.readers.bulk.read_function import ReadFunction
from permission_guard.aws.readers.bulk.roles import RoleList
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.aws.readers.snapshots import StateReader
from permission_guard.checks.engine import evaluate, merge_versions
from permission_guard.config.document import GuardConfig, Trust
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome
from permission_guard.rules import RULES
from permission_guard.sweep.bulk import BulkEvaluation, BulkOptions
from tests.paths import CASES as CASES_FOLDER
from tests.rule_cases import RULE_CASES, trust_of
from tests.unit.sweep.case_account import CaseAccount

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from permission_guard.iam import TrustSet
    from permission_guard.model.targets import FunctionTarget
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule
    from permission_guard.sweep.gaps import Gap

STATE_IN_EVIDENCE = ("function_state_reason", "function_update_reason")
CASES = [path for path in RULE_CASES if path.parent.name != "PG213"]


class NoTags:
    """No function has a tag."""

    name = "tags"
    unread = ()

    def load(self) -> None:
        """Read nothing."""

    def of(self, target: FunctionTarget) -> dict[str, str]:
        """Return no tag."""
        return {}


def shared_parts(account: CaseAccount, options: BulkOptions) -> SharedParts:
    """Return the parts over an account."""
    client = cast("Any", account)
    return SharedParts(
        client,
        options.selection,
        MappingList(client, is_selected=True),
        cast("Any", NoTags()),
        RoleList(client, is_selected=True),
        client,
        client,
        client,
    )


def in_bulk(account: CaseAccount, options: BulkOptions, rules: list[Rule]) -> tuple[list[Verdict], tuple[Gap, ...]]:
    """Return the verdicts of a bulk evaluation, and what it names once."""
    parts = shared_parts(account, options)
    evaluation = BulkEvaluation(
        (ReadFunction(listed, parts) for listed in FunctionList(parts.client)),
        (parts.mappings, parts.roles),
        rules,
        options,
        stop=Event(),
    )
    verdicts = [verdict for found in evaluation if found is not None for verdict in found.report.verdicts]
    return verdicts, evaluation.gaps


def one_by_one(account: CaseAccount, rules: list[Rule]) -> list[Verdict]:
    """Return the verdicts of the checkers: of each function, and of each role with the first function that uses it."""
    client = cast("Any", account)
    functions = FunctionReader(client)
    users: dict[str, set[FunctionTarget]] = {}
    verdicts: list[Verdict] = []
    of_roles: dict[str, tuple[FunctionTarget, list[Verdict]]] = {}
    listed = [(entry.target, entry.function.role_arn) for entry in FunctionList(client)]
    reader = StateReader(functions, RoleReader(client), client, lambda: client, client)
    for target, role_arn in listed:
        snapshot = reader.snapshot(target, Direction.EXECUTION_ROLE)
        for arn in (role_arn, *snapshot.role_arns.values()):
            users.setdefault(arn, set()).add(target)
    for target, _ in listed:
        for direction in Direction:
            snapshot = reader.snapshot(target, direction)
            arns = set(snapshot.role_arns.values())
            snapshot = replace(snapshot, role_users={arn: tuple(sorted(users[arn])) for arn in arns})
            report = merge_versions(evaluate(snapshot, [rule for rule in rules if rule.direction is direction]))
            verdicts += [verdict for verdict in report.verdicts if not verdict.role_arn]
            for arn in arns:
                if arn not in of_roles or target < of_roles[arn][0]:
                    of_roles[arn] = target, [one for one in report.verdicts if one.role_arn == arn]
    return [*verdicts, *(verdict for _, found in of_roles.values() for verdict in found)]


def as_texts(verdicts: Iterable[Verdict]) -> list[str]:
    """Return verdicts in an order that does not depend on the way."""
    return sorted(repr(verdict) for verdict in verdicts)


def setup_of(path: Path, *, full: bool) -> tuple[dict[str, Any], BulkOptions, list[Rule]]:
    """Return a case, the options and all rules but PG213, which needs events."""
    case = json.loads(path.read_text())
    trust: TrustSet = trust_of(case)
    config = GuardConfig(trust=Trust(accounts=tuple(trust.accounts), organizations=tuple(trust.organizations)))
    return case, BulkOptions(config=config, full=full, workers=2), [rule(trust) for rule in RULES if rule.id != "PG213"]


def named_once(verdict: Verdict, gaps: tuple[Gap, ...]) -> bool:
    """Return whether a gap names what a verdict depends on."""
    return verdict.outcome is Outcome.UNKNOWN and any(
        gap.reason.removesuffix(".") in verdict.reason and verdict.rule_id in gap.rules for gap in gaps
    )


def without_state(verdict: Verdict) -> Verdict:
    """Return a verdict without what AWS reports of the function, which only its evidence has."""
    kept = {key: value for key, value in verdict.evidence.items() if not key.startswith(STATE_IN_EVIDENCE)}
    return replace(verdict, evidence=kept)


def is_of_url(verdict: Verdict) -> bool:
    """Return whether a verdict of PG112 is about a function URL."""
    subject = verdict.subject or ""
    return verdict.rule_id == "PG112" and (subject.startswith(("function-url", "trigger/cloudfront.amazonaws.com")))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_full_bulk_evaluation_has_the_verdicts_of_the_checkers(path: Path) -> None:
    """Rule by rule, with their reasons, evidence and remedies."""
    case, options, rules = setup_of(path, full=True)
    verdicts, gaps = in_bulk(CaseAccount(case), options, rules)
    expected = [verdict for verdict in one_by_one(CaseAccount(case), rules) if not named_once(verdict, gaps)]
    assert as_texts(verdicts) == as_texts(expected)
    assert expected


ONLY_WITH_A_STATE = CASES_FOLDER / "PG214" / "organization-denies.fail.json"
"""What the organization denies is read where AWS reports a denial: here that is the function's state."""


def is_listed(path: Path) -> bool:
    """Return whether a list can have the functions of a case: AWS lists either all of them or none."""
    return not CaseAccount(json.loads(path.read_text())).has_unread_functions


@pytest.mark.parametrize(
    "path",
    [path for path in CASES if path != ONLY_WITH_A_STATE and is_listed(path)],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_without_states_and_urls_only_what_depends_on_them_is_left_out(path: Path) -> None:
    """PG214, and PG112 on a URL that no statement refers to, are named as not evaluated."""
    case, options, rules = setup_of(path, full=False)
    rules = [rule for rule in rules if not rule.of_function_state]
    account = CaseAccount(case)
    verdicts, gaps = in_bulk(account, options, rules)
    expected = [verdict for verdict in one_by_one(CaseAccount(case), rules) if not named_once(verdict, gaps)]
    if not account.calls["list_function_url_configs"]:
        expected = [verdict for verdict in expected if not is_of_url(verdict)]
    assert as_texts(map(without_state, verdicts)) == as_texts(map(without_state, expected))
    assert account.calls["get_function_configuration"] == 0
