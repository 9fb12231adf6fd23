"""Names and conditions, as sentences show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.iam.conditions import Condition
    from permission_guard.invokers import Invoker
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def judged_generally(invokers: Iterable[Invoker]) -> str:
    """Return a sentence, with a space before it, about services that are in no table; nothing when all are known."""
    names = [invoker.principal for invoker in invokers if not invoker.is_known]
    return f" {listed(names)} is in no table of services: it is judged like any other." if names else ""


def written_conditions(conditions: Iterable[Condition]) -> str:
    """Return conditions for a sentence: `StringLike aws:SourceArn "arn:..."`."""
    return listed(
        [
            f"{condition.name} {condition.spelled} " + " or ".join(f'"{text}"' for text in condition.texts)
            for condition in conditions
        ]
    )


_MOST_NAMES = 3


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence: `a`, `a and b`, `a, b and c`."""
    found = list(names)
    return " and ".join([part for part in (", ".join(found[:-1]), found[-1]) if part])


def some(names: Iterable[str]) -> str:
    """Return the first names for a title, and how many more there are."""
    found = list(names)
    more = len(found) - _MOST_NAMES
    return listed([*found[:_MOST_NAMES], *([f"{more} more"] if more > 0 else [])])
