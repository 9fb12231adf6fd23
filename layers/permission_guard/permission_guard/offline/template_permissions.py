"""Return the checks of a CloudFormation template's permissions: one for each statement."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError
from permission_guard.iam import parse_policy
from permission_guard.model.arns import parse_function_name
from permission_guard.model.placeholders import placeholder
from permission_guard.model.state import Function, FunctionUrl, ResourcePolicy, Snapshot, Unread
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.offline.intrinsics import Resolver, fill, text, unresolved_in
from permission_guard.offline.physical_names import physical_name
from permission_guard.offline.scenarios import (
    Candidates,
    OfflineCheck,
    Scenario,
    Usage,
    combinations,
    not_in_file,
    usages_in,
)
from permission_guard.remedies.cloudformation import value_of
from permission_guard.remedies.permission import Permission, statement_of
from permission_guard.remedies.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from permission_guard.iam import TrustSet
    from permission_guard.model.targets import JSON
    from permission_guard.offline.physical_names import Place

PERMISSION: Final = "AWS::Lambda::Permission"
RESOURCE_POLICY: Final = "AWS::Lambda::ResourcePolicy"
MAPPING: Final = "AWS::Lambda::EventSourceMapping"

OFFLINE_ORGANIZATION: Final = not_in_file("--trusted-organization sets your organization")

_MAX_CHOICES: Final = 64
TOO_MANY: Final = not_in_file("Unknown: it depends on too many values that cannot be resolved from the file.")
_UNREADABLE: Final = not_in_file("Unknown: the policy cannot be read from the template.")

# AddPermission's parameters by their names in CloudFormation, and the condition keys that Lambda writes for them.
_PARAMETERS: Final = {
    "SourceArn": ("source_arn", "aws:sourcearn"),
    "SourceAccount": ("source_account", "aws:sourceaccount"),
    "PrincipalOrgID": ("principal_org_id", "aws:principalorgid"),
    "EventSourceToken": ("event_source_token", "lambda:eventsourcetoken"),
    "FunctionUrlAuthType": ("function_url_auth_type", "lambda:functionurlauthtype"),
}


@dataclass(frozen=True, slots=True)
class Template:
    """A CloudFormation template, the place to which it is deployed, and the given values of its parameters.

    `source_ids` has the resources of the file itself, without those that SAM adds.
    """

    body: Mapping[str, Any]
    place: Place
    trust: TrustSet
    parameters: Mapping[str, str] = field(default_factory=dict)
    source_ids: frozenset[str] = frozenset()
    tokens: dict[str, str] = field(default_factory=dict)

    def resolver(self, choices: Mapping[str, bool]) -> Resolver:
        """Return a resolver of the template's values, with assumed values of conditions."""
        return Resolver(self.body, self.place, self.parameters, choices)

    def ids_of(self, kind: str) -> list[str]:
        """Return the logical ids of the resources of a type."""
        resources = Resolver(self.body, self.place).resources
        return [name for name, raw in resources.items() if isinstance(raw, dict) and raw.get("Type") == kind]

    def token(self, name: str) -> str:
        """Return a unique text that can replace a reference anywhere."""
        return self.tokens.setdefault(name, placeholder(len(self.tokens)))

    @property
    def candidates(self) -> Candidates:
        """The candidates for unresolved values."""
        known = {self.place.account, *self.trust.accounts}
        stranger = next(account for account in _strangers() if account not in known)
        return Candidates(self.place, stranger, tuple(sorted(self.trust.organizations)))

    def is_created(self, resolver: Resolver, logical_id: str) -> bool:
        """Return whether a resource is created, with the decided and assumed values of the conditions."""
        name = resolver.resources[logical_id].get("Condition")
        return not isinstance(name, str) or resolver.condition(name) is not False

    def resolvers(self, logical_id: str, explore: Callable[[Resolver], object] | None = None) -> Iterator[Resolver]:
        """Yield one resolver for each combination of the undecided conditions that a created resource depends on.

        These are the conditions in its own properties and in what `explore` resolves.
        """
        name = Resolver(self.body, self.place).resources[logical_id].get("Condition")
        pending: list[dict[str, bool]] = [{} if name is None else {str(name): True}]
        count = 0
        while pending:
            if count > _MAX_CHOICES:
                raise InputError(
                    f"{logical_id} depends on too many conditions. Set the parameters of some with --parameter"
                )
            choices = pending.pop()
            resolver = self.resolver(choices)
            if not self.is_created(resolver, logical_id):
                continue
            resolver.properties(logical_id)
            if explore:
                explore(resolver)
            undecided = [name for name in resolver.undecided if name not in choices]
            if undecided:
                pending += [{**choices, undecided[0]: False}, {**choices, undecided[0]: True}]
                continue
            count += 1
            yield resolver

    def function_of(self, value: JSON) -> tuple[FunctionTarget, str | None]:
        """Return the function that a resolved value names, and its qualifier."""
        name = fill(text(value), {name: self.token(name) for name in unresolved_in(text(value))})
        place = self.place
        try:
            target, qualifier = parse_function_name(name, region=place.region, account=place.account)
        except ValueError:
            name = re.sub(r"[^a-zA-Z0-9-_]+", "-", name).strip("-")[:64] or "function"
            return FunctionTarget(place.partition, place.region, place.account, name), None
        target = target if name.startswith("arn:") else replace(target, partition=place.partition)
        return target, None if qualifier == "$LATEST" else qualifier

    def shown(self, fills: Mapping[str, str]) -> dict[str, str]:
        """Return the texts to print in place of the assumed values of references."""
        candidates = self.candidates
        pairs = {self.token(name): f"${{{name}}}" for name in fills}
        return pairs | {
            candidate: f"${{{name}}}" for name, candidate in fills.items() if candidates.is_artificial(candidate)
        }

    def function_urls(self, resolver: Resolver, target: FunctionTarget) -> tuple[FunctionUrl, ...] | None:
        """Return the URLs of a function, None if the template does not create the function."""
        names = {self.function_of(physical_name(resolver, name))[0] for name in self.ids_of("AWS::Lambda::Function")}
        if target not in names:
            return None
        found = []
        for logical_id in self.ids_of("AWS::Lambda::Url"):
            properties = resolver.properties(logical_id)
            of, qualifier = self.function_of(properties.get("TargetFunctionArn", ""))
            if of == target and self.is_created(resolver, logical_id):
                alias = properties.get("Qualifier")
                url = f"https://{logical_id.lower()}.lambda-url.{self.place.region}.on.aws/"
                auth_type = text(properties.get("AuthType", ""))
                found.append(FunctionUrl(text(alias) if alias else qualifier, url, auth_type))
        return tuple(found)


