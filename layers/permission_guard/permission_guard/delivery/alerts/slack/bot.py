"""The Slack channel of a bot: later messages about a finding are in the thread of the first one.

The first message shows the finding as it is now: it is updated, and a reply in its thread says what happened. The
update comes first, because it can be repeated without harm. After a crash between the two, the retry makes both; after
a crash behind them, the reply is there twice. The update also shows whether the first message still exists. If it does
not, or if Slack does not let the bot edit it, a new one is posted, and the thread continues there.

A message about several findings is the first message of each of them. A later message about the same findings updates
it. One about some of them does not: the others would no longer be in it. Then the channel sees the reply, too, as it
does if a finding is reopened: Slack notifies nobody of an edited message.

Slack has no key that makes a post unique: `client_msg_id` is for its own clients
(https://github.com/slackapi/java-slack-sdk/issues/852). A post whose response is lost is there twice after the retry.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, Protocol

from permission_guard.delivery.alerts.slack.mentions import is_start, mention
from permission_guard.delivery.alerts.slack.message import content
from permission_guard.errors import ConfigurationError, DeliveryError
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.alerts.slack.web_api import Answer, WebApi
    from permission_guard.delivery.message import Message

API: Final = "https://slack.com/api/"
"""The address of Slack's Web API. GovSlack has another one."""

_CONVERSATION: Final = re.compile(r"[CGD][A-Z0-9]{1,30}", re.ASCII)
_TIMESTAMP: Final = re.compile(r"\d{10,12}\.\d{6}", re.ASCII)
_FINDINGS: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)

_LOST: Final = frozenset(
    {
        "cannot_reply_to_message",
        "cant_update_message",  # another app posted it
        "edit_window_closed",
        "message_not_found",
        "thread_not_found",
    }
)
"""Slack's words for a first message that was deleted, or that the bot cannot use."""

_TOKEN_IS_STALE: Final = frozenset({"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"})
_STATUS_IS_STALE: Final = frozenset({401, 403})

_REINSTALL: Final = "Install the Slack app again, and store its bot token in the secret"
_DEFECT: Final = "This is a defect of Permission Guard: report it with the finding's rule"
_FIXES: Final[Mapping[str, str]] = {
    **dict.fromkeys(_TOKEN_IS_STALE, _REINSTALL),
    **dict.fromkeys(("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"), _DEFECT),
    **dict.fromkeys(("is_archived", "is_inactive"), "Unarchive the channel, or configure another one"),
    **dict.fromkeys(
        ("restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel"),
        "Let the app post to the channel in the channel's settings, or configure another channel",
    ),
    "channel_not_found": "Check the channel's id. The app must be a member of a private channel: /invite @<app>",
    "missing_scope": "Add the scope chat:write to the Slack app, and install it again",
    "no_permission": "Invite the app to the channel: /invite @<app>",
    "not_in_channel": "Invite the app to the channel: /invite @<app>",
    "not_allowed_token_type": "Store the bot token of the Slack app in the secret: it begins with xoxb-",
}
"""What to do about an error."""


class BotToken(Protocol):
    """The source of the bot's token, which is a secret: anyone who has it can post as the bot."""

    def get(self) -> str:
        """Return the token; ConfigurationError when there is no valid one."""

    def forget(self) -> None:
        """Drop the cached token, which no longer works; the next `get` reads it again."""


@record
class FirstMessage:
    """The first message about findings: its timestamp, which is its id in the conversation, and a hash of their ids."""

    conversation: str
    timestamp: str
    findings: str

    @classmethod
    def parse(cls, reference: str | None, conversation: str) -> FirstMessage | None:
        """Return the message that a reference names; None if it is not one, or is in another conversation."""
        parts = (reference or "").split("/")
        if len(parts) != 3 or parts[0] != conversation:  # noqa: PLR2004 - the fields of the record
            return None
        is_valid = _TIMESTAMP.fullmatch(parts[1]) and _FINDINGS.fullmatch(parts[2])
        return cls(*parts) if is_valid else None

    def __str__(self) -> str:
        return f"{self.conversation}/{self.timestamp}/{self.findings}"


class SlackBot:
    """Posts messages to one Slack channel as a bot, with a thread for each finding.

    `conversation` is the id of the channel, such as C0123ABCD. `owners` has the id of a Slack user or user group for
    each owner. ConfigurationError if the conversation is not such an id.
    """

    has_threads = True

    def __init__(
        self,
        credentials: BotToken,
        conversation: str,
        *,
        name: str,
        owners: Mapping[str, str],
        base_url: str = API,
    ) -> None:
        if not _CONVERSATION.fullmatch(conversation):
            raise ConfigurationError(f"the channel {name} needs the id of a Slack channel, such as C0123ABCD")
        self.name = name
        self._credentials = credentials
        self._conversation = conversation
        self._owners = owners
        self._base_url = base_url

    def send(self, message: Message, reference: str | None) -> str | None:
        """Post a message and return the reference of the first one; DeliveryError when Slack did not accept it."""
        # slack_sdk is imported only when a message is sent: it takes longer than the rest of the cold start.
        from permission_guard.delivery.alerts.slack.web_api import WebApi  # noqa: PLC0415

        api = WebApi(self._credentials.get(), self._base_url)
        first = FirstMessage.parse(reference, self._conversation)
        if first is not None and self._follow_up(api, message, first):
            return reference
        return self._open(api, message)

    def _follow_up(self, api: WebApi, message: Message, first: FirstMessage) -> bool:
        """Update the first message and reply to it. Return whether it can be used."""
        is_whole = first.findings == _hash(message.findings)
        if is_whole:
            answer = api.call(
                "chat.update", channel=self._conversation, ts=first.timestamp, parse="none", **content(message)
            )
            if answer.error in _LOST:
                return False
            self._require(answer)
        answer = self._post(api, message, thread_ts=first.timestamp, reply_broadcast=is_start(message) or not is_whole)
        if answer.error in _LOST:
            return False
        self._require(answer)
        return True

    def _open(self, api: WebApi, message: Message) -> str | None:
        answer = self._post(api, message)
        self._require(answer)
        timestamp = answer.content.get("ts")
        if not isinstance(timestamp, str) or not _TIMESTAMP.fullmatch(timestamp):
            return None  # it was posted: the next one has a thread of its own
        return str(FirstMessage(self._conversation, timestamp, _hash(message.findings)))

    def _post(self, api: WebApi, message: Message, **thread: str | bool) -> Answer:
        shown = content(message, mention(message, self._owners))
        return api.call(
            "chat.postMessage",
            channel=self._conversation,
            parse="none",
            unfurl_links=False,
            unfurl_media=False,
            **thread,
            **shown,
        )

    def _require(self, answer: Answer) -> None:
        """Raise DeliveryError, with what to do about it, unless Slack did what was asked."""
        if answer.accepted:
            return
        if answer.error in _TOKEN_IS_STALE or answer.status in _STATUS_IS_STALE:
            self._credentials.forget()
        fix = f". {fix} (channel {self._conversation})" if (fix := _FIXES.get(answer.error)) else ""
        raise DeliveryError(f"Slack did not accept the message: {answer}{fix}")


def _hash(findings: tuple[str, ...]) -> str:
    """Return a text that is the same for the same findings."""
    return hashlib.sha256("\n".join(sorted(findings)).encode()).hexdigest()[:16]
