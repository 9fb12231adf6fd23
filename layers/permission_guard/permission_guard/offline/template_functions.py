"""Return the checks of a template's functions and event source mappings, each with the role of its function."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.model.state import EventInvokeConfig, EventSourceMapping, Function, Role, Snapshot
from permission_guard.needs.of_snapshot import policies_to_read, role_needs
from permission_guard.offline.candidates import combinations
from permission_guard.offline.physical_names import physical_name
from permission_guard.offline.scenarios import (
    RULES_OFFLINE,
    RULES_ON_FUNCTIONS,
    RULES_ON_MAPPINGS,
    RULES_ON_NAMES,
    RULES_ON_TRUST,
    OfflineCheck,
    Scenario,
    not_in_file,
)
from permission_guard.offline.template import (
    FUNCTION,
    OFFLINE_ORGANIZATION,
    TOO_MANY,
    Template,
    TooManyConditionsError,
)
from permission_guard.offline.template_roles import Bound, TemplateRole, role_id_of
from permission_guard.offline.template_sources import TemplateSources
from permission_guard.offline.unresolved import fill, listed, sole_unresolved, text, unresolved_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from permission_guard.iam import Policy
    from permission_guard.model.state import SourceState, Unread
    from permission_guard.model.targets import JSON, FunctionTarget
    from permission_guard.offline.intrinsics import Resolver

    _CaseType = Callable[[Template, Resolver, str], "_Case"]

MAPPING: Final = "AWS::Lambda::EventSourceMapping"
INVOKE_CONFIG: Final = "AWS::Lambda::EventInvokeConfig"

_QUEUE: Final = "arn:{p}:sqs:{r}:{a}:{n}"
_TOPIC: Final = "arn:{p}:sns:{r}:{a}:{n}"
_STREAMS: Final = (
    "arn:{p}:kinesis:{r}:{a}:stream/{n}",
    "arn:{p}:dynamodb:{r}:{a}:table/{n}/stream/2026-01-01T00:00:00.000",
)
_DESTINATIONS: Final = (
    _QUEUE,
    _TOPIC,
    "arn:{p}:lambda:{r}:{a}:function:{n}",
    "arn:{p}:events:{r}:{a}:event-bus/{n}",
    "arn:{p}:s3:::{n}",
)
_ACCESS_POINT: Final = "arn:{p}:elasticfilesystem:{r}:{a}:access-point/{n}"
_OTHER_TYPES: Final = frozenset({"Queues", "Topics", "SelfManagedEventSource", "DocumentDBEventSourceConfig"})
_READ: Final = ("FunctionName", "LoggingConfig", "DeadLetterConfig", "FileSystemConfigs", "TracingConfig")
"""The properties of a function whose values a role's policies must name."""

Values = dict[str, list[str]]
"""The possible values of references."""


def function_checks(template: Template) -> tuple[list[OfflineCheck], list[str]]:
    """Return a check for each function, and the ids of those that the parameters exclude."""
    return _checks(template, FUNCTION, _FunctionCase, RULES_ON_FUNCTIONS, "")


def mapping_checks(template: Template) -> tuple[list[OfflineCheck], list[str]]:
    """Return a check for each event source mapping, and the ids of those that the parameters exclude."""
    return _checks(template, MAPPING, _MappingCase, RULES_ON_MAPPINGS, "event-source-mapping/")


def _checks(
    template: Template, kind: str, case: _CaseType, rules: frozenset[str], prefix: str
) -> tuple[list[OfflineCheck], list[str]]:
    offline_checks: list[OfflineCheck] = []
    left_out: list[str] = []
    for logical_id in template.ids_of(kind):
        try:
            scenarios = tuple(_scenarios(template, logical_id, case))
        except TooManyConditionsError:
            if kind == MAPPING:
                raise
            target = template.target_of(template.resolver(), logical_id)
            scenarios = (Scenario(Snapshot(target, TOO_MANY)),)
        if not scenarios:
            left_out.append(logical_id)
            continue
        offline_checks.append(
            OfflineCheck(
                scenarios,
                rules=rules,
                subject=f"{prefix}{logical_id}" if prefix else None,
                from_template=True,
                source_id=logical_id,
                by_sam=logical_id not in template.source_ids,
            )
        )
    return offline_checks, left_out


