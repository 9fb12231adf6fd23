"""A configuration document and the stack that it is deployed to: what is sent, and what the stack cannot do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from permission_guard.config.canonical import canonical
from permission_guard.config.document import GuardConfig, Tickets
from permission_guard.config.read import validate_config
from permission_guard.errors import ConfigurationDocumentError, Problem

if TYPE_CHECKING:
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
    if settings.ticket_system == "none" and config.tickets != Tickets():
        message = "no ticket system is deployed. Deploy one with the parameter TicketSystem, or remove this key."
        raise ConfigurationDocumentError([Problem("tickets", message)])
    return config
