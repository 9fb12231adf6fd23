"""PG105 source-never-matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import Hold
from permission_guard.iam.arn import parse_arn
from permission_guard.iam.principals import is_unique_id
from permission_guard.invokers import Authority, Invoker, Sent, invoker_of
from permission_guard.model import Severity
from permission_guard.rules.cures import removed, replaced, scoped
from permission_guard.rules.statements import Allowed, Complaint, StatementRule, listed

if TYPE_CHECKING:
    from permission_guard.iam import PrincipalExposure
    from permission_guard.model import Remedy


class SourceNeverMatches(StatementRule):
    """Allow only by statements that can ever serve.

    ## What it flags

    A statement by which nobody can ever invoke the function. Its condition is never true: a `*` that `StringEquals`
    takes literally, the ARN of another service's resource, an ARN and an account that disagree, a key that the
    principal never sends. Or its principal never invokes through the policy: SQS, Kinesis, DynamoDB, Kafka and MQ,
    which Lambda polls with the execution role, and services that call with a role of their own, such as EventBridge
    Scheduler.

    ## Why it matters

    Whoever wrote it meant to let something in. Its events are dropped, most often without a word. Where the principal
    never invokes through the policy nothing is dropped; the statement is dead weight that misleads, so the severity is
    low.

    ## How to fix

    Write the condition as the service sends it, or remove the statement.

    ## Fix safety

    Not fixed automatically: what was meant is for a person to say.

    ## Limits

    Only what is certain is flagged: of services that the bot does not know, and of keys that a service is not
    documented to send or not to send, nothing is assumed. Principals that were deleted are PG111's. The statements that
    Lambda@Edge writes pass.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """

    id = "PG105"
    name = "source-never-matches"
    severity = Severity.MEDIUM

    def judge(self, allowed: Allowed) -> Complaint | str:
        """Flag the principals for which the statement never serves."""
        if not allowed.exposure.grants_invoke:
            return "The statement does not let anyone invoke the function."
        dead = {item.value: why for item in allowed.exposure.principals if (why := _why_never(item, allowed))}
        if not dead:
            return "Each principal can satisfy the statement."
        names = tuple(dead)
        invokers = [invoker_of(name) for name in names]
        idle = all(not invoker.invokes_by_policy for invoker in invokers)
        return Complaint(
            title=f"The statement {allowed.name} never lets {listed(names)} invoke {allowed.function}",
            reason=" ".join(f"{why[0].upper()}{why[1:]}." for why in dict.fromkeys(dead.values())),
            impact=(
                "The statement has no effect, and whoever reads it takes it for the permission that is needed."
                if idle
                else f"What was meant to call the function by way of {listed(names)} is refused: its events are lost."
            ),
            severity=Severity.LOW if idle else None,
            evidence={"principals": list(names)},
            remedies=_cure(allowed, names),
        )


def _why_never(item: PrincipalExposure, allowed: Allowed) -> str:
    """Say why a principal never satisfies the statement; nothing when it can."""
    if item.kind != "Service":
        return item.why if item.hold is Hold.NEVER and not is_unique_id(item.value) else ""
    invoker = invoker_of(item.value)
    if invoker.has_ended or invoker.written_by_aws:
        return ""
    if invoker.authority is Authority.EXECUTION_ROLE:
        return f"{item.value} never invokes functions: Lambda polls each {invoker.source} with the execution role"
    if invoker.authority is Authority.OWN_ROLE:
        return f"{item.value} invokes functions with a role that it is given, never by a statement"
    if item.hold is Hold.NEVER:
        return item.why
    return _foreign_arn(invoker, item.value, allowed)


def _foreign_arn(invoker: Invoker, principal: str, allowed: Allowed) -> str:
    """Say that no source of a service has the ARN that is asked for."""
    for condition in allowed.statement.conditions:
        if condition.key != "aws:sourcearn" or condition.negated or condition.operator is None:
            continue
        if (condition.if_exists or condition.qualifier) and invoker.sends_source_arn is not Sent.YES:
            continue
        if not any(_can_be(text, invoker, allowed) for text in condition.texts):
            texts = " or ".join(f'"{text}"' for text in condition.texts)
            return f"{texts} is the ARN of no {invoker.source} that {principal} calls for"
    return ""


def _can_be(text: str, invoker: Invoker, allowed: Allowed) -> bool:
    arn = parse_arn(text)
    partition = allowed.snapshot.target.partition
    elsewhere = arn is not None and arn.partition.startswith("aws") and not _wild(arn.partition, partition)
    return invoker.admits(text) and not elsewhere


def _wild(pattern: str, partition: str) -> bool:
    return "*" in pattern or "?" in pattern or "$" in pattern or pattern == partition


def _cure(allowed: Allowed, names: tuple[str, ...]) -> tuple[Remedy, ...]:
    mendable = [(invoker_of(name), name) for name in names if invoker_of(name).names_its_source and "." in name]
    if len(mendable) < len(names):
        return removed(allowed, names)
    return replaced(allowed, [item for invoker, name in mendable for item in scoped(allowed, invoker, name)], names)
