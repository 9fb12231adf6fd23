"""A policy with fewer statements that allows exactly the same: merged, without copies and what others cover."""

from __future__ import annotations

import json

from permission_guard.iam.conditions import Condition
from permission_guard.iam.documents import parse_policy
from permission_guard.iam.inclusion import Inclusion
from permission_guard.iam.statement_parts import one_suffices
from permission_guard.iam.statements import ALLOW
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Final

    from permission_guard.iam.statements import Statement

    JSON = Any

_LISTS: Final = ("Action", "Resource")


def compacted(document: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a policy document in which statements that differ in one element only are one statement.

    It has no copies, and no statement that the others cover. A merged statement keeps the Sid and the place of its
    first one. Statements that deny and those that AWS would reject stay as they are. A document that cannot be read is
    returned as it is.
    """
    policy = parse_policy(dict(document))
    if policy.unreadable:
        return dict(document)
    kept = _without_covered(policy.statements)
    items = [_Item(dict(each.raw), _elements(each.raw) if _is_open(each) else None) for each in kept]
    count = 0
    while len(items) != count:
        count = len(items)
        for name in _names(items):
            items = _merged(items, name)
    if len(items) == len(policy.statements):
        return dict(document)
    return {**document, "Statement": [item.raw for item in items]}


def _is_open(statement: Statement) -> bool:
    """Return whether a statement may be merged or left out."""
    return statement.effect == ALLOW and not statement.problems


def _without_covered(statements: Sequence[Statement]) -> list[Statement]:
    """Return the statements without those that allow nothing which the others do not allow, the last ones first."""
    kept = list(statements)
    allowing = Inclusion(each for each in statements if each.effect == ALLOW)
    for statement in reversed(statements):
        if _is_open(statement) and allowing.is_redundant(statement):
            allowing.leave_out(statement)
            kept.remove(statement)
    return kept


@record
class _Item:
    """A statement, and its elements of which one value suffices; None if it must stay as it is.

    An element is a path in the statement, with its values.
    """

    raw: dict[str, JSON]
    elements: Mapping[tuple[str, ...], frozenset[str]] | None

    def without(self, name: tuple[str, ...]) -> tuple[str, frozenset[object]]:
        """Return what the statement says besides one element, equal for statements that differ only in it."""
        elements = self.elements or {}
        return _rest(self.raw, elements), frozenset((key, values) for key, values in elements.items() if key != name)


def _names(items: Sequence[_Item]) -> list[tuple[str, ...]]:
    """Return the elements that statements have, conditions first: lists of sources are the usual ones."""
    names = {name for item in items for name in item.elements or ()}
    return sorted(names, key=lambda name: (name[0] != "Condition", name))


def _merged(items: Sequence[_Item], name: tuple[str, ...]) -> list[_Item]:
    groups: dict[object, list[_Item]] = {}
    for number, item in enumerate(items):
        mergeable = item.elements is not None and name in item.elements
        groups.setdefault(item.without(name) if mergeable else number, []).append(item)
    return [_union(group, name) if len(group) > 1 else group[0] for group in groups.values()]


def _union(group: Sequence[_Item], name: tuple[str, ...]) -> _Item:
    first = json.loads(json.dumps(group[0].raw))
    values = list(dict.fromkeys(value for item in group for value in _values_at(item.raw, name)))
    _write(first, name, values)
    sid = next((item.raw["Sid"] for item in group if item.raw.get("Sid")), None)
    if sid is not None:
        first["Sid"] = sid
    return _Item(first, _elements(first))


def _elements(raw: Mapping[str, JSON]) -> dict[tuple[str, ...], frozenset[str]] | None:
    """Return the elements of a statement of which one value suffices; None if one is there twice."""
    found: dict[tuple[str, ...], frozenset[str]] = {}
    for name in _LISTS:
        if name in raw:
            found[name,] = frozenset(_listed(raw[name]))
    principal = raw.get("Principal")
    for kind, values in principal.items() if isinstance(principal, dict) and len(principal) == 1 else ():
        found["Principal", kind] = frozenset(_listed(values))
    for operator, key, values in _conditions(raw):
        path = ("Condition", operator.lower(), key.lower())
        if path in found:
            return None
        condition = Condition(operator, key, values, variables=False)
        if one_suffices(condition) and not condition.null and all(isinstance(value, str) for value in _listed(values)):
            found[path] = frozenset(condition.texts)
    return found


def _rest(raw: Mapping[str, JSON], elements: Mapping[tuple[str, ...], frozenset[str]]) -> str:
    """Return what is left of a statement without its Sid and without some elements."""
    left = {name: value for name, value in raw.items() if name not in {"Sid", "Condition"} and (name,) not in elements}
    if any(name[0] == "Principal" for name in elements):
        left["Principal"] = ""
    others = [
        (operator.lower(), key.lower(), sorted(map(str, _listed(values))))
        for operator, key, values in _conditions(raw)
        if ("Condition", operator.lower(), key.lower()) not in elements
    ]
    return json.dumps([left, sorted(others)], sort_keys=True)


def _values_at(raw: Mapping[str, JSON], name: tuple[str, ...]) -> list[str]:
    if name[0] == "Condition":
        return [
            value
            for operator, key, values in _conditions(raw)
            if (operator.lower(), key.lower()) == name[1:]
            for value in _listed(values)
        ]
    return _listed(raw["Principal"][name[1]] if name[0] == "Principal" else raw[name[0]])


def _write(raw: dict[str, JSON], name: tuple[str, ...], values: list[str]) -> None:
    written = values[0] if len(values) == 1 else values
    if name[0] == "Principal":
        raw["Principal"] = {name[1]: written}
    elif name[0] == "Condition":
        for operator, key, _ in list(_conditions(raw)):
            if (operator.lower(), key.lower()) == name[1:]:
                raw["Condition"][operator][key] = written
    else:
        raw[name[0]] = written


def _conditions(raw: Mapping[str, JSON]) -> Iterator[tuple[str, str, JSON]]:
    for operator, keys in raw.get("Condition", {}).items():
        for key, values in keys.items():
            yield operator, key, values


def _listed(value: JSON) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
