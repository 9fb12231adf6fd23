"""Metrics, and the fixer's record of what it applied, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from permission_guard.errors import ConflictError
from permission_guard.model.metrics import MetricSum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from permission_guard.fixes.own_undo import OwnFix
    from permission_guard.model.metrics import Metric
    from permission_guard.model.state import Unread

    Dimensions = tuple[tuple[str, str], ...]


@dataclass
class InMemoryMetrics:
    """Answers like CloudWatch: a sum for each period with data, under the time at which the period begins."""

    data: list[tuple[str, Dimensions, datetime, float]] = field(default_factory=list)
    unread: Unread | None = None
    asked: list[tuple[Metric, ...]] = field(default_factory=list)
    starts: list[datetime] = field(default_factory=list)

    def put(self, name: str, dimensions: Dimensions, at: datetime, value: float = 1) -> None:
        """Add a data point."""
        self.data.append((name, dimensions, at, value))

    def sums(
        self, metrics: Sequence[Metric], start: datetime, end: datetime
    ) -> Mapping[Metric, tuple[MetricSum, ...]] | Unread:
        """Return the sums."""
        self.asked.append(tuple(metrics))
        self.starts.append(start)
        return self.unread or {metric: self._sums(metric, start, end) for metric in metrics}

    def _sums(self, metric: Metric, start: datetime, end: datetime) -> tuple[MetricSum, ...]:
        found: dict[datetime, float] = {}
        for name, dimensions, at, value in self.data:
            period = at - timedelta(seconds=at.timestamp() % metric.period)
            if (name, dimensions) == (metric.name, metric.dimensions) and start <= period < end:
                found[period] = found.get(period, 0) + value
        return tuple(MetricSum(at, found[at]) for at in sorted(found))


@dataclass
class InMemoryOwnFixes:
    """Records what the fixer applied, under the conditions of the table."""

    held: dict[str, OwnFix] = field(default_factory=dict)

    def own_fix(self, finding_id: str) -> OwnFix | None:
        """Return what was recorded."""
        return self.held.get(finding_id)

    def put_own_fix(self, fix: OwnFix) -> None:
        """Record a fix."""
        held = self.held.get(fix.finding_id)
        undone_for = held.undone_for if held else None
        if fix.undone_for is not None and not fix.plan_hash:
            is_met = undone_for == fix.undone_for
        else:
            is_same = held is not None and held.plan_hash == fix.plan_hash
            is_met = undone_for is None and (fix.undone_for is None or is_same)
        if not is_met:
            raise ConflictError(fix.finding_id)
        self.held[fix.finding_id] = fix
