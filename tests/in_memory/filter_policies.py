"""Filter policies of SNS subscriptions on attributes: exact values, and whether an attribute exists.

https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def accepts(policy: Mapping[str, Any], attributes: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether a subscription gets a message: every name of its policy has a value that matches.

    A policy matches no message without attributes.
    https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html
    """
    if not policy:
        return True
    return bool(attributes) and all(_matches(rules, attributes.get(name)) for name, rules in policy.items())


def _matches(rules: Any, attribute: Mapping[str, str] | None) -> bool:
    values = [] if attribute is None else _values(attribute)
    return any(_allows(rule, values) for rule in rules)


def _allows(rule: Any, values: list[Any]) -> bool:
    if isinstance(rule, str):
        return rule in values
    ((operator, operand),) = rule.items()
    if operator != "exists":
        raise NotImplementedError(operator)
    return bool(values) is operand


def _values(attribute: Mapping[str, str]) -> list[Any]:
    value = attribute["StringValue"]
    return json.loads(value) if attribute["DataType"] == "String.Array" else [value]
