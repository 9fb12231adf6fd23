"""Triggers of functions: from an EventBridge rule to the finding in the table."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from permission_guard.aws.clients import client
from permission_guard.aws.readers.inventories import InventoryReader
from permission_guard.bootstrap import snapshots
from permission_guard.config.document import GuardConfig
from permission_guard.intake.check_requests import check_request_body
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity
from tests.fakes import FUNCTION_ARN, TARGET
from tests.inline_pool import InlinePool
from tests.integration.conftest import cloudtrail, sqs_event

if TYPE_CHECKING:
    from tests.integration.conftest import Account

# Operations that moto does not support return empty lists.
NOT_IN_MOTO = [("logs", "DescribeAccountPolicies"), ("iot", "ListAuthorizers")]
NOTHING: tuple[SimpleNamespace, dict[str, str]] = (SimpleNamespace(status_code=200), {})
RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/nightly"


@pytest.fixture(autouse=True)
def read_inventories(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the real reader of inventories, as in a new execution environment."""
    reader = InventoryReader(client, pool=InlinePool)
    monkeypatch.setattr(snapshots, "_inventories", lambda: reader)
    for service, operation in NOT_IN_MOTO:
        client(service).meta.events.register(f"before-call.*.{operation}", lambda **_more: NOTHING)


def set_up_nightly(account: Account) -> None:
    """Create a function and a rule that invokes it every night."""
    account.make_role()
    account.make_function()
    account.events.put_rule(Name="nightly", ScheduleExpression="rate(1 day)", State="ENABLED")
    account.events.put_targets(Rule="nightly", Targets=[{"Id": "1", "Arn": FUNCTION_ARN}])


def allow_rule(account: Account) -> None:
    """Allow the rule to invoke the function."""
    account.lambda_.add_permission(
        FunctionName="orders",
        StatementId="nightly",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=RULE_ARN,
    )


def test_a_rule_without_a_statement_is_reported_by_the_sweep_and_resolved(account: Account) -> None:
    """The finding names the rule, and its remedy allows only that rule."""
    set_up_nightly(account)
    run = account.run("check_invoke_policy", sqs_event(check_request_body([TARGET])))
    finding = account.finding
    assert (finding.rule_id, finding.subject) == ("PG112", f"trigger/events.amazonaws.com/{RULE_ARN}")
    assert f"--source-arn {RULE_ARN}" in finding.remedies[0].text
    assert run.counts["FindingsOpened"] == 1
    allow_rule(account)
    account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission")))
    assert account.finding.status is Status.RESOLVED


def test_a_permission_deleted_before_its_rule_is_rechecked_without_an_alert(account: Account) -> None:
    """CloudFormation deletes them in this order."""
    account.config = GuardConfig()
    set_up_nightly(account)
    run = account.run("check_invoke_policy", sqs_event(cloudtrail("remove_permission")))
    assert run.failed == []
    assert account.findings == []
    attributes = account.sqs.get_queue_attributes(QueueUrl=account.queue("checks"), AttributeNames=["All"])[
        "Attributes"
    ]
    assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"


def test_a_deleted_topic_is_a_finding_after_the_grace_period(account: Account) -> None:
    """Other accounts cannot recreate it, so the severity is low."""
    account.config = GuardConfig()
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


def test_an_unread_service_is_unknown_and_does_not_stop_the_check(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service control policy may deny a whole service."""

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
