"""Evaluate a request as AWS does: an explicit deny wins, and every type of policy that limits must allow.

See "Policy evaluation logic" in the IAM User Guide. If the result depends on something unknown, it is CONDITIONAL.
"""

from __future__ import annotations

from permission_guard.iam.arn import account_of, is_account_id
from permission_guard.iam.decision import Decision, EvalDecision, StatementRef
from permission_guard.iam.logic import FALSE, TRUE, UNKNOWN
from permission_guard.iam.policy_types import PolicyTypeResult, evaluate_identity, evaluate_resource, unknowns_of
from permission_guard.iam.principals import PrincipalKind
from permission_guard.iam.request import WITHOUT_PERMISSION, Request, lookup_of, resource_of
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from permission_guard.iam.documents import Policy
    from permission_guard.iam.policy_variables import Lookup

IDENTITY: Final = "identity"
BOUNDARY: Final = "boundary"
SESSION: Final = "session"
SCP: Final = "scp"
RCP: Final = "rcp"
RESOURCE: Final = "resource"

_ALIAS_ACTIONS: Final = frozenset({"kms:createalias", "kms:deletealias", "kms:updatealias"})
"""The actions that AWS evaluates on a KMS alias. It evaluates all others on the key that the alias names."""


@record
class PolicySet:
    """All policies that apply to a request.

    `scps` and `rcps` are levels, from the organization's root down to the account: in each level at least one policy
    must allow. `unread` names the identity policies that exist and could not be read. `boundary_unread` and
    `resource_unread` are the reasons why the permissions boundary and the resource's own policy could not be read.
    Anywhere, `unread_policy(...)` can replace a policy that could not be read. `resource_account` is the owner of a
    resource whose ARN contains no account. `management_account`: the caller belongs to the organization's management
    account.
    """

    identity: Sequence[Policy] = ()
    boundary: Policy | None = None
    session: Policy | None = None
    scps: Sequence[Sequence[Policy]] = ()
    rcps: Sequence[Sequence[Policy]] = ()
    resource: Policy | None = None
    unread: tuple[str, ...] = ()
    boundary_unread: str = ""
    resource_unread: str = ""
    resource_account: str | None = None
    management_account: bool = False


def evaluate(request: Request, policies: PolicySet) -> Decision:
    """Evaluate a request as AWS does."""
    lookup = lookup_of(request)
    action = request.action.lower()
    if request.principal.kind in WITHOUT_PERMISSION.get(action, ()):
        return Decision(EvalDecision.ALLOWED)
    resource = resource_of(request, action)
    results = _results(request, policies, action, resource, lookup)
    for result in results:
        if result.deny == TRUE:
            return Decision(EvalDecision.EXPLICIT_DENY, result.reference(denies=True))
    allowed, blocked_by = _combine(request, policies, results)
    if allowed == FALSE:
        return Decision(EvalDecision.IMPLICIT_DENY, None, blocked_by)
    if allowed == TRUE:
        denying = [result for result in results if result.deny]
        if not denying:
            return Decision(EvalDecision.ALLOWED, _granting(results))
        return _conditional(denying, lookup, request, denies_only=True)
    return _conditional([result for result in results if result.may_allow or result.deny == UNKNOWN], lookup, request)


def _results(
    request: Request, policies: PolicySet, action: str, resource: str, lookup: Lookup
) -> list[PolicyTypeResult]:
    """Evaluate each type of policy that applies to the caller, in the order of the AWS documentation."""
    principal = request.principal
    results: list[PolicyTypeResult] = []
    identity = principal.is_identity
    bounded = policies.boundary is not None or bool(policies.boundary_unread)
    if policies.scps and (identity or principal.kind is PrincipalKind.ACCOUNT) and not _exempt(request, policies):
        results += [evaluate_identity(SCP, level, action, resource, lookup) for level in policies.scps]
    if policies.rcps and not principal.is_service_linked and not _in_management_account(request, policies):
        results += [
            evaluate_resource(RCP, level, principal, action=action, resource=resource, lookup=lookup, bounded=bounded)
            for level in policies.rcps
        ]
    if identity:
        own = evaluate_identity(IDENTITY, policies.identity, action, resource, lookup)
        for reason in policies.unread:
            own.unread(f"an identity policy could not be read: {reason}")
        results.append(own)
        if policies.boundary is not None:
            results.append(evaluate_identity(BOUNDARY, (policies.boundary,), action, resource, lookup))
        elif policies.boundary_unread:
            results.append(PolicyTypeResult(BOUNDARY))
            results[-1].unread(f"the permissions boundary could not be read: {policies.boundary_unread}")
        if policies.session is not None:
            results.append(evaluate_identity(SESSION, (policies.session,), action, resource, lookup))
    if policies.resource is not None:
        results.append(
            evaluate_resource(
                RESOURCE,
                (policies.resource,),
                principal,
                action=action,
                resource=resource,
                lookup=lookup,
                bounded=bounded,
            )
        )
    elif policies.resource_unread:
        results.append(PolicyTypeResult(RESOURCE))
        results[-1].unread(f"the resource's policy could not be read: {policies.resource_unread}")
    return results


