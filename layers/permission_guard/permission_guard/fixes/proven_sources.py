"""The sources that are proven to invoke a function: the triggers that the account has, and the requests they make."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.iam import PolicySet, evaluate
from permission_guard.iam.arn import split_arn
from permission_guard.invokers import invoker_of
from permission_guard.invokers.trigger_calls import requests_of
from permission_guard.model.state import Unread
from permission_guard.records import record
from permission_guard.remedies.invoke_policy import source_arn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from permission_guard.iam import Policy, Request
    from permission_guard.invokers import Invoker
    from permission_guard.model.state import Inventory, ResourcePolicy, Snapshot, Trigger

_MOST_OF_ONE_API: Final = 10
"""With more methods of one API, the statement is for all of its methods: a policy has 20,480 bytes."""


@record
class ProvenSource:
    """A trigger that is configured to invoke a function, and the requests that a policy allows it.

    `is_complete` is whether these are all requests that it may make.
    """

    trigger: Trigger
    requests: tuple[Request, ...]
    is_complete: bool

    @property
    def arns(self) -> tuple[str, ...]:
        """The ARNs to name: one for all stages of an API, or those of the stages that the policy allows."""
        allowed = dict.fromkeys(filter(None, (request.context.stated("aws:sourcearn") for request in self.requests)))
        if allowed.keys() >= set(self.trigger.source_arns) or not allowed:
            return (source_arn(self.trigger),)
        return tuple(map(str, allowed))

    @property
    def invoker(self) -> Invoker:
        """The service that makes the requests."""
        return invoker_of(self.trigger.principal)


def proven_sources(
    snapshot: Snapshot, policy: ResourcePolicy, principals: Collection[str] | None = None
) -> tuple[ProvenSource, ...]:
    """Return the triggers of the function, version or alias of a policy that the policy allows.

    `principals` are the only services that matter, None for all. FixRefusedError if what invokes through one of them
    cannot be listed, or the policy depends on what is unknown; RetryableError if that is so for now.
    """
    inventories = tuple(_inventories(snapshot, principals))
    found = []
    for trigger in (trigger for inventory in inventories for trigger in inventory.triggers):
        if trigger.function_arn.removesuffix(":$LATEST") != policy.resource_arn:
            continue
        every = [
            request
            for action in invoker_of(trigger.principal).actions
            for request in requests_of(trigger, action, policy, snapshot.own_organization)
        ]
        allowed = tuple(request for request in every if _is_allowed_now(request, trigger, policy))
        if allowed:
            found.append(ProvenSource(trigger, allowed, is_complete=len(allowed) == len(every)))
    return tuple(found)


def is_allowed(request: Request, document: Policy) -> bool:
    """Return whether a policy certainly allows a request."""
    return evaluate(request, PolicySet(resource=document)).allowed


def sources_to_name(sources: Sequence[ProvenSource], account: str) -> list[tuple[str, str]]:
    """Return ARN and account of the sources that statements for one service should name.

    For a service for which AWS documents the account alone, that is the account.
    """
    if not sources:
        return []
    if sources[0].invoker.account_suffices:
        return [("", account)]
    named = [(arn, one.trigger.source_account) for one in sources for arn in one.arns]
    whole = {source_arn(one.trigger) for one in sources if one.arns == (source_arn(one.trigger),)}
    apis = Counter(map(_api_of, whole))
    many = {api for api, count in apis.items() if api and count > _MOST_OF_ONE_API}
    return list(
        dict.fromkeys(
            (f"{_api_of(arn)}/*" if arn in whole and _api_of(arn) in many else arn, owner) for arn, owner in named
        )
    )


def _api_of(arn: str) -> str:
    """Return the ARN of an API without stage, method and path; empty for another source."""
    return arn.partition("/")[0] if split_arn(arn)[2:3] == ["execute-api"] else ""


def _inventories(snapshot: Snapshot, principals: Collection[str] | None) -> Iterator[Inventory]:
    """Yield the inventories of services, all of them readable."""
    wanted = None if principals is None else {invoker_of(name).principal for name in principals}
    for name in sorted(wanted or ()):
        if not any(inventory.principal == name for inventory in snapshot.inventories):
            raise FixRefusedError(
                f"The bot cannot list what invokes through {name}. A person has to decide which source to allow."
            )
    for inventory in snapshot.inventories:
        if wanted is None or inventory.principal in wanted:
            for unread in (inventory.sources, *inventory.unread.values()):
                if isinstance(unread, Unread):
                    reason = f"Unknown what invokes through {inventory.principal}: {unread}."
                    raise FixRefusedError(reason) if unread.denied else RetryableError(reason)
            yield inventory


def _is_allowed_now(request: Request, trigger: Trigger, policy: ResourcePolicy) -> bool:
    """Return whether a policy allows a request. FixRefusedError if that is unknown."""
    decision = evaluate(request, PolicySet(resource=policy.document))
    if not decision.allowed and not decision.denied:
        reason = decision.explain().removeprefix("Unknown: ")
        raise FixRefusedError(f"Unknown whether {trigger.description} may invoke: {reason}")
    return decision.allowed