def _scenarios(template: Template, logical_id: str, case: _CaseType) -> Iterator[Scenario]:
    """Yield the scenarios of a function or a mapping: the role's policies allow the most or the least that they can."""

    def explore(resolver: Resolver) -> tuple[_Case, list[Scenario]]:
        found = case(template, resolver, logical_id)
        return found, list(found.scenarios())

    explore_if_created = template.when_created(logical_id, explore)
    for one, scenarios in template.explored(logical_id, explore_if_created):
        assumptions, candidates = one.resolver.assumptions, one.candidates()
        found = [values for values in combinations(candidates) if assumptions.admit(values)]
        if not found:
            yield Scenario(Snapshot(one.target, TOO_MANY, mappings=()), one.resolver.assumed)
        elif not candidates:
            yield from scenarios
        else:
            for values in found:
                for _, of_values in template.explored(logical_id, explore_if_created, assumptions.binding(values)):
                    yield from of_values


class _Case:
    """A function or a mapping in one scenario, with the role of its function."""

    def __init__(self, template: Template, resolver: Resolver, function_id: str | None, target: FunctionTarget) -> None:
        self.template = template
        self.resolver = resolver
        self.function_id = function_id
        self.target = target
        self.properties = resolver.properties(function_id) if function_id else {}
        self.name = physical_name(resolver, function_id) if function_id else ""
        self.role_arn = text(self.properties.get("Role", ""))
        role_id = role_id_of(template, resolver, function_id) if function_id else None
        self.role = TemplateRole(template, resolver, role_id) if role_id else None

    def candidates(self) -> Values:
        """Return the possible values of the references that the outcome depends on."""
        raise NotImplementedError

    def _allowed(self, name: str) -> list[str]:
        return list(self.resolver.found[name].allowed)

    def read(self) -> JSON:
        """Return the values that the role's policies must name."""
        raise NotImplementedError

    def snapshot_with(
        self, function: Function | Unread, roles: Mapping[str, Role | Unread], fills: Mapping[str, str]
    ) -> Snapshot:
        """Return the state of the function, without the sources that it depends on."""
        raise NotImplementedError

    def scenarios(self) -> Iterator[Scenario]:
        """Yield the scenarios for the unresolved names and policies: the policies allow the most and the least.

        A name that is not resolved is one that no policy contains, and then any name: it can be one of a policy.
        """
        names = list(unresolved_in(self.read()))
        trust = self.role.unresolved_in_trust if self.role else []
        for broadest in (True, False) if trust else ():
            yield self._trust_scenario(trust, broadest=broadest)
        for fixed in ({name: self.template.token(name) for name in names}, dict.fromkeys(names, "*")):
            unresolved = self.role.unresolved(fixed) if self.role else []
            for broadest in (True, False) if unresolved else (True,):
                tokens = self.template.tokens_in(self.resolver)
                extremes = dict.fromkeys(unresolved, "broadest" if broadest else "narrowest")
                yield Scenario(
                    self._snapshot(Bound(broadest, tokens, fixed)),
                    {**self.resolver.assumed, **fixed, **extremes},
                    self.template.shown({**tokens, **self.resolver.assumptions.values}),
                    RULES_ON_NAMES if "*" in fixed.values() else RULES_OFFLINE - RULES_ON_TRUST if trust else None,
                )
            if not names:
                return

    def _trust_scenario(self, names: Sequence[str], *, broadest: bool) -> Scenario:
        """Return the scenario in which the unresolved values of the trust policy allow the most or the least."""
        tokens = self.template.tokens_in(self.resolver)
        bound = Bound(broadest, tokens)
        snapshot = self._snapshot(bound)
        roles = {
            arn: self.role.with_trust_policy(role, bound) if self.role and isinstance(role, Role) else role
            for arn, role in snapshot.roles.items()
        }
        extremes = dict.fromkeys(names, "broadest" if broadest else "narrowest")
        shown = self.template.shown({**tokens, **self.resolver.assumptions.values})
        assumed = {**self.resolver.assumed, **extremes}
        return Scenario(replace(snapshot, roles=roles), assumed, shown, RULES_ON_TRUST)

    def _snapshot(self, bound: Bound) -> Snapshot:
        fills = {**bound.fills, **bound.fixed}
        if self.function_id is None:
            unread = not_in_file(f"Unknown: the function {self.target.name} is not in the file.")
            return self.snapshot_with(unread, {}, fills)
        arn = fill(self.role_arn, fills)
        name = self.target.name if self.name.startswith("arn:") else fill(self.name, fills)
        function = Function(self.target.arn, name, arn, fill(self.properties, fills))
        role: Role | Unread
        if self.role is None:
            named = fill(self.role_arn, {}) or "of the function"
            role = not_in_file(f"Unknown: the role {named} is not in the file.")
        else:
            role = self.role.role(arn, bound)
        snapshot = self.snapshot_with(function, {arn: role}, fills)
        return _with_sources(snapshot, TemplateSources(self.template, self.resolver, bound))


