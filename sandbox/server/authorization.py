"""Complete MiniStack's authorization for the resource policies of event buses, queues and functions.

MiniStack asks no bus policy, gives `aws:PrincipalArn` the ARN of a role's session, and lets the account's root pass
every policy. On AWS an explicit deny in a resource policy denies the root too.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.core.iam_actions import identity_denial_message
from ministack.core.iam_evaluator import (
    AuthError,
    EvalContext,
    EvalResult,
    PrincipalInfo,
    enforce,
    evaluate_resource_policy,
    resolve_principal,
)
from ministack.core.responses import get_account_id, get_region

from sandbox.server import inside
from sandbox.server.context import current_key
from sandbox.server.reply import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# With these the root gets back into a queue whose policy denies everyone.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/security-iam-awsmanpol.html#security-iam-awsmanpol-SQSUnlockQueuePolicy
ROOT_ALWAYS_MAY = frozenset({"sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SetQueueAttributes"})
_DENIES_THE_ROOT = frozenset({"events", "sqs"})
# The code and the HTTP status of a denied call.
_DENIALS: Mapping[str, tuple[str, int]] = {
    "events": ("AccessDeniedException", HTTPStatus.BAD_REQUEST),
    "sqs": ("AccessDenied", HTTPStatus.FORBIDDEN),
}
_BUS = ":event-bus/"
_SERVICE_HAS_NONE = frozenset({"aws:principalarn", "aws:principalaccount", "aws:principaltype"})


def wrap_condition_key(inner: Callable[[str, EvalContext], Any]) -> Callable[[str, EvalContext], Any]:
    """Return the role's ARN as `aws:PrincipalArn` of a session, and tell services from other principals.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """

    def resolve(key: str, context: EvalContext) -> Any:
        name, is_service = key.lower(), context.principal_type == "Service"
        if name == "aws:principalisawsservice":
            return str(is_service).lower()
        if is_service and name in _SERVICE_HAS_NONE:
            return None
        if name == "aws:principalarn":
            return _role_arn(context.principal_arn)
        return inner(key, context)

    return resolve


def _role_arn(principal_arn: str) -> str:
    """Return the ARN of a session's role, and other ARNs unchanged."""
    if ":assumed-role/" not in principal_arn:
        return principal_arn
    account, name = principal_arn.split(":")[4], inside.role_name_from_session(principal_arn)
    role = inside.roles.get_scoped(account, None, name) or {}
    return str(role.get("Arn") or f"arn:aws:iam::{account}:role/{name}")


def resource_policy_of(service: str, resource_arn: str) -> tuple[Any, str | None] | None:
    """Return the policy and the owner of a resource, None if its service has no resource policies."""
    if service == "events":
        return _bus_policy(resource_arn) if _BUS in resource_arn else None
    found: tuple[Any, str | None] | None = inside.resource_policy_of(service, resource_arn)
    return found


def _bus_policy(bus_arn: str) -> tuple[Any, str]:
    _, _, _, region, account, bus = bus_arn.split(":", 5)
    return inside.event_bus_policies.get_scoped(account, region, bus.partition("/")[2]), account


def wrap_enforce(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Apply an explicit deny of a bus policy or queue policy to the account's root too."""

    def enforce_with_root(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        *,
        service_context: Mapping[str, Any] | None = None,
    ) -> Any:
        denied = inner(access_key_id, iam_action, service, region, resource_arn, service_context=service_context)
        if denied is not None or service not in _DENIES_THE_ROOT or iam_action in ROOT_ALWAYS_MAY:
            return denied
        principal = resolve_principal(access_key_id or "", get_account_id())
        if not isinstance(principal, PrincipalInfo) or principal.type != "Root":
            return None
        return _explicit_deny(caller_context(principal, iam_action, resource_arn, service_context or {}))

    return enforce_with_root


_enforce = wrap_enforce(enforce)


def _explicit_deny(context: EvalContext) -> EvalResult | None:
    found = resource_policy_of(context.action.partition(":")[0], context.resource_arn)
    result = evaluate_resource_policy(found[0], context) if found else None
    if result is None or result.decision != "Deny":
        return None
    result.resource_policy_arn = context.resource_arn
    return result


def caller_context(
    principal: PrincipalInfo, action: str, resource_arn: str, keys: Mapping[str, Any] | None = None
) -> EvalContext:
    """Return what a policy of the resource is evaluated with for a call of a principal."""
    return EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
        service_context={name.lower(): value for name, value in (keys or {}).items()},
        principal_keys=principal.keys,
    )


def allows_service(policy: Any, service: str, action: str, resource_arn: str, keys: Mapping[str, str]) -> bool:
    """Return whether a resource's policy allows an action to a service.

    `keys` are the condition keys, in lower case, that the service sends about the resource that it acts for.
    """
    # The principal `*` is none of an account's: only `*` and the service itself match it.
    context = EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
        service_context={**keys, "aws:principalservicename": service},
    )
    return bool(evaluate_resource_policy(policy or "", context, service=service).decision == "Allow")


def require_allowed(action: str, resource_arn: str, keys: dict[str, Any] | None = None) -> None:
    """Raise ApiError with AWS's message unless the caller of the request is allowed an action."""
    service = action.partition(":")[0]
    denied = _enforce(current_key.get(), action, service, get_region(), resource_arn, service_context=keys)
    if denied is None:
        return
    if isinstance(denied, AuthError):
        raise ApiError(denied.code, denied.message, HTTPStatus.FORBIDDEN)
    code, status = _DENIALS[service]
    raise ApiError(code, _denial(action, resource_arn, denied), status)


def _denial(action: str, resource_arn: str, denied: EvalResult) -> str:
    service, is_explicit = action.partition(":")[0], denied.decision == "Deny"
    if is_explicit and denied.resource_policy_arn:
        text = inside.resource_policy_denial(service, action, denied.principal_arn, denied.resource_policy_arn)
    else:
        text = identity_denial_message(spelled(action), denied.principal_arn, resource_arn, is_explicit)
    return str(text)


def spelled(action: str) -> str:
    """Return an action as the service spells it in its messages: SQS in lower case."""
    return action.lower() if action.startswith("sqs:") else action
