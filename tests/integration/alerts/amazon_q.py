"""Amazon Q Developer in chat applications as the reader of a topic, and how Slack and Teams show what it posts.

The schema is ours, of the event schema and the table of parameters on
https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html. AWS publishes no other one. What the service
does with an invalid notification is not shown there but as "it is not delivered", so here it is rejected.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator

from tests.fakes import ACCOUNT, REGION
from tests.in_memory.client import Client
from tests.in_memory.sns import Topics
from tests.integration.alerts.contract import Shown

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:chat"

_TEXT: Final = {"type": "string", "minLength": 1}
_TEXTS: Final = {"type": "array", "items": _TEXT}
SCHEMA: Final = {
    "type": "object",
    "required": ["version", "source", "content"],
    "additionalProperties": False,
    "properties": {
        "version": {"const": "1.0"},
        "source": {"const": "custom"},
        "id": _TEXT,
        "content": {
            "type": "object",
            "required": ["description"],
            "additionalProperties": False,
            "properties": {
                "textType": {"const": "client-markdown"},
                "title": {**_TEXT, "maxLength": 250},
                "description": {**_TEXT, "maxLength": 8_000},
                "nextSteps": _TEXTS,
                "keywords": _TEXTS,
            },
        },
        "metadata": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "threadId": _TEXT,
                "summary": _TEXT,
                "eventType": _TEXT,
                "relatedResources": _TEXTS,
                "additionalContext": {"type": "object", "additionalProperties": {"type": "string"}},
                "enableCustomActions": {"type": "boolean"},
            },
        },
    },
}

_CODE = re.compile(r"```\n.*?\n```", re.DOTALL)
_MENTIONS = re.compile(r"<[!@#][^>]*>|(?<!\w)@\w+|<at>")
_LINKS = re.compile(r"<(?![!@#])[^>]*>|\[[^\]]*\]\([^)]*\)|https?://\S+|www\.\S+")


class AmazonQ:
    """The service: it reads the topic, and posts what is valid."""

    def __init__(self) -> None:
        self.notifications: list[dict[str, Any]] = []
        self._topics = Topics(lambda: 0.0, ACCOUNT, REGION, send=lambda _queue, _body: None)
        self._topics.subscribers[TOPIC] = [lambda _id, sent: self._read(sent["Message"])]

    @property
    def client(self) -> SNSClient:
        """Return a client of SNS."""
        client: Any = Client("sns", lambda _service, operation, params: self._topics.answer(operation, params))
        return client  # type: ignore[no-any-return]

    def shown(self) -> list[Shown]:
        """Return what people see: the title, the description and the keywords."""
        return [_shown(one["content"]) for one in self.notifications]

    def _read(self, text: str) -> None:
        notification = json.loads(text)
        Draft202012Validator(SCHEMA).validate(notification)
        self.notifications.append(notification)


def _shown(content: dict[str, Any]) -> Shown:
    text = "\n".join([content["title"], content["description"], *content.get("keywords", ())])
    prose = _CODE.sub("", text)
    code = "".join(_CODE.findall(text))
    # In Slack, what is between angle brackets acts in code, too.
    mentions = [*_MENTIONS.findall(prose), *re.findall(r"<[!@#][^>]*>", code)]
    return Shown(text=text, mentions=tuple(mentions), links=tuple(_LINKS.findall(prose)))
