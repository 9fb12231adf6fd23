"""The condition operators for Z3, from the AWS documentation: on texts, numbers, dates and addresses.

See "IAM JSON policy elements: Condition operators" in the IAM User Guide.
"""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, Any, Final

import z3

if TYPE_CHECKING:
    from tests.proof.encoding import Key

Formula = Any
"""A Boolean of Z3, which has no types."""

_STRINGS: Final = z3.ReSort(z3.StringSort())
_ANY_TEXT: Final = z3.Full(_STRINGS)
_ANY_CHARACTER: Final = z3.AllChar(_STRINGS)
_NO_COLON: Final = z3.Union(z3.Range(chr(0), "9"), z3.Range(";", chr(0xFFFF)))
_ORDERED: Final = {
    "Equals": lambda one, other: one == other,
    "NotEquals": lambda one, other: one != other,
    "LessThan": lambda one, other: one < other,
    "LessThanEquals": lambda one, other: one <= other,
    "GreaterThan": lambda one, other: one > other,
    "GreaterThanEquals": lambda one, other: one >= other,
}


class NotEncodedError(Exception):
    """An element that has no formula of its own."""


def compared(value: Formula, base: str, texts: list[str]) -> Formula:
    """Return whether a text satisfies an operator on texts."""
    if base == "bool":
        if not all(text.lower() in {"true", "false"} for text in texts):
            raise NotEncodedError
        true = z3.InRe(value, _any_case("true"))
        return any_of([true if text.lower() == "true" else z3.Not(true) for text in texts])
    negated = "not" in base
    name = base.replace("not", "")
    if name == "stringequals":
        found = any_of([value == text for text in texts])
    elif name == "stringequalsignorecase":
        found = any_of([z3.InRe(value, _any_case(text)) for text in texts])
    elif name == "stringlike":
        found = any_of([matches(value, text) for text in texts])
    elif name in {"arnequals", "arnlike"}:
        found = any_of([matches_arn(value, text) for text in texts])
        is_arn = z3.InRe(value, z3.Concat(*[z3.Concat(z3.Star(_NO_COLON), z3.Re(":"))] * 5, _ANY_TEXT))
        return z3.And(is_arn, z3.Not(found)) if negated else found
    else:
        raise NotEncodedError
    return z3.Not(found) if negated else found


def typed(key: Key, kind: str, base: str, texts: list[str]) -> tuple[Formula, bool]:
    """Return whether a number, a moment or an address satisfies an operator, and whether that is negated."""
    if kind == "address":
        networks = [_network(text) for text in texts]
        inside = any_of(
            [z3.BoolVal(val=True) if size == 0 else z3.Extract(31, 32 - size, key.address) == first >> 32 - size
             for first, size in networks]
        )  # fmt: skip
        return z3.And(key.is_address, z3.Not(inside) if "not" in base else inside), "not" in base
    comparison = {name.lower(): name for name in _ORDERED}.get(base.removeprefix(kind))
    if comparison is None:
        raise NotEncodedError
    number, known = (key.number, key.is_number) if kind == "numeric" else (key.moment, key.is_moment)
    bounds = [_bound(kind, text) for text in texts]
    if comparison == "NotEquals":
        return z3.Not(any_of([z3.And(known, number == bound) for bound in bounds])), True
    return z3.And(known, any_of([_ORDERED[comparison](number, bound) for bound in bounds])), False


def kind_of(base: str) -> str:
    """Return what an operator compares."""
    base = base.lower()
    if "ipaddress" in base:
        return "address"
    return next((kind for kind in ("numeric", "date", "binary") if base.startswith(kind)), "text")


def _network(text: str) -> tuple[int, int]:
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise NotEncodedError from error
    if not isinstance(network, IPv4Network):
        raise NotEncodedError
    return int(network.network_address), network.prefixlen


def _bound(kind: str, text: str) -> Formula:
    try:
        found = Fraction(text) if kind == "numeric" else moment_of(text)
    except ValueError as error:
        raise NotEncodedError from error
    return z3.Q(found.numerator, found.denominator)


def moment_of(text: str) -> Fraction:
    """Return a date in ISO 8601 as seconds since 1970. ValueError if it is none."""
    moment = datetime.fromisoformat(f"{text}-01-01" if len(text) == 4 else text)
    return Fraction(str((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))


# ── Texts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def matches(value: Formula, pattern: str) -> Formula:
    """Return whether a text matches a pattern with `*` and `?`."""
    if "*" not in pattern and "?" not in pattern:
        return value == pattern
    return z3.InRe(value, _expression(pattern, _ANY_TEXT, _ANY_CHARACTER))


def matches_arn(value: Formula, pattern: str) -> Formula:
    """Return whether an ARN matches another one part by part."""
    parts = pattern.split(":", 5)
    if len(parts) < 6:
        raise NotEncodedError
    if "*" not in pattern and "?" not in pattern:
        return value == pattern
    first = [z3.Concat(_expression(part, z3.Star(_NO_COLON), _NO_COLON), z3.Re(":")) for part in parts[:5]]
    return z3.InRe(value, z3.Concat(*first, _expression(parts[5], _ANY_TEXT, _ANY_CHARACTER)))


def _expression(pattern: str, many: Formula, one: Formula) -> Formula:
    pieces = []
    literal = ""
    for character in f"{pattern}*":
        if character not in "*?":
            literal += character
            continue
        if literal:
            pieces.append(z3.Re(z3.StringVal(literal)))
            literal = ""
        pieces.append(many if character == "*" else one)
    pieces.pop()
    if not pieces:
        return z3.Re(z3.StringVal(""))
    return pieces[0] if len(pieces) == 1 else z3.Concat(*pieces)


def _any_case(text: str) -> Formula:
    if not text.isascii() or not text:
        raise NotEncodedError
    letters = [z3.Union(z3.Re(each.lower()), z3.Re(each.upper())) if each.isalpha() else z3.Re(each) for each in text]
    return letters[0] if len(letters) == 1 else z3.Concat(*letters)


def any_of(formulas: list[Formula]) -> Formula:
    """Return whether one of the formulas holds."""
    return z3.Or(*formulas) if formulas else z3.BoolVal(val=False)
