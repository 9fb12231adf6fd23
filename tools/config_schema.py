"""The JSON Schema of `guard.yaml`, from the forms that read it. Editors show its descriptions."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any, Final

from permission_guard.config.canonical import canonical
from permission_guard.config.destination_keys import NEEDED
from permission_guard.config.destinations import Channel, NamedTicketSystem, Route
from permission_guard.config.document import ExceptionEntry, Exclusion, ManagedElsewhere, RuleConfig
from permission_guard.config.fix_keys import MANAGED_NARROWING
from permission_guard.config.forms import Choice, Flag, Integer, ListOf, MapOf, ObjectOf, Text
from permission_guard.config.keys import EXCLUSION_NARROWING, GUARD, NARROWING
from permission_guard.config.rule_names import ROLE_RULES, RULE_NAMES
from permission_guard.config.special_forms import MOMENT_PATTERN, Expiry, FunctionRuleReference, RuleReference

_TOGETHER: Final[dict[Any, dict[str, Any]]] = {
    ExceptionEntry: {
        "not": {"required": ["subject", "sid"]},
        "anyOf": [{"required": [name]} for name in NARROWING],
    },
    Exclusion: {"anyOf": [{"required": [name]} for name in EXCLUSION_NARROWING]},
    ManagedElsewhere: {"anyOf": [{"required": [name]} for name in MANAGED_NARROWING]},
    Route: {"anyOf": [{"required": ["channels"]}, {"required": ["tickets"]}]},
    Channel: {
        "oneOf": [
            {
                "properties": {
                    "type": {"const": str(kind)},
                    **{name: False for name in ("secret", "topic", "channel") if name not in needed},
                },
                "required": list(needed),
            }
            for kind, needed in NEEDED.items()
        ]
    },
}
"""What the keys of an object require together, as far as a schema can say it."""

_DEFINED: Final = (RuleConfig, ExceptionEntry, Exclusion, ManagedElsewhere, Channel, NamedTicketSystem, Route)
"""The objects that stand many times in a document."""


def schema() -> str:
    """Return the JSON Schema of the configuration document."""
    definitions: dict[str, Any] = {}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "permission-guard/guard.v1.json",
        "title": "Configuration of Permission Guard, version 1",
        **_schema(GUARD, definitions),
        "$defs": definitions,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _schema(form: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any]
    match form:
        case Flag():
            found = {"type": "boolean"}
        case Integer(least=least, most=most):
            found = {"const": least} if least == most else {"type": "integer", "minimum": least, "maximum": most}
        case Text():
            found = _text(form)
        case Choice(choices=choices):
            found = {"enum": [str(choice) for choice in choices]}
        case FunctionRuleReference():
            found = {"enum": [text for entry in RULE_NAMES.items() if entry[0] not in ROLE_RULES for text in entry]}
        case RuleReference():
            found = {"enum": [*RULE_NAMES, *RULE_NAMES.values()]}
        case Expiry():
            found = {"type": "string", "pattern": f"^{MOMENT_PATTERN}$"}
        case ListOf(item=item, least=least, most=most):
            bounds = {"minItems": least} if least else {}
            found = {"type": "array", "items": _schema(item, definitions), **bounds, "maxItems": most}
        case _:
            found = _mapping(form, definitions)
    return found


def _mapping(form: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    match form:
        case MapOf(key=RuleReference(), value=value):
            return _of_rules(_schema(value, definitions))
        case MapOf(key=key, value=value, most=most, least=least):
            names = {name: item for name, item in _schema(key, definitions).items() if name != "type"}
            values = _schema(value, definitions)
            bounds = {**({"minProperties": least} if least else {}), "maxProperties": most}
            return {"type": "object", "propertyNames": names, "additionalProperties": values, **bounds}
        case ObjectOf(record=record) if record in _DEFINED:
            if record.__name__ not in definitions:
                definitions[record.__name__] = _object(form, definitions)
            return {"$ref": f"#/$defs/{record.__name__}"}
        case ObjectOf():
            return _object(form, definitions)
    raise TypeError(f"no schema for {form}")


def _text(form: Text) -> dict[str, Any]:
    pattern = r"\S" if form.pattern == ".*" else f"^({form.pattern})$"
    types = ["string", "number"] if form.takes_numbers else "string"
    return {"type": types, "minLength": 1, "maxLength": form.longest, "pattern": pattern}


def _of_rules(value: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a mapping with rules as keys: editors complete each id and each name."""
    ids = {rule_id: {**value, "description": name} for rule_id, name in RULE_NAMES.items()}
    names = {name: {**value, "description": rule_id} for rule_id, name in RULE_NAMES.items()}
    return {"type": "object", "properties": {**ids, **names}, "additionalProperties": False}


def _object(form: ObjectOf[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    defaults = _defaults(form.record)
    properties = {}
    for key in form.keys:
        properties[key.name] = {"description": key.description, **_schema(key.form, definitions)}
        if key.name in defaults:
            properties[key.name]["default"] = defaults[key.name]
    required = [key.name for key in form.keys if key.is_required]
    together = {**({"required": required} if required else {}), **_TOGETHER.get(form.record, {})}
    return {"type": "object", "additionalProperties": False, "properties": properties, **together}


def _defaults(record: Any) -> dict[str, Any]:
    """Return the default of each key that has one, as the document writes it."""
    given = {item.name: "" for item in fields(record) if item.default is MISSING and item.default_factory is MISSING}
    return {name: value for name, value in canonical(record(**given)).items() if name not in given}
