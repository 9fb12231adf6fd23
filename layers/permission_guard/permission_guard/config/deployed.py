"""A configuration document and the stack that it is deployed to: what is sent, and what the stack cannot do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from permission_guard.config.canonical import canonical
from permission_guard.config.document import GuardConfig, Tickets
from permission_guard.config.read import validate_config
from permission_guard.errors import ConfigurationDocumentError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from permission_guard.config.settings import ValidationSettings


def to_deploy(config: GuardConfig) -> str:
    """Return the JSON to deploy: what differs from the defaults.

    A later version may have other defaults, and a stack refuses what asks for something that it does not have.
    """
    given, defaults = canonical(config), canonical(GuardConfig())
    document = {"version": config.version, **{key: value for key, value in given.items() if value != defaults[key]}}
    return json.dumps(document, indent=2)


def validate_for(text: str, settings: ValidationSettings, *, now: datetime) -> GuardConfig:
    """Validate a document in JSON for a stack that is deployed with these settings.

    ConfigurationDocumentError has every problem. What asks for something that is not deployed is one: it would have no
    effect.
    """
    config = validate_config(text, now=now)
    if problems := list(_not_deployed(config, settings)):
        raise ConfigurationDocumentError(problems)
    return config


def _not_deployed(config: GuardConfig, settings: ValidationSettings) -> Iterator[Problem]:
    """Yield what asks for a ticket system, a channel or a secret that the stack does not have."""
    if not settings.own_ticket_systems and not settings.ticket_secrets and config.tickets != Tickets():
        message = "no ticket system is deployed. Set TicketSystem or ImportToSecurityHub, or remove this key."
        yield Problem("tickets", message)
    for name, system in config.tickets.systems.items():
        yield from _not_allowed(f"tickets.systems.{name}.secret", system.secret, settings.ticket_secrets, "Ticket")
    for name, channel in config.channels.items():
        yield from _not_allowed(f"channels.{name}.secret", channel.secret, settings.channel_secrets, "Channel")
        yield from _not_allowed(f"channels.{name}.topic", channel.topic, settings.channel_topics, "Channel", "Topic")
    for index, route in enumerate(config.routes):
        if "slack" in route.channels and not settings.has_slack:
            message = "the stack has no Slack channel of its own. Set SlackSecretArn, or remove slack."
            yield Problem(f"routes[{index}].channels", message)
        for name in route.tickets:
            if name not in config.tickets.systems and name not in settings.own_ticket_systems:
                yield Problem(f"routes[{index}].tickets", _not_own(name, settings))


def _not_own(name: str, settings: ValidationSettings) -> str:
    message = f"{name} is not deployed: TicketSystem is {settings.ticket_system}"
    if name == "securityhub":
        message += ", and ImportToSecurityHub is false"
    return f"{message}. Remove it, or deploy it."


def _not_allowed(
    path: str, arn: str | None, allowed: Sequence[str], whose: str, what: str = "Secret"
) -> Iterator[Problem]:
    """Yield the problem of an ARN that the stack's parameter does not have."""
    if arn is not None and arn not in allowed:
        parameter = f"{whose}{what}Arns"
        yield Problem(path, f"the stack's parameter {parameter} does not have this ARN. Add it there, and deploy.")
