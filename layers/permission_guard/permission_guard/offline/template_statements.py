"""Read the statements of a template's permissions and resource-based policies."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from permission_guard.offline.candidates import Usage, usages_in
from permission_guard.offline.unresolved import fill, text, unresolved_in
from permission_guard.remedies.permission import Permission, statement_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.model.targets import JSON
    from permission_guard.offline.intrinsics import Resolver
    from permission_guard.offline.template import Template

PERMISSION: Final = "AWS::Lambda::Permission"
RESOURCE_POLICY: Final = "AWS::Lambda::ResourcePolicy"

# AddPermission's parameters by their names in CloudFormation, and the condition keys that Lambda writes for them.
_PARAMETERS: Final = {
    "SourceArn": ("source_arn", "aws:sourcearn"),
    "SourceAccount": ("source_account", "aws:sourceaccount"),
    "PrincipalOrgID": ("principal_org_id", "aws:principalorgid"),
    "EventSourceToken": ("event_source_token", "lambda:eventsourcetoken"),
    "FunctionUrlAuthType": ("function_url_auth_type", "lambda:functionurlauthtype"),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement of a resource with its unresolved values, in one scenario.

    `function` is the resolved name of the function, and `function_id` its resource, None if it is not in the file.
    `content` is the statement, or the parameters of AddPermission; None if the policy cannot be read. `denies` has the
    Deny statements of the same document.
    """

    resolver: Resolver
    logical_id: str
    sid: str
    function_id: str | None
    function: str
    content: Mapping[str, Any] | None
    usages: tuple[tuple[str, Usage], ...] = ()
    principals: tuple[str, ...] = ()
    denies: tuple[Mapping[str, Any], ...] = ()
    version: JSON = "2012-10-17"


def drafts_of(template: Template, resolver: Resolver, logical_id: str) -> Iterator[Draft]:
    """Yield the Allow statements of a permission or of a policy document, in one scenario."""
    read = _permission if resolver.type_of(logical_id) == PERMISSION else _policy
    return read(template, resolver, logical_id)


def statements(draft: Draft, arn: str, fills: Mapping[str, str]) -> list[JSON]:
    """Return a statement as Lambda writes it, with the Deny statements of its document."""
    filled = fill(dict(draft.content or {}), fills)
    if "statement_id" in filled:
        via_url = filled.pop("invoked_via_function_url").lower() == "true"
        return [statement_of(Permission(function_name="", invoked_via_function_url=via_url, **filled), arn)]
    return [filled, *(fill(dict(deny), fills) for deny in draft.denies)] if filled else []


def _permission(template: Template, resolver: Resolver, logical_id: str) -> Iterator[Draft]:
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
    function_id = template.function_id(resolver, template.raw(logical_id, "FunctionName"))
    function = text(properties["FunctionName"])
    yield Draft(resolver, logical_id, logical_id, function_id, function, content, tuple(usages), known)


def _policy(template: Template, resolver: Resolver, logical_id: str) -> Iterator[Draft]:
    """Yield the Allow statements of a policy document, each with the Deny statements of the document."""
    properties = resolver.properties(logical_id)
    arn = properties.get("ResourceArn")
    function = text(arn) if _is_text(arn) else resolver.unresolved(f"{logical_id}.ResourceArn")
    function_id = template.function_id(resolver, template.raw(logical_id, "ResourceArn"))
    document = properties.get("PolicyDocument")
    if isinstance(document, str) and document.lstrip().startswith("{"):
        with contextlib.suppress(ValueError):
            document = json.loads(document)
    listed = document.get("Statement") if isinstance(document, dict) else None
    statements = [listed] if isinstance(listed, dict) else listed
    if not isinstance(statements, list) or not all(isinstance(item, dict) for item in statements):
        yield Draft(resolver, logical_id, logical_id, function_id, function, None)
        return
    denies = tuple(item for item in statements if item.get("Effect") == "Deny")
    version = document.get("Version") if isinstance(document, dict) else None
    for number, item in enumerate((item for item in statements if item.get("Effect") != "Deny"), start=1):
        sid = item.get("Sid")
        named = {**item, "Sid": sid if isinstance(sid, str) and not unresolved_in(sid) else f"{logical_id}-{number}"}
        usages = tuple(usage for one in (item, *denies) for usage in _usages_of(one))
        known = _known(_services(item))
        yield Draft(resolver, logical_id, named["Sid"], function_id, function, named, usages, known, denies, version)


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


def _is_text(value: JSON) -> bool:
    return isinstance(value, (str, int))
