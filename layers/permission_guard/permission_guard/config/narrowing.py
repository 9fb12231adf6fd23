"""What narrows an entry of `guard.yaml`, such as an exception, to some functions: names, accounts, tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.config.forms import ListOf, MapOf
from permission_guard.config.texts import ACCOUNT, FUNCTION, TAG_KEY, TAG_VALUE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_ITEMS: Final = 100
MAX_TAGS: Final = 50

FUNCTIONS: Final = ListOf(FUNCTION, "functions", MAX_ITEMS, least=1)
ACCOUNTS: Final = ListOf(ACCOUNT, "account IDs", MAX_ITEMS, least=1)
TAGS: Final = MapOf(TAG_KEY, TAG_VALUE, "tags", MAX_TAGS, least=1)
TAGS_DESCRIPTION: Final = (
    "Only functions with all of these tags. A value is a glob: * is any characters, ? is one character."
)
FUNCTIONS_DESCRIPTION: Final = (
    "Only these functions: names, globs (* is any characters, ? is one character), or ARNs without a qualifier."
)
ACCOUNTS_DESCRIPTION: Final = "Only functions of these accounts: IDs of twelve digits."


def why_not_narrow(given: Mapping[str, object], keys: Sequence[str], effect: str) -> str | None:
    """Return what is wrong with an entry that none of its keys narrows, None if one does. `effect` is what it does."""
    if any(narrows(given[key]) for key in keys if key in given):
        return None
    return f"{effect}. Add one of {', '.join(keys)}, narrower than *."


def narrows(value: object) -> bool:
    """Return whether a value leaves anything out. One with a problem does: the problem is already listed."""
    if isinstance(value, str):
        return bool(value.strip("*?"))
    if isinstance(value, tuple):
        return bool(value) and all(narrows(item) for item in value)
    return value is None or bool(value)
