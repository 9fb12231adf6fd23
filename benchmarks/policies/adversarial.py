"""Policies of the greatest size that AWS accepts, each made to take as long as possible.

Each kind is a function of a size in bytes, so that a time can be compared with that of half the size.
"""

from __future__ import annotations

import json
from itertools import chain, count, cycle, islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

RESOURCE_POLICY_BYTES: Final = 20_480
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

FUNCTION: Final = "arn:aws:lambda:us-east-1:123456789012:function:orders"
_BASE: Final = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
_SOURCE: Final = "aws:SourceArn"
_CLASSES: Final = ("StringEquals", "StringLike", "ArnLike", "NumericLessThan", "IpAddress", "DateLessThan", "Bool")

Statement = dict[str, Any]


def document(statements: Iterable[Statement]) -> str:
    """Return the text of a policy without spaces, which do not count for the limits."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))


def filled(size: int, made: Iterator[Statement]) -> str:
    """Return a policy of as many statements as fit into a size."""
    statements: list[Statement] = []
    left = size - len(document([]))
    for statement in made:
        left -= len(json.dumps(statement, separators=(",", ":"))) + 1
        if left < 0:
            break
        statements.append(statement)
    return document(statements)


def listing(size: int, values: Iterator[str], build: Callable[[list[str]], Iterable[Statement]]) -> str:
    """Return a policy with as many values in its list as fit into a size."""
    left = size - len(document(build([])))
    found: list[str] = []
    for value in values:
        left -= len(json.dumps(value)) + 1
        if left < 0:
            break
        found.append(value)
    return document(build(found))


def _condition(operator: str, key: str, values: Any, **more: Any) -> Statement:
    return {**_BASE, "Condition": {operator: {key: values}}, **more}


def _accounts() -> Iterator[str]:
    return (f"{number:012}" for number in count(100_000_000_000))


def _half(size: int, values: Iterator[str], build: Callable[[list[str], list[str]], Iterable[Statement]]) -> str:
    """Return a policy with two lists of the same number of values."""
    return listing(size, values, lambda found: build(found[::2], found[1::2]))


def _one_pattern(text: str) -> Callable[[int], str]:
    def build(size: int) -> str:
        room = size - len(document([_condition("StringLike", _SOURCE, "")]))
        return document([_condition("StringLike", _SOURCE, (text * size)[:room])])

    return build


def _patterns(form: str, operator: str = "StringLike", key: str = _SOURCE) -> Callable[[int], str]:
    return lambda size: listing(
        size, (form.format(n) for n in count()), lambda values: [_condition(operator, key, values or "x")]
    )


def _pairs(allow: Callable[[int], Statement], deny: Callable[[int], Statement]) -> Callable[[int], str]:
    """Return the policy of many Allow and as many Deny statements."""
    return lambda size: filled(
        size, (make(n) for n in count() for make in (allow, lambda n: {**deny(n), "Effect": "Deny"}))
    )


def _cases_of(key: str) -> Iterator[str]:
    """Yield the spellings of a condition key, which AWS compares without regard to case."""
    for number in count():
        yield "".join(letter.upper() if number >> place & 1 else letter.lower() for place, letter in enumerate(key))


def _many_conditions(size: int) -> str:
    """Return a policy with many conditions on one key, and many principals."""
    spelled = list(islice(_cases_of("aws:SourceAccount"), size // 110))
    block = dict.fromkeys(spelled, next(_accounts()))
    return listing(
        size,
        _accounts(),
        lambda values: [{**_BASE, "Principal": {"AWS": values or ["1"]}, "Condition": {"StringEquals": block}}],
    )


def _principals_and_denies(size: int) -> str:
    """Return a policy with many principals, and many Deny statements with exceptions."""
    denies = [
        {**_BASE, "Effect": "Deny", "Condition": {"StringNotEquals": {"aws:PrincipalAccount": str(n)}}}
        for n in range(size // 280)
    ]
    return listing(size, _accounts(), lambda values: [{**_BASE, "Principal": {"AWS": values or ["1"]}}, *denies])


def _principals_and_exceptions(size: int) -> str:
    """Return a policy with many principals, and many Deny statements with NotPrincipal."""
    denies = [
        {"Effect": "Deny", "NotPrincipal": {"AWS": f"{n:012}"}, "Action": "*", "Resource": "*"}
        for n in range(size // 200)
    ]
    return listing(size, _accounts(), lambda values: [{**_BASE, "Principal": {"AWS": values or ["1"]}}, *denies])


def _services() -> Iterator[str]:
    return (f"s{n}.amazonaws.com" for n in count())


def _triggers() -> Iterator[Statement]:
    """Yield the statements of ordinary triggers."""
    for number in count():
        source = f"arn:aws:events:us-east-1:123456789012:rule/rule-{number}"
        yield {
            "Sid": f"rule{number}",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": FUNCTION,
            "Condition": {"ArnLike": {"AWS:SourceArn": source}},
        }


def ordinary(size: int) -> str:
    """Return a policy of as many ordinary triggers as fit into a size."""
    return filled(size, _triggers())


KINDS: Final[dict[str, Callable[[int], str]]] = {
    "one pattern of *a": _one_pattern("*a"),
    "one pattern of *": _one_pattern("*"),
    "one pattern of ?": _one_pattern("?"),
    "one pattern of *?a": _one_pattern("*?a"),
    "one pattern of *:": _one_pattern("*:"),
    "one pattern of accounts": _one_pattern("*:123456789012:*:999999999999:"),
    "one pattern of digits": _one_pattern("*1"),
    "one pattern of variables": _one_pattern("${aws:PrincipalTag/a}*"),
    "patterns *?n": _patterns("*?{}"),
    "patterns *n*": _patterns("*{}*"),
    "patterns of ARNs": _patterns("arn:aws:sns:*:*:{}*", "ArnLike"),
    "patterns of ARNs as text": _patterns("arn:aws:sns:*{}*", "StringLike"),
    "patterns with variables": _patterns("*${{a:b}}{}*"),
    "patterns of the ARNs of an account as text": _patterns(
        "arn:aws:events:us-east-1:123456789012:*{}*/?", "StringLike"
    ),
    "account patterns": _patterns("*{}*", "StringLike", "aws:SourceAccount"),
    "accounts": _patterns("{:012}", "StringEquals", "aws:SourceAccount"),
    "numbers": _patterns("1e{}", "NumericLessThan", "aws:SourceAccount"),
    "dates": _patterns("2026-01-01T00:00:{:02}Z", "DateLessThan", "aws:CurrentTime"),
    "networks": _patterns("2001:db8:{:x}::/48", "IpAddress", "aws:SourceIp"),
    "excepted networks": _patterns("1.1.{}.0/24", "NotIpAddress", "aws:SourceIp"),
    "actions": lambda size: listing(
        size, (f"lambda:*{n}*" for n in count()), lambda values: [{**_BASE, "Action": values or "*"}]
    ),
    "actions with ?": lambda size: listing(
        size, (f"lambda:*?{n}" for n in count()), lambda values: [{**_BASE, "Action": values or "*"}]
    ),
    "resources": lambda size: listing(
        size, (f"arn:aws:*:*?{n}" for n in count()), lambda values: [{**_BASE, "Resource": values or "*"}]
    ),
    "resources with variables": lambda size: listing(
        size, (f"arn:aws:*${{a:b}}?{n}" for n in count()), lambda values: [{**_BASE, "Resource": values or "*"}]
    ),
    "principals": lambda size: listing(
        size, _accounts(), lambda values: [{**_BASE, "Principal": {"AWS": values or ["1"]}}]
    ),
    "services": lambda size: listing(
        size,
        _services(),
        lambda values: [_condition("StringLike", _SOURCE, "*", Principal={"Service": values or ["x"]})],
    ),
    "services and sources": lambda size: _half(
        size,
        chain.from_iterable(zip(_services(), (f"arn:aws:s{n}:*" for n in count()), strict=False)),
        lambda one, two: [_condition("ArnLike", _SOURCE, two or "*", Principal={"Service": one or ["x"]})],
    ),
    "conditions and principals": _many_conditions,
    "principals and denies": _principals_and_denies,
    "principals and exceptions": _principals_and_exceptions,
    "denied actions": lambda size: _half(
        size,
        (f"a:{n}*" for n in count()),
        lambda one, two: [{**_BASE, "Action": one or "*"}, {**_BASE, "Effect": "Deny", "Action": two or "*"}],
    ),
    "denied actions but some": lambda size: _half(
        size,
        (f"a:*{n}*" for n in count()),
        lambda one, two: [
            {**_BASE, "Action": one or "*"},
            {"Effect": "Deny", "Principal": "*", "NotAction": two or "*", "Resource": "*"},
        ],
    ),
    "denied values": lambda size: _half(
        size,
        (f"*{n}*" for n in count()),
        lambda one, two: [
            _condition("StringLike", _SOURCE, one or "*"),
            _condition("StringLike", _SOURCE, two or "*", Effect="Deny"),
        ],
    ),
    "denied principals": lambda size: _half(
        size,
        _accounts(),
        lambda one, two: [
            {**_BASE, "Principal": {"AWS": one or ["1"]}},
            {**_BASE, "Effect": "Deny", "Principal": {"AWS": two or ["1"]}},
        ],
    ),
    "statements": _pairs(lambda _: _BASE, lambda _: _BASE),
    "statements with denies under conditions": _pairs(
        lambda _: _BASE, lambda n: {**_BASE, "Condition": {"StringNotEquals": {"aws:SourceIp": f"{n}"}}}
    ),
    "statements with conditions": _pairs(
        lambda n: _condition("StringEquals", "a:b", f"{n}"),
        lambda n: _condition("StringNotEquals", "aws:SourceVpc", f"{n}"),
    ),
    "statements with patterns": _pairs(
        lambda n: {**_BASE, "Action": f"a:{n}*", "Resource": f"arn:{n}*"},
        lambda n: {**_BASE, "Action": "a:*", "Resource": "arn:*", "Condition": {"Bool": {"a:b": f"{n}"}}},
    ),
    "statements with patterns in conditions": _pairs(
        lambda n: _condition("StringLike", _SOURCE, f"*{n}"), lambda n: _condition("StringLike", _SOURCE, f"*{n}?*")
    ),
    "statements with implied conditions": _pairs(
        lambda n: _condition("StringEquals", "aws:SourceVpc", f"{n}"),
        lambda n: _condition("StringEquals", "aws:SourceVpc", f"{n}"),
    ),
    "statements for services": _pairs(
        lambda n: {**_BASE, "Principal": {"Service": f"s{n}.amazonaws.com"}},
        lambda n: {**_BASE, "Principal": {"Service": f"s{n + 1}.amazonaws.com"}},
    ),
    "statements with every operator": lambda size: filled(
        size, (_condition(operator, _SOURCE, f"*{n}") for n, operator in zip(count(), cycle(_CLASSES), strict=False))
    ),
    "digits": lambda size: document([_condition("NumericEquals", "aws:SourceAccount", "9" * (size - 160))]),
    "digits of a prefix": lambda size: document([_condition("IpAddress", "aws:SourceIp", f"::/{'9' * (size - 160)}")]),
    "empty statements": lambda size: '{"Statement":[' + ",".join(["{}"] * (size // 3 - 5)) + "]}",
    "numbers as statements": lambda size: '{"Statement":[' + ",".join("1" * (size // 2 - 9)) + "]}",
    "nested": lambda size: '{"Statement":' + "[" * (size // 2 - 20) + "]" * (size // 2 - 20) + "}",
    "percent-encoded": lambda size: "%7B" * (size // 3),
}
"""The kinds of policies, and what each consists of."""
