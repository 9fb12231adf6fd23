"""Compare what a tool reports with the labels of an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.scanners.account.shapes import CORRECT, DEFECTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.scanners.account.model import Account
    from benchmarks.scanners.tools import Reported

_KIND_OF = {shape.name: shape.kind for shape in (*CORRECT, *DEFECTS)}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How many labelled functions and roles a tool got right.

    `right` are those with a problem that are reported, `missed` those that the check is about and that are not
    reported, and `false` what is reported of those without a problem. `not_checked` have a problem that the check is
    not about. `reported` has, for each shape, how many of its functions are reported, and how many there are.
    """

    right: int
    missed: int
    false: int
    not_checked: int
    reported: Mapping[str, tuple[int, int]]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Verdicts:
        """Return verdicts that were written as JSON."""
        reported = {shape: (found, total) for shape, (found, total) in document["reported"].items()}
        return cls(**{**document, "reported": reported})


def compare(account: Account, reported: Reported, kinds: frozenset[str], *, own_rules: bool) -> Verdicts:
    """Compare a report with the labels.

    With `own_rules`, the rule must be the expected one, and each other rule that is reported is false. For another
    tool, it is enough that the function is reported. A shared role counts like a function.
    """
    right = missed = false = not_checked = 0
    shapes: dict[str, tuple[int, int]] = {}
    labelled = {function.arn: account.shapes[function.name] for function in account.functions.values()}
    for arn in sorted({*account.expected, *reported}):
        expected, found = account.expected.get(arn, frozenset()), reported.get(arn, frozenset())
        is_role = arn not in labelled
        kind = "role" if is_role else _KIND_OF[labelled[arn]]
        is_right = bool(expected & found if own_rules else expected and found)
        if expected and (kind in kinds or is_right):
            right += is_right
            missed += not is_right
        elif expected:
            not_checked += 1
        false += bool(found - expected) if own_rules else bool(found and not expected)
        shape = "shared role" if is_role else labelled[arn]
        seen, total = shapes.get(shape, (0, 0))
        shapes[shape] = (seen + bool(found), total + 1)
    return Verdicts(right, missed, false, not_checked, shapes)
