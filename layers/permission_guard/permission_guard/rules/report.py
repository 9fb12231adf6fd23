"""What all rules report on one function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.state import ManagedBy
    from permission_guard.model.targets import FunctionTarget
    from permission_guard.rules.base import Rule


@record
class Report:
    """Every verdict of one look at one function.

    `gone` says that the function does not exist: then there are verdicts on calls that were refused, and no others.
    `managed_by` is the infrastructure code that owns it, as far as the look could tell.
    """

    target: FunctionTarget
    rules: Mapping[str, Rule]
    verdicts: tuple[Verdict, ...]
    gone: bool = False
    managed_by: ManagedBy | None = None

    @property
    def violations(self) -> tuple[Verdict, ...]:
        """What is wrong."""
        return self._with(Outcome.VIOLATION)

    @property
    def unknowns(self) -> tuple[Verdict, ...]:
        """What nobody can tell."""
        return self._with(Outcome.UNKNOWN)

    @property
    def passes(self) -> tuple[Verdict, ...]:
        """What is all right."""
        return self._with(Outcome.PASS)

    def _with(self, outcome: Outcome) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.outcome is outcome)
