"""Digests: what is reported together, in one message."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from permission_guard.model.documents import known_fields
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON

DIGEST_ID: Final = re.compile(r"(baseline|exceptions|summary|waiting|watch)-[0-9a-f]{32}")


class DigestKind(StrEnum):
    """What a digest reports."""

    BASELINE = "baseline"
    EXCEPTIONS = "exceptions"
    WATCH = "watch"
    WAITING = "waiting"
    SUMMARY = "summary"


@record
class DigestPart:
    """A titled list in a digest. Each of the `lines` is about one thing."""

    title: str
    lines: tuple[str, ...]


@record(kw_only=True)
class Digest:
    """A digest of one account and region. `command` lists what the digest is about, empty if no command does.

    `severity` is the worst one of the open findings that it is about; None if nothing needs attention for itself.
    `findings` are the ids of the findings that it is in the place of alerts about. `created_at` is ISO-8601 in UTC. The
    texts contain names that others chose.
    """

    id: str
    kind: DigestKind
    account: str
    region: str
    created_at: str
    title: str
    summary: str
    parts: tuple[DigestPart, ...] = ()
    command: str = ""
    severity: Severity | None = None
    findings: tuple[str, ...] = ()

    def to_document(self) -> dict[str, JSON]:
        """Return the digest as JSON values."""
        parts = [{"title": part.title, "lines": list(part.lines)} for part in self.parts]
        severity = str(self.severity) if self.severity else None
        return {
            **asdict(self),
            "kind": str(self.kind),
            "parts": parts,
            "severity": severity,
            "findings": list(self.findings),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, JSON]) -> Self:
        """Read a digest document. One of UNREADABLE if it is invalid; unknown fields are ignored."""
        fields = known_fields(cls, document)
        fields["kind"] = DigestKind(fields["kind"])
        fields["parts"] = tuple(_part(part) for part in fields.get("parts", ()))
        fields["findings"] = tuple(map(str, fields.get("findings", ())))
        fields["severity"] = Severity(fields["severity"]) if fields.get("severity") else None
        datetime.fromisoformat(fields["created_at"])
        if not DIGEST_ID.fullmatch(fields["id"]):
            raise ValueError(f"not the id of a digest: {fields['id']!r:.50}")
        return cls(**fields)


def digest_id(kind: DigestKind, *about: str) -> str:
    """Return the id of a digest about some things: the same for the same, so that it is sent once."""
    text = "\n".join(about)
    return f"{kind}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:32]}"


def _part(document: Mapping[str, JSON]) -> DigestPart:
    fields = known_fields(DigestPart, document)
    return DigestPart(fields["title"], tuple(fields["lines"]))
