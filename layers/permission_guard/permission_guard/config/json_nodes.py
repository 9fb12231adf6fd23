"""Compose JSON into nodes. JSON has no places but that of a syntax error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from permission_guard.config.nodes import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    TOO_DEEP,
    TOO_LARGE,
    TOO_MANY_NODES,
    ListNode,
    MapNode,
    Scalar,
)
from permission_guard.errors import ConfigurationDocumentError, Problem

if TYPE_CHECKING:
    from permission_guard.config.nodes import Node

_LONGEST_NUMBER = 18


class _Pairs(list[Any]):
    """The entries of an object, keys that are given twice among them."""


def compose_json(text: str) -> Node | None:
    """Return the node of a document, None if it is empty. ConfigurationDocumentError if it is not JSON."""
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise ConfigurationDocumentError([Problem("", TOO_LARGE)])
    content = text.removeprefix("\ufeff")
    if not content.strip():
        return None
    try:
        value = json.loads(
            content,
            object_pairs_hook=_Pairs,
            parse_int=number,
            parse_float=number,
            parse_constant=_reject_constant,
        )
        return _Composer().node(value, 1)
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {error.msg}. Correct the syntax."
        raise ConfigurationDocumentError([Problem("", message, error.lineno, error.colno)]) from None
    except RecursionError:
        raise ConfigurationDocumentError([Problem("", TOO_DEEP)]) from None


def number(text: str) -> Scalar:
    """Return a number. One with so many digits that Python takes long to read it is a float, which no key accepts."""
    if text.lstrip("-").isdigit() and len(text) <= _LONGEST_NUMBER:
        return Scalar(int(text), text)
    return Scalar(float(text), text)


def _reject_constant(name: str) -> NoReturn:
    raise ConfigurationDocumentError([Problem("", f"this is not JSON: {name}. Write a number.")])


class _Composer:
    """Makes nodes, and counts them."""

    def __init__(self) -> None:
        self._count = 0

    def node(self, value: Any, depth: int) -> Node:
        """Return the node of a parsed value. ConfigurationDocumentError if the document is over a bound."""
        self._count += 1
        if depth > MAX_DEPTH:
            raise ConfigurationDocumentError([Problem("", TOO_DEEP)])
        if self._count > MAX_NODES:
            raise ConfigurationDocumentError([Problem("", TOO_MANY_NODES)])
        if isinstance(value, Scalar):
            return value
        if isinstance(value, _Pairs):
            return MapNode(tuple((Scalar(key, key), self.node(item, depth + 1)) for key, item in value))
        if isinstance(value, list):
            return ListNode(tuple(self.node(item, depth + 1) for item in value))
        return Scalar(value, value if isinstance(value, str) else json.dumps(value))
