"""The calls of proven sources: what a service sends when a trigger that AWS shows invokes the function."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from permission_guard.fixes.certificate import Call, allowed_calls
from permission_guard.iam.arn import require_arn
from permission_guard.invokers import Sent, invoker_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.iam import Policy
    from permission_guard.model.state import Trigger


def calls_of(trigger: Trigger, function_arn: str) -> tuple[Call, ...]:
    """Return all calls that a trigger may make, for a function, version or alias.

    There are several if AWS does not document which principal or ARN the service sends, and whether it sends the
    account.
    """
    invoker, function = invoker_of(trigger.principal), require_arn(function_arn)
    accounts = _sent(invoker.sends_source_account, trigger.source_account)
    return tuple(
        Call(principal=principal, function_arn=function_arn, source_arn=arn, source_account=account)
        for source in trigger.source_arns
        for principal, arn, account in product(
            invoker.principals_of(source, function.partition, function.region),
            _sent(invoker.sends_source_arn, source),
            accounts,
        )
    )


def proven_calls(triggers: Iterable[Trigger], policy: Policy, function_arn: str) -> list[Call]:
    """Return the calls of triggers that a policy allows now: a change may not deny them."""
    calls = dict.fromkeys(call for trigger in triggers for call in calls_of(trigger, function_arn))
    return allowed_calls(calls, policy)


def _sent(sent: Sent, value: str) -> tuple[str, ...]:
    return {Sent.YES: (value,), Sent.NO: ("",), Sent.UNKNOWN: (value, "")}[sent]
