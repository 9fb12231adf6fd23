"""What the evaluation answers."""

from __future__ import annotations

from enum import StrEnum

from permission_guard.records import record


class EvalDecision(StrEnum):
    """The four answers. CONDITIONAL: it hinges on something that is not known."""

    ALLOWED = "allowed"
    IMPLICIT_DENY = "implicitDeny"
    EXPLICIT_DENY = "explicitDeny"
    CONDITIONAL = "conditional"


@record
class StatementRef:
    """The statement that decided: the policy's name and kind (`identity`, `boundary`, `scp` …), Sid, index, effect."""

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
    """The answer to one request.

    `statement` is the one that denied, granted, or on which a CONDITIONAL answer hinges. `blocked_by` is the layer
    that did not allow (IMPLICIT_DENY). `unknown_keys` are the condition keys whose values were needed.
    """

    decision: EvalDecision
    statement: StatementRef | None = None
    blocked_by: str | None = None
    unknown_keys: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether it is certainly allowed."""
        return self.decision is EvalDecision.ALLOWED

    @property
    def denied(self) -> bool:
        """Whether it is certainly denied, implicitly or explicitly."""
        return self.decision in (EvalDecision.IMPLICIT_DENY, EvalDecision.EXPLICIT_DENY)

    def explain(self) -> str:
        """Return one sentence for a person."""
        if self.decision is EvalDecision.ALLOWED:
            return f"Allowed by {self.statement}." if self.statement else "Allowed."
        if self.decision is EvalDecision.EXPLICIT_DENY:
            return f"Explicitly denied by {self.statement}."
        if self.decision is EvalDecision.IMPLICIT_DENY:
            return f"Implicitly denied: {_NOT_ALLOWED.get(self.blocked_by or '', 'no policy allows it')}."
        what = f"it hinges on {self.statement}" if self.statement else "it cannot be decided"
        keys = f" and on the unknown {', '.join(self.unknown_keys)}" if self.unknown_keys else ""
        why = f" ({'; '.join(self.reasons)})" if self.reasons else ""
        return f"Not certain: {what}{keys}{why}."


_NOT_ALLOWED = {
    "identity": "no identity-based policy allows it",
    "boundary": "the permissions boundary does not allow it",
    "session": "the session policy does not allow it",
    "scp": "no service control policy allows it at some level",
    "rcp": "no resource control policy allows it at some level",
    "resource": "the resource's own policy does not allow it",
    "organization": "a policy of the organization denies it, as IAM's policy simulator says",
}
