"""PG101 public-invoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import Restriction
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import removed
from permission_guard.rules.invoke_policy.statement_rule import Complaint, StatementRule

if TYPE_CHECKING:
    from permission_guard.invokers.allowed import Allowed


class PublicInvoke(StatementRule):
    """Allow only named principals to invoke a function.

    ## What it flags

    A statement that lets anyone invoke the function: its principal is `*`, and no condition effectively narrows that.
    Conditions that do not count are those that anyone satisfies: `...IfExists` and `ForAllValues` on a key that may be
    absent, negated operators, patterns that match everything.

    ## Why it matters

    Anyone with an AWS account of their own can call the function, with any input and as often as they like: at the
    price of the function's owner, and with whatever its execution role may do.

    ## How to fix

    Remove the statement, and let in by name who has to call: an account, a role, a service with its source, or an
    organization with `--principal-org-id`.

    ## Fix safety

    Not fixed automatically: somebody may rely on it, and only a person knows who.

    ## Limits

    A statement for a function URL is PG107's. A service that anyone can make call is not public: it is PG102's or
    PG104's. A statement that a Deny takes back altogether passes.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    - https://docs.aws.amazon.com/securityhub/latest/userguide/lambda-controls.html
    """

    id = "PG101"
    name = "public-invoke"
    severity = Severity.CRITICAL

    def judge(self, allowed: Allowed) -> Complaint | str:
        """Flag statements that let anyone in, in person."""
        exposed = allowed.exposure
        if not exposed.public or not exposed.grants_invoke:
            return "The statement does not let just anyone invoke the function."
        if exposed.function_url:
            return "The statement is for a function URL; PG107 is about those."
        if allowed.only_for_services:
            return "Only services tell of a source, which it asks for; PG104 is about those."
        open_ones = [
            item.value for item in exposed.principals if item.kind == "AWS" and item.restriction is Restriction.OPEN
        ]
        if "NotPrincipal" in allowed.statement.raw:
            whom = "The statement lets in everybody but its NotPrincipal"
        else:
            whom = f'The statement\'s principal is "{open_ones[0]}"'
        conditions = "no condition" if not allowed.statement.conditions else "no condition that restricts the caller"
        return Complaint(
            title=f"Anyone may invoke {allowed.function}",
            reason=f"{whom}, and it has {conditions}.",
            impact=(
                "Anyone with an AWS account of their own can call the function, with any input and as often as they "
                "like, and it acts with its execution role."
            ),
            evidence={"principals": open_ones},
            remedies=removed(allowed, open_ones),
        )
