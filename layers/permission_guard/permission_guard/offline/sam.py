"""Translate SAM templates to CloudFormation templates, without AWS, with the translator that AWS itself runs."""

from __future__ import annotations

import copy
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.offline.physical_names import Place

TRANSFORM: Final = "AWS::Serverless-2016-10-31"

_SOME_URI: Final = "s3://bucket/key"
_LOCAL_FILES: Final = {
    "AWS::Serverless::Api": "DefinitionUri",
    "AWS::Serverless::HttpApi": "DefinitionUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}


def is_sam(template: Mapping[str, Any]) -> bool:
    """Return whether a template has SAM's transform."""
    transform = template.get("Transform")
    return TRANSFORM in (transform if isinstance(transform, list) else [transform])


def translated(template: Mapping[str, Any], place: Place, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the CloudFormation template that SAM generates. InputError if SAM rejects the template."""
    try:
        from samtranslator.internal.managed_policies import (  # type: ignore[import-untyped] # noqa: PLC0415 - optional
            get_bundled_managed_policy_map,
        )
        from samtranslator.model.exceptions import (  # type: ignore[import-untyped] # noqa: PLC0415 - as above
            InvalidDocumentException,
        )
        from samtranslator.parser.parser import Parser  # type: ignore[import-untyped] # noqa: PLC0415 - as above
        from samtranslator.translator.translator import (  # type: ignore[import-untyped] # noqa: PLC0415 - as above
            Translator,
        )
    except ModuleNotFoundError as error:
        raise InputError(
            "SAM templates need AWS's translator: pip install 'permission-guard[cli]' (or aws-sam-translator)"
        ) from error
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)  # it also logs what it raises
    body = _without_local_files(template)
    # The translator only uses the region of the session. A real session would search for credentials.
    session: Any = SimpleNamespace(region_name=place.region)
    translator = Translator(None, Parser(), boto_session=session)
    given = {"AWS::Region": place.region, "AWS::Partition": place.partition, **parameters}
    try:
        result: dict[str, Any] = translator.translate(
            body,
            given,
            get_managed_policy_map=lambda: get_bundled_managed_policy_map(place.partition) or {},
        )
    except InvalidDocumentException as error:
        causes = " ".join(cause.message for cause in error.causes)
        raise InputError(f"SAM rejects the template: {causes}") from error
    except Exception as error:  # the translator raises other errors for some malformed templates
        raise InputError(f"SAM's translator cannot translate the template: {type(error).__name__}: {error}") from error
    return result


def _without_local_files(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with S3 URIs for code and definitions, which the translator requires and does not read."""
    body = copy.deepcopy(dict(template))
    settings = body.get("Globals")
    function = settings.get("Function") if isinstance(settings, dict) else None
    if isinstance(function, dict) and isinstance(function.get("CodeUri"), str):
        function["CodeUri"] = _SOME_URI
    resources = body.get("Resources")
    for resource in resources.values() if isinstance(resources, dict) else ():
        if not isinstance(resource, dict):
            continue
        properties = resource.setdefault("Properties", {})
        if isinstance(properties, dict):
            _replace(str(resource.get("Type")), properties, function if isinstance(function, dict) else {})
    return body


def _replace(kind: str, properties: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    if kind == "AWS::Serverless::Function":
        if (properties.get("PackageType") or defaults.get("PackageType")) == "Image":
            properties.setdefault("ImageUri", "123456789012.dkr.ecr.us-east-1.amazonaws.com/repository:tag")
        elif "InlineCode" not in properties:
            properties["CodeUri"] = _SOME_URI
    elif kind in _LOCAL_FILES and isinstance(properties.get(_LOCAL_FILES[kind]), str):
        properties[_LOCAL_FILES[kind]] = _SOME_URI
