"""Return the checks of a CloudFormation template's permissions: one for each statement."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from permission_guard.iam import parse_policy
from permission_guard.invokers import apigateway
from permission_guard.model.state import Function, FunctionUrl, Inventory, ResourcePolicy, Snapshot, Unread
from permission_guard.offline.candidates import Usage, combinations
from permission_guard.offline.physical_names import physical_name
from permission_guard.offline.scenarios import RULES_ON_STATEMENTS, OfflineCheck, Scenario, in_remedies, not_in_file
from permission_guard.offline.template import OFFLINE_ORGANIZATION, TOO_MANY, Template
from permission_guard.offline.template_statements import PERMISSION, RESOURCE_POLICY, Draft, drafts_of, statements
from permission_guard.offline.unresolved import fill, text, unresolved_in
from permission_guard.remedies.cloudformation import value_of
from permission_guard.remedies.quoting import document, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.model.targets import JSON, FunctionTarget
    from permission_guard.offline.intrinsics import Resolver

URL: Final = "AWS::Lambda::Url"
_REFERENCE: Final = re.compile(r"[\w:.]+", re.ASCII)

UNREADABLE: Final = not_in_file("Unknown: the policy cannot be read from the template.")


def permission_checks(template: Template) -> tuple[list[OfflineCheck], list[str]]:
    """Return a check for each statement, and the ids of the resources that the parameters exclude."""
    left_out: list[str] = []
    drafts: dict[tuple[str, str], list[Draft]] = {}
    for logical_id in (*template.ids_of(PERMISSION), *template.ids_of(RESOURCE_POLICY)):
        explore = template.when_created(logical_id, partial(_explore, template, logical_id))
        scenarios = list(template.explored(logical_id, explore))
        for draft in (draft for found in scenarios for draft in found):
            drafts.setdefault((logical_id, draft.sid), []).append(draft)
        if not scenarios:
            left_out.append(logical_id)
    by_policy: dict[str, list[list[Draft]]] = {}
    for same in drafts.values():
        by_policy.setdefault(_policy_arn(template, same[0])[1], []).append(same)
    offline_checks = [
        OfflineCheck(
            tuple(scenario for draft in same for scenario in _scenarios(template, draft, by_policy)),
            rules=RULES_ON_STATEMENTS,
            subject=f"statement/{sid}",
            own_accounts=frozenset({template.place.account}),
            from_template=True,
            source_id=logical_id,
            by_sam=logical_id not in template.source_ids,
            expressions=_expressions(template.body["Resources"][logical_id].get("Properties"), template),
        )
        for (logical_id, sid), same in drafts.items()
    ]
    return offline_checks, left_out


def _explore(template: Template, logical_id: str, resolver: Resolver) -> list[Draft]:
    """Return the statements of a resource, with everything resolved that they depend on."""
    found = list(drafts_of(template, resolver, logical_id))
    for draft in found:
        function_urls(template, resolver, draft.function_id)
    return found


def function_urls(
    template: Template, resolver: Resolver, function_id: str | None, fills: Mapping[str, str] | None = None
) -> tuple[FunctionUrl, ...] | None:
    """Return the URLs of a function, None if the function is not in the file."""
    if function_id is None:
        return None
    return tuple(
        function_url(template, resolver, logical_id, fills or {})
        for logical_id in template.ids_of(URL)
        if template.function_id(resolver, template.raw(logical_id, "TargetFunctionArn")) == function_id
        and template.is_created(resolver, logical_id)
    )


def function_url(template: Template, resolver: Resolver, logical_id: str, fills: Mapping[str, str]) -> FunctionUrl:
    """Return a URL of the template."""
    properties = resolver.properties(logical_id)
    alias = fill(text(properties.get("Qualifier") or ""), fills)
    _, qualifier = template.function_of(properties.get("TargetFunctionArn", ""), fills)
    url = f"https://{logical_id.lower()}.lambda-url.{template.place.region}.on.aws/"
    return FunctionUrl(alias or qualifier, url, fill(text(properties.get("AuthType", "")), fills))


def _scenarios(
    template: Template, draft: Draft, by_policy: Mapping[str, Sequence[Sequence[Draft]]]
) -> Iterator[Scenario]:
    """Yield the scenarios of a statement. The other statements of its policy are the same in all of them."""
    found_any = False
    for values in combinations(_candidates(template, draft)) if draft.content is not None else ():
        if not draft.resolver.assumptions.admit(values):
            continue
        found_any = True
        fills = {**template.tokens_in(draft.resolver), **values}
        target, arn, qualifier = _policy_arn(template, draft, fills)
        others = _others(template, draft, by_policy, arn, values)
        document = {"Version": fill(draft.version, fills), "Statement": [*statements(draft, arn, fills), *others]}
        policy = ResourcePolicy(arn, qualifier, parse_policy(document, name="resource-based policy"))
        urls = function_urls(template, draft.resolver, draft.function_id, fills)
        apis = _http_apis(template, draft.resolver)
        yield Scenario(
            _snapshot(target, policy, urls, apis), {**draft.resolver.assumed, **values}, template.shown(fills)
        )
    if not found_any:
        target, *_ = _policy_arn(template, draft)
        urls = function_urls(template, draft.resolver, draft.function_id)
        unread = UNREADABLE if draft.content is None else TOO_MANY
        yield Scenario(_snapshot(target, unread, urls), draft.resolver.assumed)


def _policy_arn(
    template: Template, draft: Draft, fills: Mapping[str, str] | None = None
) -> tuple[FunctionTarget, str, str | None]:
    """Return the function of a statement, and the ARN and the qualifier of its policy."""
    target, qualifier = template.function_of(draft.function, fills)
    return target, f"{target.arn}:{qualifier}" if qualifier else target.arn, qualifier


def _others(
    template: Template,
    draft: Draft,
    by_policy: Mapping[str, Sequence[Sequence[Draft]]],
    arn: str,
    values: Mapping[str, str],
) -> list[JSON]:
    """Return the other statements of the same policy, in a scenario in which this statement is created."""
    found = []
    for same in by_policy.get(_policy_arn(template, draft)[1], ()):
        if (same[0].logical_id, same[0].sid) != (draft.logical_id, draft.sid):
            mine = draft.resolver.assumptions
            other = next((one for one in same if one.resolver.assumptions.agree_with(mine)), None)
            if other is not None:
                found += statements(other, arn, {**_first_candidate(template, other), **values})
    return found


def _candidates(template: Template, draft: Draft) -> dict[str, list[str]]:
    usages: dict[str, list[Usage]] = {}
    for name, usage in draft.usages:
        usages.setdefault(name, []).append(usage)
    return {
        name: template.candidates.of(draft.resolver.found[name], places, draft.principals, template.token(name))
        for name, places in usages.items()
    }


def _first_candidate(template: Template, draft: Draft) -> dict[str, str]:
    return template.tokens_in(draft.resolver) | {
        name: candidates[0] for name, candidates in _candidates(template, draft).items()
    }


def _http_apis(template: Template, resolver: Resolver) -> Inventory:
    """Return the HTTP and WebSocket APIs of the template: what they send differs from what REST APIs send."""
    place = template.place
    here = f"arn:{place.partition}:execute-api:{place.region}:{place.account}"
    ids = template.ids_of("AWS::ApiGatewayV2::Api")
    return Inventory(
        "apigatewayv2", apigateway.INVOKER.principal, frozenset(f"{here}:{physical_name(resolver, one)}" for one in ids)
    )


def _snapshot(
    target: FunctionTarget,
    policy: ResourcePolicy | Unread,
    urls: tuple[FunctionUrl, ...] | None,
    *inventories: Inventory,
) -> Snapshot:
    return Snapshot(
        target,
        Function(target.arn, target.name, ""),
        resource_policies=(policy,),
        function_urls=urls,
        own_organization=OFFLINE_ORGANIZATION,
        inventories=inventories,
    )


def _expressions(properties: JSON, template: Template) -> dict[str, str]:
    """Return the expressions in the properties of a resource, by their resolved values."""
    found = {}
    resolver = template.resolver()
    for name, raw in properties.items() if isinstance(properties, dict) else ():
        expression = _expression(raw)
        value = resolver.value(raw) if expression else None
        if not isinstance(value, str):
            continue
        shown = {one: in_remedies(f"${{{one}}}") for one in unresolved_in(value)}
        if not expression.startswith("!") and all(map(_REFERENCE.fullmatch, shown)):
            continue  # `!Sub` with these references is easier to read
        if name == "FunctionName":
            target, qualifier = template.function_of(value)
            function = f"{target.name}:{qualifier}" if qualifier else target.name
            for one, reference in shown.items():
                function = function.replace(template.token(one), reference)
            found[function] = expression
        else:
            found[template.with_references(fill(value, shown))] = expression
    return found


def _expression(raw: JSON) -> str:
    """Return an expression in YAML: a reference in its short form, any other as JSON. Empty if the value is none."""
    if isinstance(raw, str) and "{{resolve:" in raw:
        return quoted(raw)
    if not isinstance(raw, dict) or len(raw) != 1:
        return ""
    name, argument = next(iter(raw.items()))
    if name == "Ref":
        return f"!Ref {value_of(str(argument))}"
    if name == "Fn::Sub" and isinstance(argument, str):
        return f"!Sub {quoted(argument)}"
    if name == "Fn::GetAtt":
        return f"!GetAtt {value_of('.'.join(map(str, argument)) if isinstance(argument, list) else str(argument))}"
    return document(raw, quoted) if name.startswith("Fn::") else ""