def _strangers() -> Iterator[str]:
    return (digit * 12 for digit in "9876543210")


# ── Permissions ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Draft:
    """A statement of a resource with its unresolved values, for one combination of undecided conditions.

    `content` is the statement, or the parameters of AddPermission; None if the policy cannot be read. `denies` has the
    Deny statements of the same document.
    """

    resolver: Resolver
    logical_id: str
    sid: str
    function: str
    content: Mapping[str, Any] | None
    usages: tuple[tuple[str, Usage], ...] = ()
    principals: tuple[str, ...] = ()
    denies: tuple[Mapping[str, Any], ...] = ()
    version: JSON = "2012-10-17"


def permission_checks(template: Template) -> tuple[list[OfflineCheck], list[str]]:
    """Return a check for each statement, and the ids of the resources that the parameters exclude."""
    left_out: list[str] = []
    drafts: dict[tuple[str, str], list[_Draft]] = {}
    for kind, read in ((PERMISSION, _permission), (RESOURCE_POLICY, _policy)):
        for logical_id in template.ids_of(kind):
            resolvers = list(template.resolvers(logical_id))
            for draft in (draft for resolver in resolvers for draft in read(resolver, logical_id)):
                drafts.setdefault((logical_id, draft.sid), []).append(draft)
            if not resolvers:
                left_out.append(logical_id)
    by_policy: dict[str, list[_Draft]] = {}
    for first, *_ in drafts.values():
        by_policy.setdefault(_policy_arn(template, first)[1], []).append(first)
    offline_checks = [
        OfflineCheck(
            tuple(scenario for draft in same for scenario in _scenarios(template, draft, by_policy)),
            frozenset({Direction.INVOKE_POLICY}),
            subject=f"statement/{sid}",
            from_template=True,
            source_id=logical_id,
            by_sam=logical_id not in template.source_ids,
            expressions=_expressions(template.body["Resources"][logical_id].get("Properties"), template),
        )
        for (logical_id, sid), same in drafts.items()
    ]
    return offline_checks, left_out


