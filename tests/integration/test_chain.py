"""All functions in sequence in an in-memory account: change, finding, alert, fix and resolution."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from permission_guard.model.findings import Status
from tests.fakes import SQS_POLICY_ARN
from tests.integration.conftest import BUS, LOGS_POLICY_ARN, cloudtrail, detached, sqs_event

if TYPE_CHECKING:
    from tests.integration.conftest import Account


@pytest.fixture
def deployed(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account in which the bus sends to the queues of the senders and the fixer."""
    for name, transitions in {
        "alerts": ["Finding Opened", "Finding Resolved", "Fix Applied"],
        "fixes": ["Finding Opened", "Finding Reopened", "Fix Approved"],
    }.items():
        url = account.queue(name)
        arn = account.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        pattern = {"source": ["permission-guard"], "detail-type": transitions}
        account.events.put_rule(Name=name, EventBusName=BUS, EventPattern=json.dumps(pattern), State="ENABLED")
        account.events.put_targets(Rule=name, EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
    topic = account.sns.create_topic(Name="people")["TopicArn"]
    url = account.queue("mailbox")
    arn = account.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    account.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    monkeypatch.setenv("TOPIC_ARN", topic)
    monkeypatch.setenv("FIX_MODE", "auto")
    return account


def test_a_lost_permission_is_reported_fixed_and_resolved(deployed: Account) -> None:
    """Each function only gets the output of the one before it."""
    logged = 0

    def publish() -> None:
        nonlocal logged
        records = deployed.stream()["Records"]
        assert deployed.run("publish_findings", {"Records": records[logged:]}).failed == []
        logged = len(records)

    deployed.make_role()
    deployed.make_function()
    deployed.map_queue()
    deployed.iam.attach_role_policy(RoleName="orders-role", PolicyArn=SQS_POLICY_ARN)
    deployed.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    deployed.iam.detach_role_policy(RoleName="orders-role", PolicyArn=SQS_POLICY_ARN)
    deployed.run("check_execution_role", sqs_event(detached()))
    publish()
    assert deployed.run("apply_fix", sqs_event(*deployed.received("fixes"))).failed == []
    assert deployed.attached() == [LOGS_POLICY_ARN, SQS_POLICY_ARN]
    publish()
    deployed.run("check_execution_role", sqs_event(cloudtrail("attach_role_policy", roleName="orders-role")))
    publish()
    assert deployed.run("send_alert", sqs_event(*deployed.received("alerts"))).failed == []
    assert deployed.finding.status is Status.RESOLVED
    subjects = [json.loads(body)["Subject"] for body in deployed.received("mailbox")]
    assert len(subjects) == 3
    assert all("orders" in subject for subject in subjects)
    assert deployed.received("fixes") == []
