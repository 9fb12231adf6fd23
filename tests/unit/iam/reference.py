"""A second, simple and slow policy engine, to which tests compare the real one.

It supports requests without unknown keys, and well-formed documents. It raises `Undocumented` for behavior that AWS
does not document. It shares no code with the engine: it uses regular expressions and recursion, and compiles nothing.
"""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any

JSON = Any


class Undocumented(Exception):  # noqa: N818 - not an error: AWS has no documentation for it
    """AWS does not document this behavior."""


def decide(layers: dict[str, list[JSON] | None], levels: list[list[JSON]], request: JSON) -> str:
    """Return `allowed`, `implicitDeny` or `explicitDeny`.

    The layers are the statements of `identity`, `boundary`, `session` and `resource`, None if there is no such policy.
    The levels are those of the service control policies.
    """
    every = [*(layer or [] for layer in layers.values()), *levels]
    if any(item["Effect"] == "Deny" and applies(item, request) for layer in every for item in layer):
        return "explicitDeny"

    def allows(layer: list[JSON] | None) -> bool:
        return layer is None or any(item["Effect"] == "Allow" and applies(item, request) for item in layer)

    limited = allows(layers["boundary"]) and allows(layers["session"])
    granted = allows(layers["identity"]) and limited
    named = [item for item in layers["resource"] or [] if item["Effect"] == "Allow" and applies(item, request)]
    how = {how_named(item, request) for item in named}
    owner = request["resource"].split(":")[4] if ":" in request["resource"] else ""
    if owner not in {"", request["role"].split(":")[4]}:
        allowed = granted and bool(how)
    else:
        allowed = granted or "direct" in how or ("role" in how and limited)
    return "allowed" if allowed and all(allows(level) for level in levels) else "implicitDeny"


def how_named(statement: JSON, request: JSON) -> str:
    """Return how a statement of a resource policy names the caller: `direct`, `role`, `account`, or empty for not."""
    principal = statement["Principal"]
    values = ["*"] if principal == "*" else listed(principal["AWS"])
    account = request["role"].split(":")[4]
    if "*" in values:
        return "direct"
    if request["role"] in values:
        return "role"
    return "account" if account in values or f"arn:aws:iam::{account}:root" in values else ""


