"""Format names and conditions for the sentences of a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.iam.conditions import Condition
    from permission_guard.invokers import Invoker


def unlisted_services(invokers: Iterable[Invoker]) -> str:
    """Return a sentence, with a space before it, about services that are not in `invokers/`; empty if all are."""
    names = [invoker.principal for invoker in invokers if not invoker.is_known]
    return f" Not in the list of known services, evaluated like any other: {listed(names)}." if names else ""


def written_conditions(conditions: Iterable[Condition]) -> str:
    """Format conditions for a sentence: `StringLike aws:SourceArn "arn:..."`."""
    return listed(
        [
            f"{condition.name} {condition.spelled} " + " or ".join(f'"{text}"' for text in condition.texts)
            for condition in conditions
        ]
    )


_MOST_NAMES = 3


def listed(names: Iterable[str]) -> str:
    """Format names for a sentence: `a`, `a and b`, `a, b and c`."""
    found = list(names)
    return " and ".join([part for part in (", ".join(found[:-1]), found[-1]) if part])


def some(names: Iterable[str]) -> str:
    """Format the first names for a title, followed by the number of the others: `a, b, c and 2 more`."""
    found = list(names)
    more = len(found) - _MOST_NAMES
    return listed([*found[:_MOST_NAMES], *([f"{more} more"] if more > 0 else [])])
