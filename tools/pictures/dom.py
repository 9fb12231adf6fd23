"""Read a page as Chromium rendered it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

from permission_guard.records import record


@record
class Dom:
    """The text of a page's body, its elements with their attributes, and what `measure.js` found.

    `height` is in CSS pixels. `invisible` are texts that a reader cannot see, each with the reason.
    """

    text: str
    elements: tuple[tuple[str, dict[str, str | None]], ...]
    height: int
    texts: int
    invisible: tuple[tuple[str, str], ...]


def read(html: str) -> Dom:
    """Return a rendered page. ValueError if its script did not measure it."""
    parser = _Parser()
    parser.feed(html)
    root = dict(parser.elements)["html"]
    measured: dict[str, Any] = json.loads(root.get("data-measured") or "null") or {}
    if not measured:
        raise ValueError("the page's script did not run")
    invisible = tuple((text, why) for text, why in measured["problems"])
    return Dom("".join(parser.texts), tuple(parser.elements), measured["height"], measured["texts"], invisible)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._is_text = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._is_text = tag not in {"script", "style", "title"}

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the base class calls it
        self._is_text = True

    def handle_data(self, data: str) -> None:
        if self._is_text:
            self.texts.append(data)