def _permission(resolver: Resolver, logical_id: str) -> Iterator[_Draft]:
    """Yield the statement that a permission creates."""
    properties = resolver.properties(logical_id)
    for name in ("FunctionName", "Principal", "Action", *sorted(properties.keys() & _PARAMETERS)):
        if not _is_text(properties.get(name)):
            properties[name] = resolver.unresolved(f"{logical_id}.{name}")
    via_url = text(properties.get("InvokedViaFunctionUrl", False))
    usages = [*usages_in("principal", text(properties["Principal"])), *usages_in("action", text(properties["Action"]))]
    usages += usages_in("lambda:invokedviafunctionurl", via_url)
    for name, (_, key) in _PARAMETERS.items():
        usages += usages_in(key, text(properties.get(name, "")))
    content = {
        "statement_id": logical_id,
        "action": text(properties["Action"]),
        "principal": text(properties["Principal"]),
        **{option: text(properties[name]) for name, (option, _) in _PARAMETERS.items() if name in properties},
        "invoked_via_function_url": via_url,
    }
    known = _known([properties["Principal"]])
    yield _Draft(resolver, logical_id, logical_id, text(properties["FunctionName"]), content, tuple(usages), known)


def _policy(resolver: Resolver, logical_id: str) -> Iterator[_Draft]:
    """Yield the Allow statements of a policy document, each with the Deny statements of the document."""
    properties = resolver.properties(logical_id)
    arn = properties.get("ResourceArn")
    function = text(arn) if _is_text(arn) else resolver.unresolved(f"{logical_id}.ResourceArn")
    document = properties.get("PolicyDocument")
    if isinstance(document, str) and document.lstrip().startswith("{"):
        with contextlib.suppress(ValueError):
            document = json.loads(document)
    listed = document.get("Statement") if isinstance(document, dict) else None
    statements = [listed] if isinstance(listed, dict) else listed
    if not isinstance(statements, list) or not all(isinstance(item, dict) for item in statements):
        yield _Draft(resolver, logical_id, logical_id, function, None)
        return
    denies = tuple(item for item in statements if item.get("Effect") == "Deny")
    version = document.get("Version") if isinstance(document, dict) else None
    for number, item in enumerate((item for item in statements if item.get("Effect") != "Deny"), start=1):
        sid = item.get("Sid")
        named = {**item, "Sid": sid if isinstance(sid, str) and not unresolved_in(sid) else f"{logical_id}-{number}"}
        usages = tuple(usage for one in (item, *denies) for usage in _usages_of(one))
        known = _known(_services(item))
        yield _Draft(resolver, logical_id, named["Sid"], function, named, usages, known, denies, version)


def _usages_of(statement: Mapping[str, Any]) -> Iterator[tuple[str, Usage]]:
    """Yield the unresolved references in a statement, except in its Resource and Sid, which do not matter."""
    for element, value in statement.items():
        if element in {"Principal", "NotPrincipal"}:
            for part in value.values() if isinstance(value, dict) else [value]:
                yield from usages_in("principal", part)
        elif element == "Condition" and isinstance(value, dict):
            for keys in value.values():
                for key, texts in keys.items() if isinstance(keys, dict) else ():
                    yield from usages_in(str(key).lower(), texts)
        elif element not in {"Resource", "NotResource", "Sid"}:
            yield from usages_in(element.lower().removeprefix("not"), value)


def _services(statement: Mapping[str, Any]) -> list[JSON]:
    principal = statement.get("Principal")
    named = principal.get("Service", []) if isinstance(principal, dict) else []
    return named if isinstance(named, list) else [named]


def _known(principals: Sequence[JSON]) -> tuple[str, ...]:
    return tuple(name for name in principals if isinstance(name, str) and "." in name and not unresolved_in(name))


