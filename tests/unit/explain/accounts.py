"""Small accounts in memory: a function with its policies, and the roles and users around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.explain.state import FunctionState
from permission_guard.model.identities import AccountIdentities, Identity
from permission_guard.model.state import ResourcePolicy, Snapshot, Unread
from tests.fakes import ACCOUNT, FUNCTION_ARN, TARGET, TRUST_LAMBDA, a_function, a_policy, statement

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER_ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/caller"
USER = f"arn:aws:iam::{ACCOUNT}:user/ann"
FOREIGN_ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/shop"
INVOKE = "lambda:InvokeFunction"
INVOKE_URL = "lambda:InvokeFunctionUrl"
URL = "https://abc.lambda-url.us-east-1.on.aws/"
LIST_DENIED = Unread("iam:GetAccountAuthorizationDetails", "AccessDenied", "not authorized", denied=True)
POLICY_DENIED = Unread("lambda:GetPolicy", "AccessDeniedException", "not authorized", denied=True)


def document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def granting(principal: object, *actions: str, arn: str = FUNCTION_ARN, **more: Any) -> dict[str, Any]:
    """Return a statement of a resource-based policy."""
    values = {"Sid": "granted", "Principal": principal, "resource": arn, **more}
    return statement(*(actions or (INVOKE,)), **values)


def policy_on(*statements: Mapping[str, Any], qualifier: str | None = None) -> ResourcePolicy:
    """Return the resource-based policy of the function, or of one of its versions and aliases."""
    arn = f"{FUNCTION_ARN}:{qualifier}" if qualifier else FUNCTION_ARN
    return ResourcePolicy(arn, qualifier, a_policy(document(*statements), "resource-based policy"))


def a_caller(
    *statements: Mapping[str, Any],
    arn: str = ROLE,
    boundary: Mapping[str, Any] | Unread | None = None,
    tags: Mapping[str, str] | None = None,
    trust: Mapping[str, Any] | None = None,
    unread: Unread | None = None,
) -> Identity:
    """Return a role or user with one inline policy, and a boundary of one statement."""
    policies: dict[str, Any] = {"inline": a_policy(document(*statements), "inline")} if statements else {}
    if unread is not None:
        policies["unread"] = unread
    is_read = boundary is not None and not isinstance(boundary, Unread)
    return Identity(
        arn,
        tags or {},
        policies,
        boundary_arn=f"arn:aws:iam::{ACCOUNT}:policy/limits" if boundary is not None else None,
        boundary=a_policy(document(boundary), "limits") if is_read else boundary,  # type: ignore[arg-type] # it is read
        trust_policy=None if ":user/" in arn else a_policy(trust or TRUST_LAMBDA),
    )


def a_state(
    *policies: ResourcePolicy | Unread,
    callers: tuple[Identity, ...] = (),
    unread: Unread | None = None,
    runs: Snapshot | None = None,
    invokes: Mapping[str, Any] | None = None,
    **more: Any,
) -> FunctionState:
    """Return what was read of the function `orders`."""
    snapshot = Snapshot(TARGET, a_function(), resource_policies=policies, **{"function_urls": (), **(invokes or {})})
    values: dict[str, Any] = {"aliases": (), "versions": (), "tags": {}, **more}
    return FunctionState(
        target=TARGET,
        invokes=snapshot,
        runs=runs,
        identities=AccountIdentities(ACCOUNT, callers, unread),
        **values,
    )
