"""Expand `Fn::ForEach`, as the transform AWS::LanguageExtensions does.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import UnreadFileError
from permission_guard.offline.bounds import MAX_NODES, TOO_MANY_NODES
from permission_guard.offline.intrinsics import Resolver
from permission_guard.offline.unresolved import text, unresolved_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.offline.physical_names import Place

TRANSFORM: Final = "AWS::LanguageExtensions"
LOOP: Final = "Fn::ForEach::"

_NOT_ALPHANUMERIC: Final = re.compile(r"[^A-Za-z0-9]", re.ASCII)
_LOOP_PARTS: Final = 3


def expanded(document: Mapping[str, Any], place: Place, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a template with its loops expanded. A loop over values that are not in the file stays as it is."""
    expansion = _Expansion(Resolver(document, place, parameters))
    found = expansion.of(dict(document), {})
    return found if isinstance(found, dict) else {}


class _Expansion:
    """The expansion of one template. It stops at the bound of a file, which nested loops reach with a few lines."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._count = 0

    def of(self, value: Any, values: Mapping[str, str]) -> Any:
        """Return a value with its loops expanded, and with the values of the identifiers of the loops around it."""
        self._count += 1
        if self._count > MAX_NODES:
            raise UnreadFileError(TOO_MANY_NODES)
        if isinstance(value, str):
            return _replaced(value, values)
        if isinstance(value, list):
            return [self.of(item, values) for item in value]
        return self._mapping(value, values) if isinstance(value, dict) else value

    def _mapping(self, raw: Mapping[Any, Any], values: Mapping[str, str]) -> Any:
        if len(raw) == 1 and isinstance(raw.get("Ref"), str) and raw["Ref"] in values:
            return values[raw["Ref"]]
        found: dict[Any, Any] = {}
        for key, value in raw.items():
            loop = self._loop(key, value, values)
            if loop is None:
                found[_replaced(key, values) if isinstance(key, str) else key] = self.of(value, values)
            else:
                found |= loop
        literal = found.get("Fn::Sub") if values and len(found) == 1 else None
        return literal if isinstance(literal, str) and "${" not in literal else found

    def _loop(self, key: Any, loop: Any, values: Mapping[str, str]) -> dict[Any, Any] | None:
        """Return what a loop produces, None if it is not a loop or its collection is not in the file."""
        if not str(key).startswith(LOOP) or not isinstance(loop, list) or len(loop) != _LOOP_PARTS:
            return None
        identifier, collection, output = loop
        items = self._resolver.value(self.of(collection, values))
        if not isinstance(identifier, str) or not isinstance(items, list) or not isinstance(output, dict):
            return None
        texts = [text(item) for item in items if isinstance(item, (str, int, float))]
        if len(texts) != len(items) or unresolved_in(texts):
            return None
        found: dict[Any, Any] = {}
        for item in texts:
            produced = self.of(output, {**values, identifier: item})
            found |= produced if isinstance(produced, dict) else {}
        return found


def _replaced(value: str, values: Mapping[str, str]) -> str:
    for identifier, item in values.items():
        value = value.replace(f"${{{identifier}}}", item)
        value = value.replace(f"&{{{identifier}}}", _NOT_ALPHANUMERIC.sub("", item))
    return value
