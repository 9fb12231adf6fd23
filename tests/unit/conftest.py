"""What the unit tests share: a logger and metrics whose words can be read back as JSON."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger, Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBERS = count()


@dataclass
class Logged:
    """What was logged and counted."""

    logger: Logger
    metrics: Metrics
    stream: io.StringIO

    @property
    def text(self) -> str:
        """Return everything that was logged, as it was written."""
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return what was logged, line by line."""
        return [json.loads(line) for line in self.text.splitlines()]

    def line(self, message: str) -> dict[str, Any]:
        """Return the one line with a message."""
        (found,) = [line for line in self.lines if line["message"] == message]
        return found

    @property
    def counts(self) -> dict[str, float]:
        """Return how much was counted of each metric, leaving out what is nought."""
        sums = {name: sum(metric["Value"]) for name, metric in self.metrics.provider.metric_set.items()}
        return {name: value for name, value in sums.items() if value}


@pytest.fixture
def logged() -> Iterator[Logged]:
    """Return a logger and metrics that nobody used before."""
    stream = io.StringIO()
    metrics = Metrics(namespace="PermissionGuard", service="unit")
    metrics.clear_metrics()
    yield Logged(Logger(service=f"unit-{next(_NUMBERS)}", stream=stream), metrics, stream)
    metrics.clear_metrics()
