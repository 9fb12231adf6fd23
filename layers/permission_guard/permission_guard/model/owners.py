"""Who owns a function, by its tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

OWNER_TAGS: Final = ("owner", "team")
"""The tags that name the owner of a function: the first one that shows anything does."""


def owner_of(tags: Mapping[str, str]) -> str:
    """Return the owner that the tags of a function name; empty if none does."""
    return next((tags[key] for key in OWNER_TAGS if _is_visible(tags.get(key, ""))), "")


def _is_visible(text: str) -> bool:
    """Return whether a text shows anything: a tag may consist of spaces or of invisible characters."""
    return any(char.isprintable() and not char.isspace() for char in text)
