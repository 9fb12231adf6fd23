"""Single conditions. The case tables cover the rules; these tests cover the edge cases."""

from __future__ import annotations

import pytest

from permission_guard.iam import ABSENT, Context
from permission_guard.iam.conditions import Condition, scalars
from permission_guard.iam.logic import FALSE, TRUE, UNKNOWN
from permission_guard.iam.operators import OPERATORS

CONTEXT = Context({"k": "x", "e": "", "arn": "arn:aws:a:b:1:c", "t": "own"}, unknown=["u"], default=ABSENT)


def holds(operator: str, key: str, values: object) -> int:
    """Evaluate one condition."""
    return Condition(operator, key, values, variables=True).evaluate(CONTEXT.lookup)


def test_every_operator_of_aws_is_known() -> None:
    """Except Null, which compares no values."""
    assert len(OPERATORS) == 28 - 2
    assert {operator.negated for operator in OPERATORS.values()} == {True, False}


@pytest.mark.parametrize("values", [None, [], {}, [[]], ["x", None], {"a": "b"}])
def test_values_of_another_type_are_unknown(values: object) -> None:
    """So is an empty list."""
    assert scalars(values) is None
    assert holds("StringEquals", "k", values) == UNKNOWN


def test_scalars_become_strings() -> None:
    """AWS compares them as strings."""
    assert scalars(True) == ["true"]
    assert scalars([1, "a", False]) == ["1", "a", "false"]


@pytest.mark.parametrize("operator", ["Equals", "String", "ForSome:StringEquals", "NullIfExists", "ForAnyValue:Null"])
def test_an_operator_that_aws_does_not_have_is_unknown(operator: str) -> None:
    """For all values."""
    condition = Condition(operator, "k", "true", variables=True)
    assert condition.problem
    assert condition.compare("true", CONTEXT.lookup) == UNKNOWN
    assert list(condition.problems()) == [condition.problem]


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("NumericEquals", ["ten", "x"], UNKNOWN),
        ("Bool", "yes", UNKNOWN),
        ("BinaryEquals", "a", UNKNOWN),
        ("BinaryEquals", "", FALSE),
        ("IpAddress", "net", FALSE),
        ("DateEquals", "soon", UNKNOWN),
        ("StringEquals", ["y", "x"], TRUE),
        ("StringNotLike", ["y", "x*"], FALSE),
        ("StringEquals", "${u}", UNKNOWN),
        ("StringEquals", "y${u}", FALSE),
        ("StringNotEquals", "y${u}", TRUE),
    ],
)
def test_an_invalid_value_is_unknown(operator: str, values: object, expected: int) -> None:
    """Unless the request's value decides the result. An unknown variable is unknown as well."""
    assert holds(operator, "k", values) == expected


def test_arns_are_compared_part_by_part_with_variables_in_them() -> None:
    """A value stays within its part. An unknown value makes the result unknown if it could match."""
    assert holds("ArnLike", "arn", "arn:aws:a:b:1:${t}") == FALSE
    assert holds("ArnLike", "arn", "arn:aws:a:b:1:c${none, ''}") == TRUE
    assert holds("ArnLike", "arn", "arn:aws:a:b:1:${u}") == UNKNOWN
    assert holds("ArnNotLike", "arn", "arn:aws:a:b:2:${u}") == TRUE
    assert holds("ArnLike", "arn", "arn:aws:a:b:1:${none}") == FALSE


def test_one_malformed_arn_makes_a_negated_comparison_unknown() -> None:
    """Unless another value matches. It does not change a positive comparison."""
    same, good, bad = "arn:aws:a:b:1:c", "arn:aws:x:b:1:c", "arn:aws"
    assert holds("ArnNotEquals", "arn", [good]) == TRUE
    assert holds("ArnNotEquals", "arn", [good, bad]) == UNKNOWN
    assert holds("ArnNotEquals", "arn", [same, bad]) == FALSE
    assert holds("ArnEquals", "arn", [same, bad]) == TRUE


def test_an_empty_value_under_for_all_values_is_unknown_unless_it_is_equal() -> None:
    """AWS documents it as an empty set, but was observed to compare it as a value."""
    assert holds("ForAllValues:StringEquals", "e", "x") == UNKNOWN
    assert holds("ForAllValues:StringEquals", "e", ["x", ""]) == TRUE
    assert holds("ForAnyValue:StringEquals", "e", "x") == FALSE


def test_a_condition_names_the_unknown_keys_it_requires() -> None:
    """Its own key and those of its variables, as the policy spells them."""
    condition = Condition("StringEquals", "U", ["${u}", "x"], variables=True)
    assert list(condition.unknown_keys(CONTEXT.lookup)) == ["U", "u"]
    assert not Condition("StringEquals", "k", "x", variables=True).negated
    assert Condition("StringNotEquals", "k", "x", variables=True).negated
