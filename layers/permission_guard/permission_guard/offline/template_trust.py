"""The trust policy of a template's role: what it allows at least and at most if a value in it cannot be resolved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from permission_guard.iam import Policy, parse_policy, unread_policy
from permission_guard.offline.scenarios import listed_references
from permission_guard.offline.unresolved import fill, listed, text, unresolved_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.model.targets import JSON

_NAME: Final = "trust policy"
_PRINCIPALS: Final = ("Principal", "NotPrincipal")
_ACTIONS: Final = ("Action", "NotAction")
_STRANGERS: Final = {
    "AWS": "arn:aws:iam::000000000000:root",
    "Federated": "arn:aws:iam::000000000000:oidc-provider/unresolved",
}
_EXTERNAL_ID: Final = "sts:externalid"


def trust_policy(document: JSON, fills: Mapping[str, str], *, broadest: bool) -> Policy:
    """Return a trust policy that allows the most or the least that it can. It is unread if its statements are."""
    document = _parsed(document)
    names = list(unresolved_in(document))
    if not names:
        return parse_policy(document, name=_NAME)
    statements = document.get("Statement") if isinstance(document, dict) else None
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not all(isinstance(item, dict) for item in statements):
        return unread_policy(_NAME, f"it depends on {listed_references(names)}, which cannot be resolved from the file")
    bounded = [
        one for number, item in enumerate(statements, start=1) for one in _bounded(item, number, broadest=broadest)
    ]
    return parse_policy(fill({**document, "Statement": bounded}, fills), name=_NAME)


def unresolved_in_trust(document: JSON) -> list[str]:
    """Return the unresolved values that a trust policy depends on."""
    document = _parsed(document)
    statements = document.get("Statement") if isinstance(document, dict) else document
    listed = statements if isinstance(statements, list) else [statements]
    return list(unresolved_in([_deciding(item) for item in listed]))


def _parsed(document: JSON) -> JSON:
    """Return a document that is written as text in JSON."""
    if isinstance(document, str) and document.lstrip().startswith("{"):
        try:
            return json.loads(document)
        except ValueError:
            return document
    return document


def _bounded(statement: Mapping[str, Any], number: int, *, broadest: bool) -> Iterator[JSON]:
    """Yield a statement in the form that allows the most or the least; nothing if that applies to nobody."""
    if not unresolved_in(_deciding(statement)):
        yield statement
        return
    # The name of a statement without a Sid is a hash: both forms must have the same.
    named = statement if "Sid" in statement else {"Sid": f"Statement{number}", **statement}
    effect = named.get("Effect")
    if unresolved_in(effect):
        effect = "Allow" if broadest else "Deny"
    found = _matching_more(named) if (effect != "Deny") == broadest else _matching_less(named)
    if found:
        yield {**found, "Effect": effect}


def _deciding(statement: JSON) -> JSON:
    """Return a statement without what never decides: its Sid, and the value of an external ID."""
    if not isinstance(statement, dict):
        return statement
    condition = statement.get("Condition")
    found = {name: value for name, value in statement.items() if name != "Sid"}
    if isinstance(condition, dict):
        found["Condition"] = {
            operator: {
                key: value
                for key, value in keys.items()
                if not (str(operator).startswith("String") and str(key).lower() == _EXTERNAL_ID)
            }
            if isinstance(keys, dict)
            else keys
            for operator, keys in condition.items()
        }
    return found


def _matching_more(statement: Mapping[str, Any]) -> dict[str, JSON]:
    """Return a statement that applies to everybody whom its unresolved values can stand for, and for every action."""
    found: dict[str, JSON] = {}
    for name, value in statement.items():
        if name == "Condition" and isinstance(value, dict):
            kept = {operator: _resolved(keys) for operator, keys in value.items() if not unresolved_in(operator)}
            found[name] = {operator: keys for operator, keys in kept.items() if keys}
        elif name == "Sid" or not unresolved_in(value):
            found[name] = value
        elif name in _PRINCIPALS:
            found["Principal"] = _broadest_principal(value, statement)
        elif name in _ACTIONS:
            found["Action"] = "sts:*"
    return found


def _broadest_principal(value: JSON, statement: Mapping[str, Any]) -> JSON:
    """Return everybody; only a stranger if the unresolved principals of an Allow cannot be services."""
    if statement.get("Effect") != "Allow" or "NotPrincipal" in statement or not isinstance(value, dict):
        return "*"
    open_ended = {kind: [one for one in listed(values) if unresolved_in(one)] for kind, values in value.items()}
    is_user = all(text(one).startswith("arn:") for one in open_ended.get("AWS", []))
    if not is_user or any(values for kind, values in open_ended.items() if kind not in _STRANGERS):
        return "*"
    strangers = {kind: [_STRANGERS[kind]] for kind, values in open_ended.items() if values}
    return {kind: [*listed(_resolved(values)), *strangers.get(kind, [])] for kind, values in value.items()}


def _matching_less(statement: Mapping[str, Any]) -> dict[str, JSON]:
    """Return a statement without its unresolved principals and actions, nothing if it then applies to nobody."""
    found: dict[str, JSON] = {}
    for name, value in statement.items():
        if name == "Sid" or not unresolved_in(_deciding({name: value})):
            found[name] = value
        elif name in {"Principal", "Action"}:
            found[name] = _resolved(value)
            if not found[name]:
                return {}
        elif name != "Effect":
            return {}
    return found


def _resolved(value: JSON) -> JSON:
    """Return what of a value is resolved."""
    if isinstance(value, dict):
        kept = {key: _resolved(item) for key, item in value.items() if not unresolved_in(key)}
        return {key: item for key, item in kept.items() if item not in ([], None)}
    if isinstance(value, list):
        return [item for item in value if not unresolved_in(item)]
    return None if unresolved_in(value) else value
