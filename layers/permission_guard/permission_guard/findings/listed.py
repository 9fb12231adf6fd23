"""Findings as they are listed for a person: those that can be read, and the keys of the items that cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding

FINDING_PREFIX: Final = "FINDING#"


@record(order=True)
class ItemKey:
    """The key of an item in the findings table."""

    partition: str
    sort: str

    @property
    def finding_id(self) -> str:
        """The id of the finding, if the item is one, or one of its transitions."""
        return self.sort.partition("#")[2].partition("#")[0] or self.sort

    def __str__(self) -> str:
        return f"{self.partition} {self.sort}"


@record
class ListedFindings:
    """Findings, and the keys of the items that are not findings or cannot be read."""

    findings: tuple[Finding, ...]
    unreadable: tuple[ItemKey, ...] = ()
