"""Conditions on one key, and the exact decision whether a value of the key exists that satisfies some and not others.

A key is absent, has one value, or has several. Each condition is a set of texts (see `languages`), or a comparison of
numbers, dates, addresses or binary data: then a few values suffice, one of each kind that the conditions distinguish.
"""

from __future__ import annotations

from itertools import pairwise, product

from permission_guard.iam.conditions import FOR_ALL, FOR_ANY, Condition
from permission_guard.iam.context import ABSENT
from permission_guard.iam.languages import (
    ANY_ARN,
    Budget,
    Language,
    exists,
    is_comparable,
    symbols_in_any_case,
    symbols_of_arn,
    symbols_of_glob,
    symbols_of_text,
)
from permission_guard.iam.logic import TRUE
from permission_guard.iam.values import ip_network, parse_binary, parse_date, parse_number
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Final

    from permission_guard.iam.context import Found

_TEXT: Final = "text"
_NULL: Final = "null"
_KINDS: Final = {"Numeric": "number", "Date": "date", "Binary": "binary"}
_IP_BITS: Final = {4: 32, 6: 128}
_NOT_COMPARABLE: Final = "x"
"""A text that is neither a number nor a date, an address or base64."""


@record
class Reading:
    """How AWS treats what it does not document. What holds in each reading holds.

    `empty_is_no_value`: with ForAllValues, an empty value counts as no value. `absent_any_if_exists`: an absent key
    satisfies ForAnyValue with IfExists. `stars_cross_colons`: a `*` before the resource part of an ARN in a Resource
    element also matches colons.
    """

    empty_is_no_value: bool = False
    absent_any_if_exists: bool = False
    stars_cross_colons: bool = False


Texts = tuple[tuple[Language, ...], tuple[Language, ...]]
"""The texts that are in each of the first sets, and in none of the second ones."""


class KeyTest:
    """One condition of a statement that can be decided: equal ones are the same object."""

    __slots__ = ("_false", "_true", "condition", "kind", "text", "values")

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.kind = kind_of(condition)
        self.values = condition.texts
        self.text = f"{condition.name} {condition.spelled}"
        self._true: tuple[Texts, ...] = ()
        self._false: tuple[Texts, ...] = ()
        if self.kind == _TEXT:
            self._true, self._false = _texts_of(condition)

    def holds_absent(self, reading: Reading) -> bool:
        """Return whether an absent key satisfies the condition."""
        if self.condition.qualifier == FOR_ANY and self.condition.if_exists:
            return reading.absent_any_if_exists
        return self.condition.evaluate(_absent) == TRUE

    @property
    def holds_present(self) -> bool:
        """Whether any present key satisfies a Null condition."""
        return self.condition.evaluate(_present) == TRUE

    def texts(self, *, truth: bool) -> tuple[Texts, ...]:
        """Return the texts of which one satisfies, or does not satisfy, the operator: any of the alternatives."""
        return self._true if truth else self._false

    def admits(self, text: str) -> bool:
        """Return whether a text satisfies the operator."""
        return self.condition.compare(text, _absent) == TRUE


Literal = tuple[KeyTest, bool]
"""A condition, and whether it is true."""


def _absent(_key: str) -> Found:
    return ABSENT


def _present(_key: str) -> Found:
    return "x"


def kind_of(condition: Condition) -> str:
    """Return what a condition compares; empty if it cannot be decided: it is invalid, or has policy variables."""
    operator = condition.operator
    if condition.null and not condition.problem:
        return _NULL
    if operator is None or any(condition.problems()) or condition.compares_no_arn or condition.has_variables:
        return ""
    name = operator.name
    if name.startswith(("String", "Arn", "Bool")):
        exact = all(map(is_comparable, condition.texts))
        folds = name.endswith("IgnoreCase")
        return _TEXT if exact and (not folds or all(text.isascii() for text in condition.texts)) else ""
    if "IpAddress" in name:
        return "address"
    return next((kind for prefix, kind in _KINDS.items() if name.startswith(prefix)), "")


def _texts_of(condition: Condition) -> tuple[tuple[Texts, ...], tuple[Texts, ...]]:
    """Return the texts that satisfy a condition and those that do not."""
    operator = condition.operator
    assert operator is not None  # noqa: S101 - the kind of the condition is text
    name = operator.name.replace("Not", "")
    if name == "Bool":
        true = Language([symbols_in_any_case("true")])
        wanted = {text.lower() == "true" for text in condition.texts}
        either = {True: ((true,), ()), False: ((), (true,))}
        return tuple(either[one] for one in wanted), tuple(either[one] for one in {True, False} - wanted)
    symbols = {
        "StringEquals": symbols_of_text,
        "StringEqualsIgnoreCase": symbols_in_any_case,
        "StringLike": symbols_of_glob,
    }.get(name, symbols_of_arn)
    matched = Language(map(symbols, condition.texts))
    inside: Texts = ((matched,), ())
    outside: Texts = ((), (matched,))
    if not name.startswith("Arn"):
        return ((outside,), (inside,)) if operator.negated else ((inside,), (outside,))
    arns = Language([ANY_ARN])
    if operator.negated:
        return (((arns,), (matched,)),), (inside, ((), (arns,)))
    return (inside,), (outside,)


