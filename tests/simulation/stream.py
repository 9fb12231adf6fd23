"""The stream of the findings table, and how its mapping reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Shard:
    """A shard of the table's stream: its records, and the one at which the mapping continues.

    It reads on at `readable_at`, in seconds since 1970: records that come until then are in one batch.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    position: int = 0
    readable_at: float = 0.0
    is_read: bool = False
    most: int = 0
    """The most records of the next batch; 0 for no limit. It is halved after an error, as the mapping bisects."""

    @property
    def is_waiting(self) -> bool:
        """Whether it has records that no invocation reads."""
        return not self.is_read and self.position < len(self.records)

    def read(self, most: int) -> list[dict[str, Any]]:
        """Return the next batch, of at most so many records."""
        self.is_read = True
        return self.records[self.position : self.position + (self.most or most)]

    def end(self, batch: list[dict[str, Any]], result: dict[str, Any] | None) -> None:
        """Go on behind a batch, or at its first record that failed. After a crash, half of it is tried again."""
        self.is_read = False
        if result is None:
            self.most = max(1, len(batch) // 2)
            return
        failures = [one["itemIdentifier"] for one in result["batchItemFailures"]]
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        self.position += numbers.index(failures[0]) if failures else len(batch)
        self.most = 0
