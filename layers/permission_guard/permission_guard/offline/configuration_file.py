"""Read the configuration document from a file in YAML or JSON: every mistake has its line and column.

YAML is read as JSON's data model, so that what is pushed is what is written. Only true and false are booleans, dates
and numbers with leading zeros are texts. Anchors, aliases, tags and merge keys are not supported: each exception can be
read by itself.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from permission_guard.config.json_nodes import number
from permission_guard.config.nodes import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    TOO_DEEP,
    TOO_LARGE,
    TOO_MANY_NODES,
    ListNode,
    MapNode,
    Problems,
    Scalar,
    TooManyProblemsError,
    quoted,
)
from permission_guard.errors import ConfigurationDocumentError, InputError, Problem
from permission_guard.offline.input_file import bytes_of

if TYPE_CHECKING:
    from pathlib import Path

    from permission_guard.config.nodes import Node

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Only its parser is used. PyYAML without libyaml has it in Python."""

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_CONSTANTS: Final = {"": None, "~": None, "null": None, "true": True, "false": False}
_HIDDEN: Final = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""Control characters, and those that change the direction of text: what is shown would not be what is read."""

_SURROGATES: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)
"""How JSON writes a character beyond U+FFFF."""

_WRONG_ESCAPE: Final = "this escape does not exist. Write two backslashes for one, or use single quotes."
_SEVERAL: Final = "the file has more text after its document. Write one document: remove what is after it."
_NO_NAME: Final = "a text that starts with & or * needs quotes. Put it in quotes."
_DIRECTIVE: Final = "directives (lines that start with %) are not supported. Remove the line, or quote the text."
_TAG: Final = "a text that starts with an exclamation mark needs quotes. Put it in quotes."
_BLOCK: Final = "only a line break may follow | or >. Write the text on the next lines, or put it in quotes."

_HELP: Final = {
    "mapping values are not allowed": "a colon is not expected here. Put a text that contains a colon in quotes.",
    "found character that cannot start any token": "a text cannot start with this character. Put it in quotes.",
    "did not find expected node content": "a value is missing here, or a bracket before it is not closed.",
    "found unexpected end of stream": "the quote is not closed. Close it.",
    "could not find expected ':'": "a key without a colon. Write key: value, with the keys of one mapping aligned.",
    "did not find expected key": "this line does not belong to the mapping before it. Align its keys.",
    "did not find expected '-' indicator": "this line does not belong to the list before it. Align it.",
    "unknown escape character": _WRONG_ESCAPE,
    "hexdecimal number": _WRONG_ESCAPE,
    "hexadecimal numbers": _WRONG_ESCAPE,
    "invalid Unicode character escape code": _WRONG_ESCAPE,
    "<document start>": _SEVERAL,
    "alphabetic or numeric character": _NO_NAME,
    "found incompatible YAML document": _DIRECTIVE,
    "unknown directive name": _DIRECTIVE,
    "expected version number": _DIRECTIVE,
    "found duplicate %YAML directive": _DIRECTIVE,
    "found undefined tag handle": _TAG,
    "did not find the expected '>'": _TAG,
    "expected comment or line break": _BLOCK,
    "sequence entries are not allowed": "a list cannot start here. Start it on the next line, each item with a dash.",
    "expected ',' or": "the bracket is not closed. Close it, or separate the values by commas.",
}
"""What libyaml and PyYAML report, and what to do."""

_SEPARATOR: Final = "expected ',' or"
_SEPARATOR_MISSING: Final = "a comma or a bracket is missing before this. Add it after the value before."
_COMMENT_IN_JSON: Final = "JSON has no comments. Remove it, or write the file as YAML, with # before a comment."

_TEXT_OR_COMMENT: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|(?<=[{\[,}\]"])\s*+(//|/\*)|\A\s*+(//|/\*)', re.DOTALL)
"""A text in quotes, or what other languages have as a comment where JSON has a key, a value or a comma."""

_STARTS_EARLIER: Final = (
    "found unexpected end of stream",
    "could not find expected ':'",
    _SEPARATOR,
)
"""These are reported where the text ends; the mistake is where the quote, key or bracket starts."""


def compose_file(path: Path) -> Node | None:
    """Return the node of a file, None if it is empty. ConfigurationDocumentError if it is neither YAML nor JSON."""
    try:
        content = bytes_of(path)
    except (OSError, InputError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationDocumentError([Problem("", f"the file cannot be read: {reason}.")]) from None
    if len(content) > MAX_BYTES:
        raise ConfigurationDocumentError([Problem("", TOO_LARGE)])
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        raise _mistake(before, len(before), "the file is not UTF-8 text. Save it as UTF-8.") from None
    return compose_yaml(text.removeprefix("\ufeff"))


def compose_yaml(text: str) -> Node | None:
    """Return the node of a text in YAML or JSON, None if it is empty. The same error as `compose_file`."""
    hidden = _HIDDEN.search(text)
    if hidden is not None:
        message = f"the invisible character U+{ord(hidden[0]):04X} is not allowed. Remove it."
        raise _mistake(text, hidden.start(), message)
    if _is_json(text):
        text = _SURROGATES.sub(_as_one_escape, text.replace("\t", " "))
    else:
        _require_no_comment_of_json(text)
    composer = _Composer(text)
    try:
        return composer.document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(text, error) from None


class _Composer:
    """Makes nodes of the parser's events, within bounds."""

    def __init__(self, text: str) -> None:
        self._events = yaml.parse(text, _LOADER)
        self._count = 0
        self._problems = Problems()

    def document(self) -> Node | None:
        """Return the only document."""
        node: Node | None = None
        try:
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    if node is not None:
                        self._add(event, "the file has several documents. Write one: remove the line with ---.")
                        break
                    node = self._node(next(self._events), 1)
        except TooManyProblemsError:
            pass
        if self._problems.found:
            raise ConfigurationDocumentError(self._problems.found)
        return node

    def _node(self, event: Any, depth: int) -> Node:
        line, column = _place(event)
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_NODES:
            problem = Problem("", TOO_DEEP if depth > MAX_DEPTH else TOO_MANY_NODES, line, column)
            raise ConfigurationDocumentError([*self._problems.found, problem])
        if isinstance(event, yaml.AliasEvent):
            self._add(event, f"aliases (*{event.anchor:.40}) are not supported. Write the value itself.")
            return Scalar(None, "", line, column)
        if event.anchor is not None:
            self._add(event, f"anchors (&{event.anchor:.40}) are not supported. Write the value where it is needed.")
        if event.tag is not None:
            self._add(event, f"tags ({quoted(event.tag)}) are not supported. Remove it; a text can have quotes.")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, line, column)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(item, depth + 1))
            return ListNode(tuple(items), line, column)
        entries = []
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            entries.append((self._node(key, depth + 1), self._node(next(self._events), depth + 1)))
        return MapNode(tuple(entries), line, column)

    def _add(self, event: Any, message: str) -> None:
        self._problems.add(Scalar(None, "", *_place(event)), "", message)


