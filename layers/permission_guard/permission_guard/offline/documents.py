"""Recognize a file by its content, and return the checks of its policies or of its template."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError
from permission_guard.iam import parse_policy
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Function, ResourcePolicy, Snapshot, Unread
from permission_guard.model.targets import FunctionTarget
from permission_guard.offline.sam import is_sam, translated
from permission_guard.offline.scenarios import (
    RULES_OFFLINE,
    RULES_ON_STATEMENTS,
    OfflineCheck,
    Scenario,
    not_in_file,
)
from permission_guard.offline.skipped import Skipped, skipped_in_policy, skipped_in_template
from permission_guard.offline.template import OFFLINE_ORGANIZATION, Template
from permission_guard.offline.template_functions import function_checks, mapping_checks
from permission_guard.offline.template_invocations import invocation_checks
from permission_guard.offline.template_permissions import permission_checks
from permission_guard.offline.template_shared_roles import shared_role_checks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.iam import TrustSet
    from permission_guard.offline.deployment import Deployment, GivenPlace
    from permission_guard.offline.physical_names import Place

_LOOP: Final = "Fn::ForEach::"
_ACCEPTED: Final = (
    "Give a resource-based policy, the output of aws lambda get-policy, or a SAM or CloudFormation template."
)


@dataclass(frozen=True, slots=True)
class Contents:
    """The kind and the checks of a file, and what is not evaluated in it.

    `left_out` has the resources that the parameters exclude. `deployment` is the place of a template.
    """

    kind: str
    offline_checks: tuple[OfflineCheck, ...]
    skipped: tuple[Skipped, ...]
    left_out: tuple[str, ...] = ()
    deployment: Deployment | None = None


def contents(document: Any, given: GivenPlace, trust: TrustSet, parameters: Mapping[str, str]) -> Contents:
    """Recognize a document and return its checks. InputError if it cannot be evaluated."""
    if not isinstance(document, dict):
        raise InputError(f"neither a policy nor a template. {_ACCEPTED}")
    if isinstance(document.get("Resources"), dict):
        return _template(document, given, trust, parameters)
    if "Policy" in document:
        return Contents("policy", _reply(document), skipped_in_policy())
    if "Statement" in document:
        if isinstance(document["Statement"], str):  # the response of AddPermission
            document = {"Statement": [_from_text(document["Statement"])]}
        return Contents("policy", _policy(document), skipped_in_policy())
    if "Effect" in document:
        return Contents("policy", _policy({"Statement": [document]}), skipped_in_policy())
    raise InputError(f"neither a policy nor a template: no Policy, Statement or Resources. {_ACCEPTED}")


def _template(document: dict[str, Any], given: GivenPlace, trust: TrustSet, parameters: Mapping[str, str]) -> Contents:
    document = {**document, "Resources": {str(name): resource for name, resource in document["Resources"].items()}}
    deployment = given.deployment(document, parameters)
    place = deployment.place
    sam = is_sam(document)
    body = translated(document, place, parameters) if sam else document
    template = Template(body, place, trust, parameters, frozenset(document["Resources"]))
    permissions, without_permissions = permission_checks(template)
    functions, without_functions = function_checks(template)
    mappings, without_mappings = mapping_checks(template)
    loops = [_unread_loop(name, place) for name in document["Resources"] if name.startswith(_LOOP)]
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
        (*without_permissions, *without_mappings, *without_functions),
        deployment,
    )


def _unread_loop(name: str, place: Place) -> OfflineCheck:
    """Return a check with an unknown outcome: the resources that a loop creates are unknown."""
    target = FunctionTarget(place.partition, place.region, place.account, name.removeprefix(_LOOP))
    unread = not_in_file(
        f"Unknown: {name} is not expanded. Check the processed template (aws cloudformation get-template)."
    )
    return OfflineCheck((Scenario(Snapshot(target, unread)),), RULES_OFFLINE, from_template=True, source_id=name)


# ── Policies ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _reply(reply: Mapping[str, Any]) -> tuple[OfflineCheck, ...]:
    """Read the response of GetPolicy or GetResourcePolicy."""
    policy = _from_text(reply["Policy"]) if isinstance(reply["Policy"], str) else reply["Policy"]
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise InputError("its Policy is not the resource-based policy of a function: it has no Statement")
    return _policy(policy, reply["Policy"])


def _from_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"its policy is not JSON: {error}") from error


def _policy(policy: Mapping[str, Any], original: Any = None) -> tuple[OfflineCheck, ...]:
    """Return one check for each function that is the resource of a statement."""
    listed = policy["Statement"]
    statements = [listed] if isinstance(listed, dict) else listed if isinstance(listed, list) else []
    objects = [item for item in statements if isinstance(item, dict)]
    if objects and not any({"Principal", "NotPrincipal"} & item.keys() for item in objects):
        raise InputError(
            "this is an identity-based policy: no statement has a Principal. Use permission-guard evaluate --policies"
        )
    actions = [str(action).lower() for item in objects for action in _list(item.get("Action"))]
    if actions and all(action.startswith("sts:") for action in actions):
        raise InputError(
            "this is the trust policy of a role. Check the role's template, or use permission-guard evaluate --role"
        )
    arns = list(dict.fromkeys(arn for item in objects for arn in _function_arns(item)))
    if not arns:
        raise InputError("no statement has a Lambda function as its Resource")
    if len(arns) == 1:  # the original text: parsed JSON loses elements that appear twice
        return (_offline_check(arns[0], original or dict(policy)),)
    return tuple(
        _offline_check(arn, {**policy, "Statement": [item for item in objects if _applies_to(arn, item)]})
        for arn in arns
    )


def _offline_check(arn: str, document: Any) -> OfflineCheck:
    target, qualifier = parse_function_arn(arn)
    policy = parse_policy(document, name="resource-based policy")
    found: ResourcePolicy | Unread = ResourcePolicy(arn, qualifier, policy)
    snapshot = Snapshot(
        target,
        Function(target.arn, target.name, ""),
        resource_policies=(found,),
        own_organization=OFFLINE_ORGANIZATION,
    )
    return OfflineCheck((Scenario(snapshot),), RULES_ON_STATEMENTS)


def _applies_to(arn: str, statement: Mapping[str, Any]) -> bool:
    """Return whether a statement applies to a function. A statement without a function applies to all of them."""
    named = list(_function_arns(statement))
    return arn in named or not named


def _function_arns(statement: Mapping[str, Any]) -> Iterator[str]:
    for resource in _list(statement.get("Resource")):
        try:
            parse_function_arn(str(resource))
        except ValueError:
            continue
        yield str(resource)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