class _FunctionCase(_Case):
    """A function with what its configuration requires, without its mappings."""

    def __init__(self, template: Template, resolver: Resolver, logical_id: str) -> None:
        super().__init__(template, resolver, logical_id, template.target_of(resolver, logical_id))
        self._configs = [name for name in template.ids_of(INVOKE_CONFIG) if self._is_own(name)]

    def _is_own(self, config_id: str) -> bool:
        raw = self.template.raw(config_id, "FunctionName")
        is_own = self.template.function_id(self.resolver, raw) == self.function_id
        return is_own and self.template.is_created(self.resolver, config_id)

    def read(self) -> JSON:
        """Return the parts of the configuration that the role's policies must name."""
        destinations = [self.resolver.properties(name).get("DestinationConfig") for name in self._configs]
        return [[self.properties.get(name) for name in _READ], destinations]

    def candidates(self) -> Values:
        """Return the possible values of references that decide whether a feature is used, and of what kind it is."""
        mode = _part(self.properties, "TracingConfig").get("Mode")
        queue = _part(self.properties, "DeadLetterConfig").get("TargetArn")
        points = [one.get("Arn") for one in listed(self.properties.get("FileSystemConfigs")) if isinstance(one, dict)]
        configs = [_part(self.resolver.properties(name), "DestinationConfig") for name in self._configs]
        destinations = [_part(one, event).get("Destination") for one in configs for event in ("OnSuccess", "OnFailure")]
        trust = self.role.unresolved_in_trust if self.role else []
        return {
            **{name: self._allowed(name) for name in trust if self._allowed(name)},
            **_of_any(self, [mode], ("Active", "PassThrough")),
            **_of_any(self, [queue], (_QUEUE, _TOPIC)),
            **_of_any(self, points, (_ACCESS_POINT,)),
            **_of_any(self, destinations, _DESTINATIONS),
        }

    def snapshot_with(
        self, function: Function | Unread, roles: Mapping[str, Role | Unread], fills: Mapping[str, str]
    ) -> Snapshot:
        """Return the function with the destinations of its asynchronous invocations."""
        configs = tuple(_invoke_config(self.resolver.properties(name), self.target, fills) for name in self._configs)
        return Snapshot(
            self.target,
            function,
            own_organization=OFFLINE_ORGANIZATION,
            versions={
                arn: replace(function, arn=arn) if isinstance(function, Function) else function
                for arn in (self.target.arn, *(config.function_arn for config in configs))
            },
            roles=roles,
            invoke_configs=configs,
        )


