"""What is claimed of other tools, held against their own test suites where those are at hand, and by example."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes import ACCOUNT, FUNCTION_ARN
from tests.unit.iam.oracles import FOLDER
from tests.unit.rules.peers import PEERS, custodian_cross_account, prowler_public


def suite(name: str) -> list[dict[str, Any]]:
    """Return the cases of a suite, or skip."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip("other projects' cases are not at hand")
    cases: list[dict[str, Any]] = json.loads(path.read_text())
    return cases


def statements(policy: Any) -> list[dict[str, Any]]:
    """Return a policy's statements."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    found = document["Statement"]
    return found if isinstance(found, list) else [found]


def test_what_is_claimed_of_prowler_is_so_in_its_own_suite() -> None:
    """It flags more than is claimed, and never less."""
    cases = [case for case in suite("prowler_recorded.json") if case["fn"] == "is_policy_public"]
    claimed = [case for case in cases if any(map(prowler_public, statements(case["args"]["policy"])))]
    assert len(claimed) >= 5
    assert all(case["result"] for case in claimed)


def test_what_is_claimed_of_cloud_custodian_is_so_in_its_own_suite() -> None:
    """Of the cases in which one account is trusted and nothing else is set, as it is by default."""
    cases = [case for case in suite("c7n_cross_account.json") if case["config"] == {"allowed_accounts": [ACCOUNT]}]
    claimed = [case for case in cases if any(map(custodian_cross_account, statements(case["policy"])))]
    # It knows CloudFront's users of old, which no function's policy has.
    claimed = [case for case in claimed if "iam::cloudfront:user" not in json.dumps(case["policy"])]
    assert len(claimed) >= 3
    assert all(case["violation"] for case in claimed)


def written(principal: Any, action: str = "lambda:InvokeFunction", **condition: Any) -> dict[str, Any]:
    """Return an Allow statement."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": FUNCTION_ARN}
    return {**statement, "Condition": condition} if condition else statement


BUCKET = {"Service": "s3.amazonaws.com"}
ARN = {"AWS:SourceArn": "arn:aws:s3:::example-uploads"}
OWNED = {"AWS:SourceAccount": ACCOUNT}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (written(BUCKET), {"AWS Config", "Checkov CKV_AWS_364", "Trivy AWS-0067"}),
        (written(BUCKET, ArnLike=ARN), {"AWS Config"}),
        (written(BUCKET, StringEquals=OWNED), {"Trivy AWS-0067"}),
        (written(BUCKET, ArnLike=ARN, StringEquals=OWNED), set()),
        (written(BUCKET, "lambda:invokeFunction", ArnLike=ARN, StringEquals=OWNED), {"cfn_nag W24"}),
        (
            written("*"),
            {"AWS Config", "Checkov CKV_AWS_301", "cfn_nag F13", "Prowler", "Cloud Custodian cross-account"},
        ),
        (written("*", StringEquals={"aws:PrincipalOrgID": "o-exampleorg1"}), {"Checkov CKV_AWS_301", "cfn_nag F13"}),
        (written({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), set()),
        (written({"AWS": "arn:aws:iam::111122223333:root"}), {"Cloud Custodian cross-account"}),
        (written("*", Bool={"aws:SecureTransport": "true"}), {"AWS Config"}),
    ],
    ids=lambda value: json.dumps(value["Principal"]) if isinstance(value, dict) else None,
)
def test_each_flags_what_its_criterion_says(statement: dict[str, Any], expected: set[str]) -> None:
    """Tools that read templates see nothing of what AddPermission cannot say."""
    found = {name for name, flags in PEERS.items() if flags(statement)}
    assert found == {name for name in PEERS for start in expected if name.startswith(start)}
