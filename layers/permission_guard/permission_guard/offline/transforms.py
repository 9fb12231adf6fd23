"""Say what of a template comes from elsewhere: from includes, macros, modules and nested stacks."""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TRANSFORM_FUNCTION: Final = "Fn::Transform"

_INCLUDE: Final = "AWS::Include"
SAM: Final = "AWS::Serverless-2016-10-31"
_READ: Final = frozenset({SAM, "AWS::LanguageExtensions"})
_MATTERS: Final = tuple(
    f"AWS::{service}"
    for service in (
        *(
            "ApiGateway",
            "CloudWatch::",
            "Cognito::",
            "Config::",
            "DynamoDB::",
            "Events::",
            "IAM::",
            "IoT::",
            "Kinesis::",
        ),
        *("Lambda::", "Logs::", "S3::", "SNS::", "SQS::", "SecretsManager::", "Serverless::", "StepFunctions::"),
    )
)
"""Resource types that invoke functions, that functions read, or that belong to them."""

_EVALUATED: Final = (
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Lambda::ResourcePolicy",
    "AWS::Lambda::Url",
    "AWS::Lambda::Version",
)
_NESTED: Final = frozenset(
    {"AWS::CloudFormation::Stack", "AWS::CloudFormation::StackSet", "AWS::Serverless::Application"}
)
_HARMLESS: Final = frozenset({"AWS::CodeDeployBlueGreen", "AWS::ServiceCatalog"})
"""Transforms of AWS that change neither functions nor roles nor policies."""


def transforms_of(template: Mapping[str, Any]) -> list[str]:
    """Return the names of a template's transforms, in their order."""
    return list(_names(template.get("Transform")))


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _names(item)
    elif isinstance(value, dict):
        yield str(value.get("Name"))
    elif value is not None:
        yield str(value)


def unread_parts(template: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each part of a template that comes from elsewhere and was not read, with the reason."""
    resources: Mapping[str, Any] = template["Resources"]
    names = transforms_of(template)
    without_sam = list(_without_sam(resources, names)) if SAM not in names else []
    yield from without_sam
    for name in dict.fromkeys(names):
        if name == _INCLUDE:
            yield "Transform", "AWS::Include can add resources and change them; what it includes was not read."
        elif name not in _READ | _HARMLESS and not (without_sam and name.startswith("AWS::Serverless")):
            yield "Transform", f"the macro {name} can add resources and change them; only the file itself was read."
    if TRANSFORM_FUNCTION in template:
        yield TRANSFORM_FUNCTION, _added(template[TRANSFORM_FUNCTION], "sections of the template")
    settings = template.get("Globals")
    for place, transform in _transforms_in(settings):
        yield f"Globals{place}", _added(transform, "settings of SAM resources")
    for name, resource in resources.items():
        if name == TRANSFORM_FUNCTION:
            yield "Resources", _added(resource, "resources")
        elif isinstance(resource, dict):
            if str(resource.get("Type")).endswith("::MODULE"):
                yield name, f"the module {resource['Type']} has resources of its own; they were not read."
            for place, transform in _transforms_in(resource) if _matters(resource) else ():
                yield f"{name}{place}", _added(transform, "a part of the resource")


def _added(transform: Any, what: str) -> str:
    name = transform.get("Name") if isinstance(transform, dict) else None
    return f"{name if isinstance(name, str) else TRANSFORM_FUNCTION} adds {what} from elsewhere, not read."


def _without_sam(resources: Mapping[str, Any], names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield why SAM's resources are not read, if the template has any."""
    found = [
        name
        for name, resource in resources.items()
        if isinstance(resource, dict) and str(resource.get("Type")).startswith("AWS::Serverless::")
    ]
    if not found:
        return
    close = difflib.get_close_matches(SAM, names, n=1)
    problem = f"Transform is {close[0]}, not {SAM}" if close else f"the template has no Transform {SAM}"
    shown = ", ".join(found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")  # noqa: PLR2004 - see above
    yield "Transform", f"SAM resources were not read, because {problem}: {shown}."


def _matters(resource: Mapping[str, Any]) -> bool:
    """Return whether what a transform adds to a resource can change an outcome: not a part of a virtual machine."""
    return TRANSFORM_FUNCTION in resource or str(resource.get("Type")).startswith(_MATTERS)


def unknown_types(resources: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each resource whose type AWS rejects, with the reason: it is missing or misspelt, or SAM does not know it.

    The resources are those after SAM's transform. There is no list of all types: only those are noticed that differ by
    a letter from one that is evaluated.
    """
    for name, resource in resources.items():
        kind = resource.get("Type")
        if not isinstance(kind, str):
            yield name, f"{name} has no Type"
        elif kind.startswith("AWS::Serverless::"):
            yield name, f"{name} has the Type {kind}, which SAM does not know"
        else:
            meant = _meant(kind)
            if meant:
                yield name, f"{name} has the Type {kind}, which does not exist: {meant} is meant"


@lru_cache(maxsize=1000)
def _meant(kind: str) -> str:
    """Return the type that is misspelt, empty if none is."""
    by_lower = {one.lower(): one for one in _EVALUATED}
    close = difflib.get_close_matches(kind.lower(), by_lower, n=1, cutoff=0.95)
    return by_lower[close[0]] if close and by_lower[close[0]] != kind else ""


def nested_stacks(resources: Mapping[str, Any]) -> Iterator[str]:
    """Yield each nested stack: its template is another one."""
    for name, resource in resources.items():
        kind = str(resource.get("Type")) if isinstance(resource, dict) else ""
        if kind in _NESTED:
            yield name


def without_included(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template without the resources that are included, or whose outcome depends on what they include.

    A permission whose properties are included can have a source, and a role any policy.
    """
    resources = {
        name: resource
        for name, resource in template["Resources"].items()
        if name != TRANSFORM_FUNCTION and isinstance(resource, dict) and not _is_included(resource)
    }
    return {**template, "Resources": resources}


def _is_included(resource: Mapping[str, Any]) -> bool:
    if str(resource.get("Type")).startswith("AWS::IAM::"):
        return any(True for _ in _transforms_in(resource))
    properties = resource.get("Properties")
    return TRANSFORM_FUNCTION in resource or (isinstance(properties, dict) and TRANSFORM_FUNCTION in properties)


def _transforms_in(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the content of each transform in a value. Metadata does not matter."""
    if isinstance(value, dict):
        if TRANSFORM_FUNCTION in value:
            yield path, value[TRANSFORM_FUNCTION]
        for key, item in value.items():
            if key != "Metadata":
                yield from _transforms_in(item, f"{path}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _transforms_in(item, f"{path}[{number}]")
