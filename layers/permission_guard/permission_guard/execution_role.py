"""Decide what Lambda may do with an execution role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import (
    Decision,
    LambdaCall,
    PolicySet,
    Principal,
    Request,
    evaluate,
    execution_role_context,
)
from permission_guard.model import Role, Unread

if TYPE_CHECKING:
    from permission_guard.event_sources import Need


def decide(need: Need, role: Role, function_arn: str) -> Decision:
    """Decide whether Lambda may take an action with a role when it polls for a function."""
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
    return evaluate(request, policies_of(role))


def policies_of(role: Role) -> PolicySet:
    """Return a role's policies in the evaluator's form; one that could not be read stays a possible cause."""
    documents = [*role.attached.values(), *role.inline.values()]
    return PolicySet(
        identity=tuple(document for document in documents if not isinstance(document, Unread)),
        unread=tuple(str(document) for document in documents if isinstance(document, Unread)),
        boundary=role.boundary if not isinstance(role.boundary, Unread) else None,
        boundary_unread=str(role.boundary) if isinstance(role.boundary, Unread) else "",
    )
