"""The criteria of other tools, by example; `tests/conformance` compares them with the tools' own test suites."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes import ACCOUNT, FUNCTION_ARN
from tests.unit.rules.peers import PEERS


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
def test_each_tool_flags_what_its_criterion_requires(statement: dict[str, Any], expected: set[str]) -> None:
    """Tools that read templates do not see statements that AddPermission cannot express."""
    found = {name for name, flags in PEERS.items() if flags(statement)}
    assert found == {name for name in PEERS for start in expected if name.startswith(start)}
