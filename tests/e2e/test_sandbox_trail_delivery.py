"""How the sandbox delivers CloudTrail records to a rule: as AWS does, repeated, late and twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client.process import ACCOUNT, Sandbox, poll

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def inbox(sandbox: Sandbox, unique: str) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that receives the events of a rule on IAM's tag events."""
    sqs, events = sandbox.client("sqs"), sandbox.client("events")
    queue = sqs.create_queue(QueueName=unique)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.iam"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventName": ["TagRole"], "requestParameters": {"roleName": [unique]}},
    }
    rule = events.put_rule(Name=unique, EventPattern=json.dumps(pattern))["RuleArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule=unique, Targets=[{"Id": "queue", "Arn": arn}])

    def receive() -> list[dict[str, Any]]:
        reply = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        messages = reply.get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    return receive


def test_a_record_reaches_a_rule_as_aws_sends_it(
    sandbox: Sandbox, make_role: Callable[..., str], inbox: Callable[[], list[Any]], unique: str
) -> None:
    """A record reaches a rule as AWS sends it."""
    make_role(unique)

    sandbox.client("iam").tag_role(RoleName=unique, Tags=[{"Key": "a", "Value": "b"}])

    event = poll(inbox, deadline=5, what="event")[0]
    assert (event["source"], event["detail-type"]) == ("aws.iam", "AWS API Call via CloudTrail")
    assert (event["account"], event["region"]) == (ACCOUNT, "us-east-1")
    assert event["detail"]["requestParameters"]["roleName"] == unique


def test_a_record_can_be_delivered_again(
    sandbox: Sandbox, make_role: Callable[..., str], inbox: Callable[[], list[Any]], unique: str
) -> None:
    """A record can be delivered again, as it is."""
    make_role(unique)
    since = sandbox.last_record()
    sandbox.client("iam").tag_role(RoleName=unique, Tags=[{"Key": "a", "Value": "b"}])
    record = sandbox.wait_for_record("TagRole", since)
    poll(inbox, deadline=5, what="event")

    sandbox.replay({**record, "eventTime": "2020-01-01T00:00:00Z"})

    assert poll(inbox, deadline=5, what="second event")[0]["detail"]["eventTime"] == "2020-01-01T00:00:00Z"


def test_records_can_be_withheld_and_doubled(
    sandbox: Sandbox, make_role: Callable[..., str], inbox: Callable[[], list[Any]], unique: str
) -> None:
    """Records can be withheld and doubled."""
    make_role(unique)
    poll(lambda: sandbox.health()["delivered"] == sandbox.last_record(), deadline=5, what="delivery of all records")
    sandbox.deliver(hold=True, copies=2)
    since = sandbox.last_record()

    sandbox.client("iam").tag_role(RoleName=unique, Tags=[{"Key": "a", "Value": "b"}])
    sandbox.wait_for_record("TagRole", since)
    withheld = inbox()
    sandbox.deliver(hold=False)

    got: list[Any] = []
    try:
        poll(lambda: got.extend(inbox()) or len(got) == 2, deadline=5, what="second copy")  # type: ignore[func-returns-value]
    finally:
        sandbox.deliver(copies=1)
    assert withheld == []
    assert got[0]["detail"]["eventID"] == got[1]["detail"]["eventID"]
