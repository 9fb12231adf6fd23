"""PG101 public-invoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import Restriction
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import in_steps, removed
from permission_guard.rules.invoke_policy.statement_rule import Problem, StatementRule

if TYPE_CHECKING:
    from permission_guard.invokers.allowed import Allowed


class PublicInvoke(StatementRule):
    """Allow only named principals to invoke a function.

    ## What it flags

    A statement that allows anyone to invoke the function: its principal is `*`, and no condition restricts the caller.
    A condition that anyone satisfies does not restrict: `...IfExists` and `ForAllValues` on a key that may be absent,
    negated operators, patterns that match everything, address ranges that together cover the Internet.

    ## Why it matters

    Anyone with an AWS account can invoke the function with any input, at any rate. The owner of the function pays, and
    the function runs with the permissions of its execution role.

    ## How to fix

    Remove the statement. Allow each caller by name: an account, a role, a service with its source, or an organization
    with `--principal-org-id`.

    ## Fix safety

    Unsafe: a caller may rely on the statement, and only you know which. The fix removes the statement after an
    approval. In `auto` it does so without one only if `rules.PG101.fix` is `auto`. The bot can undo it only
    with the parameter `AtomicNarrowing`, because it may not add a statement for everyone. It is refused if a trigger of
    the account uses the statement.

    ## Limits

    PG107 evaluates statements for a function URL. A service that anyone can make invoke the function is not public:
    PG102 or PG104 evaluates it, also if the principal is `*` and only services satisfy the conditions
    (`aws:SourceArn`, `aws:PrincipalIsAWSService`, `aws:PrincipalServiceName`). A statement passes if a Deny statement
    denies everything that it grants.

    Address ranges in `aws:SourceIp` restrict the caller only if together they are no broader than `/8` (IPv4) or `/32`
    (IPv6), which is Amazon S3's definition. Private ranges do not count.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    - https://docs.aws.amazon.com/securityhub/latest/userguide/lambda-controls.html
    - https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
    """

    id = "PG101"
    name = "public-invoke"
    severity = Severity.CRITICAL

    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Flag statements that allow anyone to invoke the function directly."""
        exposed = allowed.exposure
        if not exposed.public or not exposed.grants_invoke:
            return "The statement does not allow everyone to invoke the function."
        if exposed.function_url:
            return "The statement is for a function URL; PG107 evaluates it."
        if allowed.only_for_services:
            return "The statement requires a source, which only services send; PG104 evaluates it."
        open_ones = [
            item.value for item in exposed.principals if item.kind == "AWS" and item.restriction is Restriction.OPEN
        ]
        if "NotPrincipal" in allowed.statement.raw:
            principal = "The statement allows everyone except its NotPrincipal"
        else:
            principal = f'The statement\'s principal is "{open_ones[0]}"'
        conditions = "no condition" if not allowed.statement.conditions else "no condition that restricts the caller"
        return Problem(
            title=f"{allowed.function} allows anyone to invoke it",
            reason=f"{principal}, and it has {conditions}.",
            impact=(
                "Anyone with an AWS account can invoke the function with any input, at any rate. It runs with the "
                "permissions of its execution role."
            ),
            evidence={"principals": open_ones},
            remedies=in_steps(allowed, removed(allowed, open_ones)),
        )