def _scalar(event: yaml.ScalarEvent, line: int, column: int) -> Scalar:
    """Return a scalar: what is in quotes, or is no number, boolean or null of JSON, is a text."""
    text: str = event.value
    if event.style:  # libyaml gives plain scalars an empty style
        return Scalar(text, text, line, column)
    if text in _CONSTANTS:
        return Scalar(_CONSTANTS[text], text, line, column)
    if _NUMBER.fullmatch(text):
        return Scalar(number(text).value, text, line, column)
    return Scalar(text, text, line, column)


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _syntax_error(text: str, error: yaml.MarkedYAMLError) -> ConfigurationDocumentError:
    """Return the error of a text that is not YAML, in plain words where there are some."""
    reported = str(error.problem)
    message = next((help_ for problem, help_ in _HELP.items() if problem in reported), None)
    starts_earlier = any(problem in reported for problem in _STARTS_EARLIER)
    mark = error.context_mark if starts_earlier and error.context_mark is not None else error.problem_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    end = error.problem_mark
    is_separator = _SEPARATOR in reported and (_seems_json(text) or (end is not None and end.line == line))
    if is_separator and end is not None and text[end.index :].strip():
        line, column, message = end.line, end.column, _SEPARATOR_MISSING
    shown = text.splitlines()[line : line + 1]
    is_tab = bool(shown) and (shown[0].startswith("\t") or shown[0][: column + 1].endswith("\t"))
    if is_tab and not _seems_json(text):
        message = "a tab cannot indent. Use spaces."
    if message == _HELP["mapping values are not allowed"] and _has_dash_without_space(text, line):
        message = "a dash needs a space after it. Write - before the key."
    message = message or f"this is not YAML: {reported}. Check the colons, quotes and indentation."
    return ConfigurationDocumentError([Problem("", message, line + 1, column + 1)])


def _has_dash_without_space(text: str, line: int) -> bool:
    """Return whether a line or the one before it starts with a dash and a key."""
    return any(re.match(r"\s*-[A-Za-z_]+:", shown) for shown in text.splitlines()[max(line - 1, 0) : line + 1])


def _require_no_comment_of_json(text: str) -> None:
    """Raise the error of a comment in a text that seems to be JSON, which YAML would read as a part of a value."""
    if not _seems_json(text):
        return
    for match in _TEXT_OR_COMMENT.finditer(text):
        group = match.lastindex
        if group is not None:
            raise _mistake(text, match.start(group), _COMMENT_IN_JSON)


def _mistake(text: str, offset: int, message: str) -> ConfigurationDocumentError:
    """Return the error of a place in a text."""
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return ConfigurationDocumentError([Problem("", message, line, column)])


def _seems_json(text: str) -> bool:
    return text.lstrip().startswith(("{", "//", "/*"))


def _is_json(text: str) -> bool:
    """Return whether a text is JSON, which may have tabs and surrogate pairs that YAML does not have."""
    if not text.lstrip().startswith("{"):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _as_one_escape(match: re.Match[str]) -> str:
    code = 0x10000 + ((int(match[2], 16) - 0xD800) << 10) + (int(match[3], 16) - 0xDC00)
    return f"{match[1]}\\U{code:08x}"
