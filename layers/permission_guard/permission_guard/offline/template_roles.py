"""The questions that the event source mappings of a template raise, each with the function's role."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from permission_guard.iam import Policy, parse_policy, unread_policy
from permission_guard.model.state import EventSourceMapping, Function, Role, Snapshot, SourceState, Unread
from permission_guard.model.targets import Direction
from permission_guard.needs.decision import sources_in_question
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.features import needs_of
from permission_guard.offline.intrinsics import fill, sole_unresolved, text, unresolved_in
from permission_guard.offline.managed_policies import extreme, managed_policy
from permission_guard.offline.physical_names import attribute, path_of, physical_name, reference
from permission_guard.offline.scenarios import OfflineCheck, Scenario, listed_references, not_in_file, ways
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
    """Return a question for each event source mapping, and the ids of those that the parameters leave out."""
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
    """Resolve everything that bears on a mapping, so that the conditions are met on which it hangs."""
    about = resolver.properties(logical_id)
    role = _RoleOf(template, resolver, about.get("FunctionName", ""))
    role.snapshot(_mapping(logical_id, fill(about, {}), role), {}, {}, most=True)


def _scenarios(template: Template, resolver: Resolver, logical_id: str) -> Iterator[Scenario]:
    """Yield every way in which a mapping and its role may be, as far as the file leaves it open."""
    about = resolver.properties(logical_id)
    role = _RoleOf(template, resolver, about.get("FunctionName", ""))
    source = text(about.get("EventSourceArn", ""))
    candidates = {name: _sources(template, resolver, name, source, about) for name in unresolved_in(source)}
    tokens = {name: template.token(name) for name in resolver.found}
    assumed = {f"the condition {name}": str(holds) for name, holds in resolver.choices.items()}
    found = list(ways(candidates))
    if not found:
        yield Scenario(Snapshot(role.target, TOO_MANY, mappings=()), assumed)
    for way in found:
        fills = {**tokens, **way}
        mapping = _mapping(logical_id, fill(about, fills), role)
        doubtful = role.doubts(way)
        for most in _EXTREMES if doubtful else _EXTREMES[:1]:
            snapshot = role.snapshot(mapping, fills, way, most=most)
            extremes = dict.fromkeys(doubtful, "most" if most else "least")
            yield Scenario(snapshot, {**assumed, **way, **extremes}, template.shown(fills))


def _sources(template: Template, resolver: Resolver, name: str, source: str, about: Mapping[str, JSON]) -> list[str]:
    """Return what a reference in the ARN of an event source may be; streams have a starting position."""
    unresolved, token, place = resolver.found[name], template.token(name), template.place
    if unresolved.allowed:
        return list(unresolved.allowed)
    if sole_unresolved(source) != name or _OTHER_TYPES & about.keys():
        return [token]
    forms = _STREAMS if "StartingPosition" in about else _QUEUES
    return [naming.format(p=place.partition, r=place.region, a=place.account, n=token) for naming in forms]


def _mapping(logical_id: str, about: dict[str, JSON], role: _RoleOf) -> EventSourceMapping:
    off = text(about.get("Enabled", True)) == "false"
    return EventSourceMapping(
        uuid=logical_id,
        arn="",
        function_arn=role.function_arn,
        event_source_arn=text(about["EventSourceArn"]) if about.get("EventSourceArn") else None,
        state="Disabled" if off else "Enabled",
        state_transition_reason="USER_INITIATED" if off else "",
        last_processing_result="",
        configuration=about,
    )


class _RoleOf:
    """The function that a mapping is for, and the role that the template gives it."""

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
        self.about = resolver.properties(self.function_id) if self.function_id else {}
        self.role_arn = text(self.about.get("Role", ""))
        self.role_id = next(
            (name for name in template.ids_of("AWS::IAM::Role") if attribute(resolver, name, "Arn") == self.role_arn),
            None,
        )
        self.role_about = resolver.properties(self.role_id) if self.role_id else {}
        self.documents = dict(self._documents()) if self.role_id else {}
        self.managed = self._managed() if self.role_id else []

    def _documents(self) -> Iterator[tuple[str, Any]]:
        """Yield the policies that the template gives the role itself, by their names."""
        for number, policy in enumerate(_list(self.role_about.get("Policies"))):
            if isinstance(policy, dict):
                yield text(policy.get("PolicyName", number)), policy.get("PolicyDocument")
        name = self._role_name()
        for kind, roles in (
            ("AWS::IAM::Policy", "Roles"),
            ("AWS::IAM::ManagedPolicy", "Roles"),
            ("AWS::IAM::RolePolicy", "RoleName"),
        ):
            for logical_id in self._made(kind):
                about = self.resolver.properties(logical_id)
                if name in _list(about.get(roles)):
                    yield logical_id, about.get("PolicyDocument")

    def _managed(self) -> list[str]:
        """Return the ARNs of the managed policies that are attached; those of the template become documents."""
        arns = [text(arn) for arn in _list(self.role_about.get("ManagedPolicyArns"))]
        for logical_id in self._made("AWS::IAM::ManagedPolicy"):
            arn = text(reference(self.resolver, logical_id))
            if arn in arns:
                arns.remove(arn)
                self.documents[logical_id] = self.resolver.properties(logical_id).get("PolicyDocument")
        return arns

    def _made(self, kind: str) -> list[str]:
        return [name for name in self.template.ids_of(kind) if self.template.is_made(self.resolver, name)]

    def _role_name(self) -> str:
        return physical_name(self.resolver, self.role_id) if self.role_id else ""

    def doubts(self, way: Mapping[str, str]) -> list[str]:
        """Return what the role's policies hang on and the file does not say, besides what the mapping hangs on."""
        names = [name for name in unresolved_in(list(self.documents.values())) if name not in way]
        return names + [f"the policy {_name_of(arn)}" for arn in self.managed if self._is_unknown(arn)]

    def _is_unknown(self, arn: str) -> bool:
        return _is_by_aws(arn) and managed_policy(arn, ()) is None

    def snapshot(
        self, mapping: EventSourceMapping, fills: Mapping[str, str], way: Mapping[str, str], *, most: bool
    ) -> Snapshot:
        """Return the mapping with its role, whose doubtful policies grant the most or the least that they can."""
        if self.function_id is None:
            function: Function | Unread = not_in_file(f"The function {self.target.name} is not in the file.")
            return Snapshot(self.target, function, mappings=(mapping,), versions={mapping.function_arn: function})
        arn = fill(self.role_arn, fills)
        function = Function(self.target.arn, self.target.name, arn, fill(self.about, fills))
        role = self._role(arn, mapping, fills, way, most=most)
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
        mapping: EventSourceMapping,
        fills: Mapping[str, str],
        way: Mapping[str, str],
        *,
        most: bool,
    ) -> Role | Unread:
        if self.role_id is None:
            return not_in_file(f"The role {fill(self.role_arn, {}) or 'of the function'} is not in the file.")
        boundary = self.role_about.get("PermissionsBoundary")
        tags = (tag for tag in _list(self.role_about.get("Tags")) if isinstance(tag, dict))
        return Role(
            arn=arn,
            name=fill(self._role_name(), fills),
            path=path_of(self.resolver, self.role_id),
            tags={fill(text(tag.get("Key")), fills): fill(text(tag.get("Value")), fills) for tag in tags},
            trust_policy=_trust_policy(self.role_about.get("AssumeRolePolicyDocument")),
            attached={fill(name, fills): self._attached(name, mapping, most=most) for name in self.managed},
            inline={
                fill(name, fills): parse_policy(_filled(document, fills, way, most=most), name=fill(name, fills))
                for name, document in self.documents.items()
            },
            boundary_arn=fill(text(boundary), fills) if boundary else None,
            boundary=self._boundary(text(boundary), fills, way, most=most) if boundary else None,
        )

    def _attached(self, arn: str, mapping: EventSourceMapping, *, most: bool) -> Policy | Unread:
        if not _is_by_aws(arn):
            return not_in_file(f"{fill(arn, {})} is not in the file")
        return managed_policy(arn, (mapping,)) or extreme(arn, most=most)

    def _boundary(self, arn: str, fills: Mapping[str, str], way: Mapping[str, str], *, most: bool) -> Policy | Unread:
        for logical_id in self._made("AWS::IAM::ManagedPolicy"):
            if reference(self.resolver, logical_id) == arn:
                document = self.resolver.properties(logical_id).get("PolicyDocument")
                return parse_policy(_filled(document, fills, way, most=most), name=logical_id)
        return not_in_file(f"the permissions boundary {fill(arn, {})} is not in the file")

    def _source_policies(
        self, mapping: EventSourceMapping, role: Role, fills: Mapping[str, str]
    ) -> dict[str, Policy | Unread | None]:
        """Return the policies of the sources that may turn the answer; of those made elsewhere, they are not known."""
        kind = event_source_of(mapping)
        needs = kind.needs(mapping) if kind else ()
        made = {
            fill(text(attribute(self.resolver, name, "Arn")), fills): name
            for of in ("AWS::SQS::Queue", "AWS::Kinesis::Stream", "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
            for name in self._made(of)
        }
        found: dict[str, Policy | Unread | None] = {}
        for resource in sources_in_question(needs, role, self.target.arn):
            name = made.get(resource.partition("/stream/")[0] if ":dynamodb:" in resource else resource)
            if name is None:
                found[resource] = not_in_file(f"the policy of {resource} is not in the file")
            else:
                document = self._policy_of(name)
                found[resource] = parse_policy(fill(document, fills), name=name) if document else None
        return found

    def _policy_of(self, source_id: str) -> JSON:
        """Return the policy that the template gives a queue or a stream."""
        named = {text(reference(self.resolver, source_id)), text(attribute(self.resolver, source_id, "Arn"))}
        for kind, sources in (("AWS::SQS::QueuePolicy", "Queues"), ("AWS::Kinesis::ResourcePolicy", "ResourceArn")):
            for logical_id in self._made(kind):
                about = self.resolver.properties(logical_id)
                if named & {text(item) for item in _list(about.get(sources))}:
                    return about.get("PolicyDocument") or about.get("ResourcePolicy")
        stream = self.resolver.properties(source_id).get("StreamSpecification")
        policy = stream.get("ResourcePolicy") if isinstance(stream, dict) else None
        return policy.get("PolicyDocument") if isinstance(policy, dict) else None


def _log_groups(function: Function) -> dict[str, SourceState]:
    """Return the log groups that a function's features write to: no file tells that nobody has made them."""
    return {need.unread: SourceState(exists=True) for need in needs_of(function) if ":log-group:" in need.unread}


def _own_policy(function: Function) -> dict[str, Policy | Unread | None]:
    """Return that a function's own policy, which says who may invoke it, lets its role do nothing to it."""
    return {need.resource: None for need in needs_of(function) if ":lambda:" in need.resource}


def _trust_policy(document: JSON) -> Policy:
    """Return a role's trust policy; of one that hangs on what the file does not say, nothing is known."""
    usages = list(dict.fromkeys(unresolved_in(document)))
    if usages:
        return unread_policy("trust policy", f"it hangs on {listed_references(usages)}, which the file does not say")
    return parse_policy(document, name="trust policy")


def _filled(document: JSON, fills: Mapping[str, str], way: Mapping[str, str], *, most: bool) -> JSON:
    """Return a policy that grants the most, or the least, that it can: a star matches whatever there is.

    What the mapping hangs on as well has the same value in both.
    """
    if not isinstance(document, dict) or not unresolved_in(document):
        return document
    statements = [
        fill(item, {**fills, **({} if _narrows(item) == most else dict.fromkeys(fills, "*")), **way})
        for item in _list(document.get("Statement"))
    ]
    return {**document, "Statement": statements}


def _narrows(statement: JSON) -> bool:
    """Tell whether a statement grants the less, the more it speaks of."""
    if not isinstance(statement, dict):
        return False
    return (statement.get("Effect") == "Deny") != ("NotResource" in statement or "NotAction" in statement)


def _is_by_aws(arn: str) -> bool:
    return ":iam::aws:policy/" in arn and "Deny" not in arn and "Quarantine" not in arn


def _name_of(arn: str) -> str:
    return str(fill(arn.rpartition("/")[2], {}))


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else [] if value is None else [value]
