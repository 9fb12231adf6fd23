"""Custom notifications for Amazon Q Developer in chat applications."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from permission_guard.delivery.alerts.amazon_q.channel import AmazonQChannel
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.chat import literal
from permission_guard.errors import ConfigurationError, DeliveryError
from permission_guard.model.verdicts import Remedy
from tests.integration.alerts.amazon_q import TOPIC, AmazonQ
from tests.integration.alerts.contract import DIGEST, MESSAGES, OTHER, AlertChannelContract
from tests.unit.delivery.examples import HOSTILE, OPENED, RESOLVED


@pytest.fixture
def peer() -> AmazonQ:
    """Return the service."""
    return AmazonQ()


@pytest.fixture
def channel(peer: AmazonQ) -> AmazonQChannel:
    """Return the channel under test."""
    return AmazonQChannel(peer.client, TOPIC, name="chat")


class TestContract(AlertChannelContract):
    """What every channel does."""


def test_what_follows_about_a_finding_is_in_its_thread(peer: AmazonQ, channel: AmazonQChannel) -> None:
    """Also about one of several that were in one message."""
    together = channel.send(compose(OPENED, OTHER), None)
    channel.send(compose(replace(OTHER, revision=2)), together)
    alone = channel.send(compose(OTHER), None)
    threads = [one["metadata"]["threadId"] for one in peer.notifications]
    assert threads == [OPENED.id, OPENED.id, OTHER.id]
    assert (together, alone) == (OPENED.id, OTHER.id)


@pytest.mark.parametrize("name", ["digest", "test"])
def test_what_is_about_no_finding_has_no_thread(peer: AmazonQ, channel: AmazonQChannel, name: str) -> None:
    """And no reference."""
    assert channel.send(MESSAGES[name], None) is None
    assert "threadId" not in peer.notifications[0]["metadata"]


def test_a_notification_has_no_buttons(peer: AmazonQ, channel: AmazonQChannel) -> None:
    """Custom actions run commands; ours are for a terminal."""
    channel.send(compose(OPENED), None)
    (one,) = peer.notifications
    assert one["metadata"]["enableCustomActions"] is False
    assert one["metadata"]["eventType"] == "Finding Opened"
    assert one["metadata"]["relatedResources"] == [OPENED.target_arn]
    assert one["content"]["keywords"] == ["high", "PG201", "123456789012", "us-east-1"]
    assert one["content"]["title"] == "[HIGH] Opened: orders cannot read its SQS queue"


def test_the_severity_is_shown_while_somebody_has_to_act(peer: AmazonQ, channel: AmazonQChannel) -> None:
    """Not of what is over."""
    channel.send(compose(RESOLVED), None)
    assert "high" not in json.dumps(peer.notifications).replace('"severity": "high"', "").lower()


@pytest.mark.parametrize("text", ["aws lambda add-permission --x <BUCKET-NAME>", "echo `id`", "a && b &lt; c"])
def test_a_command_that_a_chat_would_change_is_not_shown(peer: AmazonQ, channel: AmazonQChannel, text: str) -> None:
    """Half of it, or another one, does something else."""
    channel.send(compose(replace(OPENED, remedies=(Remedy("aws-cli", text),))), None)
    (one,) = peer.notifications
    description = one["content"]["description"]
    assert text not in description
    assert f"A chat cannot show this command as it is. See permission-guard findings show {OPENED.id}." in description


def test_a_command_is_shown_as_it_is(peer: AmazonQ, channel: AmazonQChannel) -> None:
    """It is to paste."""
    command = "aws iam put-role-policy --role-name 'orders_role' --x \"*\" && echo done | tee ~/log"
    channel.send(compose(replace(OPENED, remedies=(Remedy("aws-cli", command),))), None)
    assert f"```\n{command}\n```" in peer.notifications[0]["content"]["description"]


def test_prose_of_others_does_nothing_in_either_chat() -> None:
    """What would act is replaced or broken; the words stay."""
    shown = literal(HOSTILE)
    for pattern in (r"<", r"@\w", r"://", r"\]\(", r"[*`~]", r"&lt;", r":boom:", r"(?<!\w)_|_(?!\w)"):
        assert re.search(pattern, HOSTILE), pattern
        assert not re.search(pattern, shown), pattern
    assert literal("arn:aws:iam::123456789012:role/orders_role") == "arn:aws:iam::123456789012:role/orders_role"


def test_a_long_notification_says_where_the_rest_is(peer: AmazonQ, channel: AmazonQChannel) -> None:
    """What identifies the finding is in it."""
    channel.send(MESSAGES["huge"], None)
    description = peer.notifications[0]["content"]["description"]
    assert len(description.encode()) <= 8_000
    assert description.endswith(f"More: See permission-guard findings show {OPENED.id}.")


def test_a_fifo_topic_is_a_wrong_configuration(peer: AmazonQ) -> None:
    """Amazon Q cannot subscribe to it: https://docs.aws.amazon.com/sns/latest/dg/fifo-message-delivery.html."""
    with pytest.raises(ConfigurationError, match="chat needs a standard topic"):
        AmazonQChannel(peer.client, f"{TOPIC}.fifo", name="chat")


def test_a_deleted_topic_and_an_unreachable_endpoint_are_failed_deliveries(peer: AmazonQ) -> None:
    """The message stays in its queue."""
    with pytest.raises(DeliveryError, match="NotFound"):
        AmazonQChannel(peer.client, f"{TOPIC}-deleted", name="chat").send(compose(OPENED), None)

    class Unreachable:
        def publish(self, **_params: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://sns.us-east-1.amazonaws.com/")

    client: Any = Unreachable()
    with pytest.raises(DeliveryError, match="EndpointConnectionError"):
        AmazonQChannel(client, TOPIC, name="chat").send(compose(OPENED), None)


def test_a_digest_is_readable(peer: AmazonQ, channel: AmazonQChannel) -> None:
    """Its command is to paste."""
    channel.send(MESSAGES["digest"], None)
    assert f"```\n{DIGEST.command}\n```" in peer.notifications[0]["content"]["description"]
