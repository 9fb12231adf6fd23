"""The report of a check: the verdicts of all rules on one function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.state import ManagedBy
    from permission_guard.model.targets import FunctionTarget
    from permission_guard.rules.base import Rule


@record
class Report:
    """The verdicts of one check of one function.

    `deleted` is true if the function does not exist. The report then has verdicts on denied calls only. `managed_by` is
    the infrastructure code that owns the function, or None if the check found none. `tags` are those of the function's
    tags that its findings record, None if they were not read. `not_evaluated` says, by the id of each rule that the
    configuration excludes for the function, why its findings are resolved.
    """

    target: FunctionTarget
    rules: Mapping[str, Rule]
    verdicts: tuple[Verdict, ...]
    deleted: bool = False
    managed_by: ManagedBy | None = None
    tags: Mapping[str, str] | None = None
    not_evaluated: Mapping[str, str] = field(default_factory=dict)

    @property
    def violations(self) -> tuple[Verdict, ...]:
        """The verdicts that report a problem."""
        return self._with(Outcome.VIOLATION)

    @property
    def unknowns(self) -> tuple[Verdict, ...]:
        """The verdicts whose outcome is unknown."""
        return self._with(Outcome.UNKNOWN)

    @property
    def passes(self) -> tuple[Verdict, ...]:
        """The verdicts that report no problem."""
        return self._with(Outcome.PASS)

    def _with(self, outcome: Outcome) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.outcome is outcome)
