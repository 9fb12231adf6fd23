"""PG111 principal-deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam.principals import is_unique_id
from permission_guard.invokers import invoker_of
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import removed
from permission_guard.rules.invoke_policy.statement_rule import Complaint, StatementRule, listed

if TYPE_CHECKING:
    from permission_guard.invokers.allowed import Allowed


class PrincipalDeleted(StatementRule):
    """Allow only principals that exist.

    ## What it flags

    A statement for a user or role that was deleted, in whose place AWS shows its unique id (`AIDA...`, `AROA...`), and
    one for a service that has ended.

    ## Why it matters

    It grants nothing any more. It hides what matters among what does not, and takes room of the 20,480 bytes that a
    policy may have. A role of the same name that is made anew is not let in by it.

    ## How to fix

    Remove the statement; if the principal was made anew, add it again by its ARN.

    ## Fix safety

    Not fixed automatically yet. Nothing can be lost by it.

    ## Limits

    Services are taken for ended from the table in `invokers/` only.

    ## References

    - https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """

    id = "PG111"
    name = "principal-deleted"
    severity = Severity.LOW

    def judge(self, allowed: Allowed) -> Complaint | str:
        """Flag principals that are no more."""
        principals = allowed.exposure.principals
        deleted = [item.value for item in principals if item.kind == "AWS" and is_unique_id(item.value)]
        ended = [item.value for item in principals if item.kind == "Service" and invoker_of(item.value).has_ended]
        gone = deleted + ended
        if not gone:
            return "No principal is known to be gone."
        reasons = [f"{name} is what AWS leaves of a user or role that was deleted." for name in deleted]
        reasons += [f"The service {name} ended on {invoker_of(name).ended}." for name in ended]
        return Complaint(
            title=(
                f"The statement {allowed.name} of {allowed.function} is for {listed(gone)}, "
                f"which {'is' if len(gone) == 1 else 'are'} no more"
            ),
            reason=" ".join(reasons),
            impact="Nobody is let in by that any more. It only takes room, and hides what matters.",
            evidence={"principals": gone},
            remedies=removed(allowed, gone),
        )
