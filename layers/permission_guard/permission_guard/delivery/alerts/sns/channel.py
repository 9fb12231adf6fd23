"""The SNS channel: publishes messages to a topic."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.delivery.alerts.sns.message import publication
from permission_guard.errors import DeliveryError, error_code

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef, PublishInputTypeDef

    from permission_guard.delivery.message import Message

_LONGEST_ID: Final = 128
"""Characters of a group or a deduplication id of a FIFO topic."""


class SnsChannel:
    """Publishes each message to one topic; the reference is the id that SNS gives it."""

    def __init__(self, client: SNSClient, topic_arn: str, *, name: str = "sns") -> None:
        self._sns = client
        self._topic_arn = topic_arn
        self.name = name

    def send(self, message: Message, reference: str | None) -> str:  # noqa: ARG002 - every message is a new one
        """Publish a message; DeliveryError when SNS did not accept it."""
        try:
            return self._sns.publish(**self._request(message))["MessageId"]
        except ClientError as error:
            raise DeliveryError(f"SNS did not accept the message for {self._topic_arn}: {error_code(error)}") from error
        except BotoCoreError as error:
            raise DeliveryError(f"the call to SNS failed: {type(error).__name__}") from error

    def _request(self, message: Message) -> PublishInputTypeDef:
        content = publication(message)
        request: PublishInputTypeDef = {
            "TopicArn": self._topic_arn,
            "Subject": content.subject,
            "Message": content.message,
            "MessageStructure": "json",
            "MessageAttributes": {name: _attribute(values) for name, values in content.attributes.items()},
        }
        if self._topic_arn.endswith(".fifo"):
            request["MessageGroupId"] = _fitting(message.group)
            request["MessageDeduplicationId"] = _fitting(message.key)
        return request


def _attribute(values: tuple[str, ...]) -> MessageAttributeValueTypeDef:
    """Return an attribute: an array matches a filter policy that names one of its values."""
    if len(values) == 1:
        return {"DataType": "String", "StringValue": values[0]}
    return {"DataType": "String.Array", "StringValue": json.dumps(values)}


def _fitting(identifier: str) -> str:
    """Return an id that SNS accepts, the same for the same text."""
    return identifier if len(identifier) <= _LONGEST_ID else hashlib.sha256(identifier.encode()).hexdigest()
