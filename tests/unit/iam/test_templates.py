"""Policy variables are replaced by literal text."""

from __future__ import annotations

import pytest

from permission_guard.iam import ABSENT, Context
from permission_guard.iam.policy_variables import Variable, VariableText

CONTEXT = Context({"aws:username": "ann", "s": "*", "m": ["a"]}, unknown=["u"], default=ABSENT)


def matches(text: str, value: str) -> tuple[bool, bool]:
    """Return whether a text with variables matches, and whether the match is exact."""
    glob, exact = VariableText(text, variables=True, wildcards=True).resolve(CONTEXT.lookup)
    return (glob is not None and glob.matches(value)), exact


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("home/${aws:username}/*", "home/ann/x"),
        ("${ AWS:UserName }", "ann"),
        ("${none, 'x'}", "x"),
        ("${none,'a, b'}", "a, b"),
        ("${none, ''}", ""),
        ("${s}", "*"),
        ("${*}${?}${$}", "*?$"),
        ("${", "${"),
        ("${}", "${}"),
        ("a${aws:username", "a${aws:username"),
        ("${none, x}", "${none, x}"),
        ("${u}-x", "anything-x"),
    ],
)
def test_variables_are_replaced(text: str, value: str) -> None:
    """By values, defaults and signs. Text that does not start a variable is literal."""
    assert matches(text, value)[0]


@pytest.mark.parametrize(("text", "value"), [("${none}*", "x"), ("${m}", "a"), ("${m, 'a'}", "a"), ("${s}", "x")])
def test_a_variable_without_a_value_matches_nothing(text: str, value: str) -> None:
    """A multivalued key does not match either, even with a default."""
    assert not matches(text, value)[0]


def test_an_unknown_value_is_not_exact() -> None:
    """A `*` replaces it."""
    assert matches("${u}-x", "a-x") == (True, False)
    assert matches("${aws:username}", "ann") == (True, True)


def test_variables_are_literal_unless_enabled() -> None:
    """As in a policy with Version 2008-10-17."""
    template = VariableText("${aws:username}", variables=False, wildcards=False)
    assert template.variables == ()
    assert template.glob is not None
    assert template.glob.matches("${aws:username}")
    enabled = VariableText("${aws:username}", variables=True, wildcards=False)
    assert [type(part) for part in enabled.parts] == [Variable]
