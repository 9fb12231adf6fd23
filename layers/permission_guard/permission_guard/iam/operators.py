"""The condition operators, one `Operator` each. `conditions` combines their results.

See "IAM JSON policy elements: Condition operators" in the IAM User Guide.
"""

from __future__ import annotations

from permission_guard.iam.arn import PARTS, split_arn
from permission_guard.iam.glob import Glob, compile_glob, glob_of
from permission_guard.iam.logic import FALSE, TRUE, UNKNOWN
from permission_guard.iam.policy_variables import VariableText, fill, split_parts
from permission_guard.iam.values import (
    in_network,
    ip_address,
    ip_network,
    is_arn,
    parse_binary,
    parse_date,
    parse_number,
)
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from permission_guard.iam.policy_variables import Lookup, Variable

    Test = Callable[[str, Lookup], int]
    """Compares a context value with one value of the policy."""


@record
class PolicyValue:
    """One compiled value of a condition.

    `test` compares it with a value of the request. `variables` are the policy variables in it. `problem` is the reason
    """

    test: Test
    variables: tuple[Variable, ...] = ()
    problem: str = ""
    not_an_arn: bool = False


@record
class Operator:
    """A condition operator without its set qualifier and without IfExists.

    `prepare` compiles a value of the policy; its flag says whether to replace policy variables. `is_comparable` returns
    whether a value of the request can be compared at all: if not, neither the operator nor its negation matches.
    """

    name: str
    prepare: Callable[[str, bool], PolicyValue]
    negated: bool = False
    is_comparable: Callable[[str], bool] | None = None


def _never(_value: str, _lookup: Lookup) -> int:
    return FALSE


def _unknown(_value: str, _lookup: Lookup) -> int:
    return UNKNOWN


def _malformed(kind: str, text: str) -> PolicyValue:
    return PolicyValue(_unknown, problem=f"{text!r} is not {kind}")


def _string(*, wildcards: bool, ignore_case: bool) -> Callable[[str, bool], PolicyValue]:
    def prepare(text: str, variables: bool) -> PolicyValue:
        if variables and "${" in text:
            return _template(VariableText(text, variables=True, wildcards=wildcards), ignore_case=ignore_case)
        if wildcards and ("*" in text or "?" in text):
            glob = compile_glob(text)
            return PolicyValue(lambda value, _: TRUE if glob.matches(value) else FALSE)
        if ignore_case:
            lowered = text.lower()
            return PolicyValue(lambda value, _: TRUE if value.lower() == lowered else FALSE)
        return PolicyValue(lambda value, _: TRUE if value == text else FALSE)

    return prepare


def _template(template: VariableText, *, ignore_case: bool) -> PolicyValue:
    def test(value: str, lookup: Lookup) -> int:
        tokens, exact = fill(template.parts, lookup)
        if tokens is None:
            return FALSE
        if ignore_case:
            value = value.lower()
            tokens = [token.lower() if isinstance(token, str) else token for token in tokens]
        if not glob_of(tokens).matches(value):
            return FALSE
        return TRUE if exact else UNKNOWN

    return PolicyValue(test, template.variables)


def _arn(text: str, variables: bool) -> PolicyValue:
    if text != "" and not text.strip("*"):
        return PolicyValue(_unknown, problem="AWS does not document how it compares an ARN with '*'")
    if variables and "${" in text:
        return _arn_template(VariableText(text, variables=True, wildcards=True))
    pieces = split_arn(text)
    if len(pieces) < PARTS:
        return PolicyValue(_never, problem=f"{text!r} is not an ARN", not_an_arn=True)
    globs = [compile_glob(piece) for piece in pieces]

    def test(value: str, _lookup: Lookup) -> int:
        return TRUE if all(map(Glob.matches, globs, split_arn(value))) else FALSE

    return PolicyValue(test)


