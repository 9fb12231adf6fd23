"""What a configuration document asks for, compared with what is deployed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from permission_guard.config.read import validate_config
from permission_guard.errors import ConfigurationDocumentError, Problem

if TYPE_CHECKING:
    from datetime import datetime

    from permission_guard.config.document import GuardConfig
    from permission_guard.config.settings import ValidationSettings


def validate_for(text: str, settings: ValidationSettings, *, now: datetime) -> GuardConfig:
    """Validate a document in JSON for a stack that is deployed with these settings.

    ConfigurationDocumentError has every problem. What asks for something that is not deployed is one: it would have no
    effect.
    """
    config = validate_config(text, now=now)
    document = json.loads(text) if text.strip() else None
    if settings.ticket_system == "none" and isinstance(document, dict) and "tickets" in document:
        message = "no ticket system is deployed. Deploy one with the parameter TicketSystem, or remove this key."
        raise ConfigurationDocumentError([Problem("tickets", message)])
    return config
