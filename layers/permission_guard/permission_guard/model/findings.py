"""The recorded data: findings, their transitions and their fixes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping  # noqa: TC003 - `make generate` resolves the annotations
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from permission_guard.model.documents import as_document, known_fields
from permission_guard.model.owners import owner_of
from permission_guard.model.state import ManagedBy
from permission_guard.model.suppressions import Suppression
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


CHANGED_AWS: Final = frozenset({Transition.FIX_APPLIED, Transition.FIX_UNDONE})
"""The transitions that changed something in AWS. The index of the table has them under their name, for 400 days."""


@record(kw_only=True)
class PastTransition:
    """A transition of a finding, in short: its item `HISTORY#` has the finding as it was then.

    `by` is the ARN of who made the change that led to it, `address` from where and `tool` with which user agent; each
    is empty if no event names it. `event_id` is CloudTrail's.
    """

    revision: int
    transition: Transition
    at: str
    by: str = ""
    address: str = ""
    tool: str = ""
    event_id: str = ""


CHECK_REQUEST: Final = "check-request/"
"""How the id of a requested check begins, where no event led to it."""


@record
class Cause:
    """What led to a change of a finding: the ids of the events, and the call that the last of them names.

    `by` is the ARN of the caller, `address` from where and `tool` with which user agent it was made, `event_id` is that
    of the call and `region` where CloudTrail recorded it; each is empty if no event names it.
    """

    event_ids: tuple[str, ...] = ()
    by: str = ""
    address: str = ""
    tool: str = ""
    event_id: str = ""
    region: str = ""

    @property
    def is_event(self) -> bool:
        """Whether an event led to the change, and not only the request for a check, of a sweep or a person."""
        return any(not event_id.startswith(CHECK_REQUEST) for event_id in self.event_ids)


UNKNOWN_CAUSE: Final = Cause()


class FixResult(StrEnum):
    """The state of a fix.

    `applying` and `undoing` are recorded before the first change is made, so that it is known after a crash.
    """

    PROPOSED = "proposed"
    REJECTED = "rejected"
    APPLYING = "applying"
    APPLIED = "applied"
    REFUSED = "refused"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"


APPROVAL_HOURS: Final = 24
"""How long an approval is valid."""
APPROVAL: Final = timedelta(hours=APPROVAL_HOURS)


@record(kw_only=True)
class PlannedCall:
    """A call to AWS that a plan makes: an operation such as `iam:AttachRolePolicy`, with its parameters."""

    operation: str
    parameters: Mapping[str, JSON]


@record
class RevertedFix:
    """An applied fix that was taken back. `attempt` is its number.

    `by` is the ARN of who did it, `api` with which call to IAM, `at` when, ISO-8601 in UTC, and `event_id` is
    CloudTrail's; each is empty if no event names it.
    """

    attempt: int
    by: str = ""
    api: str = ""
    at: str = ""
    event_id: str = ""


@record(kw_only=True)
class UndoRecord:
    """The undo of an applied fix, from the request of a person, or of the bot itself, to its end.

    The decisions table has a person's request under `revision`. `by` is the ARN of who made it, or `the bot itself`,
    `at` when, and `reason` why.
    `calls` are the calls to AWS that undo the fix, `before` is the state that they change, and `after` that state
    afterwards. `ended_at` is when the fix was undone, or that was refused or failed; empty before. `summary` says how
    it ended. Times are ISO-8601 in UTC.
    """

    revision: int
    by: str
    at: str
    reason: str = ""
    calls: tuple[PlannedCall, ...] = ()
    before: Mapping[str, JSON] = field(default_factory=dict)
    after: Mapping[str, JSON] = field(default_factory=dict)
    ended_at: str = ""
    summary: str = ""


@record(kw_only=True)
class FixRecord:
    """The last fix of a finding, with its plan: proposed, rejected, applied, refused, failed or undone.

    The plan: `calls` are the exact calls to AWS. `before` is the state that they change, complete enough to restore it,
    `expected` is that state afterwards. `rests_on` are the facts that make the plan right, `unknowns` what could not be
    known, and `planned_at` is when the state was read. A record of an earlier version has none of these but `before`.

    `change` is what the fix needs to apply the plan. `after` is the state that was read after it was applied. `undo` is
    the command that restores `before`. `approve` is the command that approves a proposal, if it waits for an approval,
    and `decided_by` the ARN of who approved or rejected it. `owner` is a token of the invocation that applies the fix;
    no other may until `lease_until`, ISO-8601 in UTC. `undo_record` is the last request to undo the fix, None if there
    was none. `declined_by` is the ARN of who rejected or undid an earlier fix of the finding, until one is applied.
    `reverted` are the fixes of the finding that were taken back. `resolves` are the ids of other findings of the
    function that the plan resolves, too. `progress` says what was done and what was not, if fixing was stopped in
    between; empty otherwise. `enabled_mapping` is true if the fix itself enabled the event source mapping of its plan;
    it is recorded before that call. `certificate` is part of the plan: its kind, whether it holds, and its grounds.
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
    calls: tuple[PlannedCall, ...] = ()
    expected: Mapping[str, JSON] = field(default_factory=dict)
    rests_on: Mapping[str, JSON] = field(default_factory=dict)
    unknowns: tuple[str, ...] = ()
    planned_at: str = ""
    undo_record: UndoRecord | None = None
    declined_by: str = ""
    reverted: tuple[RevertedFix, ...] = ()
    resolves: tuple[str, ...] = ()
    progress: str = ""
    enabled_mapping: bool = False
    certificate: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def is_undo_requested(self) -> bool:
        """Whether a request to undo the fix has not ended yet."""
        waits = self.undo_record is not None and not self.undo_record.ended_at
        return self.result is FixResult.UNDOING or (self.result is FixResult.APPLIED and waits)

    @property
    def last_summary(self) -> str:
        """What happened last: to the fix, or when it was to be undone."""
        return (self.undo_record.summary if self.undo_record else "") or self.progress or self.summary

    @property
    def last_at(self) -> str:
        """When that happened: an undo that was refused or failed leaves `at` as it was."""
        return (self.undo_record.ended_at if self.undo_record else "") or self.at

    @property
    def plan(self) -> dict[str, JSON]:
        """What the plan's hash covers: what is called, on which state, for which reasons. It has no times.

        `unknowns` change nothing in AWS, and a read that fails only for now must not make another plan.
        """
        plan: dict[str, JSON] = {"fix": self.name, "change": dict(self.change)}
        if not self.calls:  # of an earlier version, whose hash covers no more
            return plan
        return plan | {
            "calls": [asdict(call) for call in self.calls],
            "before": dict(self.before),
            "expected": dict(self.expected),
            "rests_on": dict(self.rests_on),
            **({"certificate": dict(self.certificate)} if self.certificate else {}),
        }

    @property
    def plan_hash(self) -> str:
        """The hash of the plan: who approves it approves exactly this."""
        return hashlib.sha256(json.dumps(self.plan, sort_keys=True).encode()).hexdigest()


