"""What suppresses a finding, and until when."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from permission_guard.model.documents import known_fields
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON


class SuppressedBy(StrEnum):
    """What suppresses a finding."""

    PERSON = "person"
    EXCEPTION = "exception"
    FUNCTION_TAG = "function tag"


@record(kw_only=True)
class Suppression:
    """Why a finding is suppressed, and until when.

    `until` is ISO-8601 in UTC: from then on the finding is open again. `owner` answers for it: the ARN of the person,
    or the owner that an exception names. `exception` is the id of the exception in the configuration, empty for others.
    """

    by: SuppressedBy
    reason: str
    owner: str
    until: str
    exception: str = ""

    @classmethod
    def from_document(cls, document: Mapping[str, JSON]) -> Self:
        """Read a suppression from JSON values. One of UNREADABLE if it is invalid."""
        fields = known_fields(cls, document)
        suppression = cls(**{**fields, "by": SuppressedBy(fields["by"])})
        if datetime.fromisoformat(suppression.until).tzinfo is None:
            raise ValueError(f"not a time in UTC: {suppression.until!r:.50}")
        return suppression
