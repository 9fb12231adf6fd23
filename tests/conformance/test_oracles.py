"""The engine against other projects' cases. Every disagreement is listed, with the reason why AWS is on our side."""

from __future__ import annotations

import json

import pytest

from tests.conformance import oracles
from tests.paths import CASES

LISTED = json.loads((CASES / "iam" / "oracle_disagreements.json").read_text())

NOT_ASKED = {
    "prowler": "trusted and private addresses are lists that the engine is not given",
    "policyuniverse": "the values of conditions, who is allowed, and recorded class names are no questions of ours",
    "cloud_custodian": "the cases that report what is allowed instead of what violates",
    "cartography": "helpers that match one element and know no conditions",
}
"""Why some cases of a suite are not put to the engine."""


@pytest.mark.parametrize("suite", oracles.SUITES)
def test_disagrees_with_a_suite_only_where_the_reason_is_listed(suite: str) -> None:
    """What differs is exactly what is listed: neither an unexplained difference nor a stale explanation."""
    questions = list(oracles.SUITES[suite]())
    differing = {item.name for item in questions if item.ours is not None and item.ours != item.theirs}
    listed = {name for group in LISTED.get(suite, ()) for name in group["cases"]}
    assert differing == listed
    assert len(questions) > len(listed)


def test_agrees_with_every_row_of_the_aws_documentation() -> None:
    """AWS's own tables are the one suite that is right by definition."""
    questions = list(oracles.aws_documentation())
    assert len(questions) == 27
    assert [item.name for item in questions if item.ours != item.theirs] == []
    assert "aws_documentation" not in LISTED


@pytest.mark.parametrize("suite", oracles.SUITES)
def test_leaves_cases_out_only_for_a_reason(suite: str) -> None:
    """A case that is not put to the engine belongs to a suite whose reason is given."""
    left_out = [item.name for item in oracles.SUITES[suite]() if item.ours is None]
    assert bool(left_out) == (suite in NOT_ASKED)


def test_every_reason_is_given_once_and_in_words() -> None:
    """A reason is a sentence, and no case has two."""
    for groups in LISTED.values():
        names = [name for group in groups for name in group["cases"]]
        assert len(names) == len(set(names))
        assert all(len(group["reason"].split()) > 8 for group in groups)


def test_parses_every_policy_of_every_suite_without_raising() -> None:
    """Parser fodder: whatever those projects met, parsing answers with a policy."""
    from permission_guard.iam import parse_policy  # noqa: PLC0415 - only this test parses

    policies = oracles.load("iam_rs.json")["policies"]
    readable = [name for name, document in policies.items() if not parse_policy(document).unreadable]
    assert len(readable) == len(policies)
