"""The result of an evaluation."""

from __future__ import annotations

from enum import StrEnum

from permission_guard.records import record


class EvalDecision(StrEnum):
    """The four results. CONDITIONAL: the result depends on something that is unknown."""

    ALLOWED = "allowed"
    IMPLICIT_DENY = "implicitDeny"
    EXPLICIT_DENY = "explicitDeny"
    CONDITIONAL = "conditional"


@record
class StatementRef:
    """The deciding statement: its policy's name and kind (`identity`, `boundary`, `scp` …), Sid, index and effect."""

    policy: str
    sid: str | None
    index: int
    effect: str | None
    kind: str

    def __str__(self) -> str:
        label = f"statement {self.sid!r}" if self.sid else f"statement {self.index + 1}"
        return f"{label} of the {self.kind} policy{f' {self.policy!r}' if self.policy else ''}"


@record
class Decision:
    """The result for one request.

    `statement` is the statement that allows, denies, or on which a CONDITIONAL result depends. `blocked_by` is the kind
    of policy that does not allow the request (IMPLICIT_DENY). `unknown_keys` are the condition keys whose values are
    required and unknown.
    """

    decision: EvalDecision
    statement: StatementRef | None = None
    blocked_by: str | None = None
    unknown_keys: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the request is allowed."""
        return self.decision is EvalDecision.ALLOWED

    @property
    def denied(self) -> bool:
        """Whether the request is denied, implicitly or explicitly."""
        return self.decision in (EvalDecision.IMPLICIT_DENY, EvalDecision.EXPLICIT_DENY)

    def explain(self) -> str:
        """Return the result as one sentence."""
        if self.decision is EvalDecision.ALLOWED:
            return f"Allowed by {self.statement}." if self.statement else "Allowed."
        if self.decision is EvalDecision.EXPLICIT_DENY:
            return f"Explicitly denied by {self.statement}."
        if self.decision is EvalDecision.IMPLICIT_DENY:
            return f"Implicitly denied: {_NOT_ALLOWED.get(self.blocked_by or '', 'no policy allows it')}."
        causes = [str(self.statement)] if self.statement else []
        if self.unknown_keys:
            noun = "condition key" if len(self.unknown_keys) == 1 else "condition keys"
            causes.append(f"the unknown {noun} {', '.join(self.unknown_keys)}")
        what = f"it depends on {' and on '.join(causes)}" if causes else "it cannot be decided"
        why = f" ({'; '.join(self.reasons)})" if self.reasons else ""
        return f"Unknown: {what}{why}."


_NOT_ALLOWED = {
    "identity": "no identity-based policy allows it",
    "boundary": "the permissions boundary does not allow it",
    "session": "the session policy does not allow it",
    "scp": "no service control policy allows it at some level",
    "rcp": "no resource control policy allows it at some level",
    "resource": "the resource's own policy does not allow it",
    "organization": "an organization policy denies it, according to IAM's policy simulator",
}
