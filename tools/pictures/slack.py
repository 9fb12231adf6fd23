"""Block Kit as HTML, as far as the bot's messages use it. Another type is an error: it would not be in the picture.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from html import escape, unescape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Block = Mapping[str, Any]


class UnknownBlockError(Exception):
    """A block or an element that this module does not show."""


def html(blocks: Iterable[Block]) -> str:
    """Return blocks as HTML. UnknownBlockError for a type, a style or a key that is not known."""
    return "\n".join(_shown(_BLOCKS, block) for block in blocks)


def _shown(known: Mapping[str, tuple[Callable[[Block], str], frozenset[str]]], block: Block) -> str:
    if block["type"] not in known:
        raise UnknownBlockError(block["type"])
    show, keys = known[block["type"]]
    if unknown := block.keys() - keys - {"type"}:
        raise UnknownBlockError(f"{block['type']} with {', '.join(sorted(unknown))}")
    return show(block)


def _header(block: Block) -> str:
    """Show a header. In plain text, too, Slack decodes the three entities."""
    if block["text"]["type"] != "plain_text" or block["text"].get("emoji"):
        raise UnknownBlockError("a header with emoji or markup")
    return f"<h1>{escape(unescape(block['text']['text']))}</h1>"


def _rich_text(block: Block) -> str:
    return f"<div class=block>{''.join(_shown(_PARTS, part) for part in block['elements'])}</div>"


def _section(part: Block) -> str:
    return f"<p>{_elements(part)}</p>"


def _preformatted(part: Block) -> str:
    return f"<pre>{_elements(part)}</pre>"


def _elements(part: Block) -> str:
    return "".join(_shown(_ELEMENTS, element) for element in part["elements"])


def _text(element: Block) -> str:
    style = element.get("style", {})
    if style.keys() - {"bold"}:
        raise UnknownBlockError(f"text with the style {', '.join(style)}")
    shown = escape(element["text"])
    return f"<b>{shown}</b>" if style.get("bold") else shown


def _link(element: Block) -> str:
    return f'<a href="{escape(element["url"])}">{escape(element["text"])}</a>'


def _date(element: Block) -> str:
    """Show the fallback: the reader's time zone is not known here."""
    return f"<time>{escape(element['fallback'])}</time>"


def _user(element: Block) -> str:
    return f"<b class=mention>@{escape(element['user_id'])}</b>"


def _user_group(element: Block) -> str:
    return f"<b class=mention>@{escape(element['usergroup_id'])}</b>"


_BLOCKS = {
    "header": (_header, frozenset({"text"})),
    "rich_text": (_rich_text, frozenset({"elements"})),
}
_PARTS = {
    "rich_text_section": (_section, frozenset({"elements"})),
    "rich_text_preformatted": (_preformatted, frozenset({"elements"})),
}
_ELEMENTS = {
    "text": (_text, frozenset({"text", "style"})),
    "link": (_link, frozenset({"url", "text"})),
    "date": (_date, frozenset({"timestamp", "format", "fallback"})),
    "user": (_user, frozenset({"user_id"})),
    "usergroup": (_user_group, frozenset({"usergroup_id"})),
}
