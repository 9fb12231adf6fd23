"""Policies at AWS's size limit: whoever may write one must not be able to hide a finding, its own or another one's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws import clients
from permission_guard.findings.fit import document_size
from permission_guard.model import limits
from permission_guard.model.findings import Status
from tests import aws_limits
from tests.fakes import FUNCTION_ARN, TARGET
from tests.integration.conftest import BUS, cloudtrail, sqs_event

if TYPE_CHECKING:
    from tests.integration.conftest import Account

MAX_POLICY = 20_480
"""The maximum size of a function's policy in bytes. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

SERVICES = [f"{name}.amazonaws.com" for name in ("s3", "sns", "events", "logs", "config", "iot", "apigateway")]


def padded(statements: list[dict[str, Any]], filler: str) -> str:
    """Return a policy of the maximum size, filled with a condition value or a Sid."""
    policy = {"Version": "2012-10-17", "Statement": statements}
    text = json.dumps(policy, separators=(",", ":"))
    return text.replace("FILLER", filler * ((MAX_POLICY - len(text)) // len(json.dumps(filler)[1:-1])))


SEVEN_SERVICES = padded(
    [
        {
            "Sid": "all",
            "Effect": "Allow",
            "Principal": {"Service": SERVICES},
            "Action": "lambda:InvokeFunction",
            "Resource": FUNCTION_ARN,
            "Condition": {"StringNotEquals": {"aws:PrincipalTag/team": "FILLER"}},
        }
    ],
    "x",
)
ANYTHING = {"Effect": "Allow", "Principal": "*", "Resource": FUNCTION_ARN}
SEVENTY_STATEMENTS = padded(
    [
        {**ANYTHING, "Action": "lambda:*", "Sid": "FILLER"},
        *({**ANYTHING, "Action": ["lambda:*", f"lambda:{number}"]} for number in range(69)),
    ],
    "'",
)
"""No Sid but one, so that each remedy quotes its statement; a shell quotes each quotation mark with five characters."""


@pytest.fixture
def limited(account: Account) -> Account:
    """Return an account that rejects what AWS rejects, with a good function and the attacker's."""
    for service in ("events", "dynamodb"):
        aws_limits.enforce(clients.client(service))
    account.make_role()
    for name in (TARGET.name, "other"):
        account.make_function(name)
    account.events.put_rule(Name="all", EventBusName=BUS, EventPattern=json.dumps({"source": ["permission-guard"]}))
    account.events.put_targets(
        Rule="all", EventBusName=BUS, Targets=[{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:news"}]
    )
    account.queue("news")
    return account


def write_policy(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Have Lambda return a policy that its owner wrote with PutResourcePolicy."""
    lambda_ = clients.client("lambda")
    get_policy = lambda_.get_policy

    def reply(**asked: Any) -> Any:
        if asked["FunctionName"].endswith(TARGET.name):
            return {"Policy": text, "RevisionId": "r"}
        return get_policy(**asked)

    monkeypatch.setattr(lambda_, "get_policy", reply)


def changed(account: Account, name: str) -> dict[str, Any]:
    """Return the event of a change of a function's policy."""
    return cloudtrail("add_permission", functionName=name)


def allow_any_bucket(account: Account, name: str) -> None:
    """Add a permission that PG102 flags."""
    account.lambda_.add_permission(
        FunctionName=name, StatementId="broad", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )


@pytest.mark.parametrize(
    ("text", "findings"), [(SEVEN_SERVICES, 1), (SEVENTY_STATEMENTS, 140)], ids=["seven", "seventy"]
)
def test_a_policy_of_the_maximum_size_hides_no_finding(
    limited: Account, monkeypatch: pytest.MonkeyPatch, text: str, findings: int
) -> None:
    """Its findings are recorded, published and handed over, and so are those of the other function."""
    assert len(text) <= MAX_POLICY
    write_policy(monkeypatch, text)
    allow_any_bucket(limited, "other")

    run = limited.run("check_invoke_policy", sqs_event(changed(limited, TARGET.name), changed(limited, "other")))
    assert run.failed == []
    own = [finding for finding in limited.findings if finding.function_arn == FUNCTION_ARN]
    others = [finding for finding in limited.findings if finding.function_arn != FUNCTION_ARN]
    assert len(own) >= findings
    assert [finding.rule_id for finding in others] == ["PG102"]
    assert max(map(document_size, limited.findings)) <= limits.FINDING_DOCUMENT

    published = limited.run("publish_findings", limited.stream())
    assert published.failed == []
    ids = {json.loads(body)["detail"]["id"] for body in limited.received("news")}
    assert ids == {finding.id for finding in limited.findings}

    monkeypatch.setenv("INVOKE_POLICY_QUEUE_URL", limited.queue("invoke-policy"))
    monkeypatch.setenv("EXECUTION_ROLE_QUEUE_URL", limited.queue("execution-role"))
    swept = limited.run("sweep_account", {"detail-type": "Scheduled Event"})
    assert swept.counts["FindingsOpen"] == len(limited.findings)
    assert limited.received("news") == []  # targets on the bus get each transition once
    assert {json.loads(body)["detail"]["id"] for body in limited.received("alerts")} == ids
    assert {finding.status for finding in limited.findings} == {Status.OPEN}
