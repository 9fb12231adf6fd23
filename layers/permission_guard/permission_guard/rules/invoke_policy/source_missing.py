"""PG102 source-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import SOURCE_KEYS, Restriction
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import replaced, scoped
from permission_guard.rules.invoke_policy.statement_rule import Complaint, StatementRule, listed
from permission_guard.rules.wording import judged_generally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.invokers import Invoker
    from permission_guard.invokers.allowed import Allowed


class SourceMissing(StatementRule):
    """Allow a service to invoke a function only for sources that are named.

    ## What it flags

    A statement of a function's, version's or alias's resource-based policy that lets an AWS service invoke it, and
    that has neither `aws:SourceArn` nor `aws:SourceAccount` nor an equal of them (`aws:SourceOrgID`,
    `aws:SourceOrgPaths`).

    ## Why it matters

    A service acts for all its customers. Without a named source, a bucket, topic or rule in anybody's account can
    make the service call this function: the confused deputy.

    ## How to fix

    Add the statement again with the ARN of the source, and with the account where the ARN has none (S3). Remove the
    broad statement only then, so that no event is lost in between. Where the bot sees what is set up to call the
    function, the cure names it.

    ## Fix safety

    Not fixed automatically yet: the true source has to be found first.

    ## Limits

    Passed over are services that send neither key (Alexa: PG108), the replication statements of Lambda@Edge, services
    that have ended (PG111), and services that never invoke through the policy (PG105): those that Lambda polls with the
    execution role (SQS, Kinesis, DynamoDB, Kafka, MQ), and those that call with a role of their own (EventBridge
    Scheduler and Pipes, Step Functions and the like). A condition that is there and admits anybody all the same is
    PG104's. A service that the bot does not know is judged like any other, and the finding says so.

    ## References

    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    - https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html
    """

    id = "PG102"
    name = "source-missing"
    severity = Severity.HIGH

    def judge(self, allowed: Allowed) -> Complaint | str:
        """Flag the services that anyone can make call, where no condition speaks of a source."""
        found = [
            (invoker, name) for invoker, name in allowed.services_with(Restriction.OPEN) if invoker.names_its_source
        ]
        if not found:
            return "No service may invoke the function for a source that is not named."
        if allowed.exposure.present_keys & SOURCE_KEYS:
            return "Conditions speak of the source; whether they hold is PG104's question."
        services = [name for _, name in found]
        who, sources = listed(services), either([invoker.source for invoker, _ in found])
        return Complaint(
            title=f"Anyone's {sources} can have {who} invoke {allowed.function}",
            reason=(
                f"The statement lets {who} invoke the function and has no aws:SourceArn, no aws:SourceAccount "
                f"and no aws:SourceOrgID.{judged_generally(invoker for invoker, _ in found)}"
            ),
            impact=anyone_s_source([invoker for invoker, _ in found], who),
            evidence={"services": services},
            remedies=replaced(
                allowed, [item for invoker, name in found for item in scoped(allowed, invoker, name)], services
            ),
        )


def anyone_s_source(invokers: Sequence[Invoker], who: str) -> str:
    """Say what comes of services that anyone can make call."""
    return (
        f"Whoever knows the function's ARN can set up {either([invoker.a_source for invoker in invokers])} in an "
        f"account of their own, and {who} will call the function with whatever they send."
    )


def either(names: Sequence[str]) -> str:
    """Return names for a sentence, each once: `a`, `a or b`."""
    return " or ".join(dict.fromkeys(names))
