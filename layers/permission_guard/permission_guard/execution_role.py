"""Decide what Lambda may do with an execution role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import (
    Decision,
    EvalDecision,
    LambdaCall,
    PolicySet,
    Principal,
    Request,
    evaluate,
    execution_role_context,
)
from permission_guard.model import Role, Unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from permission_guard.event_sources import Need
    from permission_guard.iam import Policy

    SourcePolicies = Mapping[str, Policy | Unread | None]


def decide(need: Need, role: Role, function_arn: str, source_policies: SourcePolicies) -> Decision:
    """Decide whether Lambda may take an action with a role when it polls for a function.

    `source_policies` has the resource-based policies of event sources by their ARNs; a source that is not among them
    has none, or one that does not matter.
    """
    region, account = function_arn.split(":")[3:5]
    request = Request(
        principal=Principal.role(role.arn),
        action=need.action,
        resource=need.resource,
        context=execution_role_context(
            LambdaCall.POLL,
            role_arn=role.arn,
            account=account,
            region=region,
            function_arn=function_arn,
            tags=role.tags,
            resource_account=need.resource.split(":")[4] or None,
        ),
    )
    return evaluate(request, policies_of(role, source_policies.get(need.resource)))


def sources_in_question(needs: Iterable[Need], role: Role, function_arn: str) -> tuple[str, ...]:
    """Return the resources whose own policies may turn what the role's policies alone say.

    That is so where those do not allow an action: in the same account the source's policy may allow it, and a source
    of another account has to. Where the role's policies allow it or deny it explicitly, the source is not asked.
    """
    unsettled = {
        need.resource: None
        for need in needs
        if decide(need, role, function_arn, {}).decision not in (EvalDecision.ALLOWED, EvalDecision.EXPLICIT_DENY)
    }
    return tuple(unsettled)


def policies_of(role: Role, source_policy: Policy | Unread | None = None) -> PolicySet:
    """Return the policies that bear on a role's call; one that could not be read stays a possible cause."""
    documents = [*role.attached.values(), *role.inline.values()]
    return PolicySet(
        identity=tuple(document for document in documents if not isinstance(document, Unread)),
        unread=tuple(str(document) for document in documents if isinstance(document, Unread)),
        boundary=role.boundary if not isinstance(role.boundary, Unread) else None,
        boundary_unread=str(role.boundary) if isinstance(role.boundary, Unread) else "",
        resource=source_policy if not isinstance(source_policy, Unread) else None,
        resource_unread=str(source_policy) if isinstance(source_policy, Unread) else "",
    )
