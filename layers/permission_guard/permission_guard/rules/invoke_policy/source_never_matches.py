"""PG105 source-never-matches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from permission_guard.iam import Restriction
from permission_guard.iam.arn import parse_arn
from permission_guard.iam.principals import is_unique_id
from permission_guard.invokers import Authority, Invoker, Sent, invoker_of
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import removed, replaced, scoped, with_token
from permission_guard.rules.invoke_policy.statement_rule import Complaint, StatementRule, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.iam import PrincipalExposure
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy

_WILD: Final = re.compile(r"[*?]")


class SourceNeverMatches(StatementRule):
    """Allow only by statements that can ever serve.

    ## What it flags

    A statement by which nobody can ever invoke the function. Its condition is never true: a `*` that `StringEquals`
    takes literally, the ARN of another service's resource, an ARN and an account that disagree, a key that the
    principal never sends, a Deny that spares nobody. Or its principal never invokes through the policy: SQS, Kinesis,
    DynamoDB, Kafka and MQ, which Lambda polls with the execution role, and services that call with a role of their own,
    such as EventBridge Scheduler.

    ## Why it matters

    Whoever wrote it meant to let something in. Its events are dropped, most often without a word. Where the principal
    never invokes through the policy nothing is dropped; the statement is dead weight that misleads, so the severity is
    low.

    ## How to fix

    Write the condition as the service sends it, or remove the statement. Where a Deny takes it back that was meant for
    people, except services from the Deny: `"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}`.

    ## Fix safety

    Not fixed automatically: what was meant is for a person to say.

    ## Limits

    Only what is certain is flagged: of services that the bot does not know, of keys that a service is not documented to
    send or not to send, and of values with policy variables, nothing is assumed. Principals that were deleted are
    PG111's. The statements that Lambda@Edge writes pass, and so does what a Deny takes back in one piece.

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
        dead = [(item, why) for item in allowed.exposure.principals if (why := _why_never(item, allowed))]
        if not dead:
            return "Nothing says that a principal of the statement can never be let in by it."
        items = [item for item, _ in dead]
        names = [item.value for item in items]
        idle = all(item.kind == "Service" and not invoker_of(item.value).invokes_by_policy for item in items)
        return Complaint(
            title=f"The statement {allowed.name} never lets {listed(names)} invoke {allowed.function}",
            reason=" ".join(f"{_started(why)}." for why in dict.fromkeys(why for _, why in dead)),
            impact=(
                "That has no effect, and whoever reads it takes it for the permission that is needed."
                if idle
                else f"Whatever should call the function as {listed(names)} is refused: what it sends is lost."
            ),
            severity=Severity.LOW if idle else None,
            evidence={"principals": names},
            remedies=_remedy(allowed, items),
        )


def _started(why: str) -> str:
    """Begin a sentence with a capital letter, unless with a name."""
    word = why.partition(" ")[0]
    return f"{word.capitalize()}{why[len(word) :]}" if word.isalpha() and word.islower() else why


def _why_never(item: PrincipalExposure, allowed: Allowed) -> str:
    """Say why a principal never satisfies the statement; nothing when it can."""
    never = _never(item, allowed) if item.restriction is Restriction.NEVER else ""
    if item.kind != "Service":
        return "" if is_unique_id(item.value) else never
    invoker = invoker_of(item.value)
    if invoker.has_ended or invoker.written_by_aws:
        return ""
    if invoker.authority is Authority.EXECUTION_ROLE:
        return f"{item.value} never invokes functions: Lambda polls each {invoker.source} with the execution role"
    if invoker.authority is Authority.OWN_ROLE:
        return f"{item.value} invokes functions with a role that it is given, never by a statement"
    return never or _foreign_arn(invoker, item.value, allowed)


def _never(item: PrincipalExposure, allowed: Allowed) -> str:
    """Say why the conditions are never true; the keys are spelled as the statement spells them."""
    why = item.why
    if _is_denied(item):
        return f"a Deny statement of the same policy takes back all that it grants {item.value}"
    for condition in allowed.statement.conditions:
        why = why.replace(condition.key, condition.spelled)
    return why


def _foreign_arn(invoker: Invoker, principal: str, allowed: Allowed) -> str:
    """Say that no source of a service has the ARN that is asked for."""
    for condition in allowed.statement.conditions:
        if condition.key != "aws:sourcearn" or condition.negated or condition.operator is None:
            continue
        if (condition.if_exists or condition.qualifier) and invoker.sends_source_arn is not Sent.YES:
            continue
        like = condition.operator.name == "StringLike"
        if not any(_can_be(_prefix(text) if like else text, invoker, allowed) for text in condition.texts):
            texts = " or ".join(f'"{text}"' for text in condition.texts)
            return f"{texts} is the ARN of no {invoker.source} that {principal} calls for"
    return ""


def _prefix(text: str) -> str:
    """Return a pattern that admits what one compared as text does, whose stars cross colons, and more."""
    begin = _WILD.split(text, maxsplit=1)[0]
    return text if begin == text else f"{begin}*"


def _can_be(text: str, invoker: Invoker, allowed: Allowed) -> bool:
    """Tell whether a source of a service may have an ARN that is like a text."""
    if "${" in text:
        return True
    arn = parse_arn(text)
    if arn is not None and arn.partition != allowed.snapshot.target.partition and not _WILD.search(arn.partition):
        return False
    return invoker.admits(text)


def _remedy(allowed: Allowed, dead: Sequence[PrincipalExposure]) -> tuple[Remedy, ...]:
    """Say for each service what would let its sources in; what nothing can mend is taken away."""
    names = [item.value for item in dead]
    mended = [statement for item in dead if item.kind == "Service" for statement in _mended(allowed, item.value)]
    if not mended or any(map(_is_denied, dead)):  # what a Deny takes back, no other statement gives
        return removed(allowed, names)
    return replaced(allowed, mended, names)


def _is_denied(item: PrincipalExposure) -> bool:
    return "a Deny" in item.why


def _mended(allowed: Allowed, principal: str) -> list[dict[str, JSON]]:
    invoker = invoker_of(principal)
    if invoker.names_its_source:
        return scoped(allowed, invoker, principal)
    return [with_token(allowed, principal)] if invoker.sends_event_source_token is Sent.YES else []
