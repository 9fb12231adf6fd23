"""Which of a function's tags its findings record: who owns it, and what routes ask for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.model.owners import OWNER_TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.config.document import GuardConfig

LONGEST_VALUE: Final = 256
"""The most characters that AWS allows."""


def recorded_tags(tags: Mapping[str, str], config: GuardConfig) -> dict[str, str]:
    """Return the tags to record, in the order of their keys, with printable values of at most 256 characters.

    Other tags may say what no alert should, and stay where they are.
    """
    named = {key for route in config.routes for key in route.tags}
    return {key: _printable(value) for key, value in sorted(tags.items()) if key in named or key in OWNER_TAGS}


def _printable(value: str) -> str:
    return "".join(char if char.isprintable() else " " for char in value)[:LONGEST_VALUE]
