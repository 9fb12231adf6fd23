"""The texts that an ARN of a source can have, and whether a pattern with `*` and `?` matches one of them.

An expression is a sequence of characters and sets of characters, each with a number of repetitions: the part of regular
expressions with which the service models describe names. A pattern is read once. The positions of the expression that
its texts can have reached are the bits of an integer, so that each character of the pattern takes a few operations.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import product
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import PARTS, split_arn

if TYPE_CHECKING:
    from collections.abc import Iterator

_ITEM: Final = re.compile(
    r"(?:\[(?P<negated>\^?)(?P<set>(?:\\.|[^\]\\])+)\]|\\(?P<escaped>.)|(?P<character>[^\\\[\](){}|+*?]))"
    r"(?:\{(?P<least>\d+)(?P<range>,(?P<most>\d+))?\}|(?P<repeated>[+*?]))?"
)
_IN_SET: Final = re.compile(r"\\(?P<escaped>.)|(?P<first>.)-(?P<last>[^\\])|(?P<character>.)")
_DIGITS: Final = "0123456789"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CLASSES: Final = {"d": frozenset(_DIGITS), "w": frozenset(f"{_LETTERS}{_DIGITS}_")}
_MOST_STEPS: Final = 4000
"""How many steps an expression remembers: pattern after pattern reaches the same positions."""
_REPEATED: Final = {"+": (1, None), "*": (0, None), "?": (0, 1)}


class Expression:
    r"""A set of texts, written with `[a-z]`, `[^/]`, `\d`, `\w`, `.`, escapes, `{2}`, `{1,64}`, `+`, `*` and `?`."""

    __slots__ = ("_characters", "_computed", "_known", "_masks", "_optional", "_positions", "_repeated")

    def __init__(self, text: str) -> None:
        """Read an expression. ValueError if it has something else."""
        self._characters: list[tuple[frozenset[str], bool]] = []
        self._masks: dict[str, int] = {}
        self._known: dict[int, dict[str, int]] = {}
        self._computed = 0
        self._optional = self._repeated = 0
        position = 0
        while position < len(text):
            item = _ITEM.match(text, position)
            if item is None:
                raise ValueError(f"not an expression: {text}")
            self._add(item)
            position = item.end()
        self._positions = (1 << len(self._characters)) - 1

    def matches_any(self, pattern: str) -> bool:
        """Return whether a pattern, in which `*` and `?` are wildcards, matches one of the texts."""
        if self._computed > _MOST_STEPS:
            self._known, self._computed = {}, 0
        known, reached = self._known, self._skipped(1)
        steps = known.setdefault(reached, {})
        for character in pattern:
            following = steps.get(character)
            if following is None:
                following = steps[character] = self._following(reached, character)
                self._computed += 1
            if following != reached:
                if not following:
                    return False
                reached = following
                steps = known.setdefault(reached, {})
        return bool(reached & (self._positions + 1))

    def _following(self, reached: int, character: str) -> int:
        """Return the positions that can be reached by a character of a pattern."""
        if character == "*":  # everything from the first position that was reached can follow
            return (2 * self._positions + 1) & -(reached & -reached)
        taken = reached & (self._positions if character == "?" else self._accepting(character))
        return self._skipped(taken << 1 | taken & self._repeated)

    def _add(self, item: re.Match[str]) -> None:
        characters = _characters(item)
        least, most = _REPEATED.get(item["repeated"] or "", (1, 1))
        if item["least"]:
            least = int(item["least"])
            most = int(item["most"]) if item["range"] else least
        for number in range(least if most is None else most):
            self._optional |= (number >= least) << len(self._characters)
            self._characters.append(characters)
        if most is None:
            if not least:
                self._optional |= 1 << len(self._characters)
                self._characters.append(characters)
            self._repeated |= 1 << len(self._characters) - 1

    def _skipped(self, reached: int) -> int:
        """Return the positions with those behind the optional ones among them: the sum carries through each run."""
        return reached | ((reached & self._optional) + self._optional) ^ self._optional

    def _accepting(self, character: str) -> int:
        """Return the positions that accept a character."""
        mask = self._masks.get(character)
        if mask is None:
            mask = sum(
                ((character in characters) is not negated) << position
                for position, (characters, negated) in enumerate(self._characters)
            )
            self._masks[character] = mask
        return mask


@cache
def expression(text: str) -> Expression:
    """Return an expression, read once."""
    return Expression(text)


def _characters(item: re.Match[str]) -> tuple[frozenset[str], bool]:
    """Return the characters of an item, and whether they are those that it does not accept."""
    if item["set"]:
        return frozenset(character for part in _IN_SET.finditer(item["set"]) for character in _of(part)), bool(
            item["negated"]
        )
    if item["escaped"]:
        return _CLASSES.get(item["escaped"], frozenset(item["escaped"])), False
    return (frozenset(), True) if item["character"] == "." else (frozenset(item["character"]), False)


def _of(part: re.Match[str]) -> Iterator[str]:
    """Yield the characters of a part of a set."""
    if part["escaped"]:
        yield from _CLASSES.get(part["escaped"], part["escaped"])
    elif part["first"]:
        yield from map(chr, range(ord(part["first"]), ord(part["last"]) + 1))
    else:
        yield part["character"]


# ── ARNs ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_NAME: Final = re.compile(r"[A-Z][A-Z-]+")
_SPECIAL: Final = re.compile(r"[\[\](){}|\\.*+?]")
_REGION: Final = r"[a-z]{2,4}-[a-z\-]+-[0-9]{1,2}"
_FIELDS: Final = {
    "{partition}": r"aws[a-z\-]*",
    "{region}": _REGION,
    "{account}": "[0-9]{12}",
}


REGION: Final = re.compile(_REGION)


class _Arns:
    """ARNs: an expression for each of the six parts, and one for the whole."""

    __slots__ = ("_parts", "_whole")

    def __init__(self, parts: list[str]) -> None:
        self._parts = [expression(part) for part in parts]
        self._whole = expression(":".join(parts))

    def matches_any(self, pattern: str, *, as_text: bool) -> bool:
        parts = split_arn(pattern)
        if as_text or len(parts) != PARTS:
            return self._whole.matches_any(pattern)
        return all(one.matches_any(part) for one, part in zip(self._parts, parts, strict=True))


class ArnForm:
    """The ARNs of one form, with the alternatives of its names."""

    __slots__ = ("_alternatives", "_broad")

    def __init__(self, form: str, names: dict[str, str]) -> None:
        """Read a form with `{partition}`, `{region}`, `{account}` and names in capitals.

        `names` has the expression of each name, with `|` between alternatives.
        """
        used = list(dict.fromkeys(_NAME.findall(split_arn(form)[-1])))
        choices = [names[name].split("|") for name in used]
        # Most patterns that match no alternative do not match any text in its place either.
        self._broad = _arns(form, dict(zip(used, (".+" if len(one) > 1 else one[0] for one in choices), strict=True)))
        self._alternatives = [_arns(form, dict(zip(used, chosen, strict=True))) for chosen in product(*choices)]

    def matches_any(self, pattern: str, *, as_text: bool = False) -> bool:
        """Return whether a pattern matches an ARN of this form.

        It is compared part by part, as ArnLike compares: a `*` stays in its part. `as_text`, and with fewer parts than
        an ARN has, it is compared as StringLike compares: a `*` also matches colons.
        """
        return _matches(self, pattern, as_text)

    def compare(self, pattern: str, *, as_text: bool) -> bool:
        """Compare a pattern as `matches_any` does, which remembers the result."""
        if not self._broad.matches_any(pattern, as_text=as_text):
            return False
        return any(one.matches_any(pattern, as_text=as_text) for one in self._alternatives)


@lru_cache(maxsize=4096)
def _matches(form: ArnForm, pattern: str, as_text: bool) -> bool:
    return form.compare(pattern, as_text=as_text)


@cache
def arn_form(form: str, names: tuple[tuple[str, str], ...]) -> ArnForm:
    """Return a form, read once."""
    return ArnForm(form, dict(names))


def _arns(form: str, chosen: dict[str, str]) -> _Arns:
    return _Arns([_FIELDS.get(part) or _filled(part, chosen) for part in split_arn(form)])


def _filled(part: str, chosen: dict[str, str]) -> str:
    """Return the expression of a part: its names replaced by their expressions, the rest literal."""
    literal = _NAME.split(part)
    found = [chosen[name] for name in _NAME.findall(part)]
    return "".join(_SPECIAL.sub(r"\\\g<0>", text) + each for text, each in zip(literal, [*found, ""], strict=True))