@record(kw_only=True)
class Finding:
    """The finding document, version 1. It is the item in the table and the detail of the event.

    A finding is about a function, a version or an alias of it, or about a role: then `role_arn` is set, `function_arn`
    is empty, `functions` are the ARNs of the first hundred functions that use it, and `function_count` counts all.
    Times are ISO-8601 in UTC. `revision` counts transitions, and `transition` is the last one; `history` has the last
    ten, the newest last. `first_seen` is when it was opened for the first time, `last_seen` when a check last saw the
    problem, to within a day. The first of `remedies` is for the tool that manages the function, if that is known.
    `changed_by` is the ARN of who made the change that led to the last transition, `changed_from` the address and
    `changed_with` the user agent of that call, `changed_event` the id of its event and `changed_in` the region of
    CloudTrail that has it, if an event names them. `suppression` is kept while a finding is resolved: it counts again
    if the problem returns before its end. `baseline` is true for a finding that the digest of the first sweep reports,
    instead of an alert and a ticket. `tags` are those of the function's tags that say who owns it, and that routes
    name, as a check last read them; a finding about a role has none.
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
    changed_from: str = ""
    changed_with: str = ""
    changed_event: str = ""
    changed_in: str = ""
    managed_by: ManagedBy | None = None
    fix: FixRecord | None = None
    role_arn: str = ""
    functions: tuple[str, ...] = ()
    function_count: int = 0
    first_seen: str = ""
    last_seen: str = ""
    suppression: Suppression | None = None
    history: tuple[PastTransition, ...] = ()
    baseline: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    version: int = 1

    @property
    def target_arn(self) -> str:
        """The ARN of what the finding is about: the function with its qualifier, or the role."""
        return self.role_arn or self.function_arn

    @property
    def owner(self) -> str:
        """Who owns the function, by the first tag that shows anything; empty if none does."""
        return owner_of(self.tags)

    def to_document(self) -> dict[str, JSON]:
        """Return the finding as JSON values, as `docs/schemas/finding.v1.json` describes."""
        document: dict[str, JSON] = as_document(self)
        document["remedies"] = list(document["remedies"])
        for name in ("event_ids", "functions", "history"):
            document[name] = list(document[name])
        if document["fix"] is not None:
            lists = ("calls", "unknowns", "reverted", "resolves")
            document["fix"] |= {name: list(document["fix"][name]) for name in lists}
            if (undo := document["fix"]["undo_record"]) is not None:
                undo["calls"] = list(undo["calls"])
        return {key: str(value) if isinstance(value, StrEnum) else value for key, value in document.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, JSON]) -> Self:
        """Read a finding document. One of UNREADABLE if it is invalid.

        Unknown fields are ignored, so that this version can read the findings of a newer one. An older version did not
        record when a finding was first and last seen: those are the times of its last opening.
        """
        fields = known_fields(cls, document)
        fields["severity"] = Severity(fields["severity"])
        fields["status"] = Status(fields["status"])
        fields["transition"] = Transition(fields["transition"])
        fields["remedies"] = tuple(Remedy(**known_fields(Remedy, remedy)) for remedy in fields["remedies"])
        fields["event_ids"] = tuple(fields.get("event_ids", ()))
        fields["functions"] = tuple(fields.get("functions", ()))
        fields["history"] = tuple(map(_past_transition, fields.get("history", ())))
        for name in ("first_seen", "last_seen"):
            fields[name] = fields.get(name) or fields["opened_at"]
        for name in ("opened_at", "changed_at", "first_seen", "last_seen"):
            datetime.fromisoformat(fields[name])
        if fields.get("suppression") is not None:
            fields["suppression"] = Suppression.from_document(fields["suppression"])
        if fields.get("managed_by") is not None:
            fields["managed_by"] = ManagedBy(**known_fields(ManagedBy, fields["managed_by"]))
        if fields.get("fix") is not None:
            fields["fix"] = _fix_record(fields["fix"])
        return cls(**fields)


def _past_transition(document: Mapping[str, JSON]) -> PastTransition:
    fields = known_fields(PastTransition, document)
    past = PastTransition(**{**fields, "transition": Transition(fields["transition"])})
    datetime.fromisoformat(past.at)
    return past


def _planned_call(document: Mapping[str, JSON]) -> PlannedCall:
    """Read a call. It has nothing that this version does not know: nobody would see that part and yet approve it."""
    fields = known_fields(PlannedCall, document)
    if unknown := document.keys() - fields.keys():
        raise ValueError(f"unknown parts of a call: {sorted(map(str, unknown))!r:.100}")
    return PlannedCall(**fields)


def _fix_record(document: Mapping[str, JSON]) -> FixRecord:
    fields = known_fields(FixRecord, document)
    fields["calls"] = tuple(map(_planned_call, fields.get("calls", ())))
    for name in ("unknowns", "resolves"):
        fields[name] = tuple(fields.get(name, ()))
    fields["reverted"] = tuple(RevertedFix(**known_fields(RevertedFix, one)) for one in fields.get("reverted", ()))
    if fields.get("undo_record") is not None:
        fields["undo_record"] = _undo_record(fields["undo_record"])
    fix = FixRecord(**{**fields, "result": FixResult(fields["result"])})
    # Messages show these times, and calculate with them.
    _require_times(fix.at, *filter(None, (fix.planned_at, fix.lease_until)))
    _ = datetime.fromisoformat(fix.at) + APPROVAL
    if fix.result in (FixResult.UNDOING, FixResult.UNDONE) and fix.undo_record is None:
        raise ValueError(f"the fix is {fix.result}, and nobody requested it")
    return fix


def _undo_record(document: Mapping[str, JSON]) -> UndoRecord:
    fields = known_fields(UndoRecord, document)
    undo = UndoRecord(**{**fields, "calls": tuple(map(_planned_call, fields.get("calls", ())))})
    _require_times(undo.at, *filter(None, (undo.ended_at,)))
    return undo


def _require_times(*texts: str) -> None:
    """Raise ValueError if a text is not a time in UTC."""
    if wrong := [text for text in texts if datetime.fromisoformat(text).tzinfo is None]:
        raise ValueError(f"not a time in UTC: {wrong[0]!r:.50}")


MAX_EVENT_IDS = 5
MAX_HISTORY = 10
MAX_FUNCTIONS = 100
