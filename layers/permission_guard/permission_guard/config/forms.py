"""Forms: what a value of the document may be. Each form reads its values; the JSON Schema is generated from the same.

`read` returns None for a value with a problem, after it has added the problem.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from permission_guard.config.nodes import (
    ListNode,
    MapNode,
    Problems,
    Scalar,
    child,
    described,
    is_blank,
    quoted,
    without_blanks_around,
    written,
)
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from enum import StrEnum

    from permission_guard.config.nodes import Node

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_Choice = TypeVar("_Choice", bound="StrEnum")

_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
"""What YAML 1.1 reads as booleans. Since they depend on the parser, only `true` and `false` are."""


class Reading(Problems):
    """One reading of a document: the time, the problems so far, and whether a past `expires` is one."""

    def __init__(self, now: datetime, *, rejects_expired: bool) -> None:
        super().__init__()
        self.now = now
        self.rejects_expired = rejects_expired


class Form(Protocol[_T_co]):
    """What a value may be."""

    def read(self, node: Node, path: str, reading: Reading) -> _T_co | None:
        """Return the value, None if it has a problem, which is added to the reading."""


class Flag:
    """`true` or `false`, and none of the other words that some parsers of YAML take for them."""

    def read(self, node: Node, path: str, reading: Reading) -> bool | None:
        """Return the boolean."""
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        meant = _BOOLEANS.get(node.text.lower()) or node.text.lower() if isinstance(node, Scalar) else ""
        fix = f"Write {meant}, without quotes." if meant in {"true", "false"} else "Write true or false."
        reading.add(node, path, f"{described(node)} is neither true nor false. {fix}")
        return None


@record
class Integer:
    """A whole number between two bounds."""

    least: int
    most: int

    def read(self, node: Node, path: str, reading: Reading) -> int | None:
        """Return the number."""
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most:
            return value
        wanted = str(self.least) if self.least == self.most else f"a whole number from {self.least} to {self.most}"
        reading.add(node, path, f"{described(node)} is not allowed. Write {wanted}.")
        return None


@record(kw_only=True)
class Text:
    """A text of a pattern. `shape` says what it is, with an example.

    `bounds_length`: the pattern does, so that a text that is too long is one of another shape, and nothing to shorten.
    `takes_numbers`: digits need no quotes, and are taken as they are written. `is_prose`: several lines become one.
    `is_for_people`: blanks around the text are removed.
    `mistake` returns what else is wrong with a text, as a sentence with the fix.
    """

    shape: str
    longest: int
    pattern: str = ".*"
    bounds_length: bool = False
    takes_numbers: bool = False
    is_prose: bool = False
    is_for_people: bool = False
    mistake: Callable[[str], str | None] | None = None

    def read(self, node: Node, path: str, reading: Reading) -> str | None:
        """Return the text."""
        problem: str | None = None
        text = ""
        if isinstance(node, Scalar) and (
            isinstance(node.value, str)
            or (self.takes_numbers and isinstance(node.value, int | float) and not isinstance(node.value, bool))
        ):
            text = " ".join(node.text.split()) if self.is_prose else node.text
            text = without_blanks_around(text) if self.is_for_people else text
            problem = self._problem(text, node.text)
        else:
            is_written = isinstance(node, Scalar) and node.value is not None
            fix = f"it in quotes: {quoted(node.text)}" if isinstance(node, Scalar) and is_written else self.shape
            problem = f"{described(node)} is not a text. Write {fix}."
        if problem is None:
            return text
        reading.add(node, path, problem)
        return None

    def _problem(self, text: str, written: str) -> str | None:
        if len(written) > self.longest and not self.bounds_length:
            return f"the text has {len(written):,} characters. The limit is {self.longest:,}: shorten it."
        if is_blank(text):
            return f"the text is blank. Write {self.shape}."
        hidden = next((char for char in text if not char.isprintable()), None)
        if hidden == "\n":
            return f"{quoted(text)} has a line break. Write it on one line."
        if hidden is not None:
            return f"{quoted(text)} has the invisible character U+{ord(hidden):04X}. Remove it."
        found = self.mistake(text) if self.mistake else None
        if found is None and not re.fullmatch(self.pattern, text, re.ASCII):
            found = f"{quoted(text)} is not valid here. Write {self.shape}."
        return found


@record
class Choice(Generic[_Choice]):
    """One of a few words."""

    choices: type[_Choice]

    def read(self, node: Node, path: str, reading: Reading) -> _Choice | None:
        """Return the choice."""
        known = [str(choice) for choice in self.choices]
        text = node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None
        if text in known:
            return self.choices(text)
        hint = did_you_mean(text, known) if text is not None else ""
        fix = hint or " Write one of them."
        reading.add(node, path, f"{described(node)} is not one of {', '.join(known)}.{fix}")
        return None


@record
class ListOf(Generic[_T]):
    """A list. `what` is its plural, for messages."""

    item: Form[_T]
    what: str
    most: int
    least: int = 0

    def read(self, node: Node, path: str, reading: Reading) -> tuple[_T, ...] | None:
        """Return the values in their order. None if one of them has a problem."""
        if not isinstance(node, ListNode):
            reading.add(node, path, f"{described(node)} is not a list of {self.what}. {self._fix(node)}")
            return None
        if not self.least <= len(node.items) <= self.most:
            limit = f"at least {self.least}" if len(node.items) < self.least else f"at most {self.most:,}"
            reading.add(node, path, f"the list has {len(node.items):,} {self.what}. Write {limit}.")
            return None
        values = [self.item.read(item, f"{path}[{index}]", reading) for index, item in enumerate(node.items)]
        valid = tuple(value for value in values if value is not None)
        return valid if len(valid) == len(values) else None

    def _fix(self, node: Scalar | MapNode) -> str:
        """Return what to write. Never to remove a list that narrows: less would be left out."""
        if isinstance(node, MapNode) or node.text.startswith("-"):
            return "Write each on its own line with a dash and a space: - ..."
        if node.value is not None:
            return f"Write [{written(node.text)}]."
        return "Write at least one." if self.least else "Write [], or remove the key."


@record
class MapOf(Generic[_T]):
    """A mapping whose keys the document chooses. `what` is their plural, for messages."""

    key: Form[str]
    value: Form[_T]
    what: str
    most: int
    least: int = 0

    def read(self, node: Node, path: str, reading: Reading) -> dict[str, _T] | None:
        """Return the values under their keys. None if one of them has a problem."""
        if not isinstance(node, MapNode):
            fix = "Write key: value lines" if self.least else "Write key: value lines, or remove the key"
            reading.add(node, path, f"{described(node)} is not a mapping of {self.what}. {fix}.")
            return None
        if not self.least <= len(node.entries) <= self.most:
            limit = f"at least {self.least}" if len(node.entries) < self.least else f"at most {self.most:,}"
            reading.add(node, path, f"the mapping has {len(node.entries):,} {self.what}. Write {limit}.")
            return None
        found: dict[str, _T] = {}
        is_valid = True
        for name, value in unique_entries(node, path, reading):
            key = self.key.read(name, child(path, name.text), reading)
            item = self.value.read(value, child(path, name.text), reading)
            if key is not None and key in found:
                reading.add(name, child(path, name.text), f"{key} is given twice. Remove one of them.")
            if key is None or item is None or key in found:
                is_valid = False
                continue
            found[key] = item
        return found if is_valid and len(found) == len(node.entries) else None


@record(kw_only=True)
class Key:
    """A key of an object: its form, and what editors show of it. `is_required`: there is no default."""

    name: str
    form: Form[object]
    description: str
    is_required: bool = False


@record(kw_only=True)
class ObjectOf(Generic[_T]):
    """A mapping with known keys, which becomes a record.

    `mistake` returns what is wrong with the values together. A key that has a problem has the value None there.
    """

    record: Callable[..., _T]
    keys: tuple[Key, ...]
    mistake: Callable[[Mapping[str, Any]], str | None] | None = None

    def read(self, node: Node, path: str, reading: Reading) -> _T | None:
        """Return the record. None if it has a problem."""
        if not isinstance(node, MapNode):
            names = ", ".join(key.name for key in self.keys)
            remove = ", or remove it" if path else ""
            message = f"{described(node)} is not a mapping. Write key: value lines with the keys {names}{remove}."
            reading.add(node, path, message)
            return None
        before = len(reading.found)
        keys = {key.name: key for key in self.keys}
        given: dict[str, Any] = {}
        for name, value in unique_entries(node, path, reading):
            key = keys.get(name.text)
            if key is None:
                _add_unknown(name, path, keys, reading)
            else:
                given[key.name] = key.form.read(value, child(path, key.name), reading)
        for key in self.keys:
            if key.is_required and key.name not in given:
                reading.add(node, path, f"the key {key.name} is missing. Add it: {_within_sentence(key.description)}")
        problem = self.mistake(given) if self.mistake else None
        if problem is not None:
            reading.add(node, path, problem)
        return self.record(**given) if len(reading.found) == before else None


def unique_entries(node: MapNode, path: str, reading: Reading) -> list[tuple[Scalar, Node]]:
    """Return the entries of a mapping, the first one of each key. Every other one is a problem."""
    found: dict[str, tuple[Scalar, Node]] = {}
    for key, value in node.entries:
        if not isinstance(key, Scalar):
            reading.add(key, path, f"{described(key)} is used as a key. Write a text as the key.")
        elif key.text == "<<":
            reading.add(key, path, "merge keys (<<) are not supported. Write the keys themselves.")
        elif key.text in found:
            reading.add(key, path, f"the key {quoted(key.text)} is given twice. Remove one of them.")
        else:
            found[key.text] = (key, value)
    return list(found.values())


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """Return ` Did you mean ...?` with the nearest word, an empty text if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a document with mistakes needs it

    compared = {word.lower().replace("-", "_"): word for word in known}
    nearest = get_close_matches(text[:100].lower().replace("-", "_"), compared, n=1)
    return f" Did you mean {compared[nearest[0]]}?" if nearest else ""


def _add_unknown(name: Scalar, path: str, keys: Mapping[str, Key], reading: Reading) -> None:
    missing_underscores = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.text[:100])
    hint = did_you_mean(missing_underscores, keys) or f" The keys are: {', '.join(keys)}."
    reading.add(name, child(path, name.text), f"there is no key {quoted(name.text)} here.{hint}")


def _within_sentence(text: str) -> str:
    return text[:1].lower() + text[1:]
