"""SNS in memory: topics that pass what is published to queues, to mailboxes and to functions of the tests.

FIFO topics do not deduplicate here, so that a test can count what was published twice.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from permission_guard.model import limits
from tests.aws_limits import publication_size
from tests.in_memory.errors import RejectedError
from tests.in_memory.filter_policies import accepts
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
    id and the parameters of the request. `mails` are the notifications that each address got.
    """

    def __init__(self, clock: Callable[[], float], account: str, region: str, send: Callable[[str, str], None]) -> None:
        self._clock, self._prefix, self._send = clock, f"arn:aws:sns:{region}:{account}:", send
        self.subscribers: dict[str, list[Subscriber]] = {}
        self.mails: dict[str, list[dict[str, Any]]] = {}
        self._published = 0

    def _create(self, params: Mapping[str, Any]) -> dict[str, Any]:
        arn = self._prefix + params["Name"]
        self.subscribers.setdefault(arn, [])
        return {"TopicArn": arn}

    def _subscribe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        topic, protocol, endpoint = params["TopicArn"], params["Protocol"], params["Endpoint"]
        assert protocol in ("sqs", "email"), protocol
        policy = json.loads(params.get("Attributes", {}).get("FilterPolicy", "{}"))

        def send(message_id: str, publication: Publication) -> None:
            if not accepts(policy, publication.get("MessageAttributes", {})):
                return
            notification = self._notification(message_id, publication, protocol)
            if protocol == "email":
                self.mails.setdefault(endpoint, []).append(notification)
            else:
                self._send(endpoint, json.dumps(notification))

        subscribers = self._subscribers(topic)
        subscribers.append(send)
        return {"SubscriptionArn": f"{topic}:{uuid.uuid5(uuid.NAMESPACE_URL, f'{topic}/{len(subscribers)}')}"}

    def _publish(self, params: Mapping[str, Any]) -> dict[str, Any]:
        subscribers = self._subscribers(params["TopicArn"])
        if not _is_subject(params.get("Subject")):
            raise RejectedError("InvalidParameter", "Invalid parameter: Subject")
        if publication_size(params) > limits.TOPIC_MESSAGE or not params["Message"]:
            raise RejectedError("InvalidParameter", "Invalid parameter: Message too long or empty")
        if params.get("MessageStructure") == "json" and not _has_default(params["Message"]):
            raise RejectedError("InvalidParameter", "Invalid parameter: Message Structure - No default entry")
        self._published += 1
        number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"sns/{self._published}"))
        for subscriber in subscribers:
            subscriber(number, params)
        return {"MessageId": number}

    def _subscribers(self, topic: str) -> list[Subscriber]:
        if topic not in self.subscribers:
            raise RejectedError("NotFound", "Topic does not exist", status=404)
        return self.subscribers[topic]

    def _notification(self, message_id: str, publication: Publication, protocol: str) -> dict[str, Any]:
        """Return what a queue gets, and what a mail is made of.

        https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html
        """
        subject = {"Subject": publication["Subject"]} if "Subject" in publication else {}
        attributes = publication.get("MessageAttributes", {}).items()
        message = publication["Message"]
        if publication.get("MessageStructure") == "json":
            structure = json.loads(message)
            message = structure.get(protocol, structure["default"])
        return {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": publication["TopicArn"],
            **subject,
            "Message": message,
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


def _has_default(message: str) -> bool:
    """Return whether a message is an object with the texts of protocols, and one for the others.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    try:
        structure = json.loads(message)
    except ValueError:
        return False
    return isinstance(structure, dict) and isinstance(structure.get("default"), str)


def _is_subject(subject: str | None) -> bool:
    """Return whether SNS accepts a subject.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    if subject is None:
        return True
    is_short = 0 < len(subject) <= limits.TOPIC_SUBJECT_CHARACTERS
    return is_short and subject.isascii() and subject.isprintable() and not subject.startswith(" ")
