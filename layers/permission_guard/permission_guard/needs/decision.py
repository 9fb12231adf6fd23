"""Decide what Lambda may do with an execution role."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam import (
    UNKNOWN,
    Decision,
    EvalDecision,
    PolicySet,
    Principal,
    Request,
    evaluate,
    execution_role_context,
)
from permission_guard.iam.logic import TRUE
from permission_guard.iam.patterns import overlaps, symbols_of
from permission_guard.iam.resources import WITHOUT_RESOURCE
from permission_guard.model.state import Role, Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from permission_guard.iam import Policy, Statement
    from permission_guard.iam.context import ContextValue
    from permission_guard.needs.base import Need

    SourcePolicies = Mapping[str, Policy | Unread | None]

_SOURCES: Final = frozenset({"dynamodb", "kinesis", "sqs"})
_OTHERS: Final = frozenset({"elasticfilesystem", "events", "kms", "lambda", "s3", "secretsmanager", "sns"})

READABLE: Final = _SOURCES | _OTHERS
"""The services of the resources whose own policies are read, wherever they are in question."""

_WITH_POLICIES: Final = _OTHERS | {"s3files"}
"""The services whose resources' own policies may allow a role of their account, as long as nobody read them."""

_VARIABLE: Final = re.compile(r"\$\{[^}]*\}")


def decide(need: Need, role: Role, function_arn: str, source_policies: SourcePolicies) -> Decision:
    """Decide whether Lambda may do what a need says, with a role, for a function.

    Allowed where the action is, or any one of those that will do instead, there or elsewhere. What is denied and only
    doubtfully needed is not certain. `source_policies` has the resources' own policies by their ARNs. A queue, a stream
    or a table that is not among them has none, or one that does not matter; of what else may have one, it is not known.
    """
    places = (need, *(replace(need, resource=resource) for resource in need.elsewhere))
    asked = [_Asked(place, role, function_arn, source_policies) for place in places]
    decisions = [one.decide(action) for one in asked for action in (need.action, *need.instead)]
    allowed = next((decision for decision in decisions if decision.allowed), None)
    best = allowed or next((decision for decision in decisions if not decision.denied), decisions[0])
    if best.allowed or not need.doubt:
        return best
    return _not_certain(need.doubt) if best.denied else replace(best, reasons=(need.doubt, *best.reasons))


def sources_in_question(needs: Iterable[Need], role: Role, function_arn: str) -> tuple[str, ...]:
    """Return the resources whose own policies may turn what the role's policies alone say.

    That is so where those do not allow an action: in the same account the source's policy may allow it, and a source
    of another account has to. A key is always asked: without its own policy, nobody may use it. Where the role's
    policies allow an action or deny it explicitly, and where it is only recommended, the source is not asked.
    """
    unsettled = {
        resource: None
        for need in needs
        if not need.recommended and any(_part(place, 2) in READABLE for place in (need.resource, *need.elsewhere))
        if decide(need, role, function_arn, {}).decision not in (EvalDecision.ALLOWED, EvalDecision.EXPLICIT_DENY)
        for resource in (need.resource, *need.elsewhere)
        if _part(resource, 2) in READABLE
    }
    return tuple(unsettled)


def states_in_question(needs: Iterable[Need], role: Role, function_arn: str) -> tuple[str, ...]:
    """Return what has to be read to tell what is needed, or on what, where the role's policies do not allow it all."""
    unsettled = {
        need.unread: None
        for need in needs
        if need.unread and not need.recommended
        if decide(need, role, function_arn, {}).decision is not EvalDecision.ALLOWED
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


@record
class _Asked:
    """A need, and everything that its decision hangs on."""

    need: Need
    role: Role
    function_arn: str
    source_policies: SourcePolicies

    def decide(self, action: str) -> Decision:
        resource = self.need.resource
        is_open = ("*" in resource or "?" in resource) and action.lower() not in WITHOUT_RESOURCE
        decision = self._evaluate(action, _one_of(resource) if is_open else resource)
        if is_open and self._hangs_on_which(action, decision):
            return _not_certain(f"it is not known which of {resource} it is, and a policy speaks of some of them")
        return decision

    def _evaluate(self, action: str, resource: str) -> Decision:
        region, account = self.function_arn.split(":")[3:5]
        known: dict[str, ContextValue | None] = dict(self.need.context)
        if action.startswith("kms:"):
            known["kms:CallerAccount"] = account
        request = Request(
            principal=Principal.role(self.role.arn),
            action=action,
            resource=resource,
            context=execution_role_context(
                self.need.call,
                role_arn=self.role.arn,
                account=account,
                region=region,
                function_arn=self.function_arn,
                tags=self.role.tags,
                # What names no resource is asked of the caller's own account.
                resource_account=account if action.lower() in WITHOUT_RESOURCE else _account(self.need.resource),
                known=known,
            ),
        )
        policies = policies_of(self.role, self.source_policies.get(self.need.resource))
        decision = evaluate(request, policies)
        denials = self.role.denied_by_organization
        if not isinstance(denials, Unread) and (action, resource) in denials and not decision.denied:
            return Decision(EvalDecision.IMPLICIT_DENY, blocked_by="organization")
        if decision.decision is EvalDecision.IMPLICIT_DENY and self._may_be_allowed_there():
            return evaluate(request, replace(policies, resource_unread=f"that of {resource} is not among what is read"))
        return decision

    def _may_be_allowed_there(self) -> bool:
        """Tell whether the resource has, or may have, a policy of its own that nobody read."""
        resource = self.need.resource
        service = _part(resource, 2)
        if resource in self.source_policies or service in _SOURCES:
            return False
        return service in _WITH_POLICIES or _account(resource) not in (None, _part(self.role.arn, 4))

    def _hangs_on_which(self, action: str, decision: Decision) -> bool:
        """Tell whether a policy says something else of some of the resources that it may be."""
        resource = self.need.resource
        symbols, one = symbols_of(resource), _one_of(resource)
        policies = policies_of(self.role)
        return any(
            pattern.match(one, lambda _: UNKNOWN) != TRUE and overlaps(_VARIABLE.sub("*", pattern.text), symbols)
            for policy in (*policies.identity, *filter(None, [policies.boundary]))
            for statement in policy.statements
            if statement.match_action(action.lower()) and _grants_more(statement) is decision.denied
            for pattern in statement.resources or ()
        )


def _grants_more(statement: Statement) -> bool:
    """Tell whether a statement grants more, not less, of what its resources match."""
    return (statement.effect == "Allow") != statement.not_resource


def _not_certain(reason: str) -> Decision:
    return Decision(EvalDecision.CONDITIONAL, reasons=(reason,))


def _one_of(resource: str) -> str:
    """Return a resource that fits, of a name that nobody has thought of."""
    return resource.replace("*", "one-of-them")


def _part(arn: str, index: int) -> str:
    parts = arn.split(":", 5)
    return parts[index] if index < len(parts) else ""


def _account(arn: str) -> str | None:
    """Return the account in an ARN, None where it names none or any."""
    account = _part(arn, 4)
    return account if account and "*" not in account else None
