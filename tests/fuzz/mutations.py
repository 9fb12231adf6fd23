"""Mutations of JSON documents and of items in DynamoDB JSON, from a seeded random generator."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

JSON = Any
Place = tuple[Any, Any]
"""A container and the key or index of one of its values."""

_DEEP: Final = re.compile(r'"@deep:(\d+):(list|object)@"')
_DEPTHS: Final = (20, 300, 600, 800, 900, 930, 950, 960, 970, 980, 990, 2_000, 100_000)
_HUGE: Final = 300_000

# Control, bidirectional, invisible and unpaired characters, and what ends a line or a format somewhere.
_CHARACTERS: Final = (
    "\x00", "\x07", "\x1b[2J", "\x7f", "\x85", "\u200b", "\u2028", "\u202e", "\u2066", "\ufeff", "\ufffe", "\U000e0001",
    "\ud800", "\udfff", "\udcff\ud800", "é", "文", "\U0001f512", "\r\n", "\t", '"', "'", "\\", "`", "$(id)",
    "${x}", "{0}", "%s", "<!channel>", "*", "?", "/", "..", ":", "|", "#", "=",
)  # fmt: skip

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT")
_TIMES: Final = (
    "2026-11-20T09:30:00.000+00:00", "2026-11-20", "2026-11-20T09:30:00", "2126-11-20T09:30:00+00:00",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-13-40T25:61:00+00:00",
)  # fmt: skip
_TEXTS: Final = (
    "", " ", "null", "NaN", "0", "-1", "unknown", "Finding Exploded", "applying", "critical", "open", "resolved",
    "Fix Approved", *_TIMES, "99999999999999999999", "arn:",
    "arn:aws:lambda:us-east-1:123456789012:function:orders",
    "arn:aws:lambda:us-east-1:123456789012:function:missing", "arn:aws:lambda:us-east-1:111122223333:function:orders",
    "arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST",
    "arn:aws-cn:lambda:cn-north-1:123456789012:function:orders",
    "arn:aws:lambda:us-east-1:123456789012:layer:orders", "arn:aws:iam::123456789012:role/orders-role",
    "arn:aws:iam::111122223333:role/orders-role", "arn:aws:iam::aws:policy/AdministratorAccess",
    "arn:aws:s3:::orders", "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:sqs:us-east-1:111122223333:incoming-orders", "orders", "123456789012", "cloudformation.amazonaws.com",
)  # fmt: skip

_NUMBERS: Final = (0, 1, -1, 2**31, 2**53 + 1, 2**63, -(2**64), 10**40, 10**400, 0.5, -0.0, 1e308, 5e-324)
_CONSTANTS: Final = (float("nan"), float("inf"), float("-inf"))
_OTHERS: Final[tuple[JSON, ...]] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"": ""},
    float("nan"),
    float("inf"),
    float("-inf"),
)


class Mutator:
    """Mutates documents. The same `random` gives the same mutations."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def document(self, sample: JSON) -> JSON:
        """Return a copy of a document with one to three places changed."""
        holder = {"": copy.deepcopy(sample)}
        for _ in range(self.random.choice((1, 1, 2, 3))):
            # Deep places are as likely as those at the top.
            if places := list(_places(holder)):
                self.random.choice(_STRUCTURAL)(self, self.random.choice(places))
        return holder.get("")

    def text(self, sample: JSON) -> str:
        """Return the JSON text of a mutated document; one in four also has a mutated syntax."""
        ascii_only = self.random.random() < 0.5
        if self.random.random() < 0.75:
            return _deepened(json.dumps(self.document(sample), ensure_ascii=ascii_only))
        changed = sample if self.random.random() < 0.5 else self.document(sample)
        return self.random.choice(_TEXTUAL)(self, _deepened(json.dumps(changed, ensure_ascii=ascii_only)))

    def item(self, sample: dict[str, JSON], keys: tuple[str, ...], documents: tuple[str, ...]) -> dict[str, JSON]:
        """Return a mutated item of a table, as DynamoDB could store it.

        `keys` keep a text as their value, as DynamoDB requires. `documents` are attributes with JSON as their text.
        """
        item = copy.deepcopy(sample)
        for _ in range(self.random.choice((1, 1, 2))):
            # Most of an item is in its documents.
            within = [name for name in documents if name in item] if self.random.random() < 0.6 else []
            name = self.random.choice(within or sorted(item))
            if name in keys:
                continue
            if name in documents and "S" in item[name] and self.random.random() < 0.8:
                item[name] = {"S": _storable(self.text(_read(sample[name]["S"])))}
            elif self.random.random() < 0.2:
                del item[name]
            elif "S" in item[name] and name not in documents and self.random.random() < 0.5:
                item[name] = {"S": _storable(self.string(item[name]["S"]))}
            else:
                item[name] = self._attribute()
        return item

    def string(self, text: str) -> str:
        """Return a mutated text; half of the times become another one."""
        if _TIME.match(text) and self.random.random() < 0.5:
            return self.random.choice(_TIMES)
        at = self.random.randrange(len(text) + 1)
        changes: tuple[Callable[[], str], ...] = (
            lambda: text[:at] + self.random.choice(_CHARACTERS) + text[at:],
            lambda: text[:at],
            lambda: text[at:],
            lambda: text[:at] + text[at + 1 :],
            lambda: text[:at] + self.random.choice("0123456789") + text[at + 1 :],
            lambda: text + text[:at],
            text.upper,
            lambda: text.replace("123456789012", "111122223333"),
            lambda: text.replace("us-east-1", "eu-west-1"),
            lambda: text.replace(":", "::", 1),
            lambda: text * self.random.choice((2, 50)),
            lambda: text + "A" * self.random.choice((70, 1_000, 70_000, _HUGE)),
        )
        return self.random.choice(changes)()

    def value(self) -> JSON:
        """Return a value of any type."""
        kinds: tuple[Callable[[], JSON], ...] = (
            lambda: self.random.choice(_TEXTS),
            lambda: self.random.choice(_NUMBERS),
            lambda: copy.deepcopy(self.random.choice(_OTHERS)),
            lambda: self.random.choice(_CHARACTERS) * self.random.choice((1, 3, 500)),
            lambda: f"@deep:{self.random.choice(_DEPTHS)}:{self.random.choice(('list', 'object'))}@",
        )
        return self.random.choice(kinds)()

    def _attribute(self) -> dict[str, JSON]:
        """Return an attribute of any type of DynamoDB."""
        text = _storable(str(self.random.choice((*_TEXTS, *_CHARACTERS))))
        number = str(self.random.choice((0, 1, -1, 2**63, 10**37, -(10**37), 0.5, "1E+100", "1E-100")))
        choices: tuple[dict[str, JSON], ...] = (
            {"S": text}, {"N": number}, {"NULL": True}, {"BOOL": False}, {"BOOL": True}, {"L": []}, {"M": {}},
            {"L": [{"S": text}, {"N": number}]}, {"M": {"S": {"S": text}}}, {"SS": ["a", "b"]}, {"NS": [number]},
            {"B": b"\x00\xff"},
        )  # fmt: skip
        return self.random.choice(choices)

    # ── Changes of a place ──────────────────────────────────────────────────────────────────────────────────────────

    def _delete(self, place: Place) -> None:
        container, key = place
        del container[key]

    def _replace(self, place: Place) -> None:
        container, key = place
        container[key] = self.value()

    def _change(self, place: Place) -> None:
        """Change a value a little: the type stays."""
        container, key = place
        held = container[key]
        if isinstance(held, str):
            container[key] = self.string(held)
        elif isinstance(held, bool):
            container[key] = not held
        elif isinstance(held, int | float):
            container[key] = self.random.choice(
                (held + 1, -held, int(held) * 10**30 if abs(held) < 1e9 else 0, held / 2 if abs(held) < 1e9 else 0.5)
            )
        elif isinstance(held, dict):
            held[self.random.choice(_TEXTS)] = self.value()
        elif isinstance(held, list):
            held.append(self.value())

    def _nest(self, place: Place) -> None:
        container, key = place
        held = container[key]
        container[key] = self.random.choice(([held], {"value": held}, [held] * 3, json.dumps(held, default=str)))

    def _rename(self, place: Place) -> None:
        container, key = place
        if isinstance(container, dict) and isinstance(key, str) and key:
            container[self.random.choice((self.string(key), key[:1].swapcase() + key[1:]))] = container.pop(key)

    def _swap(self, place: Place) -> None:
        """Exchange two values of one container."""
        container, key = place
        other = self.random.choice(list(container)) if isinstance(container, dict) else 0
        container[key], container[other] = container[other], container[key]

    def _repeat(self, place: Place) -> None:
        """Have many of what there was one of."""
        container, key = place
        if isinstance(container[key], list):
            container[key] = container[key] * self.random.choice((2, 100))

    # ── Changes of the syntax ───────────────────────────────────────────────────────────────────────────────────────

    def _truncate(self, text: str) -> str:
        return text[: self.random.randrange(len(text) + 1)]

    def _duplicate_key(self, text: str) -> str:
        """Have a key twice in one object: parsers disagree which one counts."""
        keys = list(re.finditer(r'[{,]\s*("[^"\\]{1,40}")\s*:', text))
        if not keys:
            return text + text
        chosen = self.random.choice(keys)
        twice = f"{chosen[1]}: {_deepened(json.dumps(self.value()))}, "
        return text[: chosen.start(1)] + twice + text[chosen.start(1) :]

    def _replace_characters(self, text: str) -> str:
        at = self.random.randrange(len(text) + 1)
        return text[:at] + self.random.choice(_CHARACTERS) + text[at + self.random.choice((0, 1)) :]

    def _wrap(self, text: str) -> str:
        return self.random.choice(("\ufeff{}", " {} ", "{} {{}}", "[{}]", "{},", "//\n{}", "{}\x00")).format(text)

    def _something_else(self, _text: str) -> str:
        return self.random.choice(("", "null", "[]", "{}", "1", '"text"', "NaN", "hello", "[" * 100_000, "<xml/>"))


