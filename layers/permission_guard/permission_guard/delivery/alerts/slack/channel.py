"""The Slack channel: one message a transition, through an incoming webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.errors import DeliveryError

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding


_URL_IS_STALE = frozenset({401, 403, 404, 410})


class WebhookUrl(Protocol):
    """Where the webhook's URL comes from. It is a secret: whoever has it can post."""

    def get(self) -> str:
        """Return the URL; ConfigurationError when there is none that may be used."""

    def forget(self) -> None:
        """Read the URL anew the next time: the one that was handed out no longer works."""


class SlackChannel:
    """Posts findings to one Slack channel, through its incoming webhook."""

    name = "slack"

    def __init__(self, webhook_url: WebhookUrl) -> None:
        self._webhook_url = webhook_url

    def send(self, finding: Finding, reference: str | None) -> None:  # noqa: ARG002 - a webhook leaves no reference
        """Post the finding; DeliveryError when Slack did not take it."""
        # slack_sdk is imported only when something is to be said: it takes longer than all the rest of the cold start.
        from permission_guard.delivery.alerts.slack.webhook import post  # noqa: PLC0415

        answer = post(self._webhook_url.get(), payload(finding))
        if answer.accepted:
            return
        if answer.status in _URL_IS_STALE:
            self._webhook_url.forget()
        raise DeliveryError(f"Slack did not take the message: {answer}")
