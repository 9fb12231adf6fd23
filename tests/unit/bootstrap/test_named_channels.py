"""A named channel is made when it has its first message, with what its type needs."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from permission_guard.bootstrap.named_channels import named_channels
from permission_guard.config.destinations import Channel, ChannelType
from permission_guard.config.settings import AlertSettings
from permission_guard.delivery.finding_messages import compose
from permission_guard.errors import ConfigurationError
from permission_guard.model.findings import Finding
from tests.paths import FINDINGS

MESSAGE: Final = compose(Finding.from_document(json.loads((FINDINGS / "opened.json").read_text())))
SETTINGS: Final = AlertSettings("findings", "deliveries", None, None, "https://hooks.slack.com/")
TOPIC: Final = "arn:aws:sns:us-east-1:123456789012:chat"
SECRET: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:oncall-AbCdEf"
PUBLISHED: Final = "SNS got the message"


class Aws:
    """SNS and Secrets Manager. The secret has nothing that a channel could use."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def client(self, _service: str) -> Any:
        return self

    def publish(self, *, TopicArn: str, **_message: Any) -> dict[str, str]:  # noqa: N803 - the name of boto3
        self.calls.append(("publish", TopicArn))
        return {"MessageId": PUBLISHED}

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803 - the name of boto3
        self.calls.append(("read", SecretId))
        return {"SecretString": "hush-hush"}


@pytest.mark.parametrize("kind", [ChannelType.SNS, ChannelType.AMAZON_Q])
def test_a_channel_with_a_topic_publishes_to_it(kind: ChannelType) -> None:
    """And to no other one."""
    aws = Aws()
    (channel,) = named_channels({"chat": Channel(type=kind, topic=TOPIC)}, {}, SETTINGS, aws.client)
    assert (channel.name, aws.calls) == ("chat", [])
    channel.send(MESSAGE, None)
    channel.send(MESSAGE, None)
    assert aws.calls == [("publish", TOPIC)] * 2


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (ChannelType.SLACK, "has no bot token"),
        (ChannelType.SLACK_WEBHOOK, "has no webhook URL"),
        (ChannelType.APPRISE, "URL 1 of the channel oncall is none of"),
    ],
)
def test_a_channel_with_a_secret_reads_it_and_says_what_is_wrong_with_it(kind: ChannelType, problem: str) -> None:
    """The error names the secret or the channel, and not the value."""
    aws = Aws()
    conversation = "C0123ABCD" if kind is ChannelType.SLACK else None
    named = {"oncall": Channel(type=kind, secret=SECRET, channel=conversation)}
    (channel,) = named_channels(named, {"payments": "S0123ABCD"}, SETTINGS, aws.client)
    assert aws.calls == []
    with pytest.raises(ConfigurationError, match=problem) as raised:
        channel.send(MESSAGE, None)
    assert aws.calls == [("read", SECRET)]
    assert "hush" not in str(raised.value)


def test_channels_are_in_the_order_of_their_names() -> None:
    """The same for the same document, whatever its order."""
    chat = Channel(type=ChannelType.SNS, topic=TOPIC)
    found = named_channels({"b": chat, "a": chat}, {}, SETTINGS, Aws().client)
    assert [channel.name for channel in found] == ["a", "b"]
