"""Translate SAM templates to CloudFormation templates, without AWS, with the translator that AWS itself runs."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError
from permission_guard.offline.language_extensions import LOOP
from permission_guard.offline.language_extensions import TRANSFORM as LANGUAGE_EXTENSIONS
from permission_guard.offline.transforms import TRANSFORM_FUNCTION, transforms_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.offline.physical_names import Place

TRANSFORM: Final = "AWS::Serverless-2016-10-31"

_SOME_URI: Final = "s3://bucket/key"
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
    "AWS::Serverless::Api": {"swagger": "2.0", "info": {"title": "included", "version": "1"}, "paths": {}},
    "AWS::Serverless::HttpApi": {"openapi": "3.0.1", "info": {"title": "included", "version": "1"}, "paths": {}},
}
_BY_LANGUAGE_EXTENSIONS: Final = frozenset({"Fn::FindInMap", "Fn::Length", "Fn::ToJsonString"})


def is_sam(template: Mapping[str, Any]) -> bool:
    """Return whether a template has SAM's transform."""
    return TRANSFORM in transforms_of(template)


@dataclass(frozen=True, slots=True)
class Translation:
    """The CloudFormation template that SAM generates, and the resources that it does not have, each with the reason."""

    body: dict[str, Any]
    unread: dict[str, str] = field(default_factory=dict)


def translated(template: Mapping[str, Any], place: Place, parameters: Mapping[str, str]) -> Translation:
    """Translate a template. InputError if SAM rejects it.

    What AWS does before it runs SAM cannot always be done here: includes, macros and parameters without a value. A
    resource that SAM rejects and that depends on those is left out, because SAM may accept it in AWS.
    """
    body = _prepared(template)
    unread = dict.fromkeys(template["Resources"].keys() - body["Resources"].keys(), "")
    while body["Resources"]:
        try:
            body = _translate(copy.deepcopy(body), place, parameters)
            break
        except _RejectedError as error:
            known = {name: cause for name, cause in error.of_resources(body).items() if name in body["Resources"]}
            reasons = {name: _undecided(template, name, parameters, unread) for name in known}
            if not known or not all(reasons.values()):
                raise InputError(f"SAM rejects the template: {' '.join(error.messages)}") from error
            for name, cause in known.items():
                unread[name] = f"not read, because SAM needs {reasons[name]}. SAM says: {cause}"
                del body["Resources"][name]
    return Translation(body, {name: reason for name, reason in unread.items() if reason})


# ── The translator ──────────────────────────────────────────────────────────────────────────────────────────────────


class _RejectedError(Exception):
    """SAM rejects a template. `causes` has the resource, the event and the message of each error."""

    def __init__(self, causes: list[tuple[Any, Any, str]]) -> None:
        super().__init__()
        self.causes = causes

    @property
    def messages(self) -> list[str]:
        """The messages of all errors."""
        return [message for _, _, message in self.causes]

    def of_resources(self, body: Mapping[str, Any]) -> dict[str, str]:
        """Return the messages by the ids of their resources, empty if one is of no resource."""
        found: dict[str, str] = {}
        for resource, event, message in self.causes:
            names = [resource] if resource else list(_with_event(body, event)) if event else []
            if not names:
                return {}
            found |= dict.fromkeys(map(str, names), message)
        return found


def _with_event(body: Mapping[str, Any], event: Any) -> Iterator[str]:
    for name, resource in body["Resources"].items():
        properties = resource.get("Properties") if isinstance(resource, dict) else None
        events = properties.get("Events") if isinstance(properties, dict) else None
        if isinstance(events, dict) and any(event == name + key or event == key for key in events):
            yield name


