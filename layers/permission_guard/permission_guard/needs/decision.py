"""Decide what an execution role allows Lambda to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
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
from permission_guard.iam.arn import parse_arn, require_arn, split_arn
from permission_guard.iam.execution_context import VIA_KEYS
from permission_guard.iam.logic import TRUE
from permission_guard.iam.patterns import PatternGroups, symbols_of
from permission_guard.iam.resources import WITHOUT_RESOURCE
from permission_guard.model.state import Role, Unread
from permission_guard.needs.resource_tags import RESOURCE_TAG, has_resource_tags, tag_conditions
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.iam import Policy, Statement
    from permission_guard.iam.context import ContextValue
    from permission_guard.needs.base import Need

    SourcePolicies = Mapping[str, Policy | Unread | None]
    ResourceTags = Mapping[str, Mapping[str, str] | Unread]

_SOURCES: Final = frozenset({"dynamodb", "kinesis", "sqs"})
_OTHERS: Final = frozenset({"elasticfilesystem", "events", "kms", "lambda", "s3", "secretsmanager", "sns"})

READABLE: Final = _SOURCES | _OTHERS
"""The services whose resource-based policies are read if they can change the decision."""

_WITH_POLICIES: Final = _OTHERS | {"s3files"}
"""The services whose unread resource-based policies can allow a role of the same account."""

_WITHOUT_VIA: Final = frozenset({"ec2", "glue", "lakeformation", "opsworks"})
"""The services that do not support `aws:ViaAWSService`: AWS does not say whether the key is absent in calls to them."""

_ENCRYPTION_CONTEXTS: Final = {
    "kinesis": "aws:kinesis:arn",
    "secretsmanager": "SecretARN",
    "sns": "aws:sns:topicArn",
    "sqs": "aws:sqs:arn",
}
"""The names in the encryption contexts whose value is the ARN of the encrypted resource.

