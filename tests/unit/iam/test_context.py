"""The known, absent and unknown keys of a request."""

from __future__ import annotations

import copy
from typing import Any

from permission_guard.iam import ABSENT, UNKNOWN, Context
from permission_guard.iam.context import shown


def test_known_absent_and_unknown_are_three_things() -> None:
    """A key that is not named has the default."""
    context = Context({"aws:A": "1"}, absent=["aws:B"], unknown=["aws:C"], default=ABSENT)
    assert [context.lookup(key) for key in ("aws:a", "aws:b", "aws:c", "aws:d")] == ["1", ABSENT, UNKNOWN, ABSENT]
    assert Context().lookup("aws:d") is UNKNOWN


def test_a_family_is_named_by_its_trailing_slash() -> None:
    """A known key wins over a family, a longer family over a shorter one."""
    context = Context({"aws:ResourceTag/Env": "prod"}, absent=["aws:ResourceTag/*"], unknown=["aws:ResourceTag/team/"])
    assert context.lookup("aws:resourcetag/env") == "prod"
    assert context.lookup("aws:resourcetag/other") is ABSENT
    assert context.lookup("aws:resourcetag/team/x") is UNKNOWN


def test_values_become_the_strings_that_aws_compares() -> None:
    """Booleans in lower case, numbers as written, lists as multivalued keys, None as absent."""
    context = Context({"a": True, "b": 7, "c": ["x", "y"], "d": None, "e": {"z", "y"}, "f": []})
    found = [context.lookup(key) for key in "abcdef"]
    assert found == ["true", "7", ("x", "y"), ABSENT, ("y", "z"), ()]


def test_an_integer_of_any_length_is_a_value() -> None:
    """Python refuses to write one of more than 4,300 digits."""
    digits = "9" * 5000
    values: Any = {"a": 10**5000 - 1, "b": [1 - 10**5000], "c": {10**5000 - 1, "x"}}
    context = Context(values)
    assert [context.lookup(key) for key in "abc"] == [digits, (f"-{digits}",), (digits, "x")]


def test_a_value_is_shown_in_a_message_whatever_it_is() -> None:
    """Shortened if it is long, by its type if Python cannot write it."""
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert shown("x") == "'x'"
    assert shown("x" * 1000) == f"'{'x' * 199}…"
    assert shown(10**5000) == "a value of type int"
    assert shown(nested) == "a value of type list"


def test_contexts_are_values() -> None:
    """Contexts with the same keys are equal."""
    context = Context({"A": "1"}, absent=["b"])
    assert context == Context({"a": "1"}, absent=["B"])
    assert hash(context) == hash(Context({"a": "1"}, absent=["B"]))
    assert context != Context({"a": "2"})
    assert context != "a"
    assert "'a': '1'" in repr(context)
    assert copy.copy(context) == context
