"""Policy variables."""

from __future__ import annotations

import pytest

from permission_guard.iam import ABSENT, Context
from permission_guard.iam.policy_variables import Variable, VariableText

CONTEXT = Context({"aws:username": "ann", "s": "*", "m": ["a"]}, unknown=["u"], default=ABSENT)


def matches(text: str, value: str) -> tuple[bool, bool]:
    """Tell whether a text with variables matches, and whether that is exact."""
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
def test_texts_are_filled_in(text: str, value: str) -> None:
    """With values, defaults and signs; what opens no variable is literal."""
    assert matches(text, value)[0]


@pytest.mark.parametrize(("text", "value"), [("${none}*", "x"), ("${m}", "a"), ("${m, 'a'}", "a"), ("${s}", "x")])
def test_no_value_is_equal_to_nothing(text: str, value: str) -> None:
    """Nor is a multivalued key, which no default helps."""
    assert not matches(text, value)[0]


def test_an_unknown_value_is_not_exact() -> None:
    """A star stands for it."""
    assert matches("${u}-x", "a-x") == (True, False)
    assert matches("${aws:username}", "ann") == (True, True)


def test_variables_are_off_unless_told() -> None:
    """As in a document of 2008."""
    template = VariableText("${aws:username}", variables=False, wildcards=False)
    assert template.variables == ()
    assert template.glob is not None
    assert template.glob.matches("${aws:username}")
    on = VariableText("${aws:username}", variables=True, wildcards=False)
    assert [type(part) for part in on.parts] == [Variable]
