"""Write a configuration as a document in JSON: what is pushed and shown, with every default."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from permission_guard.config.destinations import Route
from permission_guard.config.document import ExceptionEntry, Exclusion, ManagedElsewhere

if TYPE_CHECKING:
    from permission_guard.config.document import GuardConfig


def canonical(config: GuardConfig | ExceptionEntry | Exclusion | ManagedElsewhere | Route) -> dict[str, Any]:
    """Return the document of a configuration or of a part. Reading it gives the same configuration."""
    document: dict[str, Any] = _document(config)
    return document


def _document(value: Any) -> Any:
    if is_dataclass(value):
        found = {item.name: getattr(value, item.name) for item in fields(value)}
        if isinstance(value, ExceptionEntry | Exclusion | ManagedElsewhere | Route):  # empty keys are refused there
            found = {name: item for name, item in found.items() if item}
        return {name: _document(item) for name, item in found.items() if item is not None}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return [_document(item) for item in value]
    if isinstance(value, dict):
        return {key: _document(item) for key, item in value.items()}
    return value if isinstance(value, bool | int) else str(value)
