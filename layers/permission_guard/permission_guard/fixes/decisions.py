"""Decisions of people about fixes: each is about one revision of one finding, and the hash of the fix's plan.

A person approves or rejects a fix that is proposed, and requests the undo of one that was applied.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self

from permission_guard.config.fix_modes import effective_mode
from permission_guard.errors import UNREADABLE, RequestRefusedError
from permission_guard.findings.lifecycle import Change, advanced, undo_requested
from permission_guard.findings.role_permissions import CLOCK_SKEW
from permission_guard.fixes.stop import why_stopped
from permission_guard.iam.arn import require_arn
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.findings import APPROVAL, Cause, FixResult, Status, Transition
from permission_guard.model.signed_requests import (
    ARN,
    NONCE,
    REASON,
    digest_of,
    require_object,
    require_reason,
    texts_of,
)
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.config.document import GuardConfig
    from permission_guard.config.settings import FixMode
    from permission_guard.findings.store import FindingStore
    from permission_guard.fixes.stop import StopState
    from permission_guard.model.findings import Finding, FixRecord
    from permission_guard.model.targets import JSON, FunctionTarget

VALID_FOR = APPROVAL
_MAX_REVISION = 10**9
"""More transitions than a finding can have; DynamoDB rejects keys with far larger numbers."""


class DecisionKind(StrEnum):
    """What a person decided about a fix: a proposed one, or with `undo` an applied one."""

    APPROVE = "approve"
    REJECT = "reject"
    UNDO = "undo"


@record(kw_only=True)
class DecisionRequest:
    """A decision that a person asks to record.

    `revision` is that of the proposal, or of the finding when its applied fix was shown. `nonce` are 32 random
    hexadecimal digits. `reason` is why a fix is to be undone; it can be empty, and is for other decisions.
    """

    kind: DecisionKind
    finding_id: str
    function_arn: str
    revision: int
    plan_hash: str
    nonce: str
    reason: str = ""

    @classmethod
    def from_document(cls, document: JSON) -> Self:
        """Read a request. RequestRefusedError names what is invalid."""
        document = require_object(document)
        texts = texts_of(document, _PATTERNS)
        revision = document.get("revision")
        if not isinstance(revision, int) or isinstance(revision, bool) or not 1 <= revision <= _MAX_REVISION:
            raise RequestRefusedError(f"the request has no valid `revision`, a whole number from 1 to {_MAX_REVISION}")
        kind = DecisionKind(texts.pop("kind"))
        if kind is DecisionKind.UNDO and document.get("reason", "") != "":
            texts |= texts_of(document, {"reason": REASON})
            require_reason(texts["reason"])
        request = cls(kind=kind, revision=revision, **texts)
        _ = request.target
        return request

    @property
    def target(self) -> FunctionTarget:
        """The function. RequestRefusedError if the ARN is not one of a function."""
        try:
            return parse_function_arn(self.function_arn)[0]
        except ValueError as error:
            raise RequestRefusedError(str(error)) from error

    def to_document(self) -> dict[str, JSON]:
        """Return the request as JSON values, without its signature."""
        document = asdict(self)
        if not self.reason:  # earlier versions of the command line sign a decision without one
            del document["reason"]
        return document

    def digest(self, audience: str) -> str:
        """Return the hash that the caller signs. `audience` is the ARN of the function that takes the decision."""
        return digest_of(self.to_document(), audience)


_PATTERNS = {
    "kind": "|".join(DecisionKind),
    "finding_id": "[0-9a-f]{32}",
    "function_arn": ARN,
    "plan_hash": "[0-9a-f]{64}",
    "nonce": NONCE,
}


@record(kw_only=True)
class Decision:
    """A recorded decision about one revision. `by` is the ARN of who made it, `at` ISO-8601 in UTC."""

    kind: DecisionKind
    finding_id: str
    revision: int
    plan_hash: str
    by: str
    at: str
    nonce: str
    reason: str = ""

    def approves(self, plan_hash: str, now: str) -> bool:
        """Return whether the decision approves a plan, and is valid."""
        return self.kind is DecisionKind.APPROVE and self.plan_hash == plan_hash and self.is_valid(now)

    def is_undo_of(self, plan_hash: str) -> bool:
        """Return whether the decision requests the undo of the fix with this plan."""
        return self.kind is DecisionKind.UNDO and self.plan_hash == plan_hash

    def is_valid(self, now: str) -> bool:
        """Return whether the decision is neither too old nor from the future."""
        return -CLOCK_SKEW <= datetime.fromisoformat(now) - datetime.fromisoformat(self.at) <= VALID_FOR


class DecisionStore(Protocol):
    """Stores decisions."""

    def decision(self, finding_id: str, revision: int) -> Decision | None:
        """Return the decision about a revision, None if there is none."""

    def record(self, decision: Decision, change: Change) -> None:
        """Write a decision and the finding's transition, both or none.

        ConflictError if the finding was changed since it was read, or a decision about the revision was recorded.
        """


def decide(
    request: DecisionRequest,
    *,
    caller: str,
    mode: FixMode,
    config: GuardConfig,
    findings: FindingStore,
    decisions: DecisionStore,
    stop: StopState,
    now: str,
) -> Decision:
    """Record a decision about a fix; the same request again changes nothing.

    `caller` is the proven ARN of who decides, `mode` the ceiling of the modes that `config` sets for rules.
    RequestRefusedError if no fix of the rule is applied in its mode, if the fix is not the current one or is in another
    state, or what is recorded cannot be read; ConflictError if it changed meanwhile. A fix is undone whatever the mode
    of its rule is now, but not while fixing is stopped.
    """
    is_undo = request.kind is DecisionKind.UNDO
    if not mode.takes_approvals:
        raise RequestRefusedError(f"FixMode is {mode}: no fix is {'undone' if is_undo else 'applied'}")
    if require_arn(caller).account != request.target.account:
        raise RequestRefusedError(f"{caller} is not a principal of account {request.target.account}")
    try:
        finding = findings.finding(request.target, request.finding_id)
        recorded = decisions.decision(request.finding_id, request.revision)
    except UNREADABLE as error:
        raise RequestRefusedError("the finding, or a decision about it, is recorded but cannot be read") from error
    if finding is None or finding.function_arn != request.function_arn:
        raise RequestRefusedError("the finding does not exist")
    if recorded is not None:
        if recorded.kind is request.kind and recorded.plan_hash == request.plan_hash:
            return recorded
        raise RequestRefusedError(f"{recorded.by} decided to {recorded.kind} it at {recorded.at}")
    effective = effective_mode(config, finding.rule_id, mode)
    if not is_undo and not effective.mode.takes_approvals:
        raise RequestRefusedError(f"{effective}: no fix of {finding.rule_id} is applied")
    if is_undo and (stopped := why_stopped(stop)):
        raise RequestRefusedError(f"{stopped}. Resume fixing first: permission-guard fixes resume")
    decision = Decision(
        kind=request.kind,
        finding_id=finding.id,
        revision=request.revision,
        plan_hash=request.plan_hash,
        by=caller,
        at=now,
        nonce=request.nonce,
        reason=request.reason.strip(),
    )
    decided = _undo_requested(finding, decision) if is_undo else _decided(finding, decision)
    decisions.record(decision, Change(decided, finding.revision))
    return decision


def why_not_undone(fix: FixRecord | None) -> str:
    """Return why a fix cannot be undone, without a full stop; empty if it can."""
    if fix is None:
        return "the finding has no fix"
    undo = fix.undo_record
    if undo is not None and fix.result is FixResult.UNDONE:
        return f"the fix was undone at {undo.ended_at}, as {undo.by} requested"
    if undo is not None and fix.result is FixResult.UNDOING:
        return f"the fix is being undone, as {undo.by} requested at {undo.at}"
    if fix.result is not FixResult.APPLIED:
        return f"the fix is {fix.result}: only an applied fix can be undone"
    if not fix.calls:
        return "an earlier version of the bot applied the fix, without a plan to undo it by"
    return ""


def _undo_requested(finding: Finding, decision: Decision) -> Finding:
    """Return the finding after a request to undo its applied fix, whatever its status is."""
    if why := why_not_undone(finding.fix):
        raise RequestRefusedError(why)
    if finding.fix is None or finding.revision != decision.revision or finding.fix.plan_hash != decision.plan_hash:
        raise RequestRefusedError("the finding has changed: read it again, with permission-guard fixes show")
    return undo_requested(finding, finding.fix, by=decision.by, at=decision.at, reason=decision.reason)


def _decided(finding: Finding, decision: Decision) -> Finding:
    """Return the finding after a decision about its current proposal."""
    if finding.status is not Status.OPEN:
        raise RequestRefusedError(f"the finding is {finding.status}")
    if finding.fix is None or finding.transition is not Transition.FIX_PROPOSED or not finding.fix.approve:
        raise RequestRefusedError("the finding has no proposed fix that waits for an approval")
    if finding.revision != decision.revision or finding.fix.plan_hash != decision.plan_hash:
        raise RequestRefusedError("the proposal has changed: read the current one")
    approved = decision.kind is DecisionKind.APPROVE
    transition = Transition.FIX_APPROVED if approved else Transition.FIX_REJECTED
    fix = replace(
        finding.fix,
        result=FixResult.PROPOSED if approved else FixResult.REJECTED,
        approve="",
        decided_by=decision.by,
        at=decision.at,
    )
    return replace(advanced(finding, transition, decision.at, Cause(by=decision.by)), fix=fix)
