"""Where alerts and tickets go, as values: the named channels and ticket systems, and the routes to them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.verdicts import Severity

STACK_CHANNELS: Final = ("sns", "slack")
"""The names of the stack's own channels: its SNS topic, and Slack by the secret of the parameter `SlackSecretArn`."""

STACK_TICKET_SYSTEMS: Final = ("opsitem", "github", "jira", "securityhub", "servicenow")
"""The names that the stack's own ticket systems can have: the values of the parameter `TicketSystem` but `none`.

With the parameter `ImportToSecurityHub`, `securityhub` is one of them besides the other.
"""


class ChannelType(StrEnum):
    """What an alert channel is."""

    SLACK = "slack"
    SLACK_WEBHOOK = "slack-webhook"
    APPRISE = "apprise"
    AMAZON_Q = "amazon-q"
    SNS = "sns"


class TicketType(StrEnum):
    """What a named ticket system is. Those of AWS need no name: an account has each of them once."""

    JIRA = "jira"
    GITHUB = "github"
    SERVICENOW = "servicenow"


@record(kw_only=True)
class Channel:
    """A named alert channel.

    `secret` is the ARN of a secret with its credentials and address, `topic` that of an SNS topic, and `channel` the ID
    of a Slack channel: each type has its own of them.
    """

    type: ChannelType
    secret: str | None = None
    topic: str | None = None
    channel: str | None = None


@record(kw_only=True)
class NamedTicketSystem:
    """A named ticket system. `secret` is the ARN of a secret with its URL and credentials."""

    type: TicketType
    secret: str


@record(kw_only=True)
class Route:
    """Findings that also go to named destinations. A finding must match every key that is given.

    `functions` and the values of `tags` are globs, as those of an exception. With `only`, the default destinations of
    each kind that the route names, channels or ticket systems, are left out.
    """

    id: str
    severities: tuple[Severity, ...] = ()
    rules: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    tickets: tuple[str, ...] = ()
    only: bool = False
