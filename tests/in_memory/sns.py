"""SNS in memory: topics that pass what is published to queues and to functions of the tests.

FIFO topics do not deduplicate here, so that a test can count what was published twice.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from permission_guard.model import limits
from tests.aws_limits import publication_size
from tests.in_memory.errors import RejectedError
from tests.in_memory.service import Service
from tests.in_memory.times import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.in_memory.service import Operations

    Publication = Mapping[str, Any]
    Subscriber = Callable[[str, Publication], None]


class Topics(Service):
    """The topics of an account. `clock` returns seconds since 1970.

    `send` puts a message into the queue with an ARN. `subscribers` get what is published on each topic: its message
    id and the parameters of the request.
    """

    def __init__(self, clock: Callable[[], float], account: str, region: str, send: Callable[[str, str], None]) -> None:
        self._clock, self._prefix, self._send = clock, f"arn:aws:sns:{region}:{account}:", send
        self.subscribers: dict[str, list[Subscriber]] = {}
        self._published = 0

    def _create(self, params: Mapping[str, Any]) -> dict[str, Any]:
        arn = self._prefix + params["Name"]
        self.subscribers.setdefault(arn, [])
        return {"TopicArn": arn}

    def _subscribe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        assert params["Protocol"] == "sqs", params["Protocol"]
        topic, queue = params["TopicArn"], params["Endpoint"]

        def send(message_id: str, publication: Publication) -> None:
            self._send(queue, json.dumps(self._notification(message_id, publication)))

        subscribers = self._subscribers(topic)
        subscribers.append(send)
        return {"SubscriptionArn": f"{topic}:{uuid.uuid5(uuid.NAMESPACE_URL, f'{topic}/{len(subscribers)}')}"}

    def _publish(self, params: Mapping[str, Any]) -> dict[str, Any]:
        subscribers = self._subscribers(params["TopicArn"])
        if not _is_subject(params.get("Subject")):
            raise RejectedError("InvalidParameter", "Invalid parameter: Subject")
        if publication_size(params) > limits.TOPIC_MESSAGE or not params["Message"]:
            raise RejectedError("InvalidParameter", "Invalid parameter: Message too long or empty")
        self._published += 1
        number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"sns/{self._published}"))
        for subscriber in subscribers:
            subscriber(number, params)
        return {"MessageId": number}

    def _subscribers(self, topic: str) -> list[Subscriber]:
        if topic not in self.subscribers:
            raise RejectedError("NotFound", "Topic does not exist", status=404)
        return self.subscribers[topic]

    def _notification(self, message_id: str, publication: Publication) -> dict[str, Any]:
        """Return what a queue gets.

        https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html
        """
        subject = {"Subject": publication["Subject"]} if "Subject" in publication else {}
        attributes = publication.get("MessageAttributes", {}).items()
        return {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": publication["TopicArn"],
            **subject,
            "Message": publication["Message"],
            "Timestamp": timestamp(self._clock()),
            "MessageAttributes": {
                name: {"Type": one["DataType"], "Value": one["StringValue"]} for name, one in attributes
            },
        }

    operations: ClassVar[Operations] = {
        "CreateTopic": _create,
        "Publish": _publish,
        "Subscribe": _subscribe,
    }


def _is_subject(subject: str | None) -> bool:
    """Return whether SNS accepts a subject.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    if subject is None:
        return True
    is_short = 0 < len(subject) <= limits.TOPIC_SUBJECT_CHARACTERS
    return is_short and subject.isascii() and subject.isprintable() and not subject.startswith(" ")
