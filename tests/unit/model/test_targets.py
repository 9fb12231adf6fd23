"""Targets are sorted by their names."""

from __future__ import annotations

from dataclasses import replace

from permission_guard.model.targets import including
from tests.fakes import TARGET


def test_a_function_is_added_to_sorted_functions_once() -> None:
    """The others keep their order, and those that have it already are returned as they are."""
    first, second, third = (replace(TARGET, name=name) for name in ("a", "b", "c"))
    assert including((first, third), second) == (first, second, third)
    assert including((), second) == (second,)
    every = (first, second, third)
    assert including(every, second) is every
