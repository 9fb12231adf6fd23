"""Texts that stand for values that nobody knows before a deployment."""

from __future__ import annotations

import re
from typing import Final

PLACEHOLDER: Final = re.compile(r"unresolved\d+x")
"""A placeholder, as `placeholder` returns it. The value that it stands for can be any text."""


def placeholder(number: int) -> str:
    """Return a unique text that can replace an unknown value anywhere: in a name, an ARN or a principal."""
    return f"unresolved{number}x"
