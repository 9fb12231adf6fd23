"""Find properties that must name a function and do not: AWS rejects them, and no rule can evaluate them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from permission_guard.model.arns import parse_function_name
from permission_guard.offline.configured import RETURN_ANYTHING
from permission_guard.offline.references import references, whole_reference
from permission_guard.offline.template import FUNCTION
from permission_guard.offline.template_functions import MAPPING
from permission_guard.offline.template_statements import PERMISSION, RESOURCE_POLICY
from permission_guard.offline.template_triggers import READERS
from permission_guard.offline.unresolved import fill, text, unresolved_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.offline.template import Template

_PROPERTIES: Final = {
    PERMISSION: "FunctionName",
    RESOURCE_POLICY: "ResourceArn",
    MAPPING: "FunctionName",
    "AWS::Lambda::Alias": "FunctionName",
    "AWS::Lambda::EventInvokeConfig": "FunctionName",
    "AWS::Lambda::Url": "TargetFunctionArn",
    "AWS::Lambda::Version": "FunctionName",
}
_FUNCTIONS: Final = frozenset({"AWS::Lambda::Alias", "AWS::Lambda::Function", "AWS::Lambda::Version"})

_ARN_SERVICE: Final = 2


def dangling_references(template: Template) -> Iterator[tuple[str, str]]:
    """Yield each resource whose function, role or trigger is a reference to nothing, with the reason."""
    defined = _defined(template)
    for logical_id, name, raw in (*_values(template), *_roles_and_triggers(template)):
        missing = next((found for found in references(raw) if found not in defined and "::" not in found), None)
        if missing is not None:
            yield logical_id, f"{logical_id}.{name} refers to {missing}, which the template does not define"


def other_resources(template: Template) -> Iterator[tuple[str, str]]:
    """Yield each resource whose function is something else, with the reason."""
    resolver = template.resolver()
    for logical_id, name, raw in _values(template):
        kind = resolver.type_of(logical_id)
        if (raw is None and kind != RESOURCE_POLICY) or isinstance(raw, list) or raw == {"Ref": "AWS::NoValue"}:
            yield logical_id, f"{logical_id} has no {name}" + (": it is a list" if isinstance(raw, list) else "")
            continue
        whole = whole_reference(raw)
        kind = resolver.type_of(whole) if whole else ""
        if kind.startswith("AWS::") and kind not in _FUNCTIONS and not kind.startswith(RETURN_ANYTHING):
            yield logical_id, f"{logical_id}.{name} refers to {whole}, which is an {kind} and not a function"
            continue
        value = resolver.value(raw)
        if isinstance(value, (str, int)) and not _can_be_a_function(template, text(value)):
            yield logical_id, f"{logical_id}.{name} is {fill(text(value), {})!r:.200}, which does not name a function"


def _values(template: Template) -> Iterator[tuple[str, str, Any]]:
    """Yield each created resource that must name a function, with the property and its value."""
    resolver = template.resolver()
    for kind, name in _PROPERTIES.items():
        for logical_id in template.created(resolver, kind):
            yield logical_id, name, template.raw(logical_id, name)


def _roles_and_triggers(template: Template) -> Iterator[tuple[str, str, Any]]:
    """Yield the roles of functions, and the properties of resources that can invoke functions."""
    resolver = template.resolver()
    for logical_id in template.created(resolver, FUNCTION):
        yield logical_id, "Role", template.raw(logical_id, "Role")
    for kind in READERS:
        for logical_id in template.created(resolver, kind):
            properties = resolver.resources[logical_id].get("Properties")
            for name, raw in properties.items() if isinstance(properties, dict) else ():
                yield logical_id, name, raw


def _defined(template: Template) -> set[str]:
    parameters = template.body.get("Parameters")
    return {*template.body["Resources"], *template.source_ids, *(parameters if isinstance(parameters, dict) else ())}


def _can_be_a_function(template: Template, value: str) -> bool:
    names = unresolved_in(value)
    parts = value.split(":")
    if parts[0] == "arn" and len(parts) > _ARN_SERVICE and not unresolved_in(parts[_ARN_SERVICE]):
        if parts[_ARN_SERVICE] != "lambda":
            return False
        if not names and ":function:" not in value:
            return False
    try:
        filled = fill(value, {name: template.token(name) for name in names})
        parse_function_name(filled, region=template.place.region, account=template.place.account)
    except ValueError:
        return bool(names)
    return True
