"""The claims about other tools, verified with the test suites of those tools."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.material import ORACLES
from tests.fakes import ACCOUNT
from tests.unit.rules.peers import custodian_cross_account, prowler_public


def suite(name: str) -> list[dict[str, Any]]:
    """Return the cases of a suite."""
    cases: list[dict[str, Any]] = json.loads((ORACLES / name).read_text())
    return cases


def statements(policy: Any) -> list[dict[str, Any]]:
    """Return a policy's statements."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    found = document["Statement"]
    return found if isinstance(found, list) else [found]


def test_the_claims_about_prowler_are_true_in_its_own_suite() -> None:
    """Prowler flags every policy for which this project claims it, and others too."""
    cases = [case for case in suite("prowler_recorded.json") if case["fn"] == "is_policy_public"]
    claimed = [case for case in cases if any(map(prowler_public, statements(case["args"]["policy"])))]
    assert len(claimed) >= 5
    assert all(case["result"] for case in claimed)


def test_the_claims_about_cloud_custodian_are_true_in_its_own_suite() -> None:
    """Only cases with one trusted account and default settings are compared."""
    cases = [case for case in suite("c7n_cross_account.json") if case["config"] == {"allowed_accounts": [ACCOUNT]}]
    claimed = [case for case in cases if any(map(custodian_cross_account, statements(case["policy"])))]
    # It allows the principals of CloudFront's origin access identities, which function policies do not contain.
    claimed = [case for case in claimed if "iam::cloudfront:user" not in json.dumps(case["policy"])]
    assert len(claimed) >= 3
    assert all(case["violation"] for case in claimed)
