"""The recorded data: findings, their transitions and their fixes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping  # noqa: TC003 - `make generate` resolves the annotations
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Self

from permission_guard.model.documents import known_fields
from permission_guard.model.state import ManagedBy
from permission_guard.model.targets import JSON  # noqa: TC001 - as above
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.records import field, record


class Status(StrEnum):
    """The status of a finding."""

    OPEN = "open"
    RESOLVED = "resolved"
    SUPPRESSED = "suppressed"


class Transition(StrEnum):
    """The last change of a finding, and the `detail-type` of its event."""

    OPENED = "Finding Opened"
    REOPENED = "Finding Reopened"
    RESOLVED = "Finding Resolved"
    SUPPRESSED = "Finding Suppressed"
    FIX_PROPOSED = "Fix Proposed"
    FIX_APPROVED = "Fix Approved"
    FIX_REJECTED = "Fix Rejected"
    FIX_APPLIED = "Fix Applied"
    FIX_REFUSED = "Fix Refused"
    FIX_FAILED = "Fix Failed"
    FIX_UNDO_REQUESTED = "Fix Undo Requested"
    FIX_UNDONE = "Fix Undone"


class FixResult(StrEnum):
    """The state of a fix. `applying` is recorded before the change is made, so that it is known after a crash."""

    PROPOSED = "proposed"
    REJECTED = "rejected"
    APPLYING = "applying"
    APPLIED = "applied"
    REFUSED = "refused"
    FAILED = "failed"


@record(kw_only=True)
class FixRecord:
    """The last fix of a finding: proposed, rejected, applied, refused or failed.

    `change` is the AWS API call with its parameters. `before` and `after` are the state that it changes, complete
    enough to restore it. `undo` is the command that restores it. `approve` is the command that approves a proposal, if
    it waits for an approval, and `decided_by` the ARN of who approved or rejected it. `owner` is a token of the
    invocation that applies the fix; no other may until `lease_until`, ISO-8601 in UTC.
    """

    name: str
    result: FixResult
    summary: str
    at: str
    attempts: int
    change: Mapping[str, JSON] = field(default_factory=dict)
    before: Mapping[str, JSON] = field(default_factory=dict)
    after: Mapping[str, JSON] = field(default_factory=dict)
    undo: str = ""
    approve: str = ""
    decided_by: str = ""
    owner: str = ""
    lease_until: str = ""

    @property
    def plan_hash(self) -> str:
        """The hash of what the fix changes: who approves it approves exactly this."""
        plan = json.dumps({"fix": self.name, "change": dict(self.change)}, sort_keys=True)
        return hashlib.sha256(plan.encode()).hexdigest()


@record(kw_only=True)
class Finding:
    """The finding document, version 1. It is the item in the table and the detail of the event.

    Times are ISO-8601 in UTC. `revision` counts transitions, and `transition` is the last one. The first of `remedies`
    is for the tool that manages the function, if that is known. `changed_by` is the ARN of who made the change that led
    to the last transition, if an event names one.
    """

    id: str
    rule_id: str
    rule_name: str
    severity: Severity
    partition: str
    account: str
    region: str
    function_arn: str
    subject: str
    title: str
    reason: str
    impact: str
    evidence: Mapping[str, JSON]
    remedies: tuple[Remedy, ...]
    status: Status
    revision: int
    transition: Transition
    opened_at: str
    changed_at: str
    resolution: str = ""
    event_ids: tuple[str, ...] = ()
    changed_by: str = ""
    managed_by: ManagedBy | None = None
    fix: FixRecord | None = None
    version: int = 1

    def to_document(self) -> dict[str, JSON]:
        """Return the finding as JSON values, as `docs/schemas/finding.v1.json` describes."""
        document = asdict(self)
        document["remedies"] = list(document["remedies"])
        document["event_ids"] = list(self.event_ids)
        return {key: str(value) if isinstance(value, StrEnum) else value for key, value in document.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, JSON]) -> Self:
        """Read a finding document. One of UNREADABLE if it is invalid.

        Unknown fields are ignored, so that this version can read the findings of a newer one.
        """
        fields = known_fields(cls, document)
        fields["severity"] = Severity(fields["severity"])
        fields["status"] = Status(fields["status"])
        fields["transition"] = Transition(fields["transition"])
        fields["remedies"] = tuple(Remedy(**known_fields(Remedy, remedy)) for remedy in fields["remedies"])
        fields["event_ids"] = tuple(fields.get("event_ids", ()))
        for name in ("opened_at", "changed_at"):
            datetime.fromisoformat(fields[name])
        if fields.get("managed_by") is not None:
            fields["managed_by"] = ManagedBy(**known_fields(ManagedBy, fields["managed_by"]))
        if fields.get("fix") is not None:
            fields["fix"] = _fix_record(fields["fix"])
        return cls(**fields)


def _fix_record(document: Mapping[str, JSON]) -> FixRecord:
    fields = known_fields(FixRecord, document)
    fix = FixRecord(**{**fields, "result": FixResult(fields["result"])})
    if fix.lease_until and datetime.fromisoformat(fix.lease_until).tzinfo is None:
        raise ValueError(f"not a time in UTC: {fix.lease_until!r:.50}")
    return fix


MAX_EVENT_IDS = 5