def _translate(body: dict[str, Any], place: Place, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Run the translator. _RejectedError if it rejects the template, InputError if it fails."""
    sam = _translator()
    # The translator only uses the region of the session. A real session would search for credentials.
    session: Any = SimpleNamespace(region_name=place.region)
    translator = sam.Translator(None, sam.Parser(), [sam.Applications()], session)
    given = {"AWS::Region": place.region, "AWS::Partition": place.partition, **parameters}
    policies = sam.managed_policies(place.partition) or {}
    try:
        result: dict[str, Any] = translator.translate(body, given, get_managed_policy_map=lambda: policies)
    except sam.InvalidDocumentException as error:
        causes = [
            (getattr(cause, "_logical_id", None), getattr(cause, "_event_id", None), cause.message)
            for cause in error.causes
        ]
        raise _RejectedError(causes) from error
    except Exception as error:  # the translator raises other errors for some malformed templates
        raise InputError(f"SAM's translator cannot translate the template: {type(error).__name__}: {error}") from error
    return result


@cache
def _translator() -> Any:
    """Import the translator, which takes a second and only SAM templates need. InputError if it is not installed."""
    try:
        from samtranslator.internal.managed_policies import (  # type: ignore[import-untyped] # noqa: PLC0415 - optional
            get_bundled_managed_policy_map,
        )
        from samtranslator.model.exceptions import (  # type: ignore[import-untyped] # noqa: PLC0415 - as above
            InvalidDocumentException,
        )
        from samtranslator.parser.parser import Parser  # type: ignore[import-untyped] # noqa: PLC0415 - as above
        from samtranslator.plugins.application.serverless_app_plugin import (  # type: ignore[import-untyped] # noqa: PLC0415 - as above
            ServerlessAppPlugin,
        )
        from samtranslator.translator.translator import (  # type: ignore[import-untyped] # noqa: PLC0415 - as above
            Translator,
        )
    except ModuleNotFoundError as error:
        raise InputError(
            "SAM templates need AWS's translator: pip install 'permission-guard[cli]' (or aws-sam-translator)"
        ) from error
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)  # it also logs what it raises

    class Applications(ServerlessAppPlugin):  # type: ignore[misc]
        """Takes the place of SAM's plugin, which asks the Serverless Application Repository to create a template."""

        def on_before_transform_template(self, template_dict: Any) -> None:
            """Ask nobody."""

        def on_before_transform_resource(self, _logical_id: Any, kind: Any, properties: Any) -> None:
            """Give each application some template, which becomes that of a nested stack."""
            if kind == "AWS::Serverless::Application" and isinstance(properties, dict):
                properties["TemplateUrl"] = _SOME_URI

        def on_after_transform_template(self, template: Any) -> None:
            """Wait for nothing."""

    return SimpleNamespace(
        Applications=Applications,
        InvalidDocumentException=InvalidDocumentException,
        Parser=Parser,
        Translator=Translator,
        managed_policies=get_bundled_managed_policy_map,
    )


# ── What AWS does before it runs SAM ────────────────────────────────────────────────────────────────────────────────


def _undecided(template: Mapping[str, Any], name: str, parameters: Mapping[str, str], unread: Mapping[str, str]) -> str:
    """Return what a resource depends on that only AWS has, as text for a sentence; empty if there is nothing."""
    resource = template["Resources"][name]
    kind = str(resource.get("Type", "")).rpartition("::")[2] if isinstance(resource, dict) else ""
    settings = template.get("Globals")
    parts = [resource, settings.get(kind) if isinstance(settings, dict) else None]
    if isinstance(settings, dict) and TRANSFORM_FUNCTION in settings:
        return "what Globals includes"
    names = dict.fromkeys(found for part in parts for found in _references(part))
    declared = template.get("Parameters")
    declared = declared if isinstance(declared, dict) else {}
    missing = [
        found
        for found in names
        if found in declared
        and found not in parameters
        and not (isinstance(declared[found], dict) and "Default" in declared[found])
    ]
    if missing:
        options = " ".join(f"--parameter {found}=…" for found in missing)
        return f"the value of {', '.join(missing)} (set it with {options})"
    if TRANSFORM_FUNCTION in names:
        return "what the template includes from elsewhere"
    if names.keys() & unread.keys():
        return f"{', '.join(names.keys() & unread.keys())}, which was not read"
    used = transforms_of(template)
    before = used[: used.index(TRANSFORM)] if TRANSFORM in used else used
    if LANGUAGE_EXTENSIONS in before and (names.keys() & _BY_LANGUAGE_EXTENSIONS or any(LOOP in one for one in names)):
        return f"what {LANGUAGE_EXTENSIONS} makes of it"
    macros = [one for one in before if one != LANGUAGE_EXTENSIONS]
    return f"what {', '.join(macros)} makes of it" if macros else ""


def _references(value: Any) -> Iterator[str]:
    """Yield the names that Ref, GetAtt and Sub refer to in a value, and the names of other functions."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key == "Ref" and isinstance(item, str):
            yield item.partition(".")[0]
        elif key == "Fn::GetAtt":
            yield str(item[0] if isinstance(item, list) and item else item).partition(".")[0]
        elif key == "Fn::Sub":
            text = item[0] if isinstance(item, list) and item else item
            yield from (part.partition("}")[0].partition(".")[0] for part in str(text).split("${")[1:])
        elif str(key).startswith("Fn::"):
            yield str(key)
        yield from _references(item)


def _prepared(template: Mapping[str, Any]) -> dict[str, Any]:
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
        function["CodeUri"] = _SOME_URI
    resources = {
        name: resource
        for name, resource in body["Resources"].items()
        if name != TRANSFORM_FUNCTION and not name.startswith(LOOP) and not _is_included(resource)
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
            properties["CodeUri"] = _SOME_URI
    elif isinstance(properties.get(_LOCAL_FILES.get(kind, "")), str):
        properties[_LOCAL_FILES[kind]] = _SOME_URI
    definition = properties.get("DefinitionBody")
    if kind in _EMPTY_DEFINITIONS and isinstance(definition, dict) and TRANSFORM_FUNCTION in definition:
        del definition[TRANSFORM_FUNCTION]
        properties["DefinitionBody"] = definition or copy.deepcopy(_EMPTY_DEFINITIONS[kind])
    events = properties.get("Events")
    if isinstance(events, dict):
        events.pop(TRANSFORM_FUNCTION, None)
