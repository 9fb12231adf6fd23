"""The lists of policies that a fix may choose from, and what the stack's own policies leave to others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from permission_guard.config.document import Policies
from permission_guard.iam.statements import DENY
from permission_guard.needs.managed_policies import EVERYWHERE, MANAGED_POLICIES
from permission_guard.needs.owned_policies import OWNED_SERVICES, owned_service
from permission_guard.needs.resource_tags import tag_conditions
from permission_guard.records import record
from permission_guard.remedies.execution_role import by_aws

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from permission_guard.iam import Policy, Statement
    from permission_guard.model.state import Unread

_NOUNS: Final = {
    "events": "an event bus",
    "kafka": "a cluster",
    "kafka-cluster": "a cluster",
    "kinesis": "a data stream",
    "kms": "a key",
    "lambda": "a function",
    "mq": "a broker",
    "rds": "a cluster or one of its groups",
    "secretsmanager": "a secret",
    "sns": "a topic",
    "sqs": "a queue",
}


@record
class PolicyLists:
    """AWS's list and the stack's own: `owned` are the ARNs of its policies, and `chosen` is what guard.yaml says."""

    owned: tuple[str, ...] = ()
    chosen: Policies = Policies.ANY

    def candidates(self, services: Collection[str], role_arn: str) -> tuple[tuple[str, ...], ...]:
        """Return the ARNs of the policies for these services: the first list to try, and then a longer one."""
        by_amazon = tuple(
            by_aws(policy.path, role_arn)
            for policy in MANAGED_POLICIES
            if policy.services <= set(services)
            and not (self.chosen is Policies.OWN and policy.services & OWNED_SERVICES)
        )
        own = tuple(arn for arn in self.owned if owned_service(arn) in services)
        if self.chosen is Policies.AWS:
            return (by_amazon,)
        if self.chosen is Policies.OWN or not by_amazon:
            return ((*own, *by_amazon),)
        return (by_amazon, (*by_amazon, *own)) if own else (by_amazon,)

    def why_none(self, services: Collection[str]) -> str:
        """Return why there is no policy for these services at all."""
        can_own = ", ".join(sorted(OWNED_SERVICES.intersection(services)))
        owns_none = f"This stack owns no policy for {can_own}: see its parameters FixResourceTag and FixNamePrefix."
        if self.chosen is Policies.OWN and can_own:
            return f"fixes.policies is own. {owns_none}"
        reason = "No AWS managed policy on the bot's list has the missing permissions."
        return f"{reason} {owns_none}" if self.chosen is Policies.ANY and can_own else reason


def is_shaped_by_tags(policy: Policy) -> bool:
    """Return whether a policy allows something depending on the tags of the resource."""
    return any(tag_conditions(each) for each in policy.statements)


def who_may_widen(policies: Mapping[str, Policy]) -> Iterator[str]:
    """Yield who else decides what a role with these policies may use: whoever tags or names resources."""
    for arn, policy in policies.items():
        for statement in policy.statements:
            if statement.effect == DENY:
                continue
            actions = ", ".join(statement.action_texts)
            if conditions := tag_conditions(statement):
                tags = " and ".join(
                    f"{each.spelled.partition('/')[2]}={' or '.join(each.texts)}" for each in conditions
                )
                yield f"Whoever may tag {_noun(statement)} with {tags} lets the role use it: {actions}."
            elif owned_service(arn) and (names := _patterns(statement)):
                yield f"Whoever may create a resource that matches {names} lets the role use it: {actions}."


def without_tags(resources: Iterable[str], tags: Mapping[str, Mapping[str, str] | Unread]) -> str:
    """Return of which resources the tags are unknown, as a sentence after another one; empty if of none."""
    unknown = [
        each for each in dict.fromkeys(resources) if not isinstance(tags.get(each), Mapping) and each != EVERYWHERE
    ]
    reasons = {each: str(tags[each]) if each in tags else "AWS lists none" for each in unknown}
    return "".join(f" The tags of {each} are unknown: {why}." for each, why in reasons.items())


def _noun(statement: Statement) -> str:
    service = next(iter(statement.action_texts), "").partition(":")[0].lower()
    return _NOUNS.get(service, "a resource")


def _patterns(statement: Statement) -> str:
    texts = (pattern.text for pattern in statement.resources or ())
    return " or ".join(text for text in texts if text != EVERYWHERE)