_STRUCTURAL: Final = (
    Mutator._delete, Mutator._replace, Mutator._replace, Mutator._change, Mutator._change, Mutator._change,
    Mutator._nest, Mutator._rename, Mutator._swap, Mutator._repeat,
)  # fmt: skip
_TEXTUAL: Final = (
    Mutator._truncate, Mutator._duplicate_key, Mutator._replace_characters, Mutator._wrap, Mutator._something_else
)  # fmt: skip


def _places(container: Any) -> Iterator[Place]:
    for key in list(container) if isinstance(container, dict) else range(len(container)):
        yield container, key
        if isinstance(container[key], dict | list):
            yield from _places(container[key])


def _deepened(text: str) -> str:
    """Replace each placeholder by a value that is nested so deeply that `json.dumps` could not write it."""
    return _DEEP.sub(lambda match: _nested(int(match[1]), match[2]), text)


def _nested(depth: int, kind: str) -> str:
    opening, closing = ("[", "]") if kind == "list" else ('{"a":', "}")
    return opening * depth + "1" + closing * depth


def _storable(text: str) -> str:
    """Return a text without unpaired characters, which DynamoDB rejects; JSON in it can still escape them."""
    return text.encode(errors="replace").decode()[:_HUGE]


def _read(text: str) -> JSON:
    return json.loads(text)
