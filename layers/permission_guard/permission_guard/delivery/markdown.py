"""Markdown that shows foreign text literally."""

from __future__ import annotations

import re

_MARKUP = re.compile(r"([\\`*_\[\]<>~|#!])")


def escape(text: str) -> str:
    """Return prose that Markdown shows literally, without formatting, links or images."""
    return _MARKUP.sub(r"\\\1", text)


def code(text: str) -> str:
    """Return a code span of one line. Its quotes replace backticks."""
    return f"`{text.replace('`', chr(39))}`"


def fenced(text: str) -> str:
    """Return a block of code. The fence has more backticks than the code has in a row."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"
