"""Return the checks of the triggers and URLs of a template: whether a statement of the template allows each of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from permission_guard.iam import parse_policy
from permission_guard.iam.arn import account_of
from permission_guard.model.state import Function, Inventory, ResourcePolicy, Snapshot, Trigger
from permission_guard.offline.candidates import artificial_arns
from permission_guard.offline.scenarios import RULES_ON_TRIGGERS, OfflineCheck, Scenario
from permission_guard.offline.template import OFFLINE_ORGANIZATION, TOO_MANY, Template, TooManyConditionsError
from permission_guard.offline.template_permissions import UNREADABLE, URL, function_url
from permission_guard.offline.template_roles import Bound
from permission_guard.offline.template_statements import PERMISSION, RESOURCE_POLICY, Draft, drafts_of, statements
from permission_guard.offline.template_triggers import READERS, triggers_of
from permission_guard.offline.unresolved import fill, marked, sole_unresolved, text, unresolved_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from permission_guard.model.state import FunctionUrl, Unread
    from permission_guard.model.targets import JSON, FunctionTarget
    from permission_guard.offline.configured import TemplateTrigger
    from permission_guard.offline.intrinsics import Resolver

    _Explored = list[tuple[str, Scenario]]

_AUTH_TYPES: Final = ("NONE", "AWS_IAM")
_ANYONE: Final = {"Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": "*"}
"""The broadest policy that a function outside the file can have."""


def invocation_checks(template: Template) -> list[OfflineCheck]:
    """Return a check for each trigger of a resource, and one for the URLs of each function."""
    triggering = (logical_id for kind in READERS for logical_id in template.ids_of(kind))
    return [
        *(one for logical_id in triggering for one in _checks(template, logical_id, _triggers)),
        *(one for logical_id in template.ids_of(URL) for one in _checks(template, logical_id, _url)),
    ]


def _checks(
    template: Template, logical_id: str, explore: Callable[[Template, str, Resolver], _Explored]
) -> Iterator[OfflineCheck]:
    """Yield a check for each function that a resource invokes, with all scenarios of the two."""
    found: defaultdict[str, list[Scenario]] = defaultdict(list)
    try:
        explore_if_created = template.when_created(logical_id, partial(explore, template, logical_id))
        for explored in template.explored(logical_id, explore_if_created):
            for function, scenario in explored:
                found[function].append(scenario)
    except TooManyConditionsError:
        target, _ = template.function_of(logical_id)
        found = defaultdict(list, {logical_id: [Scenario(Snapshot(target, TOO_MANY))]})
    for scenarios in found.values():
        yield OfflineCheck(
            tuple(scenarios),
            rules=RULES_ON_TRIGGERS,
            from_template=True,
            source_id=logical_id,
            by_sam=logical_id not in template.source_ids,
        )


def _triggers(template: Template, logical_id: str, resolver: Resolver) -> _Explored:
    """Return the scenarios of each trigger of a resource."""
    return [
        (f"{one.function} {one.source}", scenario)
        for one in triggers_of(resolver, logical_id)
        for scenario in _Invoked.of(template, resolver, one.function).scenarios(trigger=one)
    ]


def _url(template: Template, logical_id: str, resolver: Resolver) -> _Explored:
    """Return the scenarios of a URL, one for each type that a reference can stand for."""
    properties = resolver.properties(logical_id)
    function, auth_type = text(properties.get("TargetFunctionArn", "")), properties.get("AuthType")
    invoked = _Invoked.of(template, resolver, function, template.raw(logical_id, "TargetFunctionArn"))
    name = sole_unresolved(auth_type)
    values = (resolver.found[name].allowed or _AUTH_TYPES) if name else ()
    return [
        (function, replace(scenario, assumed={**scenario.assumed, **fills}))
        for fills in [{name: value} for value in values if name] or [{}]
        for scenario in invoked.scenarios(urls=[function_url(template, resolver, logical_id, fills)])
    ]


@dataclass(frozen=True, slots=True)
class _Invoked:
    """A function that a trigger or a URL invokes in one scenario, with the statements that the template gives it."""

    template: Template
    resolver: Resolver
    function_id: str | None
    function: str
    drafts: tuple[Draft, ...]

    @classmethod
    def of(cls, template: Template, resolver: Resolver, function: str, raw: JSON = None) -> _Invoked:
        """Return a function by its resolved name, or by the expression for it."""
        written = raw if raw is not None else function
        function_id = template.function_id(resolver, written)
        drafts = [
            draft
            for kind in (PERMISSION, RESOURCE_POLICY)
            for logical_id in template.ids_of(kind)
            if template.may_name(resolver, logical_id, function_id) and template.is_created(resolver, logical_id)
            for draft in drafts_of(template, resolver, logical_id)
        ]
        own, _ = template.function_of(function)
        of_function = (
            draft
            for draft in drafts
            if (draft.function_id == function_id and function_id) or template.function_of(draft.function)[0] == own
        )
        return cls(template, resolver, function_id, function, tuple(of_function))

    def scenarios(self, trigger: TemplateTrigger | None = None, urls: Sequence[FunctionUrl] = ()) -> Iterator[Scenario]:
        """Yield the scenarios of a trigger or of URLs: the statements allow the most or the least that they can."""
        template = self.template
        values = self._values(trigger)
        sent = [trigger.source, *trigger.source_arns, *trigger.disputed_source_arns] if trigger else []
        named = [self.function, *sent]
        fixed = {name: values.get(name, template.token(name)) for name in unresolved_in(named)}
        target, qualifier = template.function_of(self.function, fixed)
        unresolved = list(dict.fromkeys(self._unresolved(fixed)))
        for broadest in (True, False) if unresolved else (True,):
            bound = Bound(broadest, template.tokens_in(self.resolver), fixed)
            fills = {**bound.fills, **fixed}
            qualifiers = {qualifier, *(url.qualifier for url in urls)}
            snapshot = Snapshot(
                target,
                Function(target.arn, target.name, ""),
                resource_policies=tuple(self._policy(target, one, bound) for one in sorted(qualifiers, key=str)),
                function_urls=tuple(urls),
                own_organization=OFFLINE_ORGANIZATION,
                inventories=(_inventory(trigger, target, qualifier, fills),) if trigger else (),
            )
            extremes = dict.fromkeys(unresolved, "broadest" if broadest else "narrowest")
            yield Scenario(snapshot, {**self.resolver.assumed, **extremes}, template.shown(fills))

    def _values(self, trigger: TemplateTrigger | None) -> dict[str, str]:
        """Return an ARN for a source that is nothing but a reference."""
        name = sole_unresolved(trigger.source) if trigger else None
        if trigger is None or name is None:
            return {}
        place = self.template.place
        arns = artificial_arns(place, [place.account], [trigger.invoker.principal], self.template.token(name))
        return {name: arns[0]}

    def _unresolved(self, fixed: Mapping[str, str]) -> Iterator[str]:
        for draft in self.drafts:
            yield from (name for name in unresolved_in([draft.content, *draft.denies]) if name not in fixed)
        if self.function_id is None:
            yield f"the policy of the function {fill(self.function, {})}"

    def _policy(self, target: FunctionTarget, qualifier: str | None, bound: Bound) -> ResourcePolicy | Unread:
        """Return the policy of the function, or of its version or alias."""
        arn = f"{target.arn}:{qualifier}" if qualifier else target.arn
        found: list[JSON] = [_ANYONE] if self.function_id is None and bound.broadest else []
        for draft in self.drafts:
            if self.template.function_of(draft.function, bound.fixed)[1] == qualifier:
                if draft.content is None:
                    return UNREADABLE
                # The texts keep their unresolved values, which the bound replaces.
                found += statements(draft, arn, {name: marked(name) for name in draft.resolver.found})
        document = bound.filled({"Version": "2012-10-17", "Statement": found})
        return ResourcePolicy(arn, qualifier, parse_policy(document, name="resource-based policy"))


def _inventory(
    one: TemplateTrigger, target: FunctionTarget, qualifier: str | None, fills: Mapping[str, str]
) -> Inventory:
    source = fill(one.source, fills)
    trigger = Trigger(
        one.invoker.principal,
        source,
        tuple(fill(arn, fills) for arn in one.source_arns) or (source,),
        account_of(source) or target.account,
        f"{target.arn}:{qualifier}" if qualifier else target.arn,
        fill(one.description, fills),
        tuple(fill(arn, fills) for arn in one.disputed_source_arns),
    )
    return Inventory(one.inventory, one.invoker.principal, frozenset({source}), (trigger,))
