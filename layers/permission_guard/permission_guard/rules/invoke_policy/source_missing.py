"""PG102 source-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import SOURCE_KEYS, Restriction
from permission_guard.iam.principals import ANYONE
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import narrowed_to_sources, removed, replaced
from permission_guard.rules.invoke_policy.statement_rule import Problem, StatementRule
from permission_guard.rules.wording import listed, service_name, unlisted_services

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from permission_guard.invokers import Invoker
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.verdicts import Remedy

_MOST_SOURCES: Final = 2


class SourceMissing(StatementRule):
    """Allow a service to invoke a function only for a named source.

    ## What it flags

    A statement in the resource-based policy of a function, version or alias that allows an AWS service to invoke it,
    and that has none of `aws:SourceArn`, `aws:SourceAccount`, `aws:SourceOrgID` and `aws:SourceOrgPaths`. A principal
    `*` with a condition that only services satisfy, such as `aws:PrincipalIsAWSService` or `aws:PrincipalServiceName`,
    allows these services.

    ## Why it matters

    A service acts for all its customers. If the statement names no source, a bucket, topic or rule in any account can
    make the service invoke this function. This is the confused deputy problem.

    ## How to fix

    Add the statement again with the ARN of the source, and with its account if the ARN has none (S3). For EventBridge,
    the ARN alone suffices: AWS documents that a condition on the account can stop its calls. Then remove the broad
    statement, so that no event is lost in between. If the bot can read what is configured to invoke the function, the
    suggested commands name it.

    ## Fix safety

    Safe: the fix allows only the sources that are configured in the account to invoke the function, and then removes
    the broad statement. It grants nothing new. Sources of other accounts cannot be seen: the fix needs an approval,
    unless `fixes.no_external_sources` lists the function, or CloudTrail's `Invoke` events of 30 days show none
    (`InvokeEventsLogGroupArn`). It is refused if no source is proven, if what invokes through the service cannot be
    listed, and if infrastructure code owns the function or the statement.

    ## Limits

    The rule ignores services that send neither key (Alexa: PG108), the replication statements of Lambda@Edge, services
    that have ended (PG111), and services that never invoke through the policy (PG105). The latter are the sources that
    Lambda polls with the execution role (SQS, Kinesis, DynamoDB, Kafka, MQ) and services that invoke with an IAM role
    (EventBridge Scheduler and Pipes, Step Functions and others). PG104 evaluates conditions on the source that restrict
    nothing. A service that the bot does not know is evaluated like any other, and the finding says so. A statement for
    EventBridge with `aws:SourceAccount` alone passes, because no source of another account matches it; whether any rule
    matches is disputed (PG105).

    ## References

    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    - https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html
    """

    id = "PG102"
    name = "source-missing"
    severity = Severity.HIGH

    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Flag the services that anyone can make invoke the function, if no condition is on the source."""
        found = [
            (invoker, name) for invoker, name in allowed.services_with(Restriction.OPEN) if invoker.names_its_source
        ]
        if not found:
            return "No service may invoke the function for an arbitrary source."
        if allowed.exposure.present_keys & SOURCE_KEYS:
            return "The statement has conditions on the source; PG104 evaluates them."
        services = [name for _, name in found]
        who, sources = listed(map(service_name, services)), few_sources(invoker.source for invoker, _ in found)
        return Problem(
            title=f"{allowed.function} allows any account's {sources} to invoke it",
            reason=(
                f"The statement allows {who} to invoke the function and has no aws:SourceArn, no aws:SourceAccount "
                f"and no aws:SourceOrgID.{by_condition(allowed)}{unlisted_services(invoker for invoker, _ in found)}"
            ),
            impact=impact_of_any_source([invoker for invoker, _ in found], who),
            evidence={"services": services},
            remedies=narrowed(allowed, found),
        )


def by_condition(allowed: Allowed) -> str:
    """Return a sentence, with a space before it, on a principal `*` that conditions limit to services; else empty."""
    principals = allowed.statement.principals
    is_anyone = principals is not None and ANYONE in principals.entries
    if not is_anyone or any((item.kind, item.value) == ANYONE for item in allowed.exposure.principals):
        return ""
    return ' Its principal is "*", and only services satisfy its conditions.'


def narrowed(allowed: Allowed, found: Sequence[tuple[Invoker, str]]) -> tuple[Remedy, ...]:
    """Return the remedy that allows services for their actual sources only, or removes what it cannot narrow."""
    services = [name for _, name in found]
    statements = narrowed_to_sources(allowed, found)
    return replaced(allowed, statements, services) if statements else removed(allowed, services)


def impact_of_any_source(invokers: Sequence[Invoker], who: str) -> str:
    """Return the impact of services that anyone can make invoke the function."""
    return (
        f"Anyone who knows the function's ARN can make {who} invoke it with any input, through "
        f"{either([invoker.a_source for invoker in invokers])} in their own account."
    )


def few_sources(sources: Iterable[str]) -> str:
    """Format the sources of services for a title, more than two as a number."""
    found = list(dict.fromkeys(sources))
    return either(found) if len(found) <= _MOST_SOURCES else f"resources in {len(found)} services"


def either(names: Iterable[str]) -> str:
    """Format names for a sentence, each once: `a`, `a or b`."""
    return " or ".join(dict.fromkeys(names))
