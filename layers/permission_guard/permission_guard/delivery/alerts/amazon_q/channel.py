"""The channel of Amazon Q Developer in chat applications: publishes custom notifications to a topic that it reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.delivery.alerts.amazon_q.message import description, notification
from permission_guard.delivery.alerts.channel import has_all
from permission_guard.errors import ConfigurationError, DeliveryError, error_code

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

    from permission_guard.delivery.message import Message

_THREAD = re.compile(r"[A-Za-z0-9_-]{1,64}")


class AmazonQChannel:
    """Publishes each message to one topic; the reference is the thread of the finding's first message.

    The topic is for Amazon Q alone: it ignores what is not in its form, and people could not read that form.
    """

    has_threads = True

    def __init__(self, client: SNSClient, topic_arn: str, *, name: str) -> None:
        if topic_arn.endswith(".fifo"):
            raise ConfigurationError(f"the channel {name} needs a standard topic: Amazon Q cannot read {topic_arn}")
        self._sns = client
        self._topic_arn = topic_arn
        self.name = name

    def send(self, message: Message, reference: str | None) -> str | None:
        """Publish a message and return its thread; DeliveryError when SNS did not accept it."""
        thread = _thread(message, reference)
        try:
            self._sns.publish(TopicArn=self._topic_arn, Message=notification(message, thread))
        except ClientError as error:
            raise DeliveryError(f"SNS did not accept the message for {self._topic_arn}: {error_code(error)}") from error
        except BotoCoreError as error:
            raise DeliveryError(f"the call to SNS failed: {type(error).__name__}") from error
        return thread or None

    def shows_all(self, message: Message) -> bool:
        """Return whether the notification has the id of every finding of a message."""
        return has_all(message, description(message))


def _thread(message: Message, reference: str | None) -> str:
    """Return the thread of the last message, or one for a new one: empty if the message is about no finding.

    The findings of one message have its thread, also when one of them has a message of its own later.
    """
    if not message.findings:
        return ""
    if reference is not None and _THREAD.fullmatch(reference):
        return reference
    return message.findings[0]