def _in_management_account(request: Request, policies: PolicySet) -> bool:
    """Return whether the management account owns the resource: resource control policies do not apply to it."""
    return policies.management_account and request.principal.account != "" and not _is_foreign(request, policies)


def _exempt(request: Request, policies: PolicySet) -> bool:
    return policies.management_account or request.principal.is_service_linked


def _combine(request: Request, policies: PolicySet, results: list[PolicyTypeResult]) -> tuple[int, str | None]:
    """Return whether the results together allow, and the kind of policy that does not."""
    truth = {result.kind: result.allow for result in results if result.kind not in {SCP, RCP}}
    organization = TRUE
    for result in results:
        if result.kind in {SCP, RCP} and result.allow < organization:
            organization = result.allow
            if organization == FALSE:
                return FALSE, result.kind
    resource = next((result for result in results if result.kind == RESOURCE), None)
    limits = min(truth.get(BOUNDARY, TRUE), truth.get(SESSION, TRUE))
    if request.principal.is_identity:
        own_side = min(truth[IDENTITY], limits)
    else:
        own_side = TRUE if request.principal.kind is PrincipalKind.ACCOUNT else FALSE
    if not (request.principal.is_identity or request.principal.kind is PrincipalKind.ACCOUNT):
        granted = resource.allow if resource else FALSE
    elif _is_foreign(request, policies):
        granted = min(own_side, resource.allow if resource else FALSE)
    else:
        granted = _same_account(request, own_side, limits, resource)
    if granted == FALSE:
        return FALSE, _blocking(truth, request, own_side)
    return min(granted, organization), None


def _same_account(request: Request, own_side: int, limits: int, resource: PolicyTypeResult | None) -> int:
    """Combine both sides of one account: either side is enough, except for keys and roles."""
    if needs_resource_policy(request):
        if resource is None:
            return min(own_side, UNKNOWN)
        own_side = min(own_side, resource.allow)
    if resource is None:
        return own_side
    return max(own_side, resource.direct, min(resource.role, limits))


def needs_resource_policy(request: Request) -> bool:
    """Return whether the resource's own policy must allow as well: for KMS keys, and for roles to assume.

    A KMS alias has no policy of its own: identity policies alone decide who may create, change and delete it.
    """
    resource = request.resource
    action = request.action.lower()
    if action.startswith("kms:") and ":kms:" in resource:
        return ":key/" in resource or (":alias/" in resource and action not in _ALIAS_ACTIONS)
    return action.startswith("sts:assumerole") and ":role/" in resource


def _is_foreign(request: Request, policies: PolicySet) -> bool:
    """Return whether another account owns the resource. A resource with an unknown owner counts as the caller's own."""
    owner = policies.resource_account or account_of(request.resource) or ""
    if not is_account_id(owner):
        found = request.context.stated("aws:resourceaccount")
        owner = found if isinstance(found, str) else ""
    return is_account_id(owner) and owner != request.principal.account


def _blocking(truth: dict[str, int], request: Request, own_side: int) -> str:
    if own_side != FALSE or not request.principal.is_identity:
        return RESOURCE
    return next((kind for kind in (IDENTITY, BOUNDARY, SESSION) if truth.get(kind, TRUE) == FALSE), RESOURCE)


def _granting(results: list[PolicyTypeResult]) -> StatementRef | None:
    """Return the statement that allows: the identity's unless boundary or session limits it, else the resource's."""
    granted = {result.kind: result for result in results if result.allow == TRUE}
    limited = any(result.kind in {BOUNDARY, SESSION} and result.allow != TRUE for result in results)
    chosen = granted.get(RESOURCE if limited or IDENTITY not in granted else IDENTITY)
    return chosen.reference(denies=False) if chosen else None


def _conditional(
    results: list[PolicyTypeResult], lookup: Lookup, request: Request, *, denies_only: bool = False
) -> Decision:
    """Return a CONDITIONAL result with the statement, keys and reasons on which it depends."""
    keys: dict[str, None] = {}
    reasons: dict[str, None] = {}
    deciding: StatementRef | None = None
    for result in results:
        deciding = deciding or result.reference(denies=result.deny == UNKNOWN)
        for unknown, why in unknowns_of(result, lookup, denies_only=denies_only):
            keys.update(dict.fromkeys(unknown))
            reasons.update(dict.fromkeys(why))
    if not keys and not reasons and needs_resource_policy(request):
        owner = "the key that the alias names" if ":alias/" in request.resource else "the resource"
        reasons[f"it is unknown whether the policy of {owner} delegates to the account"] = None
    return Decision(EvalDecision.CONDITIONAL, deciding, None, tuple(keys), tuple(reasons))
