"""Tell a region from a misspelt one, without AWS: by botocore's list, which AWS may be ahead of."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORM: Final = re.compile(r"(?P<area>[a-z]+(?:-[a-z]+)?)-(?P<direction>[a-z]+)-(?P<number>[1-9])", re.ASCII)
_DIRECTIONS: Final = frozenset(
    {"north", "east", "south", "west", "central", "northeast", "northwest", "southeast", "southwest"}
)
_NEWER: Final = 2
"""How many regions with the same area and direction AWS may have added since botocore was released."""


def require_region(option: str, text: str) -> None:
    """Raise ValueError if a text is not a region of AWS, nor one that AWS may have added to an area."""
    match, known = _FORM.fullmatch(text), _known()
    directions = known.get(match["area"]) if match else None
    if match is None or directions is None or match["direction"] not in _DIRECTIONS:
        raise ValueError(f"{option} requires a region such as us-east-1; got {text!r}")
    if int(match["number"]) > directions.get(match["direction"], 0) + _NEWER:
        raise ValueError(f"{option} requires a region such as us-east-1; AWS has no region {text!r}")


def known_regions() -> list[str]:
    """Return botocore's list, without what is no region, such as aws-global."""
    listed = json.loads(files("botocore").joinpath("data", "partitions.json").read_text("utf-8"))
    return [region for partition in listed["partitions"] for region in partition["regions"] if _FORM.fullmatch(region)]


@cache
def _known() -> Mapping[str, Mapping[str, int]]:
    """Return the highest number of the known regions, by area and direction."""
    found: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for match in filter(None, map(_FORM.fullmatch, known_regions())):
        of_area = found[match["area"]]
        of_area[match["direction"]] = max(of_area[match["direction"]], int(match["number"]))
    return found
