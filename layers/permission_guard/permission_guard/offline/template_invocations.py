"""Return the checks of the triggers and URLs of a template: whether a statement of the template allows each of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from permission_guard.iam import parse_policy
from permission_guard.iam.arn import account_of
from permission_guard.iam.patterns import overlaps, symbols_of
from permission_guard.model.state import Function, Inventory, ResourcePolicy, Snapshot, Trigger
from permission_guard.offline.candidates import artificial_arns
from permission_guard.offline.physical_names import attribute, reference
from permission_guard.offline.scenarios import RULES_ON_TRIGGERS, OfflineCheck, Scenario
from permission_guard.offline.template import OFFLINE_ORGANIZATION, TOO_MANY, Template, TooManyConditionsError
from permission_guard.offline.template_permissions import UNREADABLE, URL, function_url
from permission_guard.offline.template_roles import Bound
from permission_guard.offline.template_statements import PERMISSION, RESOURCE_POLICY, Draft, drafts_of, statements
from permission_guard.offline.template_triggers import NOT_READ, READERS, triggers_of
from permission_guard.offline.unresolved import fill, listed, marked, sole_unresolved, text, unresolved_in, written
from permission_guard.remedies.cloudformation import value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from permission_guard.model.state import FunctionUrl, Unread
    from permission_guard.model.targets import JSON, FunctionTarget
    from permission_guard.offline.configured import TemplateTrigger
    from permission_guard.offline.intrinsics import Resolver


_AUTH_TYPES: Final = ("NONE", "AWS_IAM")
_ANYONE: Final = {"Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": "*"}
"""The broadest policy that a function outside the file can have."""


def invocation_checks(template: Template) -> list[OfflineCheck]:
    """Return a check for each trigger of a resource, and one for the URLs of each function."""
    template.unread_triggers.update(dict.fromkeys(_not_read(template)))
    triggering = (logical_id for kind in READERS for logical_id in template.ids_of(kind))
    return [
        *(one for logical_id in triggering for one in _checks(template, logical_id, _triggers)),
        *(one for logical_id in template.ids_of(URL) for one in _checks(template, logical_id, _url)),
    ]


def _not_read(template: Template) -> Iterator[str]:
    """Yield the resources that name a function, and whose triggers are not read."""
    resolver = template.resolver()
    for kind in NOT_READ:
        for logical_id in template.created(resolver, kind):
            if ":function:" in written(resolver.properties(logical_id)):
                yield f"{logical_id} ({kind})"


def _checks(
    template: Template, logical_id: str, explore: Callable[[Template, str, Resolver], list[_Explored]]
) -> Iterator[OfflineCheck]:
    """Yield a check for each function that a resource invokes, with all scenarios of the two."""
    found: defaultdict[str, list[_Explored]] = defaultdict(list)
    try:
        explore_if_created = template.when_created(logical_id, partial(explore, template, logical_id))
        for explored in template.explored(logical_id, explore_if_created):
            for one in explored:
                found[one.key].append(one)
    except TooManyConditionsError:
        target, _ = template.function_of(logical_id)
        found = defaultdict(list, {logical_id: [_Explored(logical_id, Scenario(Snapshot(target, TOO_MANY)))]})
    for same in found.values():
        yield OfflineCheck(
            tuple(one.scenario for one in same),
            rules=RULES_ON_TRIGGERS,
            from_template=True,
            source_id=logical_id,
            by_sam=logical_id not in template.source_ids,
            expressions=same[0].expressions,
        )


@dataclass(frozen=True, slots=True)
class _Explored:
    """A scenario of what `key` identifies, with the expressions for the function and the source in it."""

    key: str
    scenario: Scenario
    expressions: Mapping[str, str] = field(default_factory=dict)


def _triggers(template: Template, logical_id: str, resolver: Resolver) -> list[_Explored]:
    """Return the scenarios of each trigger of a resource."""
    found = []
    triggers, unread = triggers_of(resolver, logical_id)
    template.unread_triggers.update(dict.fromkeys(unread))
    for one in triggers:
        invoked = _Invoked.of(template, resolver, one.function)
        expressions = {**invoked.expressions(), **_of_source(resolver, logical_id, one.source)}
        key = f"{one.function} {one.source}"
        found += [_Explored(key, scenario, expressions) for scenario in invoked.scenarios(trigger=one)]
    return found


def _url(template: Template, logical_id: str, resolver: Resolver) -> list[_Explored]:
    """Return the scenarios of a URL, one for each type that a reference can stand for."""
    properties = resolver.properties(logical_id)
    function, auth_type = text(properties.get("TargetFunctionArn", "")), properties.get("AuthType")
    invoked = _Invoked.of(template, resolver, function, template.raw(logical_id, "TargetFunctionArn"))
    name = sole_unresolved(auth_type)
    values = (resolver.found[name].allowed or _AUTH_TYPES) if name else ()
    return [
        _Explored(function, replace(scenario, assumed={**scenario.assumed, **fills}), invoked.expressions())
        for fills in [{name: value} for value in values if name] or [{}]
        for scenario in invoked.scenarios(urls=[function_url(template, resolver, logical_id, fills)])
    ]


def _of_source(resolver: Resolver, logical_id: str, source: str) -> dict[str, str]:
    """Return the expression for the ARN of a resource, if that is its source."""
    if text(reference(resolver, logical_id)) == source:
        return {source: f"!Ref {value_of(logical_id)}"}
    is_own = text(attribute(resolver, logical_id, "Arn")) == source
    return {source: f"!GetAtt {value_of(f'{logical_id}.Arn')}"} if is_own else {}


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

    def expressions(self) -> dict[str, str]:
        """Return the expression for the function."""
        if self.function_id is None:
            return {}
        target, qualifier = self.template.function_of(self.function)
        return {} if qualifier else {target.name: f"!Ref {value_of(self.function_id)}"}

    def scenarios(self, trigger: TemplateTrigger | None = None, urls: Sequence[FunctionUrl] = ()) -> Iterator[Scenario]:
        """Yield the scenarios of a trigger or of URLs: the statements allow the most or the least that they can."""
        template = self.template
        values = self._values(trigger)
        sent = [trigger.source, *trigger.source_arns, *trigger.disputed_source_arns] if trigger else []
        named = [self.function, *sent]
        fixed = {name: values.get(name, template.token(name)) for name in unresolved_in(named)}
        target, qualifier = template.function_of(self.function, fixed)
        unresolved = list(dict.fromkeys(self._unresolved(fixed)))
        bounds = [(broadest, "") for broadest in ((True, False) if unresolved else (True,))]
        source = fill(trigger.source, dict.fromkeys(fixed, "*")) if trigger else ""
        if fixed and any(_overlapped(statement, source) for statement in self._statements()):
            bounds.append((True, source))  # the name can be the one that the statement names
        for broadest, any_of in bounds:
            bound = Bound(broadest, template.tokens_in(self.resolver), fixed)
            fills = {**bound.fills, **fixed}
            qualifiers = {qualifier, *(url.qualifier for url in urls)}
            policies = (self._policy(target, one, bound, any_of) for one in sorted(qualifiers, key=str))
            snapshot = Snapshot(
                target,
                Function(target.arn, target.name, ""),
                resource_policies=tuple(policies),
                function_urls=tuple(urls),
                own_organization=OFFLINE_ORGANIZATION,
                inventories=(_inventory(trigger, target, qualifier, fills),) if trigger else (),
            )
            extremes = dict.fromkeys(unresolved, "broadest" if broadest else "narrowest")
            names = dict.fromkeys(fixed, any_of or "another")
            yield Scenario(snapshot, {**self.resolver.assumed, **names, **extremes}, template.shown(fills))

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

    def _statements(self) -> Iterator[JSON]:
        """Yield the statements, with the unresolved values in them."""
        for draft in self.drafts:
            yield from statements(draft, "", {name: marked(name) for name in draft.resolver.found})

    def _policy(
        self, target: FunctionTarget, qualifier: str | None, bound: Bound, any_of: str
    ) -> ResourcePolicy | Unread:
        """Return the policy of the function, or of its version or alias.

        Every statement for a source that can be among those of the pattern `any_of` is one for the source.
        """
        arn = f"{target.arn}:{qualifier}" if qualifier else target.arn
        found: list[JSON] = [_ANYONE] if self.function_id is None and bound.broadest else []
        for draft in self.drafts:
            if self.template.function_of(draft.function, bound.fixed)[1] == qualifier:
                if draft.content is None:
                    return UNREADABLE
                # The texts keep their unresolved values, which the bound replaces.
                marks = {name: marked(name) for name in draft.resolver.found}
                found += [_overlapped(one, any_of) or one for one in statements(draft, arn, marks)]
        document = bound.filled({"Version": "2012-10-17", "Statement": found})
        return ResourcePolicy(arn, qualifier, parse_policy(document, name="resource-based policy"))


def _overlapped(statement: JSON, source: str) -> JSON:
    """Return an Allow statement without its condition on a source that a pattern overlaps, None if there is none."""
    condition = statement.get("Condition") if isinstance(statement, dict) and source else None
    if not isinstance(condition, dict) or statement.get("Effect") == "Deny":
        return None
    symbols = symbols_of(source)
    changed: dict[str, dict[str, JSON]] = {}
    for operator, keys in condition.items():
        for key, values in keys.items() if isinstance(keys, dict) else ():
            texts = [text(value) for value in listed(values)]
            is_source = key.lower() == "aws:sourcearn" and any(overlaps(one, symbols) for one in texts)
            changed.setdefault(operator, {}).update({} if is_source else {key: values})
    kept = {operator: keys for operator, keys in changed.items() if keys}
    return None if kept == condition else {**statement, "Condition": kept}


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
