"""What is set up to call functions: from a rule in the account to the finding in the table."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from permission_guard.aws.clients import client
from permission_guard.aws.readers.inventories import InventoryReader
from permission_guard.bootstrap import checks
from permission_guard.intake.check_requests import check_request_body
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity
from tests.fakes import FUNCTION_ARN, TARGET
from tests.integration.conftest import cloudtrail, sqs_event

if TYPE_CHECKING:
    from tests.integration.conftest import Account

# What moto does not know, it does not have either.
NOT_IN_MOTO = [("logs", "DescribeAccountPolicies"), ("iot", "ListAuthorizers")]
NOTHING: tuple[SimpleNamespace, dict[str, str]] = (SimpleNamespace(status_code=200), {})
RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/nightly"


@pytest.fixture(autouse=True)
def read_inventories(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read what is set up, as an execution environment that was just made."""
    reader = InventoryReader(client)
    monkeypatch.setattr(checks, "_inventories", lambda: reader)
    for service, operation in NOT_IN_MOTO:
        client(service).meta.events.register(f"before-call.*.{operation}", lambda **_more: NOTHING)


def set_up_nightly(account: Account) -> None:
    """Make a function, and a rule that calls it every night."""
    account.make_role()
    account.make_function()
    account.events.put_rule(Name="nightly", ScheduleExpression="rate(1 day)", State="ENABLED")
    account.events.put_targets(Rule="nightly", Targets=[{"Id": "1", "Arn": FUNCTION_ARN}])


def let_in(account: Account) -> None:
    """Let the rule in."""
    account.lambda_.add_permission(
        FunctionName="orders",
        StatementId="nightly",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=RULE_ARN,
    )


def test_a_rule_that_no_statement_lets_in_is_found_by_the_sweep_and_resolved(account: Account) -> None:
    """The finding names the rule, and its cure lets that one in."""
    set_up_nightly(account)
    run = account.run("check_invoke_policy", sqs_event(check_request_body([TARGET])))
    finding = account.finding
    assert (finding.rule_id, finding.subject) == ("PG112", f"trigger/events.amazonaws.com/{RULE_ARN}")
    assert f"--source-arn {RULE_ARN}" in finding.remedies[0].text
    assert run.counts["FindingsOpened"] == 1
    let_in(account)
    account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission")))
    assert account.finding.status is Status.RESOLVED


def test_a_permission_that_goes_before_its_rule_does_is_looked_at_again_and_told_to_nobody(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is the order in which CloudFormation takes an event away."""
    monkeypatch.setenv("GRACE_PERIOD_SECONDS", "120")
    set_up_nightly(account)
    run = account.run("check_invoke_policy", sqs_event(cloudtrail("remove_permission")))
    assert run.failed == []
    assert account.findings == []
    attributes = account.sqs.get_queue_attributes(QueueUrl=account.queue("looks"), AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"


def test_a_topic_that_is_gone_is_a_finding_once_it_is_certain(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody outside can make it anew, so it is no great matter."""
    monkeypatch.setenv("GRACE_PERIOD_SECONDS", "120")
    account.make_role()
    account.make_function()
    account.lambda_.add_permission(
        FunctionName="orders",
        StatementId="old",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn="arn:aws:sns:us-east-1:123456789012:old",
    )
    account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission")))
    assert account.findings == []
    account.run("check_invoke_policy", sqs_event(check_request_body([TARGET])))
    assert (account.finding.rule_id, account.finding.severity) == ("PG110", Severity.LOW)


def test_what_cannot_be_read_is_unknown_and_stops_nothing(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service control policy may close whole services to everybody."""

    def refuse(*args: object, **more: object) -> None:
        raise client("iot").exceptions.UnauthorizedException(
            {"Error": {"Code": "UnauthorizedException"}}, "ListTopicRules"
        )

    monkeypatch.setattr(client("iot"), "get_paginator", refuse)
    monkeypatch.setattr(client("iot"), "list_topic_rules", refuse)
    set_up_nightly(account)
    run = account.run("check_invoke_policy", sqs_event(check_request_body([TARGET])))
    assert run.failed == []
    assert account.finding.rule_id == "PG112"
    unknown = [line for line in run.lines if line["message"] == "verdict is unknown"]
    assert [line["subject"] for line in unknown] == ["trigger/iot.amazonaws.com/*"]
    assert json.dumps(unknown)
