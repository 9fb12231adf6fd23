"""The names that a value of a template refers to, and the functions that it uses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE: Final = re.compile(r"\$\{\s*([^!}]*?)\s*\}")


def references(value: Any) -> Iterator[str]:
    """Yield the names of the parameters and resources that Ref, GetAtt and Sub refer to."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key == "Ref" and isinstance(item, str):
            yield item.partition(".")[0]  # in SAM, also `Function.Alias`
        elif key == "Fn::GetAtt":
            first = item[0] if isinstance(item, list) and item else item
            yield from [first.partition(".")[0]] if isinstance(first, str) else references(item)
        elif key == "Fn::Sub":
            pattern, given = item if isinstance(item, list) and len(item) == 2 else (item, {})  # noqa: PLR2004 - a pair
            given = given if isinstance(given, dict) else {}
            found = _VARIABLE.findall(pattern) if isinstance(pattern, str) else []
            yield from (name.partition(".")[0] for name in found if name not in given)
            yield from references(list(given.values()))
        else:
            yield from references(item)


def whole_reference(value: Any) -> str | None:
    """Return the name that a value refers to and that is all of the value, None if there is none."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((key, item),) = value.items()
    variable = _VARIABLE.fullmatch(item) if key == "Fn::Sub" and isinstance(item, str) else None
    if key not in {"Ref", "Fn::GetAtt"} and variable is None:
        return None
    return next(references(value), None)


def functions(value: Any) -> Iterator[str]:
    """Yield the names of the functions in a value, without Ref."""
    if isinstance(value, list):
        for item in value:
            yield from functions(item)
    if isinstance(value, dict):
        for key, item in value.items():
            if str(key).startswith("Fn::"):
                yield str(key)
            yield from functions(item)
