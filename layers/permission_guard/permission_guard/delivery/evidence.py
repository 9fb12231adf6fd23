"""What a finding is based on, cut to what fits a screen. `permission-guard findings show` has all of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.text import ELLIPSIS, cut, listing, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.model.targets import JSON

MOST_LINES: Final = 20
MOST_CHARACTERS: Final = 2_000
_MOST_ITEMS: Final = 3
_LINE: Final = 300


def evidence_lines(evidence: Mapping[str, JSON], show: str) -> str:
    """Return a line for each value, and for each of the first items of a list. Empty texts are skipped.

    `show` is the command that shows all of it; it is named if anything is left out.
    """
    lines = [*_lines(evidence)]
    shown: list[str] = []
    while len(shown) < min(len(lines), MOST_LINES) and sum(map(len, shown)) + _LINE < MOST_CHARACTERS:
        shown.append(lines[len(shown)])
    is_cut = len(shown) < len(lines) or any(line.endswith(ELLIPSIS) for line in shown)
    is_cut = is_cut or any(isinstance(value, list) and len(value) > _MOST_ITEMS for value in evidence.values())
    return "\n".join([*shown, *([f"See all of it: {show}"] if is_cut else [])])


def _lines(evidence: Mapping[str, JSON]) -> Iterator[str]:
    for name, value in evidence.items():
        key = one_line(listing(str(name)), _LINE // 2)
        if value in (None, ""):
            continue
        if not value or not isinstance(value, list):
            yield cut(f"{key}: {_value(value)}", _LINE)
            continue
        yield f"{key}:"
        yield from (f"  {_value(item)}" for item in value[:_MOST_ITEMS])
        if len(value) > _MOST_ITEMS:
            yield f"  and {len(value) - _MOST_ITEMS} more"


def _value(value: JSON) -> str:
    """Return a value on one line; documents as JSON, with non-ASCII characters escaped so that all are visible."""
    return one_line(value, _LINE) if isinstance(value, str) else cut(json.dumps(value, default=str), _LINE)