# ── Decisions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def satisfiable(literals: Sequence[Literal], samples: Sequence[str] | None, reading: Reading, budget: Budget) -> bool:
    """Return whether a state of the key exists in which each condition is true or false as given.

    `samples` are the values that suffice, None if the conditions compare texts.
    """
    if all(test.holds_absent(reading) is truth for test, truth in literals):
        return True
    if not all(test.holds_present is truth for test, truth in literals if test.kind == _NULL):
        return False
    valued = [(test, truth) for test, truth in literals if test.kind != _NULL]
    return _one_value(valued, samples, reading, budget) or _several_values(valued, samples, budget)


def _one_value(literals: Sequence[Literal], samples: Sequence[str] | None, reading: Reading, budget: Budget) -> bool:
    """Return whether one value exists. Only for ForAllValues an empty one may count as none."""
    spares = [reading.empty_is_no_value and test.condition.qualifier == FOR_ALL for test, _ in literals]
    if any(spares):
        empty = all(
            truth if spared else test.admits("") is truth
            for (test, truth), spared in zip(literals, spares, strict=True)
        )
        if empty:
            return True
        return _value_exists(literals, [one for one in samples if one] if samples else samples, budget, nonempty=True)
    return _value_exists(literals, samples, budget)


def _several_values(literals: Sequence[Literal], samples: Sequence[str] | None, budget: Budget) -> bool:
    """Return whether a list of values exists: all are in some sets, and one of them at least in each of others."""
    every: list[Literal] = []
    some: list[Literal] = []
    for test, truth in literals:
        if not test.condition.qualifier:
            if truth:
                return False
        elif (test.condition.qualifier == FOR_ALL) is truth:
            every.append((test, truth))
        else:
            some.append((test, truth))
    return all(_value_exists([*every, one], samples, budget) for one in some)


def _value_exists(
    literals: Sequence[Literal], samples: Sequence[str] | None, budget: Budget, *, nonempty: bool = False
) -> bool:
    if samples is not None:
        budget.spend(len(samples) * sum(len(test.values) for test, _ in literals))
        return any(all(test.admits(text) is truth for test, truth in literals) for text in samples)
    empty = (Language([()]),) if nonempty else ()
    choices = [test.texts(truth=truth) for test, truth in literals]
    return any(
        exists(
            [each for one in chosen for each in one[0]], [*empty, *(each for one in chosen for each in one[1])], budget
        )
        for chosen in product(*choices)
    )


def samples_of(tests: Iterable[KeyTest]) -> list[str] | None:
    """Return values of which each kind that the conditions distinguish has one; None if they compare texts.

    ValueError if the conditions compare different things, or values too close to each other.
    """
    tests = [test for test in tests if test.kind != _NULL]
    kinds = {test.kind for test in tests}
    if kinds <= {_TEXT}:
        return None
    if len(kinds) > 1:
        raise ValueError("conditions compare a key in different ways")
    values = list(dict.fromkeys(value for test in tests for value in test.values))
    found = {"number": _numbers, "date": _dates, "binary": _binaries, "address": _addresses}[kinds.pop()](values)
    return ["", _NOT_COMPARABLE, *found]


def _numbers(values: list[str]) -> Iterator[str]:
    from decimal import localcontext  # noqa: PLC0415 - few policies compare numbers

    bounds = sorted({number for value in values if (number := parse_number(value)) is not None})
    with localcontext() as context:
        context.prec = 1000
        found = [bounds[0] - 1, *bounds, bounds[-1] + 1]
        for low, high in pairwise(bounds):
            between = (low + high) / 2
            if not low < between < high:
                raise ValueError("numbers are too close")
            found.append(between)
        if not found[0] < bounds[0] <= bounds[-1] < found[len(bounds) + 1]:
            raise ValueError("numbers are too large")
    texts = list(map(str, found))
    if [parse_number(text) for text in texts] != found:
        raise ValueError("numbers are too long")
    yield from texts


def _dates(values: list[str]) -> Iterator[str]:
    for value in values:
        moment = parse_date(value)
        for milliseconds in (moment - 1, moment, moment + 1) if isinstance(moment, int) else ():
            sign, rest = "-" if milliseconds < 0 else "", abs(milliseconds)
            text = f"{sign}{rest // 1000:05d}.{rest % 1000:03d}"
            if parse_date(text) != milliseconds:
                raise ValueError("a date is too large")
            yield text


def _binaries(values: list[str]) -> Iterator[str]:
    from binascii import b2a_base64  # noqa: PLC0415 - few policies compare binary data

    taken = {parse_binary(value) for value in values}
    yield from values
    yield next(
        text for number in range(len(taken) + 1) if parse_binary(text := _base64(b2a_base64, number)) not in taken
    )


def _base64(encode: object, number: int) -> str:
    return encode(number.to_bytes(4, "big"), newline=False).decode()  # type: ignore[operator, no-any-return]


def _addresses(values: list[str]) -> Iterator[str]:
    """Yield the first and last address of each network, and those next to it."""
    from ipaddress import IPv4Address, IPv6Address  # noqa: PLC0415 - slow to import, few policies need it

    for network in filter(None, map(ip_network, values)):
        bits = _IP_BITS[network.family]
        first = network.bits >> (bits - network.prefix) << (bits - network.prefix)
        last = first + (1 << bits - network.prefix) - 1
        address = IPv4Address if network.family == 4 else IPv6Address  # noqa: PLR2004
        yield from (str(address(each)) for each in (first - 1, first, last, last + 1) if 0 <= each < 1 << bits)
    yield from ("0.0.0.0", "::")  # noqa: S104 - an address that is compared, not bound
