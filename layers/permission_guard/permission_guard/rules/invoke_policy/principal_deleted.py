"""PG111 principal-deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam.principals import is_unique_id
from permission_guard.invokers import invoker_of
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import removed
from permission_guard.rules.invoke_policy.statement_rule import Problem, StatementRule

if TYPE_CHECKING:
    from permission_guard.invokers.allowed import Allowed


class PrincipalDeleted(StatementRule):
    """Allow only principals that exist.

    ## What it flags

    A statement for a deleted user or role, which AWS shows by its unique id (`AIDA...`, `AROA...`), and a statement for
    a service that has ended.

    ## Why it matters

    The statement grants nothing. It hides statements that matter, and uses part of the 20,480 bytes that a policy may
    have. It does not allow a new role with the same name.

    ## How to fix

    Remove the statement. If the principal was recreated, add the statement again with its ARN.

    ## Fix safety

    Removing the statement takes no permission away. The fix removes it after an approval, like every fix that removes a
    statement. In `auto` it needs none only if `rules.PG111.fix` is `auto`.

    ## Limits

    Only the services that the table in `invokers/` marks as ended are known to have ended.

    ## References

    - https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """

    id = "PG111"
    name = "principal-deleted"
    severity = Severity.LOW

    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Flag deleted principals and services that have ended."""
        principals = allowed.exposure.principals
        deleted = [item.value for item in principals if item.kind == "AWS" and is_unique_id(item.value)]
        ended = [item.value for item in principals if item.kind == "Service" and invoker_of(item.value).has_ended]
        missing = deleted + ended
        if not missing:
            return "No principal is known to be deleted."
        gone = f"the deleted principal {missing[0]}" if deleted else f"the ended service {missing[0]}"
        plural = "deleted principals" if deleted else "ended services"
        reasons = [f"{name} is the unique id of a user or role that was deleted." for name in deleted]
        reasons += [f"The service {name} ended on {invoker_of(name).ended}." for name in ended]
        return Problem(
            title=f"{allowed.function} still allows {gone if len(missing) == 1 else f'{len(missing)} {plural}'}",
            reason=" ".join(reasons),
            impact="This grants nothing. It uses space in the policy and hides statements that matter.",
            evidence={"principals": missing},
            remedies=removed(allowed, missing),
        )