def applies(statement: JSON, request: JSON) -> bool:
    """Return whether a statement applies to a request."""
    if "Principal" in statement and not how_named(statement, request):
        return False
    action = [action_matches(text, request["action"]) for text in listed(statement.get("Action", []))]
    not_action = [action_matches(text, request["action"]) for text in listed(statement.get("NotAction", []))]
    if not (any(action) if "Action" in statement else not any(not_action)):
        return False
    texts = listed(statement.get("Resource", statement.get("NotResource")))
    matched = any(resource_matches(text, request) for text in texts)
    if matched != ("Resource" in statement):
        return False
    return all(
        condition_holds(operator, key, listed(values), request["context"])
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def listed(value: JSON) -> list[Any]:
    """Return a list, which has one item for a scalar."""
    return value if isinstance(value, list) else [value]


def action_matches(text: str, action: str) -> bool:
    """Compare an action with a pattern."""
    if text in {"*", "*:*"}:
        return True
    service, _, name = text.partition(":")
    action_service, _, action_name = action.partition(":")
    same_service = service.lower() == action_service.lower()
    return same_service and bool(re.fullmatch(wild(name.lower()), action_name.lower()))


def wild(text: str) -> str:
    """Return the regular expression of a pattern."""
    return "".join("[\\s\\S]*" if char == "*" else "[\\s\\S]" if char == "?" else re.escape(char) for char in text)


def insert(text: str, context: JSON, *, wildcards: bool) -> str | None:
    """Return a regular expression for a text with variables, or None if a variable has no value."""
    if not context.get("has variables", True):
        return wild(text) if wildcards else re.escape(text)
    expression = ""
    for literal, inside in re.findall(r"((?:(?!\$\{[^}]*\}).)+)|\$\{([^}]*)\}", text, re.DOTALL):
        if literal:
            expression += wild(literal) if wildcards else re.escape(literal)
        elif inside in {"*", "?", "$"}:
            expression += re.escape(inside)
        else:
            key, *default = [part.strip() for part in inside.split(",", 1)]
            value = find(context, key)
            if isinstance(value, list) or (value is None and not default):
                return None
            expression += re.escape(value if value is not None else default[0].strip("'"))
    return expression


def resource_matches(text: str, request: JSON) -> bool:
    """Compare a resource with a pattern. Both interpretations of a `*` before the resource part must agree."""
    if text == "*":
        return True
    if request["resource"] == "*":
        return False
    whole = insert(text, request["context"], wildcards=True)
    if whole is None:
        return False
    parts = text.split(":", 5)
    values = request["resource"].split(":", len(parts) - 1)
    if len(parts) < 6 and not text.endswith("*"):
        raise Undocumented
    segments = [insert(part, request["context"], wildcards=True) for part in parts]
    by_part = len(values) == len(parts) and all(
        part is not None and bool(re.fullmatch(part, value)) for part, value in zip(segments, values, strict=True)
    )
    if by_part != bool(re.fullmatch(whole, request["resource"])):
        raise Undocumented
    return by_part


def find(context: JSON, key: str) -> JSON:
    """Return the value of a key, which is not case-sensitive."""
    return next((value for name, value in context.items() if name.lower() == key.lower()), None)


def condition_holds(operator: str, key: str, values: list[str], context: JSON) -> bool:
    """Return whether one operator is true for one key."""
    found = find(context, key)
    if operator == "Null":
        return ("true" if found is None else "false") in {str(value).lower() for value in values}
    qualifier, _, base = operator.rpartition(":")
    if_exists = base.endswith("IfExists")
    base = base.removesuffix("IfExists")
    negated = "Not" in base
    if found is None:
        if qualifier == "ForAnyValue" and if_exists:
            raise Undocumented
        return qualifier == "ForAllValues" or (not qualifier and (if_exists or negated))
    if not qualifier and isinstance(found, list):
        return False
    answers = [one_holds(base.replace("Not", ""), value, values, context, negated=negated) for value in listed(found)]
    if found == "" and qualifier == "ForAllValues":
        raise Undocumented
    return all(answers) if qualifier == "ForAllValues" else any(answers)


def one_holds(base: str, value: str, values: list[str], context: JSON, *, negated: bool) -> bool:
    """Return whether one value satisfies an operator."""
    if base.startswith("Arn"):
        if value.count(":") < 5:
            return False
        if "*" in values:
            raise Undocumented
        is_short = any(len(arn_parts(text, context)) < 6 for text in values)
        if negated and is_short and not any(compare(base, value, text, context) for text in values):
            raise Undocumented
    if base == "IpAddress" and not re.fullmatch(r"[0-9a-fA-F.:]+", value):
        return False
    return any(compare(base, value, text, context) for text in values) != negated


def arn_parts(text: str, context: JSON) -> list[str]:
    """Split an ARN of a policy. The colons in its variables separate no parts."""
    if context.get("has variables", True):
        text = re.sub(r"\$\{[^}]*\}", lambda found: found.group().replace(":", "\0"), text)
    return [part.replace("\0", ":") for part in text.split(":", 5)]


def compare(base: str, value: str, text: str, context: JSON) -> bool:
    """Compare one value with one value of the policy."""
    if base in {"StringEquals", "StringEqualsIgnoreCase", "StringLike"}:
        expression = insert(text, context, wildcards=base == "StringLike")
        flags = re.IGNORECASE if base.endswith("IgnoreCase") else re.NOFLAG
        return expression is not None and bool(re.fullmatch(expression, value, flags))
    if base.startswith("Arn"):
        parts, values = arn_parts(text, context), value.split(":", 5)
        expressions = [insert(part, context, wildcards=True) for part in parts]
        return len(parts) == 6 and all(
            part is not None and bool(re.fullmatch(part, item)) for part, item in zip(expressions, values, strict=True)
        )
    if base == "Bool":
        return (value.lower() == "true") == (text.lower() == "true")
    if base == "IpAddress":
        return ip_address(value) in ip_network(text, strict=False)
    read = float if base.startswith("Numeric") else lambda item: datetime.fromisoformat(item).timestamp()
    try:
        left, right = read(value), read(text)
    except ValueError:
        return False
    return {
        "Equals": left == right,
        "LessThan": left < right,
        "LessThanEquals": left <= right,
        "GreaterThan": left > right,
        "GreaterThanEquals": left >= right,
    }[base.removeprefix("Numeric").removeprefix("Date")]
