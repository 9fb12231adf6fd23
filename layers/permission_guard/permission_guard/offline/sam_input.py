"""Prepare templates for SAM's translator: do what AWS does before it runs SAM, and say where that is not possible."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from permission_guard.offline.language_extensions import LOOP
from permission_guard.offline.language_extensions import TRANSFORM as LANGUAGE_EXTENSIONS
from permission_guard.offline.references import functions, references
from permission_guard.offline.transforms import SAM, TRANSFORM_FUNCTION, transforms_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SOME_URI: Final = "s3://bucket/key"

_SOME_IMAGE: Final = "123456789012.dkr.ecr.us-east-1.amazonaws.com/repository:tag"
_LOCAL_FILES: Final = {
    "AWS::Serverless::Api": "DefinitionUri",
    "AWS::Serverless::GraphQLApi": "SchemaUri",
    "AWS::Serverless::HttpApi": "DefinitionUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
    "AWS::Serverless::WebFunction": "CodeUri",
}
_EMPTY_DEFINITIONS: Final[dict[str, dict[str, Any]]] = {
    "AWS::Serverless::Api": {"swagger": "2.0", "paths": {}},
    "AWS::Serverless::HttpApi": {"openapi": "3.0.1", "info": {"title": {"Ref": "AWS::StackName"}}, "paths": {}},
}
"""Definitions that SAM can add to. The title is the one that SAM replaces by the property Name."""

_BY_LANGUAGE_EXTENSIONS: Final = frozenset({"Fn::FindInMap", "Fn::Length", "Fn::ToJsonString"})


def undecided(template: Mapping[str, Any], name: str, parameters: Mapping[str, str], unread: Mapping[str, str]) -> str:
    """Return what a resource depends on that only AWS has, as text for a sentence; empty if there is nothing."""
    resource = template["Resources"][name]
    kind = str(resource.get("Type", "")).rpartition("::")[2] if isinstance(resource, dict) else ""
    settings = template.get("Globals")
    parts = [resource, settings.get(kind) if isinstance(settings, dict) else None]
    if isinstance(settings, dict) and TRANSFORM_FUNCTION in settings:
        return "what Globals includes"
    names = dict.fromkeys(references(parts))
    used_functions = set(functions(parts))
    declared = template.get("Parameters")
    declared = declared if isinstance(declared, dict) else {}
    missing = [found for found in names if found in declared and not _has_value(declared[found], found in parameters)]
    if missing:
        options = " ".join(f"--parameter {found}=…" for found in missing)
        return f"the value of {', '.join(missing)} (set it with {options})"
    if TRANSFORM_FUNCTION in used_functions:
        return "what the template includes from elsewhere"
    if names.keys() & unread.keys():
        return f"{', '.join(names.keys() & unread.keys())}, which was not read"
    used = transforms_of(template)
    before = used[: used.index(SAM)]
    loops = {one for one in used_functions if one.startswith(LOOP)}
    if LANGUAGE_EXTENSIONS in before and (loops or used_functions & _BY_LANGUAGE_EXTENSIONS):
        return f"what {LANGUAGE_EXTENSIONS} makes of it"
    macros = [one for one in before if one != LANGUAGE_EXTENSIONS]
    return f"what {', '.join(macros)} makes of it" if macros else ""


def _has_value(declared: Any, is_given: bool) -> bool:
    """Return whether the value of a parameter is known. The default of a parameter from Parameter Store is a name."""
    if is_given or not isinstance(declared, dict):
        return is_given
    return "Default" in declared and not str(declared.get("Type")).startswith("AWS::SSM::Parameter::")


def prepared(template: Mapping[str, Any], unread: Collection[str]) -> dict[str, Any]:
    """Return a copy that the translator accepts where AWS does.

    Code and definitions have S3 URIs, which the translator requires and does not read. Includes and loops that cannot
    be expanded are left out.
    """
    body = copy.deepcopy(dict(template))
    settings = body.get("Globals")
    settings = settings if isinstance(settings, dict) else {}
    for part in (settings, *settings.values()):
        if isinstance(part, dict):
            part.pop(TRANSFORM_FUNCTION, None)
    function = settings.get("Function")
    function = function if isinstance(function, dict) else {}
    if isinstance(function.get("CodeUri"), str):
        function["CodeUri"] = SOME_URI
    resources = {
        name: resource
        for name, resource in body["Resources"].items()
        if name not in {TRANSFORM_FUNCTION, *unread} and not name.startswith(LOOP) and not _is_included(resource)
    }
    body["Resources"] = resources
    for resource in resources.values():
        if not isinstance(resource, dict):
            continue
        properties = resource.setdefault("Properties", {})
        if isinstance(properties, dict) and str(resource.get("Type")).startswith("AWS::Serverless::"):
            properties.pop(TRANSFORM_FUNCTION, None)
            _replace(str(resource.get("Type")), properties, function)
    return body


def _is_included(resource: Any) -> bool:
    """Return whether a resource is an include, or a function whose role can be in one."""
    if not isinstance(resource, dict):
        return False
    properties = resource.get("Properties")
    included = isinstance(properties, dict) and TRANSFORM_FUNCTION in properties
    return TRANSFORM_FUNCTION in resource or (included and resource.get("Type") == "AWS::Serverless::Function")


def _replace(kind: str, properties: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """Replace what is not in the file: code, images, and API definitions from includes."""
    if kind == "AWS::Serverless::Function":
        if (properties.get("PackageType") or defaults.get("PackageType")) == "Image":
            properties.setdefault("ImageUri", _SOME_IMAGE)
        elif "InlineCode" not in properties:
            properties["CodeUri"] = SOME_URI
    elif properties.get(_LOCAL_FILES.get(kind, "")):
        properties[_LOCAL_FILES[kind]] = SOME_URI
    definition = properties.get("DefinitionBody")
    if kind in _EMPTY_DEFINITIONS and isinstance(definition, dict) and TRANSFORM_FUNCTION in definition:
        del definition[TRANSFORM_FUNCTION]
        properties["DefinitionBody"] = definition or copy.deepcopy(_EMPTY_DEFINITIONS[kind])
    events = properties.get("Events")
    if isinstance(events, dict):
        events.pop(TRANSFORM_FUNCTION, None)
