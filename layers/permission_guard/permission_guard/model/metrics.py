"""CloudWatch metrics as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from permission_guard.model.state import Unread


@record
class Metric:
    """A metric whose sums are read. `dimensions` are names with values, `period` is in seconds."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    period: int


@record
class MetricSum:
    """The sum of a metric in the period that begins at a time. Without data there is none for the period."""

    at: datetime
    value: float


class MetricReader(Protocol):
    """Reads metrics of the bot's account and region."""

    def sums(
        self, metrics: Sequence[Metric], start: datetime, end: datetime
    ) -> Mapping[Metric, tuple[MetricSum, ...]] | Unread:
        """Return the sums of each metric from one time to another, the oldest first; Unread if one is not complete."""
