"""The case tables of this repository: each case is based on a rule that AWS documents."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from . import case_tables

if TYPE_CHECKING:
    from permission_guard.iam import Decision

    from .case_tables import Case

IDENTITY = case_tables.load("identity")
EXECUTION = case_tables.load("execution_context")
EXPOSURE = case_tables.load("exposure")
TABLES = {"identity": IDENTITY, "execution_context": EXECUTION, "exposure": EXPOSURE}
EVERY_CASE = [case for table in TABLES.values() for case in table]


def _named(cases: list[Case]) -> list[object]:
    return [pytest.param(case, id=case["id"]) for case in cases]


def _check(case: Case, found: Decision) -> None:
    expected = case["expect"]
    actual = {
        "decision": found.decision,
        "sid": found.statement and found.statement.sid,
        "kind": found.statement and found.statement.kind,
        "blocked_by": found.blocked_by,
        "unknown_keys": list(found.unknown_keys),
    }
    assert {key: actual[key] for key in expected} == expected, found.explain()


@pytest.mark.parametrize("case", _named(IDENTITY))
def test_decides_as_aws_does(case: Case) -> None:
    """The decision, and the statement, kind of policy or keys that cause it."""
    _check(case, case_tables.decide(case))


@pytest.mark.parametrize("case", _named(EXECUTION))
def test_decides_for_lambda_as_aws_does(case: Case) -> None:
    """The same for calls with an execution role."""
    _check(case, case_tables.decide_for_lambda(case))


@pytest.mark.parametrize("case", _named(EXPOSURE))
def test_returns_whom_a_resource_policy_allows(case: Case) -> None:
    """Everything that a case expects of the exposure, of a statement or of the whole policy."""
    found = case_tables.expose(case)
    assert case_tables.seen_of(found, case["expect"]) == case["expect"]


@pytest.mark.parametrize("point", range(1, 31))
def test_every_point_has_cases_for_and_against(point: int) -> None:
    """Each rule has a case to which it applies, and a similar one to which it does not."""
    sides = Counter(case["side"] for case in EVERY_CASE if case["point"] == point)
    assert sides["for"] >= 1
    assert sides["against"] >= 1
    assert sides.total() >= 4


def test_the_tables_are_large_enough_and_their_ids_differ() -> None:
    """At least 150 cases of identity policies and 100 of resource policies."""
    assert len(IDENTITY) + len(EXECUTION) >= 150
    assert len(EXPOSURE) >= 100
    assert len({case["id"] for case in EVERY_CASE}) == len(EVERY_CASE)


def test_every_case_names_its_rule_and_the_page_that_documents_it() -> None:
    """A rule is a sentence. A page is the name of a page of the AWS documentation."""
    for case in EVERY_CASE:
        assert case["rule"].endswith("."), case["id"]
        assert " " not in case["page"], case["id"]
        assert case["side"] in {"for", "against"}, case["id"]
