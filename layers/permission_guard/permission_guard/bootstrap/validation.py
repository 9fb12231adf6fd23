"""The composition root of the function that validates configuration documents."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from permission_guard.config.deployed import validate_for
from permission_guard.config.settings import ValidationSettings
from permission_guard.errors import ConfigurationDocumentError, MalformedEventError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.model.targets import JSON


def validator(environment: Mapping[str, str]) -> Callable[[Mapping[str, JSON]], None]:
    """Return what validates the document of an event of AppConfig. ConfigurationError if a setting is missing."""
    return partial(_validate, ValidationSettings.from_environment(environment))


def _validate(settings: ValidationSettings, event: Mapping[str, JSON]) -> None:
    """Raise ConfigurationDocumentError with every problem of the document."""
    try:
        content = base64.b64decode(event["content"], validate=True)
    except (KeyError, TypeError, binascii.Error, ValueError) as error:
        raise MalformedEventError("the event has no content that could be validated") from error
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationDocumentError([Problem("", "the document is not UTF-8. Save it as UTF-8.")]) from error
    validate_for(text, settings, now=datetime.now(UTC))
