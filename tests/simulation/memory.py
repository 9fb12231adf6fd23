"""Remembers what pure functions returned: most seeds lead through the same states, and evaluating one takes longest."""

from __future__ import annotations

import pickle
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Given = ParamSpec("Given")
Found = TypeVar("Found")

_MOST = 20_000


def remembering(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """Return a function that calls another one once for equal arguments. Its results must not be changed."""
    kept: dict[bytes, Found] = {}

    @wraps(function)
    def remembered(*args: Given.args, **options: Given.kwargs) -> Found:
        try:
            key = pickle.dumps((args, options))
        except (AttributeError, TypeError, pickle.PicklingError):  # such as a rule that a configuration has changed
            return function(*args, **options)
        if key not in kept:
            if len(kept) >= _MOST:
                kept.clear()
            kept[key] = function(*args, **options)
        return kept[key]

    return remembered
