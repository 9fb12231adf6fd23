"""The Slack channel: posts messages to an incoming webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.delivery.alerts.slack.mentions import mention
from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.message import Message


_URL_IS_STALE = frozenset({401, 403, 404, 410})


class WebhookUrl(Protocol):
    """The source of the webhook's URL, which is a secret: anyone who has it can post."""

    def get(self) -> str:
        """Return the URL; ConfigurationError when there is no valid one."""

    def forget(self) -> None:
        """Drop the cached URL, which no longer works; the next `get` reads it again."""


class SlackChannel:
    """Posts messages to one Slack channel, through its incoming webhook.

    `owners` has the id of a Slack user or user group for each owner.
    """

    def __init__(
        self, webhook_url: WebhookUrl, *, name: str = "slack", owners: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._webhook_url = webhook_url
        self._owners = owners or {}

    def send(self, message: Message, reference: str | None) -> None:  # noqa: ARG002 - a webhook leaves no reference
        """Post a message; DeliveryError when Slack did not accept it."""
        # slack_sdk is imported only when a message is sent: it takes longer than the rest of the cold start.
        from permission_guard.delivery.alerts.slack.webhook import post  # noqa: PLC0415

        result = post(self._webhook_url.get(), payload(message, mention(message, self._owners)))
        if result.accepted:
            return
        if result.status in _URL_IS_STALE:
            self._webhook_url.forget()
        raise DeliveryError(f"Slack did not accept the message: {result}")