def _scenarios(template: Template, draft: _Draft, by_policy: Mapping[str, Sequence[_Draft]]) -> Iterator[Scenario]:
    """Yield the scenarios of a statement. The other statements of its policy are the same in all of them."""
    target, arn, qualifier = _policy_arn(template, draft)
    urls = template.function_urls(draft.resolver, target)
    others = [
        other for other in by_policy.get(arn, ()) if (other.logical_id, other.sid) != (draft.logical_id, draft.sid)
    ]
    unchanged = [
        statement for other in others for statement in _statements(other, arn, _first_candidate(template, other))
    ]
    tokens = {name: template.token(name) for name in draft.resolver.found}
    assumed = {f"the condition {name}": str(value) for name, value in draft.resolver.choices.items()}
    found_any = False
    for values in combinations(_candidates(template, draft)) if draft.content is not None else ():
        found_any = True
        fills = {**tokens, **values}
        document = {"Version": fill(draft.version, fills), "Statement": [*_statements(draft, arn, fills), *unchanged]}
        policy = ResourcePolicy(arn, qualifier, parse_policy(document, name="resource-based policy"))
        yield Scenario(_snapshot(target, policy, urls), {**assumed, **values}, template.shown(fills))
    if not found_any:
        yield Scenario(_snapshot(target, _UNREADABLE if draft.content is None else TOO_MANY, urls), assumed)


def _policy_arn(template: Template, draft: _Draft) -> tuple[FunctionTarget, str, str | None]:
    """Return the function of a statement, and the ARN and the qualifier of its policy."""
    target, qualifier = template.function_of(draft.function)
    return target, f"{target.arn}:{qualifier}" if qualifier else target.arn, qualifier


def _candidates(template: Template, draft: _Draft) -> dict[str, list[str]]:
    usages: dict[str, list[Usage]] = {}
    for name, usage in draft.usages:
        usages.setdefault(name, []).append(usage)
    return {
        name: template.candidates.of(draft.resolver.found[name], places, draft.principals, template.token(name))
        for name, places in usages.items()
    }


def _first_candidate(template: Template, draft: _Draft) -> dict[str, str]:
    tokens = {name: template.token(name) for name in draft.resolver.found}
    return tokens | {name: candidates[0] for name, candidates in _candidates(template, draft).items()}


def _statements(draft: _Draft, arn: str, fills: Mapping[str, str]) -> list[JSON]:
    """Return a statement as Lambda writes it, with the Deny statements of its document."""
    filled = fill(dict(draft.content or {}), fills)
    if "statement_id" in filled:
        via_url = filled.pop("invoked_via_function_url").lower() == "true"
        return [statement_of(Permission(function_name="", invoked_via_function_url=via_url, **filled), arn)]
    return [filled, *(fill(dict(deny), fills) for deny in draft.denies)] if filled else []


def _snapshot(
    target: FunctionTarget, policy: ResourcePolicy | Unread, urls: tuple[FunctionUrl, ...] | None
) -> Snapshot:
    return Snapshot(
        target,
        Function(target.arn, target.name, ""),
        resource_policies=(policy,),
        function_urls=urls,
        own_organization=OFFLINE_ORGANIZATION,
    )


def _is_text(value: JSON) -> bool:
    return isinstance(value, (str, int))


def _expressions(properties: JSON, template: Template) -> dict[str, str]:
    """Return the expressions in the properties of a resource, by their resolved values."""
    found = {}
    resolver = template.resolver({})
    for name, raw in properties.items() if isinstance(properties, dict) else ():
        expression = _expression(raw)
        value = resolver.value(raw) if expression else None
        if isinstance(value, str) and name == "FunctionName":
            target, qualifier = template.function_of(value)
            found[f"{target.name}:{qualifier}" if qualifier else target.name] = expression
        elif isinstance(value, str):
            found[fill(value, {})] = expression
    return found


def _expression(raw: JSON) -> str:
    """Return a reference in YAML's short form, empty if the value is not a reference."""
    if not isinstance(raw, dict) or len(raw) != 1:
        return ""
    name, argument = next(iter(raw.items()))
    if name == "Ref":
        return f"!Ref {value_of(str(argument))}"
    if name == "Fn::Sub" and isinstance(argument, str):
        return f"!Sub {quoted(argument)}"
    if name == "Fn::GetAtt":
        return f"!GetAtt {value_of('.'.join(map(str, argument)) if isinstance(argument, list) else str(argument))}"
    return ""
