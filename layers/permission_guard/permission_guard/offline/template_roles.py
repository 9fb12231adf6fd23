"""Return the checks of a template's event source mappings, each with the role of its function."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from permission_guard.iam import Policy, parse_policy, unread_policy
from permission_guard.model.state import EventSourceMapping, Function, Role, Snapshot, SourceState, Unread
from permission_guard.model.targets import Direction
from permission_guard.needs.decision import relevant_policies
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.features import needs_of
from permission_guard.offline.intrinsics import fill, sole_unresolved, text, unresolved_in
from permission_guard.offline.managed_policies import extreme, is_by_aws, managed_policy
from permission_guard.offline.physical_names import attribute, path_of, physical_name, reference
from permission_guard.offline.scenarios import OfflineCheck, Scenario, combinations, listed_references, not_in_file
from permission_guard.offline.template_permissions import MAPPING, OFFLINE_ORGANIZATION, TOO_MANY, Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.model.targets import JSON
    from permission_guard.offline.intrinsics import Resolver

_STREAMS: Final = (
    "arn:{p}:kinesis:{r}:{a}:stream/{n}",
    "arn:{p}:dynamodb:{r}:{a}:table/{n}/stream/2026-01-01T00:00:00.000",
)
_QUEUES: Final = ("arn:{p}:sqs:{r}:{a}:{n}",)
_OTHER_TYPES: Final = frozenset({"Queues", "Topics", "SelfManagedEventSource", "DocumentDBEventSourceConfig"})

_EXTREMES: Final = (True, False)


def mapping_checks(template: Template) -> tuple[list[OfflineCheck], list[str]]:
    """Return a check for each event source mapping, and the ids of those that the parameters exclude."""
    offline_checks: list[OfflineCheck] = []
    left_out: list[str] = []
    for logical_id in template.ids_of(MAPPING):
        resolvers = list(template.resolvers(logical_id, partial(_explore, template, logical_id)))
        scenarios = [scenario for resolver in resolvers for scenario in _scenarios(template, resolver, logical_id)]
        if not resolvers:
            left_out.append(logical_id)
            continue
        offline_checks.append(
            OfflineCheck(
                tuple(scenarios),
                frozenset({Direction.EXECUTION_ROLE}),
                from_template=True,
                source_id=logical_id,
                by_sam=logical_id not in template.source_ids,
            )
        )
    return offline_checks, left_out


def _explore(template: Template, logical_id: str, resolver: Resolver) -> None:
    """Resolve everything that a mapping depends on, so that the resolver collects the undecided conditions."""
    properties = resolver.properties(logical_id)
    role = _RoleOf(template, resolver, properties.get("FunctionName", ""))
    role.snapshot(_mapping(logical_id, fill(properties, {}), role), {}, {}, broadest=True)


def _scenarios(template: Template, resolver: Resolver, logical_id: str) -> Iterator[Scenario]:
    """Yield the scenarios of a mapping and its role."""
    properties = resolver.properties(logical_id)
    role = _RoleOf(template, resolver, properties.get("FunctionName", ""))
    source = text(properties.get("EventSourceArn", ""))
    candidates = {name: _sources(template, resolver, name, source, properties) for name in unresolved_in(source)}
    tokens = {name: template.token(name) for name in resolver.found}
    assumed = {f"the condition {name}": str(value) for name, value in resolver.choices.items()}
    found = list(combinations(candidates))
    if not found:
        yield Scenario(Snapshot(role.target, TOO_MANY, mappings=()), assumed)
    for values in found:
        fills = {**tokens, **values}
        mapping = _mapping(logical_id, fill(properties, fills), role)
        unresolved = role.unresolved(values)
        for broadest in _EXTREMES if unresolved else _EXTREMES[:1]:
            snapshot = role.snapshot(mapping, fills, values, broadest=broadest)
            extremes = dict.fromkeys(unresolved, "broadest" if broadest else "narrowest")
            yield Scenario(snapshot, {**assumed, **values, **extremes}, template.shown(fills))


def _sources(
    template: Template, resolver: Resolver, name: str, source: str, properties: Mapping[str, JSON]
) -> list[str]:
    """Return the possible values of a reference in the ARN of an event source. Streams have a starting position."""
    unresolved, token, place = resolver.found[name], template.token(name), template.place
    if unresolved.allowed:
        return list(unresolved.allowed)
    if sole_unresolved(source) != name or _OTHER_TYPES & properties.keys():
        return [token]
    forms = _STREAMS if "StartingPosition" in properties else _QUEUES
    return [form.format(p=place.partition, r=place.region, a=place.account, n=token) for form in forms]


def _mapping(logical_id: str, properties: dict[str, JSON], role: _RoleOf) -> EventSourceMapping:
    disabled = text(properties.get("Enabled", True)) == "false"
    return EventSourceMapping(
        uuid=logical_id,
        arn="",
        function_arn=role.function_arn,
        event_source_arn=text(properties["EventSourceArn"]) if properties.get("EventSourceArn") else None,
        state="Disabled" if disabled else "Enabled",
        state_transition_reason="USER_INITIATED" if disabled else "",
        last_processing_result="",
        configuration=properties,
    )


class _RoleOf:
    """The function of a mapping, and its role in the template."""

    def __init__(self, template: Template, resolver: Resolver, function: JSON) -> None:
        self.template = template
        self.resolver = resolver
        self.target, self.qualifier = template.function_of(function)
        self.function_arn = f"{self.target.arn}:{self.qualifier}" if self.qualifier else self.target.arn
        self.function_id = next(
            (
                name
                for name in template.ids_of("AWS::Lambda::Function")
                if template.function_of(physical_name(resolver, name))[0] == self.target
            ),
            None,
        )
        self.properties = resolver.properties(self.function_id) if self.function_id else {}
        self.role_arn = text(self.properties.get("Role", ""))
        self.role_id = next(
            (name for name in template.ids_of("AWS::IAM::Role") if attribute(resolver, name, "Arn") == self.role_arn),
            None,
        )
        self.role_properties = resolver.properties(self.role_id) if self.role_id else {}
        self.documents = dict(self._documents()) if self.role_id else {}
        self.managed = self._managed() if self.role_id else []

    def _documents(self) -> Iterator[tuple[str, Any]]:
        """Yield the names and documents of the role's policies in the template."""
        for number, policy in enumerate(_list(self.role_properties.get("Policies"))):
            if isinstance(policy, dict):
                yield text(policy.get("PolicyName", number)), policy.get("PolicyDocument")
        name = self._role_name()
        for kind, roles in (
            ("AWS::IAM::Policy", "Roles"),
            ("AWS::IAM::ManagedPolicy", "Roles"),
            ("AWS::IAM::RolePolicy", "RoleName"),
        ):
            for logical_id in self._created(kind):
                properties = self.resolver.properties(logical_id)
                if name in _list(properties.get(roles)):
                    yield logical_id, properties.get("PolicyDocument")

    def _managed(self) -> list[str]:
        """Return the ARNs of the attached managed policies. Those of the template are added to the documents."""
        arns = [text(arn) for arn in _list(self.role_properties.get("ManagedPolicyArns"))]
        for logical_id in self._created("AWS::IAM::ManagedPolicy"):
            arn = text(reference(self.resolver, logical_id))
            if arn in arns:
                arns.remove(arn)
                self.documents[logical_id] = self.resolver.properties(logical_id).get("PolicyDocument")
        return arns

    def _created(self, kind: str) -> list[str]:
        return [name for name in self.template.ids_of(kind) if self.template.is_created(self.resolver, name)]

    def _role_name(self) -> str:
        return physical_name(self.resolver, self.role_id) if self.role_id else ""

    def unresolved(self, values: Mapping[str, str]) -> list[str]:
        """Return the unresolved references of the role's policies, without those that have one of the values."""
        names = [name for name in unresolved_in(list(self.documents.values())) if name not in values]
        return names + [f"the policy {_name_of(arn)}" for arn in self.managed if _is_unknown(arn)]

    def snapshot(
        self, mapping: EventSourceMapping, fills: Mapping[str, str], values: Mapping[str, str], *, broadest: bool
    ) -> Snapshot:
        """Return the mapping with its role. Unresolved policies allow the most or the least that they can."""
        if self.function_id is None:
            function: Function | Unread = not_in_file(f"Unknown: the function {self.target.name} is not in the file.")
            return Snapshot(self.target, function, mappings=(mapping,), versions={mapping.function_arn: function})
        arn = fill(self.role_arn, fills)
        function = Function(self.target.arn, self.target.name, arn, fill(self.properties, fills))
        role = self._role(arn, fills, values, broadest=broadest)
        return Snapshot(
            self.target,
            function,
            own_organization=OFFLINE_ORGANIZATION,
            mappings=(mapping,),
            versions={mapping.function_arn: function},
            roles={arn: role},
            sources=_log_groups(function),
            source_policies=_own_policy(function)
            | (self._source_policies(mapping, role, fills) if isinstance(role, Role) else {}),
        )

    def _role(
        self,
        arn: str,
        fills: Mapping[str, str],
        values: Mapping[str, str],
        *,
        broadest: bool,
    ) -> Role | Unread:
        if self.role_id is None:
            return not_in_file(f"Unknown: the role {fill(self.role_arn, {}) or 'of the function'} is not in the file.")
        boundary = self.role_properties.get("PermissionsBoundary")
        tags = (tag for tag in _list(self.role_properties.get("Tags")) if isinstance(tag, dict))
        return Role(
            arn=arn,
            name=fill(self._role_name(), fills),
            path=path_of(self.resolver, self.role_id),
            tags={fill(text(tag.get("Key")), fills): fill(text(tag.get("Value")), fills) for tag in tags},
            trust_policy=_trust_policy(self.role_properties.get("AssumeRolePolicyDocument")),
            attached={fill(name, fills): self._attached(name, broadest=broadest) for name in self.managed},
            inline={
                fill(name, fills): parse_policy(
                    _filled(document, fills, values, broadest=broadest), name=fill(name, fills)
                )
                for name, document in self.documents.items()
            },
            boundary_arn=fill(text(boundary), fills) if boundary else None,
            boundary=self._boundary(text(boundary), fills, values, broadest=broadest) if boundary else None,
        )

    def _attached(self, arn: str, *, broadest: bool) -> Policy | Unread:
        known = managed_policy(arn)
        if known is None and not _is_unknown(arn):
            return not_in_file(f"{fill(arn, {})} is not in the file")
        return known or extreme(arn, broadest=broadest)

    def _boundary(
        self, arn: str, fills: Mapping[str, str], values: Mapping[str, str], *, broadest: bool
    ) -> Policy | Unread:
        for logical_id in self._created("AWS::IAM::ManagedPolicy"):
            if reference(self.resolver, logical_id) == arn:
                document = self.resolver.properties(logical_id).get("PolicyDocument")
                return parse_policy(_filled(document, fills, values, broadest=broadest), name=logical_id)
        return managed_policy(arn) or not_in_file(f"the permissions boundary {fill(arn, {})} is not in the file")

    def _source_policies(
        self, mapping: EventSourceMapping, role: Role, fills: Mapping[str, str]
    ) -> dict[str, Policy | Unread | None]:
        """Return the policies of the sources that can change the outcome, unread for sources outside the file."""
        kind = event_source_of(mapping)
        needs = kind.needs(mapping) if kind else ()
        created = {
            fill(text(attribute(self.resolver, name, "Arn")), fills): name
            for of in ("AWS::SQS::Queue", "AWS::Kinesis::Stream", "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
            for name in self._created(of)
        }
        found: dict[str, Policy | Unread | None] = {}
        for resource in relevant_policies(needs, role, self.target.arn):
            name = created.get(resource.partition("/stream/")[0] if ":dynamodb:" in resource else resource)
            if name is None:
                found[resource] = not_in_file(f"the policy of {resource} is not in the file")
            else:
                document = self._policy_of(name)
                found[resource] = parse_policy(fill(document, fills), name=name) if document else None
        return found

    def _policy_of(self, source_id: str) -> JSON:
        """Return the policy of a queue or a stream in the template."""
        named = {text(reference(self.resolver, source_id)), text(attribute(self.resolver, source_id, "Arn"))}
        for kind, sources in (("AWS::SQS::QueuePolicy", "Queues"), ("AWS::Kinesis::ResourcePolicy", "ResourceArn")):
            for logical_id in self._created(kind):
                properties = self.resolver.properties(logical_id)
                if named & {text(item) for item in _list(properties.get(sources))}:
                    return properties.get("PolicyDocument") or properties.get("ResourcePolicy")
        stream = self.resolver.properties(source_id).get("StreamSpecification")
        policy = stream.get("ResourcePolicy") if isinstance(stream, dict) else None
        return policy.get("PolicyDocument") if isinstance(policy, dict) else None


def _log_groups(function: Function) -> dict[str, SourceState]:
    """Return the log groups of a function's features as existing: a file does not show that they do not exist."""
    return {need.unread: SourceState(exists=True) for need in needs_of(function) if ":log-group:" in need.unread}


def _own_policy(function: Function) -> dict[str, Policy | Unread | None]:
    """Return no policy for a function as a resource: its own policy does not allow anything to its role."""
    return {need.resource: None for need in needs_of(function) if ":lambda:" in need.resource}


def _trust_policy(document: JSON) -> Policy:
    """Return a role's trust policy, unread if it contains unresolved references."""
    names = list(unresolved_in(document))
    if names:
        return unread_policy(
            "trust policy", f"it depends on {listed_references(names)}, which cannot be resolved from the file"
        )
    return parse_policy(document, name="trust policy")


def _filled(document: JSON, fills: Mapping[str, str], values: Mapping[str, str], *, broadest: bool) -> JSON:
    """Return a policy that allows the most or the least it can, with `*` for unresolved references.

    References that the mapping contains too keep their assumed values.
    """
    if not isinstance(document, dict) or not unresolved_in(document):
        return document
    statements = [
        fill(item, {**fills, **({} if _restricts(item) == broadest else dict.fromkeys(fills, "*")), **values})
        for item in _list(document.get("Statement"))
    ]
    return {**document, "Statement": statements}


def _restricts(statement: JSON) -> bool:
    """Return whether a statement allows less if its elements match more."""
    if not isinstance(statement, dict):
        return False
    return (statement.get("Effect") == "Deny") != ("NotResource" in statement or "NotAction" in statement)


def _is_unknown(arn: str) -> bool:
    """Return whether AWS added a policy after the copy; only one that denies has other bounds than all and nothing."""
    is_denying = "Deny" in arn or "Quarantine" in arn
    return is_by_aws(arn) and managed_policy(arn) is None and not is_denying


def _name_of(arn: str) -> str:
    return str(fill(arn.rpartition("/")[2], {}))


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else [] if value is None else [value]
