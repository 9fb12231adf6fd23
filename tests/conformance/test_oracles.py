"""The engine and the cases of other projects. Every difference is listed, with the reason why the engine is right."""

from __future__ import annotations

import json

import pytest

from tests.conformance import oracles
from tests.paths import CASES

LISTED = json.loads((CASES / "iam" / "oracle_disagreements.json").read_text())

NOT_EVALUATED = {
    "prowler": "the engine has no lists of trusted and private IP addresses",
    "policyuniverse": "the engine lists neither condition values nor principals, and some recordings are class names",
    "cloud_custodian": "the cases that report what is allowed instead of violations",
    "cartography": "functions that match one element and do not support conditions",
}
"""The reasons why the engine does not evaluate some cases of a suite."""


@pytest.mark.parametrize("suite", oracles.SUITES)
def test_every_difference_from_a_suite_is_listed_with_its_reason(suite: str) -> None:
    """The list has no outdated difference either."""
    comparisons = list(oracles.SUITES[suite]())
    differing = {item.name for item in comparisons if item.ours is not None and item.ours != item.theirs}
    listed = {name for group in LISTED.get(suite, ()) for name in group["cases"]}
    assert differing == listed
    assert len(comparisons) > len(listed)


def test_agrees_with_every_row_of_the_aws_documentation() -> None:
    """AWS's own tables are correct by definition."""
    comparisons = list(oracles.aws_documentation())
    assert len(comparisons) == 27
    assert [item.name for item in comparisons if item.ours != item.theirs] == []
    assert "aws_documentation" not in LISTED


@pytest.mark.parametrize("suite", oracles.SUITES)
def test_a_suite_with_skipped_cases_has_a_reason(suite: str) -> None:
    """A case that the engine does not evaluate belongs to a suite with a reason."""
    skipped = [item.name for item in oracles.SUITES[suite]() if item.ours is None]
    assert bool(skipped) == (suite in NOT_EVALUATED)


def test_every_difference_has_one_reason() -> None:
    """A reason is a sentence, and no case has two reasons."""
    for groups in LISTED.values():
        names = [name for group in groups for name in group["cases"]]
        assert len(names) == len(set(names))
        assert all(len(group["reason"].split()) > 8 for group in groups)


def test_every_policy_of_every_suite_can_be_parsed() -> None:
    """No policy of those projects raises an error."""
    from permission_guard.iam import parse_policy  # noqa: PLC0415 - only this test parses

    policies = oracles.load("iam_rs.json")["policies"]
    readable = [name for name, document in policies.items() if not parse_policy(document).unreadable]
    assert len(readable) == len(policies)
