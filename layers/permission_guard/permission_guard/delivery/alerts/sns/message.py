"""A message as an SNS message: plain text for people, attributes for subscription filters.

Limits: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.delivery.formats.plain import text_within
from permission_guard.model import limits
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.message import Message

MAX_SUBJECT: Final = limits.TOPIC_SUBJECT_CHARACTERS
MAX_MESSAGE_BYTES: Final = 250_000
"""Below `limits.TOPIC_MESSAGE`, which includes the attributes."""

_DOTS: Final = "..."


@record
class Publication:
    """The content of an SNS message. A filter policy can name each value of an attribute."""

    subject: str
    message: str
    attributes: Mapping[str, tuple[str, ...]]


def publication(message: Message) -> Publication:
    """Return a message as an SNS message. The subject has the severity: the text below it has not."""
    return Publication(_subject(message.headline), text_within(message, MAX_MESSAGE_BYTES), message.attributes)


def _subject(headline: str) -> str:
    """Return ASCII text of less than 100 characters: SNS rejects other subjects, and mail clients garble them."""
    ascii_only = headline.replace("…", _DOTS).encode("ascii", errors="replace").decode("ascii")
    if len(ascii_only) <= MAX_SUBJECT:
        return ascii_only
    return ascii_only[: MAX_SUBJECT - len(_DOTS)].rstrip() + _DOTS
