"""Findings published to SNS, with moto: what a subscriber receives."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from permission_guard.delivery.alerts.sns.channel import SnsChannel
from permission_guard.delivery.finding_messages import compose
from permission_guard.errors import DeliveryError
from permission_guard.model.findings import Finding
from tests.fakes import ACCOUNT, REGION
from tests.in_memory.client import Client
from tests.in_memory.sns import Topics
from tests.integration.alerts.contract import AlertChannelContract, Shown
from tests.paths import FINDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sns import SNSClient

OPENED = Finding.from_document(json.loads((FINDINGS / "opened.json").read_text()))
QUEUE = "arn:aws:sqs:us-east-1:123456789012:mail"


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> Iterator[SNSClient]:
    """Return a client of moto's SNS."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("sns", region_name="us-east-1")


@pytest.fixture
def topic(sns: SNSClient) -> str:
    """Return a topic to publish to."""
    return sns.create_topic(Name="alerts")["TopicArn"]


def received(sns: SNSClient, topic: str, finding: Finding) -> list[dict[str, Any]]:
    """Publish a finding and return the messages of a queue that is subscribed to high severities."""
    sqs = boto3.client("sqs", region_name="us-east-1")
    url = sqs.create_queue(QueueName="mail")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE, Attributes={"FilterPolicy": '{"severity": ["high"]}'})
    assert SnsChannel(sns, topic).send(compose(finding), None)
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def test_a_subscriber_gets_the_subject_the_document_and_the_attributes(sns: SNSClient, topic: str) -> None:
    """A queue gets the form for programs."""
    (message,) = received(sns, topic, OPENED)
    assert message["Subject"] == "[HIGH] Opened: orders cannot read its SQS queue"
    command = json.loads(message["Message"])["sections"][1]
    assert command["style"] == "command"
    assert command["text"].startswith("aws iam attach-role-policy --role-name orders-role")
    assert message["MessageAttributes"]["rule_id"] == {"Type": "String", "Value": "PG201"}


def test_a_subscriber_can_filter_by_attributes(sns: SNSClient, topic: str) -> None:
    """With a filter policy."""
    assert received(sns, topic, replace(OPENED, severity=type(OPENED.severity).LOW)) == []


def test_a_fifo_topic_gets_a_group_and_a_deduplication_id(sns: SNSClient) -> None:
    """Messages are in order for each finding, and each revision is sent once."""
    topic = sns.create_topic(Name="alerts.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    assert SnsChannel(sns, topic).send(compose(OPENED), None)


def test_a_deleted_topic_is_a_failed_delivery(sns: SNSClient) -> None:
    """The message stays in its queue, and the log has AWS's error code."""
    with pytest.raises(DeliveryError, match="NotFound"):
        SnsChannel(sns, "arn:aws:sns:us-east-1:123456789012:deleted").send(compose(OPENED), None)


def test_an_unreachable_endpoint_is_a_failed_delivery(sns: SNSClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message stays in its queue."""

    def fail(**_request: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://sns.us-east-1.amazonaws.com/")

    monkeypatch.setattr(sns, "publish", fail)
    with pytest.raises(DeliveryError, match="EndpointConnectionError"):
        SnsChannel(sns, "arn:aws:sns:us-east-1:123456789012:alerts").send(compose(OPENED), None)


class Mailbox:
    """An address that is subscribed to a topic: it gets the text of the mail, under its subject."""

    def __init__(self) -> None:
        self.topics = Topics(lambda: 0.0, ACCOUNT, REGION, send=lambda _queue, _body: None)
        client: Any = Client("sns", lambda _service, operation, params: self.topics.answer(operation, params))
        self.client: SNSClient = client
        self.topic = self.client.create_topic(Name="alerts")["TopicArn"]
        self.client.subscribe(TopicArn=self.topic, Protocol="email", Endpoint="ops@example.com")

    def shown(self) -> list[Shown]:
        """Return the mails: mail programs make links of addresses that begin with `https`, whoever wrote them."""
        mails = self.topics.mails.get("ops@example.com", [])
        return [Shown(text=f"{mail['Subject']}\n{mail['Message']}") for mail in mails]


class TestContract(AlertChannelContract):
    """What every channel does."""

    @pytest.fixture
    def peer(self) -> Mailbox:
        """Return the address."""
        return Mailbox()

    @pytest.fixture
    def channel(self, peer: Mailbox) -> SnsChannel:
        """Return the channel under test."""
        return SnsChannel(peer.client, peer.topic, name="events")