class _MappingCase(_Case):
    """An event source mapping with its function."""

    def __init__(self, template: Template, resolver: Resolver, logical_id: str) -> None:
        self._id = logical_id
        self._mapping = resolver.properties(logical_id)
        target, qualifier = template.function_of(self._mapping.get("FunctionName", ""))
        function_id = template.function_id(resolver, template.raw(logical_id, "FunctionName"))
        target = template.target_of(resolver, function_id) if function_id else target
        self._function_arn = f"{target.arn}:{qualifier}" if qualifier else target.arn
        super().__init__(template, resolver, function_id, target)

    def read(self) -> JSON:
        """Return the mapping's source and its destination."""
        return [self._mapping.get("EventSourceArn"), self._mapping.get("DestinationConfig")]

    def candidates(self) -> Values:
        """Return the possible values of references in the ARN of the source. Streams have a starting position."""
        source = self._mapping.get("EventSourceArn")
        forms = _STREAMS if "StartingPosition" in self._mapping else (_QUEUE,)
        is_other = _OTHER_TYPES & self._mapping.keys()
        config = _part(self._mapping, "DestinationConfig")
        destination = _part(config, "OnFailure").get("Destination")
        parts = {name: self._allowed(name) for name in unresolved_in(source) if self._allowed(name)}
        return {**_of_any(self, [destination], (_QUEUE, _TOPIC, "arn:{p}:s3:::{n}")), **parts} | (
            {} if is_other else _of_any(self, [source], forms)
        )

    def snapshot_with(
        self, function: Function | Unread, roles: Mapping[str, Role | Unread], fills: Mapping[str, str]
    ) -> Snapshot:
        """Return the function with the mapping."""
        mapping = _event_source_mapping(self._id, fill(self._mapping, fills), self._function_arn)
        return Snapshot(
            self.target,
            function,
            own_organization=OFFLINE_ORGANIZATION,
            mappings=(mapping,),
            versions={mapping.function_arn: function},
            roles=roles,
        )


def _of_any(case: _Case, values: Sequence[JSON], forms: Sequence[str]) -> Values:
    """Return the forms of the values that are nothing but a reference, or the values that the template lists."""
    place = case.template.place
    found: Values = {}
    for name in filter(None, map(sole_unresolved, values)):
        token = case.template.token(name)
        formatted = [form.format(p=place.partition, r=place.region, a=place.account, n=token) for form in forms]
        found[name] = list(case.resolver.found[name].allowed) or formatted
    return found


def _with_sources(snapshot: Snapshot, sources: TemplateSources) -> Snapshot:
    """Return the state with what the file says of the resources that it depends on."""
    states: dict[str, SourceState | Unread] = {}
    for arn in dict.fromkeys(need.unread for item in role_needs(snapshot) for need in item.needs if need.unread):
        state = sources.state(arn)
        if state is not None:
            states[arn] = state
    snapshot = replace(snapshot, sources=states)
    policies: dict[str, Policy | Unread | None] = {arn: sources.policy(arn) for arn in policies_to_read(snapshot)}
    return replace(snapshot, source_policies=policies)


def _event_source_mapping(logical_id: str, properties: Mapping[str, JSON], function_arn: str) -> EventSourceMapping:
    disabled = text(properties.get("Enabled", True)) == "false"
    return EventSourceMapping(
        uuid=logical_id,
        arn="",
        function_arn=function_arn,
        event_source_arn=text(properties["EventSourceArn"]) if properties.get("EventSourceArn") else None,
        state="Disabled" if disabled else "Enabled",
        state_transition_reason="USER_INITIATED" if disabled else "",
        last_processing_result="",
        configuration=properties,
    )


def _invoke_config(
    properties: Mapping[str, JSON], target: FunctionTarget, fills: Mapping[str, str]
) -> EventInvokeConfig:
    qualifier = fill(text(properties.get("Qualifier", "$LATEST")), fills)
    config = _part(properties, "DestinationConfig")
    success, failure = (
        fill(text(_part(config, event).get("Destination", "")), fills) for event in ("OnSuccess", "OnFailure")
    )
    arn = target.arn if qualifier == "$LATEST" else f"{target.arn}:{qualifier}"
    return EventInvokeConfig(arn, success, failure)


def _part(value: JSON, name: str) -> dict[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def outside_destinations(template: Template) -> list[str]:
    """Return the destinations and dead-letter queues that are not in the file: their keys are not read."""
    resolver = template.resolver()
    sources = TemplateSources(template, resolver, Bound(broadest=True, fills={}))
    named: list[JSON] = [
        *(_part(resolver.properties(name), "DeadLetterConfig").get("TargetArn") for name in template.ids_of(FUNCTION)),
        *(
            _part(_part(resolver.properties(name), "DestinationConfig"), event).get("Destination")
            for kind in (MAPPING, INVOKE_CONFIG)
            for name in template.ids_of(kind)
            for event in ("OnSuccess", "OnFailure")
        ),
    ]
    found = (fill(one, {}) for one in named if isinstance(one, str) and not one.startswith("kafka://"))
    return [one for one in dict.fromkeys(found) if one and sources.resource(one) is None]
