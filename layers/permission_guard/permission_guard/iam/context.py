"""The condition keys of a request: each has a value, is absent, or is unknown."""

from __future__ import annotations

from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

ContextValue = str | bool | int | float | list[str] | tuple[str, ...] | frozenset[str] | set[str]
"""A string, a boolean or a number. With a list, tuple or set the key is multivalued, even if it has only one value."""


class Presence(Enum):
    """The state of a key without a known value."""

    ABSENT = "absent"
    UNKNOWN = "unknown"


ABSENT: Final = Presence.ABSENT
UNKNOWN: Final = Presence.UNKNOWN

Found = str | tuple[str, ...] | Presence
"""A single value, the values of a multivalued key, absent or unknown."""

_FAMILY_ENDS: Final = ("/", "*")
_LONGEST_SHOWN: Final = 200


def plain(value: object) -> str:
    """Return a scalar as the string that AWS compares: booleans in lower case, numbers as written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return str(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        from decimal import Decimal  # noqa: PLC0415 - hardly any policy has such a number

        return str(Decimal(value)) if isinstance(value, int) else shown(value)


def shown(value: object) -> str:
    """Return a value of a document as Python writes it, for a message; shortened, and of any size and depth."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


class Context:
    """The condition keys of a request. It is immutable, and keys are not case-sensitive.

    `known` maps a key to its value, or to None if it is absent. `absent` and `unknown` name keys, or families of keys
    with a trailing `/` or `/*`, such as `aws:ResourceTag/`. All other keys are `default`. A known value takes
    precedence over a named key, a named key over a family, and a longer family over a shorter one.
    """

    __slots__ = ("_families", "_prefixes", "_stated", "default")

    def __init__(
        self,
        known: Mapping[str, ContextValue | None] | None = None,
        absent: Iterable[str] = (),
        unknown: Iterable[str] = (),
        default: Presence = UNKNOWN,
    ) -> None:
        stated: dict[str, Found] = {}
        families: list[tuple[str, Presence]] = []
        for names, presence in ((absent, ABSENT), (unknown, UNKNOWN)):
            for name in names:
                key = name.lower()
                if key.endswith(_FAMILY_ENDS):
                    families.append((key.rstrip("*"), presence))
                else:
                    stated[key] = presence
        for name, value in (known or {}).items():
            stated[name.lower()] = _found(value)
        families.sort(key=lambda family: -len(family[0]))
        self._stated = stated
        self._families = tuple(families)
        self._prefixes = tuple(family for family, _ in families)
        self.default = default

    def lookup(self, key: str) -> Found:
        """Return the value or the state of a key, which must be in lower case."""
        found = self.stated(key)
        return self.default if found is None else found

    def stated(self, key: str) -> Found | None:
        """Return the value or the state of a key that the context names, or None if only the default applies."""
        found = self._stated.get(key)
        if found is None and key.startswith(self._prefixes):
            for family, presence in self._families:
                if key.startswith(family):
                    return presence
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Context):
            return NotImplemented
        return (self._stated, self._families, self.default) == (other._stated, other._families, other.default)

    def __hash__(self) -> int:
        return hash((frozenset(self._stated), self._families, self.default))

    def __repr__(self) -> str:
        return f"Context({self._stated!r}, families={self._families!r}, default={self.default!r})"


def _found(value: ContextValue | None) -> Found:
    if value is None:
        return ABSENT
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [plain(item) for item in value]
        return tuple(sorted(items) if isinstance(value, (set, frozenset)) else items)
    return plain(value)
