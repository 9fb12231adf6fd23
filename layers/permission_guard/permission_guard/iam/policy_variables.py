"""Texts of a policy that can contain policy variables: `${key}`, `${key, 'default'}`, `${*}`, `${?}` and `${$}`.

Policies support variables only if their Version is exactly 2012-10-17. The value of a variable is literal text, never a
wildcard. See "IAM policy elements: Variables and tags" in the IAM User Guide.
"""

from __future__ import annotations

from permission_guard.iam.arn import PARTS
from permission_guard.iam.context import UNKNOWN
from permission_guard.iam.glob import ANY_RUN, Glob, Token, glob_of, tokenize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from permission_guard.iam.context import Found

    Lookup = Callable[[str], Found]

_LITERAL: Final = {"*": "*", "?": "?", "$": "$"}


class Variable:
    """A policy variable: its key in lower case and as written, and its default value if it has one."""

    __slots__ = ("default", "key", "spelled")

    def __init__(self, key: str, default: str | None) -> None:
        self.key = key.lower()
        self.spelled = key
        self.default = default


Part = Token | Variable


class VariableText:
    """A text that can contain variables, and wildcards if its element supports them."""

    __slots__ = ("glob", "parts", "text", "variables")

    def __init__(self, text: str, *, variables: bool, wildcards: bool) -> None:
        self.text = text
        self.parts: list[Part] = parse_parts(text, wildcards=wildcards) if variables and "${" in text else []
        self.variables = tuple(part for part in self.parts if isinstance(part, Variable))
        self.glob: Glob | None = None
        if not self.variables:
            tokens: list[Token] = [part for part in self.parts if not isinstance(part, Variable)]
            self.glob = glob_of(tokens or (tokenize(text) if wildcards else [text]))

    def resolve(self, lookup: Lookup) -> tuple[Glob | None, bool]:
        """Return the pattern with the values of its variables, and whether it is exact.

        Not exact: a variable is unknown, and a `*` replaces it. None: a variable has neither a value nor a default, so
        that the text matches nothing.
        """
        if self.glob is not None:
            return self.glob, True
        tokens, exact = fill(self.parts, lookup)
        return (None if tokens is None else glob_of(tokens)), exact


def parse_parts(text: str, *, wildcards: bool) -> list[Part]:
    """Split a text into literals, wildcards and variables. A `${` that does not start a variable is literal."""
    parts: list[Part] = []
    position = 0
    while position < len(text):
        start = text.find("${", position)
        end = text.find("}", start) if start >= 0 else -1
        if end < 0:
            parts += tokenize(text[position:]) if wildcards else [text[position:]]
            break
        if start > position:
            parts += tokenize(text[position:start]) if wildcards else [text[position:start]]
        parts.append(_variable(text[start : end + 1]))
        position = end + 1
    return parts


def _variable(text: str) -> Part:
    inside = text[2:-1].strip()
    if inside in _LITERAL:
        return inside
    key, comma, default = inside.partition(",")
    default = default.strip()
    if not key.strip():
        return text
    if comma and len(default) > 1 and default[0] == default[-1] == "'":
        return Variable(key.strip(), default[1:-1])
    return text if comma else Variable(key.strip(), None)


def split_parts(parts: list[Part]) -> list[list[Part]]:
    """Split an ARN at the first five colons outside its variables. Colons in the value of a variable do not count."""
    segments: list[list[Part]] = [[]]
    for part in parts:
        if not isinstance(part, str):
            segments[-1].append(part)
            continue
        first, *rest = part.split(":", PARTS - len(segments))
        if first:
            segments[-1].append(first)
        segments += [[piece] if piece else [] for piece in rest]
    return segments


def fill(parts: list[Part], lookup: Lookup) -> tuple[list[Token] | None, bool]:
    """Replace the variables by their values; see `VariableText.resolve`."""
    tokens: list[Token] = []
    exact = True
    for part in parts:
        if not isinstance(part, Variable):
            tokens.append(part)
            continue
        found = lookup(part.key)
        if found is UNKNOWN:
            exact = False
            tokens.append(ANY_RUN)
        elif isinstance(found, tuple):
            return None, True
        elif isinstance(found, str):
            tokens.append(found)
        elif part.default is not None:
            tokens.append(part.default)
        else:
            return None, True
    return [token for token in tokens if token != ""], exact