https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
https://docs.aws.amazon.com/sns/latest/dg/sns-enable-encryption-for-topic-sqs-queue-subscriptions.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-least-privilege-policy.html
"""

_NO_TAGS: Final[ResourceTags] = MappingProxyType({})

_VARIABLE: Final = re.compile(r"\$\{[^}]*\}")


def decide(
    need: Need, role: Role, function_arn: str, source_policies: SourcePolicies, tags: ResourceTags = _NO_TAGS
) -> Decision:
    """Decide whether a role allows Lambda what a need requires, for a function.

    The need is allowed if its action, or one of `instead`, is allowed on its resource or one of `elsewhere`. An action
    that the organization denies on one of these resources is denied on all of them: AWS evaluates the same call. A
    denied need with a doubt is unknown. `source_policies` maps ARNs to resource-based policies. A queue, stream or
    table that is missing in it has no policy, or one that does not change the decision. Any other resource that is
    missing may have a policy, so the decision is unknown if that policy could allow the action. `tags` maps ARNs to the
    tags of resources. Those of a resource that is missing in it are unknown, and those that an action ignores.
    """
    variants = (need, *(replace(need, resource=resource) for resource in need.elsewhere))
    denied = denied_by_organization(need, role)
    evaluations = [_Evaluation(variant, role, function_arn, source_policies, tags, denied) for variant in variants]
    decisions = [one.decide(action) for one in evaluations for action in (need.action, *need.instead)]
    allowed = next((decision for decision in decisions if decision.allowed), None)
    best = allowed or next((decision for decision in decisions if not decision.denied), decisions[0])
    if best.allowed or not need.doubt:
        return best
    return _unknown(need.doubt) if best.denied else replace(best, reasons=(need.doubt, *best.reasons))


def relevant_policies(needs: Iterable[Need], role: Role, function_arn: str) -> tuple[str, ...]:
    """Return the resources whose own policies can change the decision of the role's policies.

    A resource is relevant if the role's policies do not allow an action on it: in the same account its policy can
    allow the action, and in another account it must. A KMS key is always relevant: without a key policy no principal
    can use it. A resource is not relevant if the role's policies allow the action or deny it explicitly, or if the
    need is only recommended.
    """
    undecided = {
        resource: None
        for need in needs
        if not need.recommended and any(_part(place, 2) in READABLE for place in (need.resource, *need.elsewhere))
        if decide(need, role, function_arn, {}).decision not in (EvalDecision.ALLOWED, EvalDecision.EXPLICIT_DENY)
        for resource in (need.resource, *need.elsewhere)
        if _part(resource, 2) in READABLE
    }
    return tuple(undecided)


def relevant_states(needs: Iterable[Need], role: Role, function_arn: str) -> tuple[str, ...]:
    """Return the resources to read to find out what is required, or on which resource.

    A resource is not relevant if the role's policies allow its needs anyway. But what identifies the resource of a need
    is read all the same: only what a check saw on exactly that resource is restored when the role loses it.
    """
    undecided = {
        need.unread: None
        for need in needs
        if need.unread and not need.recommended
        if need.identifies or decide(need, role, function_arn, {}).decision is not EvalDecision.ALLOWED
    }
    return tuple(undecided)


def tags_to_read(needs: Iterable[Need], role: Role) -> tuple[str, ...]:
    """Return the resources whose tags a policy of the role depends on, for an action that AWS evaluates with them."""
    policies = policies_of(role)
    statements = [
        each for policy in (*policies.identity, *filter(None, [policies.boundary])) for each in policy.statements
    ]
    conditional = [each for each in statements if tag_conditions(each)]
    found = {
        place: None
        for need in needs
        if not need.recommended
        for action in (need.action, *need.instead)
        if has_resource_tags(action) and any(each.match_action(action.lower()) for each in conditional)
        for place in (need.resource, *need.elsewhere)
    }
    return tuple(found)


def policies_of(role: Role, source_policy: Policy | Unread | None = None) -> PolicySet:
    """Return the policies that apply to a role's call; an unread policy makes the decision unknown."""
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
class _Evaluation:
    """A need with everything that its decision depends on."""

    need: Need
    role: Role
    function_arn: str
    source_policies: SourcePolicies
    tags: ResourceTags
    denied_by_organization: frozenset[str]

    def decide(self, action: str) -> Decision:
        resource = self.need.resource
        is_open = ("*" in resource or "?" in resource) and action.lower() not in WITHOUT_RESOURCE
        decision = self._evaluate(action, _one_of(resource) if is_open else resource)
        if is_open and self._depends_on_resource(action, decision):
            return _unknown(f"it depends on which of {resource} is used: a policy covers only some of them")
        return decision

    def _evaluate(self, action: str, resource: str) -> Decision:
        function = require_arn(self.function_arn)
        region, account = function.region, function.account
        known: dict[str, ContextValue | None] = dict(self.need.context)
        unknown: tuple[str, ...] = VIA_KEYS if action.partition(":")[0] in _WITHOUT_VIA else ()
        absent: tuple[str, ...] = ()
        if action.startswith("kms:"):
            known["kms:CallerAccount"] = account
        tags = self.tags.get(self.need.resource)
        if isinstance(tags, Mapping) and has_resource_tags(action):
            known |= {f"{RESOURCE_TAG}{name}": value for name, value in tags.items()}
            absent = (RESOURCE_TAG,)
        if self.need.encrypted:
            known |= {"aws:ViaAWSService": True, **_encryption_context(self.need.encrypted)}
            unknown = VIA_KEYS[1:]
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
                # AWS evaluates an action without resources in the caller's own account.
                resource_account=account if action.lower() in WITHOUT_RESOURCE else _account(self.need.resource),
                known=known,
                absent=absent,
                unknown=unknown,
            ),
        )
        policies = policies_of(self.role, self.source_policies.get(self.need.resource))
        decision = evaluate(request, policies)
        if action in self.denied_by_organization and not decision.denied:
            return Decision(EvalDecision.IMPLICIT_DENY, blocked_by="organization")
        if decision.decision is EvalDecision.IMPLICIT_DENY and self._has_unread_policy():
            return evaluate(request, replace(policies, resource_unread=f"the policy of {resource} was not read"))
        return decision

    def _has_unread_policy(self) -> bool:
        """Return whether the resource has, or can have, a policy of its own that was not read."""
        resource = self.need.resource
        service = _part(resource, 2)
        if resource in self.source_policies or service in _SOURCES:
            return False
        return service in _WITH_POLICIES or _account(resource) not in (None, _part(self.role.arn, 4))

    def _depends_on_resource(self, action: str, decision: Decision) -> bool:
        """Return whether a policy decides differently for some of the resources that the pattern matches."""
        resource = self.need.resource
        matching, one = PatternGroups([[symbols_of(resource)]]), _one_of(resource)
        policies = policies_of(self.role)
        return any(
            pattern.match(one, lambda _: UNKNOWN) != TRUE and matching.overlapping(symbols_of(_any_value(pattern.text)))
            for policy in (*policies.identity, *filter(None, [policies.boundary]))
            for statement in policy.statements
            if statement.match_action(action.lower()) and _grants_more(statement) is decision.denied
            for pattern in statement.resources or ()
        )


