"""Translate SAM templates to CloudFormation templates, without AWS, with the translator that AWS itself runs."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError
from permission_guard.offline.bounds import outside_time_bound
from permission_guard.offline.sam_input import SOME_URI, prepared, undecided
from permission_guard.offline.transforms import SAM, transforms_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.offline.physical_names import Place

_SLOW_CHECKER: Final = "rfc3987_syntax"
"""What jsonschema imports for a format that the translator does not check. It takes longer than all other imports."""


def is_sam(template: Mapping[str, Any]) -> bool:
    """Return whether a template has SAM's transform."""
    return SAM in transforms_of(template)


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
    body = prepared(template, ())
    unread = dict.fromkeys(template["Resources"].keys() - body["Resources"].keys(), "")
    while body["Resources"]:
        try:
            body = _translate(body, place, parameters)
            break
        except _RejectedError as error:
            known = {name: cause for name, cause in error.of_resources(template).items() if name not in unread}
            reasons = {name: undecided(template, name, parameters, unread) for name in known}
            if not known or not all(reasons.values()):
                raise InputError(f"SAM rejects the template: {' '.join(error.messages)}") from error
            for name, cause in known.items():
                unread[name] = f"not read, because SAM needs {reasons[name]}. SAM says: {cause}"
            body = prepared(template, unread)  # a new copy: the translator changes the one that it is given
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

    def of_resources(self, template: Mapping[str, Any]) -> dict[str, str]:
        """Return the messages by the ids of their resources, empty if one is of no resource."""
        found: dict[str, str] = {}
        for resource, event, message in self.causes:
            names = [resource] if resource else list(_with_event(template, event)) if event else []
            if not names:
                return {}
            found |= {name: message for name in map(str, names) if name in template["Resources"]}
        return found


def _with_event(template: Mapping[str, Any], event: Any) -> Iterator[str]:
    for name, resource in template["Resources"].items():
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
    with outside_time_bound(), _without(_SLOW_CHECKER):
        return _imported()


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Import something without an optional module."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment] # as Python documents it: importing the module fails
    try:
        yield
    finally:
        del sys.modules[module]


def _imported() -> Any:
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
        from samtranslator.translator import (  # type: ignore[import-untyped] # noqa: PLC0415 - as above
            translator as module,
        )
    except ModuleNotFoundError as error:
        raise InputError("SAM templates need AWS's translator: pip install aws-sam-translator") from error
    # Each translation creates this plugin and validates its 80 policy templates: four fifths of the time.
    module.make_policy_template_for_function_plugin = cache(module.make_policy_template_for_function_plugin)
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)  # it also logs what it raises

    class Applications(ServerlessAppPlugin):  # type: ignore[misc]
        """Takes the place of SAM's plugin, which asks the Serverless Application Repository to create a template."""

        def on_before_transform_template(self, template_dict: Any) -> None:
            """Ask nobody."""

        def on_before_transform_resource(self, _logical_id: Any, kind: Any, properties: Any) -> None:
            """Give each application some template, which becomes that of a nested stack."""
            if kind == "AWS::Serverless::Application" and isinstance(properties, dict):
                properties["TemplateUrl"] = SOME_URI

        def on_after_transform_template(self, template: Any) -> None:
            """Wait for nothing."""

    return SimpleNamespace(
        Applications=Applications,
        InvalidDocumentException=InvalidDocumentException,
        Parser=Parser,
        Translator=module.Translator,
        managed_policies=get_bundled_managed_policy_map,
    )
