"""A message as an SNS message: plain text for people, a JSON document for programs, attributes for filter policies.

SNS chooses by the protocol of a subscription (`MessageStructure`): e-mail has the text, SMS the headline, everything
else (SQS, Lambda, HTTPS, Firehose) the document, which is there once and not once a protocol.
Limits: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.alerts.sns.document import all_attributes, document, document_within
from permission_guard.delivery.formats.plain import text, text_within
from permission_guard.model import limits
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.message import Message

MAX_SUBJECT: Final = limits.TOPIC_SUBJECT_CHARACTERS
MAX_MESSAGE_BYTES: Final = 250_000
"""Below `limits.TOPIC_MESSAGE`, which includes the attributes."""

_DOTS: Final = "..."
_KEYS_BYTES: Final = 100
"""The names of the protocols, and the braces around them."""


@record
class Publication:
    """The content of an SNS message. A filter policy can name each value of an attribute."""

    subject: str
    text: str
    document: str
    attributes: Mapping[str, tuple[str, ...]]

    @property
    def message(self) -> str:
        """The text of each protocol, as JSON; `default` is for every protocol that is not named."""
        structure = {"default": self.document, "email": self.text, "sms": self.subject}
        return json.dumps(structure, ensure_ascii=False)


def publication(message: Message) -> Publication:
    """Return a message as an SNS message. The subject has the severity: the text below it has not."""
    subject = _subject(message.headline)
    room = MAX_MESSAGE_BYTES - _size(subject) - _KEYS_BYTES
    shown, machine = text(message), document(message)
    if _size(shown) + _size(machine) > room:
        shown = _text(message, max(room // 2, room - _size(machine)))
        machine = document_within(message, room - _size(shown), _size)
    return Publication(subject, shown, machine, all_attributes(message))


def _text(message: Message, room: int) -> str:
    """Return the message as text that takes at most `room` bytes as a JSON string."""
    limit = room
    while (needed := _size(shown := text_within(message, limit))) > room:
        limit -= needed - room
    return shown


def _size(text: str) -> int:
    """Return the bytes of a text as a JSON string."""
    return len(json.dumps(text, ensure_ascii=False).encode())


def _subject(headline: str) -> str:
    """Return ASCII text of less than 100 characters: SNS rejects other subjects, and mail clients garble them."""
    ascii_only = headline.replace("…", _DOTS).encode("ascii", errors="replace").decode("ascii")
    if len(ascii_only) <= MAX_SUBJECT:
        return ascii_only
    return ascii_only[: MAX_SUBJECT - len(_DOTS)].rstrip() + _DOTS
