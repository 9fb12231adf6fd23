"""Recognize templates, and return the checks of their resources and what of them was not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError
from permission_guard.model.state import Snapshot
from permission_guard.model.targets import FunctionTarget
from permission_guard.offline import language_extensions
from permission_guard.offline.function_references import dangling_references, other_resources
from permission_guard.offline.language_extensions import LOOP
from permission_guard.offline.sam import Translation, is_sam, translated
from permission_guard.offline.scenarios import RULES_OFFLINE, OfflineCheck, Scenario, not_in_file
from permission_guard.offline.skipped import skipped_in_template
from permission_guard.offline.template import Template
from permission_guard.offline.template_functions import function_checks, mapping_checks
from permission_guard.offline.template_invocations import invocation_checks
from permission_guard.offline.template_permissions import permission_checks
from permission_guard.offline.template_shared_roles import shared_role_checks
from permission_guard.offline.transforms import (
    TRANSFORM_FUNCTION,
    nested_stacks,
    transforms_of,
    unknown_types,
    unread_parts,
    without_included,
)
from permission_guard.offline.unresolved import text, without_marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.iam import TrustSet
    from permission_guard.offline.deployment import Deployment, GivenPlace
    from permission_guard.offline.physical_names import Place
    from permission_guard.offline.skipped import Skipped

_SECTIONS: Final = frozenset({"AWSTemplateFormatVersion", "Transform", TRANSFORM_FUNCTION})
"""What shows that a document without resources is a template."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The kind and the checks of a file, and what was not checked.

    `skipped` has the rules, or parts of them, that are not evaluated. `deployment` is the place of a template.
    `left_out` has the resources that the parameters exclude, `nested` the nested stacks. `unread` has the parts that
    could not be read, each with the reason, and `invalid` the resources that AWS rejects: only findings on these count.
    `parameters` has the names of the template's parameters.
    """

    kind: str
    offline_checks: tuple[OfflineCheck, ...]
    skipped: tuple[Skipped, ...]
    deployment: Deployment | None = None
    left_out: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    invalid: tuple[tuple[str, str], ...] = ()
    parameters: frozenset[str] = frozenset()

    @property
    def without_function(self) -> frozenset[str]:
        """The resources that were evaluated although their function is none, or was not read."""
        return frozenset(name for name, _ in (*self.unread, *self.invalid))


def is_template(document: Any) -> bool:
    """Return whether a document is a template: it has resources, or sections that only templates have."""
    if not isinstance(document, dict):
        return False
    resources = document.get("Resources")
    if not isinstance(resources, dict):
        return bool(_SECTIONS & document.keys())
    bodies = [body for body in resources.values() if isinstance(body, dict)]
    return (
        bool(_SECTIONS & document.keys() or TRANSFORM_FUNCTION in resources)
        or any(TRANSFORM_FUNCTION in body or "::" in str(body.get("Type")) for body in bodies)
        or any(str(name).startswith(LOOP) for name in resources)
    )


def template_contents(
    document: dict[str, Any], given: GivenPlace, trust: TrustSet, parameters: Mapping[str, str]
) -> Contents:
    """Return the contents of a template. InputError if AWS rejects it."""
    document = without_marks(_with_resources(document))
    _require_allowed(document, parameters)
    deployment = given.deployment(document, parameters)
    place = deployment.place
    if language_extensions.TRANSFORM in transforms_of(document):
        document = language_extensions.expanded(document, place, parameters)
    unread = list(unread_parts(document))
    sam = is_sam(document)
    if not document["Resources"] and not unread:
        raise InputError(f"{'SAM rejects the template' if sam else 'the template is not valid'}: it has no Resources")
    translation = translated(document, place, parameters) if sam else Translation(document)
    template = Template(without_included(translation.body), place, trust, parameters, frozenset(document["Resources"]))
    permissions, without_permissions = permission_checks(template)
    mappings, without_mappings = mapping_checks(template)
    functions, without_functions = function_checks(template)
    loops = [_unread_loop(name, place) for name in document["Resources"] if name.startswith(LOOP)]
    unread += translation.unread.items()
    dangling = list(dangling_references(template))
    elsewhere = bool(unread or loops)  # what a reference names can be in what was not read
    return Contents(
        "SAM template" if sam else "CloudFormation template",
        (
            *permissions,
            *invocation_checks(template),
            *mappings,
            *functions,
            *shared_role_checks(template),
            *loops,
        ),
        skipped_in_template(template),
        deployment,
        (*without_permissions, *without_mappings, *without_functions),
        tuple(nested_stacks(document["Resources"])),
        (*unread, *(dangling if elsewhere else ())),
        (
            *_not_resources(document),
            *_unknown_types(template, sam=sam),
            *other_resources(template),
            *(() if elsewhere else dangling),
        ),
        frozenset(_parameters(document)),
    )


def _not_resources(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is among the resources and is none: AWS rejects the template."""
    for name, resource in document["Resources"].items():
        if not isinstance(resource, dict) and name != TRANSFORM_FUNCTION and not name.startswith(LOOP):
            yield name, f"{name} is not an object, which a resource must be"


def _unknown_types(template: Template, *, sam: bool) -> Iterator[tuple[str, str]]:
    """Yield the resources with types that do not exist. Without its transform, SAM's types are unread, not unknown."""
    for name, reason in unknown_types(template.body["Resources"]):
        if sam or not str(template.body["Resources"][name].get("Type")).startswith("AWS::Serverless::"):
            yield name, reason


def _with_resources(document: dict[str, Any]) -> dict[str, Any]:
    """Return a template with a mapping of resources by their names."""
    resources = document.get("Resources")
    resources = resources if isinstance(resources, dict) else {}
    return {**document, "Resources": {str(name): resource for name, resource in resources.items()}}


def _parameters(document: Mapping[str, Any]) -> Mapping[str, Any]:
    declared = document.get("Parameters")
    return declared if isinstance(declared, dict) else {}


def _require_allowed(document: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
    """Raise InputError if a given value is not among those that the template allows."""
    for name, declared in _parameters(document).items():
        allowed = declared.get("AllowedValues") if isinstance(declared, dict) else None
        if name not in parameters or not isinstance(allowed, list):
            continue
        given = parameters[name]
        values = [part.strip() for part in given.split(",")] if "List" in str(declared.get("Type")) else [given]
        known = [text(value) for value in allowed]
        if not set(values) <= set(known):
            raise InputError(f"--parameter {name}={given}: the template allows only {', '.join(known)}")


def _unread_loop(name: str, place: Place) -> OfflineCheck:
    """Return a check with an unknown outcome: the resources that a loop creates are unknown."""
    target = FunctionTarget(place.partition, place.region, place.account, name.removeprefix(LOOP))
    unread = not_in_file(
        f"Unknown: {name} is not expanded. Check the processed template (aws cloudformation get-template)."
    )
    return OfflineCheck((Scenario(Snapshot(target, unread)),), RULES_OFFLINE, from_template=True, source_id=name)