def _any_value(text: str) -> str:
    """Return a pattern with `*` in place of each policy variable."""
    with_variables, end, rest = text.rpartition("}")
    return f"{_VARIABLE.sub('*', with_variables + end)}{rest}"


def requests_of(need: Need) -> tuple[tuple[str, str], ...]:
    """Return the actions of a need, each with a resource on which to ask whether the organization denies it.

    For a resource that is not known it is one with a name that no policy contains: what is denied there is denied on
    all of them.
    """
    places = (need.resource, *need.elsewhere)
    return tuple((action, _example(place)) for action in (need.action, *need.instead) for place in places)


def denied_by_organization(need: Need, role: Role) -> frozenset[str]:
    """Return the actions of a need that the organization denies the role."""
    denials = role.denied_by_organization
    if isinstance(denials, Unread) or not denials:
        return frozenset()
    written = ((need.action, place) for place in (need.resource, *need.elsewhere))
    return frozenset(action for action, place in (*requests_of(need), *written) if (action, place) in denials)


def _example(resource: str) -> str:
    return resource if resource == "*" else _one_of(resource)


def _grants_more(statement: Statement) -> bool:
    """Return whether a statement grants more, not less, on the resources that it matches."""
    return (statement.effect == "Allow") != statement.not_resource


def _unknown(reason: str) -> Decision:
    return Decision(EvalDecision.CONDITIONAL, reasons=(reason,))


def _one_of(resource: str) -> str:
    """Return a resource that matches the pattern, with a name that no policy contains."""
    return resource.replace("*", "one-of-them")


def _part(arn: str, index: int) -> str:
    parts = split_arn(arn)
    return parts[index] if index < len(parts) else ""


def _account(arn: str) -> str | None:
    """Return the account in an ARN, None if it has none or a wildcard."""
    account = _part(arn, 4)
    return account if account and "*" not in account else None


def _encryption_context(arn: str) -> dict[str, ContextValue | None]:
    """Return the condition keys of the encryption context with which the service of a resource calls KMS.

    Amazon S3 is left out: its context is the ARN of an object, or of the bucket if the bucket has a bucket key.
    """
    parsed = parse_arn(arn)
    if parsed is None or {"*", "?"} & set(arn):
        return {}
    if parsed.service == "dynamodb":
        table = parsed.resource.removeprefix("table/").partition("/")[0]
        prefix = "kms:EncryptionContext:aws:dynamodb"
        return {f"{prefix}:tableName": table, f"{prefix}:subscriberId": parsed.account}
    name = _ENCRYPTION_CONTEXTS.get(parsed.service)
    return {f"kms:EncryptionContext:{name}": arn} if name else {}