def _arn_template(template: VariableText) -> PolicyValue:
    """Compile an ARN with policy variables. The colons in the name or value of a variable separate no parts."""
    segments = split_parts(template.parts)
    if len(segments) < PARTS:
        if not template.variables:
            return PolicyValue(_never, problem=f"{template.text!r} is not an ARN", not_an_arn=True)
        # AWS does not document whether it splits an ARN before or after it replaces the variables.
        return PolicyValue(
            _unknown, template.variables, f"{template.text!r} has fewer than six parts outside its policy variables"
        )

    def test(value: str, lookup: Lookup) -> int:
        best = TRUE
        for segment, part in zip(segments, split_arn(value), strict=True):
            tokens, exact = fill(segment, lookup)
            if tokens is None or not glob_of(tokens).matches(part):
                return FALSE
            if not exact:
                best = UNKNOWN
        return best

    return PolicyValue(test, template.variables)


def _ordered(kind: str, parse: Callable[[str], object | None], comparison: str) -> Callable[[str, bool], PolicyValue]:
    compare = _COMPARISONS[comparison]

    def prepare(text: str, _variables: bool) -> PolicyValue:
        bound = parse(text)
        if bound is None:
            return _malformed(kind, text)

        def test(value: str, _lookup: Lookup) -> int:
            number = parse(value)
            return TRUE if number is not None and compare(number, bound) else FALSE

        return PolicyValue(test)

    return prepare


_COMPARISONS: Final[dict[str, Callable[[object, object], bool]]] = {
    "Equals": lambda left, right: left == right,
    "LessThan": lambda left, right: left < right,  # type: ignore[operator]
    "LessThanEquals": lambda left, right: left <= right,  # type: ignore[operator]
    "GreaterThan": lambda left, right: left > right,  # type: ignore[operator]
    "GreaterThanEquals": lambda left, right: left >= right,  # type: ignore[operator]
}


def _bool(text: str, _variables: bool) -> PolicyValue:
    wanted = text.lower()
    if wanted not in {"true", "false"}:
        return _malformed("a boolean", text)
    return PolicyValue(lambda value, _: TRUE if (value.lower() == "true") == (wanted == "true") else FALSE)


def _binary(text: str, _variables: bool) -> PolicyValue:
    wanted = parse_binary(text)
    if wanted is None:
        return _malformed("base64", text)
    return PolicyValue(lambda value, _: TRUE if parse_binary(value) == wanted else FALSE)


def _ip(text: str, _variables: bool) -> PolicyValue:
    network = ip_network(text)
    if network is None:
        return _malformed("an IP address or network", text)

    def test(value: str, _lookup: Lookup) -> int:
        address = ip_address(value)
        return TRUE if address is not None and in_network(address, network) else FALSE

    return PolicyValue(test)


def _is_ip(text: str) -> bool:
    return ip_address(text) is not None


def _table() -> dict[str, Operator]:
    operators = [
        Operator("StringEquals", _string(wildcards=False, ignore_case=False)),
        Operator("StringEqualsIgnoreCase", _string(wildcards=False, ignore_case=True)),
        Operator("StringLike", _string(wildcards=True, ignore_case=False)),
        Operator("Bool", _bool),
        Operator("BinaryEquals", _binary),
        Operator("IpAddress", _ip, is_comparable=_is_ip),
        Operator("ArnEquals", _arn, is_comparable=is_arn),
        Operator("ArnLike", _arn, is_comparable=is_arn),
    ]
    for name in _COMPARISONS:
        operators.append(Operator(f"Numeric{name}", _ordered("a number", parse_number, name)))
        operators.append(Operator(f"Date{name}", _ordered("a date", parse_date, name)))
    negations = {
        "StringNotEquals": "StringEquals",
        "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
        "StringNotLike": "StringLike",
        "NumericNotEquals": "NumericEquals",
        "DateNotEquals": "DateEquals",
        "NotIpAddress": "IpAddress",
        "ArnNotEquals": "ArnEquals",
        "ArnNotLike": "ArnLike",
    }
    table = {operator.name.lower(): operator for operator in operators}
    for name, positive in negations.items():
        table[name.lower()] = _negation(name, table[positive.lower()])
    return table


def _negation(name: str, operator: Operator) -> Operator:
    return Operator(name, operator.prepare, negated=True, is_comparable=operator.is_comparable)


OPERATORS: Final = _table()
"""Every operator except Null, by its name in lower case."""
