"""Which of Apprise's services may be used, and in which form each of them gets a message.

Only services that send a message by HTTPS requests and to nothing but what the URL names. Not allowed are therefore:

- what works without TLS (`json://`, `ntfy://`): a message and its credentials could be read on the way;
- what acts in the function itself (`file://`, `syslog://`, `dbus://`, `exec://`, plugins of one's own);
- what is a channel of the bot already (`slack://`, `sns://`, `mailtos://`): its own channel does more;
- what Apprise can do and this project has no test for.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from permission_guard.errors import ConfigurationError
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping


class Form(Enum):
    """How a service gets a message."""

    CHAT = auto()  # the Markdown that chats have in common
    HTML = auto()  # the same as HTML
    TEXT = auto()  # plain text
    NTFY = auto()  # plain text, and less of it
    PAGERDUTY = auto()  # an incident for each finding
    OPSGENIE = auto()  # an alert for each finding


FORMS: Final[Mapping[str, Form]] = {
    "workflows": Form.CHAT,  # Microsoft Teams
    "discord": Form.CHAT,
    "gchat": Form.CHAT,  # Google Chat
    "tgram": Form.HTML,  # Telegram
    "ntfys": Form.NTFY,
    "jsons": Form.TEXT,  # any server that takes Apprise's JSON
    "pagerduty": Form.PAGERDUTY,
    "opsgenie": Form.OPSGENIE,
}
"""The form of each service, by the scheme of its URL."""

_SCHEME: Final = re.compile(r"([A-Za-z0-9]+)://\S+", re.ASCII)
_REFUSED: Final = frozenset({"template", "attach", "attach-as", "format", "mdv"})
"""Parameters that read a file or another address, or change the form for which a message is escaped."""


@record
class Target:
    """One URL. `name` is how errors call it: its scheme and its position. The rest is a secret."""

    url: str = field(repr=False)
    scheme: str
    position: int

    @property
    def name(self) -> str:
        """The scheme and the position, counted from one."""
        return f"{self.scheme} (URL {self.position})"

    @property
    def form(self) -> Form:
        """How the service gets a message."""
        return FORMS[self.scheme]


def targets(urls: tuple[str, ...], channel: str) -> list[Target]:
    """Return the targets of a channel. ConfigurationError for a URL that may not be used: it names the position."""
    return [_target(url, position, channel) for position, url in enumerate(urls, 1)]


def _target(url: str, position: int, channel: str) -> Target:
    match = _SCHEME.fullmatch(url)
    scheme = match.group(1).lower() if match else ""
    if scheme not in FORMS:  # what stands there may be a part of a secret
        allowed = ", ".join(f"{one}://" for one in FORMS)
        raise ConfigurationError(f"URL {position} of the channel {channel} is none of {allowed}")
    query = url.partition("?")[2]
    names = {name.strip().lower().lstrip("+-:").strip() for name, _ in parse_qsl(query, keep_blank_values=True)}
    if refused := sorted(names & _REFUSED):
        raise ConfigurationError(f"URL {position} of the channel {channel} has the parameter {refused[0]}: remove it")
    return Target(url, scheme, position)
