"""What SNS does with what is published on a topic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model import limits
from tests.contracts.implementations import code_of, queue_for, unique
from tests.fakes import ACCOUNT, REGION

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws

INVALID = "InvalidParameter"
BESIDE_A_VALUE = "does not match what does not exist if the policy also names a value"


class Topic:
    """A topic to which a queue is subscribed, with a filter policy if there is one."""

    def __init__(self, aws: Aws, policy: dict[str, Any] | None = None) -> None:
        self._aws, self._sqs, self.sns = aws, aws.client("sqs"), aws.client("sns")
        self.arn = self.sns.create_topic(Name=unique("topic"))["TopicArn"]
        self._url, queue = queue_for(aws, "sns", self.arn)
        attributes = {"FilterPolicy": json.dumps(policy)} if policy else {}
        self.sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=queue, Attributes=attributes)

    def publish(self, text: str, **attributes: str | list[str]) -> None:
        """Publish a text with attributes."""
        values = {
            name: {"DataType": "String", "StringValue": value}
            if isinstance(value, str)
            else {"DataType": "String.Array", "StringValue": json.dumps(value)}
            for name, value in attributes.items()
        }
        self.sns.publish(TopicArn=self.arn, Message=text, MessageAttributes=values)

    def received(self) -> list[dict[str, Any]]:
        """Return what arrives in the queue."""

        def probe() -> list[dict[str, Any]]:
            reply = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            return [json.loads(one["Body"]) for one in reply.get("Messages", ())]

        return self._aws.eventually(probe)


def test_a_message_reaches_the_subscription(aws: Aws) -> None:
    """With its id, its topic, its subject and its attributes.

    https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """
    topic = Topic(aws)
    attributes = {"severity": {"DataType": "String", "StringValue": "high"}}

    published = topic.sns.publish(
        TopicArn=topic.arn, Subject="orders", Message="text\nof it", MessageAttributes=attributes
    )
    (message,) = topic.received()

    shown = {
        name: message[name] for name in ("Type", "MessageId", "TopicArn", "Subject", "Message", "MessageAttributes")
    }
    assert shown == {
        "Type": "Notification",
        "MessageId": published["MessageId"],
        "TopicArn": topic.arn,
        "Subject": "orders",
        "Message": "text\nof it",
        "MessageAttributes": {"severity": {"Type": "String", "Value": "high"}},
    }


LONGEST = "a" * limits.TOPIC_SUBJECT_CHARACTERS


@pytest.mark.differs(moto="accepts any subject", ministack="accepts any subject")
@pytest.mark.parametrize("subject", ["a\nb", "a\tb", LONGEST + "a", "", "ä"])
def test_a_subject_with_a_line_break_or_100_characters_is_rejected(aws: Aws, subject: str) -> None:
    """It has ASCII characters without control characters, and less than 100 of them.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    topic = Topic(aws)

    assert code_of(topic.sns.publish, TopicArn=topic.arn, Subject=subject, Message="text") == INVALID

    topic.sns.publish(TopicArn=topic.arn, Subject=LONGEST, Message="text")

    assert [one["Subject"] for one in topic.received()] == [LONGEST]


def test_a_message_is_not_longer_than_256_kb(aws: Aws) -> None:
    """Its attributes and its subject count, too.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    topic = Topic(aws)
    topic.sns.publish(TopicArn=topic.arn, Message="a" * limits.TOPIC_MESSAGE)

    code = code_of(topic.sns.publish, TopicArn=topic.arn, Message="a" * (limits.TOPIC_MESSAGE + 1))

    assert code == INVALID


@pytest.mark.differs(moto="accepts it", ministack="accepts it")
def test_a_message_is_not_empty(aws: Aws) -> None:
    """A subject is optional, a message is not.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    topic = Topic(aws)

    assert code_of(topic.sns.publish, TopicArn=topic.arn, Message="") == INVALID


def test_a_topic_that_does_not_exist_is_an_error(aws: Aws) -> None:
    """Its exception is NotFoundException, and its code NotFound.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    sns, arn = aws.client("sns"), f"arn:aws:sns:{REGION}:{ACCOUNT}:{unique('missing')}"

    with pytest.raises(sns.exceptions.NotFoundException):
        sns.publish(TopicArn=arn, Message="text")
    assert code_of(sns.publish, TopicArn=arn, Message="text") == "NotFound"


def test_each_protocol_gets_its_own_text_and_the_others_the_default_one(aws: Aws) -> None:
    """The structure is a JSON object of texts.

    https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html
    """
    for structure in (
        {"default": "for the rest", "email": "mail", "sqs": "queue"},
        {"default": "queue", "email": "mail"},
    ):
        topic = Topic(aws)
        topic.sns.publish(TopicArn=topic.arn, Message=json.dumps(structure), MessageStructure="json")

        assert [one["Message"] for one in topic.received()] == ["queue"]


@pytest.mark.differs(ministack="accepts it")
@pytest.mark.parametrize("message", ['{"email": "mail"}', "text"])
def test_a_structure_without_a_default_is_rejected(aws: Aws, message: str) -> None:
    """So is one that is not JSON.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    topic = Topic(aws)

    assert code_of(topic.sns.publish, TopicArn=topic.arn, Message=message, MessageStructure="json") == INVALID


@pytest.mark.differs(moto=BESIDE_A_VALUE)
def test_a_filter_policy_matches_values_and_what_does_not_exist(aws: Aws) -> None:
    """An array matches if one of its values does. Other attributes are ignored.

    https://docs.aws.amazon.com/sns/latest/dg/string-value-matching.html
    """
    topic = Topic(aws, {"severity": ["high", "critical", {"exists": False}]})
    topic.publish("a low one", severity="low", account="123456789012")
    topic.publish("a high one", severity="high")
    topic.publish("one of several", severity=["low", "critical"])
    topic.publish("a digest", digest="baseline")
    topic.publish("none of several", severity=["low", "medium"])

    found: set[str] = set()
    while len(found) < 3:
        found |= {one["Message"] for one in topic.received()}

    assert found == {"a high one", "one of several", "a digest"}


@pytest.mark.differs(moto=BESIDE_A_VALUE)
def test_a_filter_policy_matches_no_message_without_attributes(aws: Aws) -> None:
    """Not even if it asks for an attribute that does not exist.

    https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html
    """
    topic = Topic(aws, {"severity": ["high", {"exists": False}]})
    topic.sns.publish(TopicArn=topic.arn, Message="an alarm")
    topic.publish("a digest", digest="baseline")

    assert [one["Message"] for one in topic.received()] == ["a digest"]
