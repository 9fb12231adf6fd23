"""Recognize a file by its content, and return the checks of its policies or of its template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError, UnsupportedFileError
from permission_guard.offline.function_policy import policy_checks
from permission_guard.offline.input_file import parse
from permission_guard.offline.skipped import skipped_in_policy
from permission_guard.offline.template_file import Contents, is_template, template_contents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.iam import TrustSet
    from permission_guard.offline.deployment import GivenPlace

_ACCEPTED: Final = (
    "Give a resource-based policy, the output of aws lambda get-policy, or a SAM or CloudFormation template."
)


def contents(document: Any, given: GivenPlace, trust: TrustSet, parameters: Mapping[str, str]) -> Contents:
    """Recognize a document and return its checks.

    InputError if it cannot be evaluated, UnsupportedFileError if it is neither a template nor a policy of a function.
    """
    document = _unwrapped(document)
    if is_template(document):
        return template_contents(document, given, trust, parameters)
    found = policy_checks(document, given.deployment({}, {}).place)
    if found is not None:
        return Contents("policy", found, skipped_in_policy())
    if not isinstance(document, dict):
        raise UnsupportedFileError(f"neither a policy nor a template. {_ACCEPTED}")
    raise UnsupportedFileError(f"neither a policy nor a template: no Policy, Statement or Resources. {_ACCEPTED}")


def _unwrapped(document: Any) -> Any:
    """Return the template of a response of GetTemplate, or what a text contains."""
    if isinstance(document, dict) and "TemplateBody" in document:
        document = document["TemplateBody"]
        if not isinstance(document, (dict, str)):
            raise InputError("its TemplateBody is neither a template nor the text of one")
    if isinstance(document, str):  # `--query TemplateBody` and `--query Policy` print a text as a JSON string
        document = parse(document)
    return document
