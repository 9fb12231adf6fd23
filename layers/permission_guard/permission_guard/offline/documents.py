"""The questions that a file raises: what it is, told by what is in it, and the policies in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError
from permission_guard.iam import parse_policy
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Function, ResourcePolicy, Snapshot, Unread
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.offline.sam import is_sam, translated
from permission_guard.offline.scenarios import OfflineCheck, Scenario, not_in_file
from permission_guard.offline.template_permissions import OFFLINE_ORGANIZATION, Template, permission_checks
from permission_guard.offline.template_roles import mapping_checks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.iam import TrustSet
    from permission_guard.offline.physical_names import Place

_LOOP: Final = "Fn::ForEach::"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file asks. `left_out` are resources that its parameters, as they stand, leave out."""

    kind: str
    offline_checks: tuple[OfflineCheck, ...]
    left_out: tuple[str, ...] = ()


def contents(document: Any, place: Place, trust: TrustSet, parameters: Mapping[str, str]) -> Contents:
    """Tell what a document is, and return what it asks; InputError when it is nothing that can be judged."""
    if not isinstance(document, dict):
        raise InputError("it is neither a policy nor a template")
    if isinstance(document.get("Resources"), dict):
        return _template(document, place, trust, parameters)
    if "Policy" in document:
        return Contents("policy", _reply(document))
    if "Statement" in document:
        if isinstance(document["Statement"], str):  # what AddPermission replies
            return Contents("policy", _policy({"Statement": [_from_text(document["Statement"])]}, ""))
        return Contents("policy", _policy(document, ""))
    if "Effect" in document:
        return Contents("policy", _policy({"Statement": [document]}, ""))
    raise InputError(
        "it is neither a policy, nor a reply of aws lambda get-policy, nor a SAM or CloudFormation template"
    )


def _template(document: dict[str, Any], place: Place, trust: TrustSet, parameters: Mapping[str, str]) -> Contents:
    document = {**document, "Resources": {str(name): about for name, about in document["Resources"].items()}}
    sam = is_sam(document)
    body = translated(document, place, parameters) if sam else document
    template = Template(body, place, trust, parameters, frozenset(document["Resources"]))
    permissions, left_out = permission_checks(template)
    mappings, more = mapping_checks(template)
    loops = [_unread_loop(name, place) for name in document["Resources"] if name.startswith(_LOOP)]
    return Contents(
        "SAM template" if sam else "CloudFormation template",
        (*permissions, *mappings, *loops),
        (*left_out, *more),
    )


def _unread_loop(name: str, place: Place) -> OfflineCheck:
    """Return a question that has no answer: what a loop makes is not known here."""
    target = FunctionTarget(place.partition, place.region, place.account, name.removeprefix(_LOOP))
    unread = not_in_file(f"{name} is not expanded: give the processed template (aws cloudformation get-template).")
    return OfflineCheck((Scenario(Snapshot(target, unread)),), frozenset(Direction), from_template=True, source_id=name)


# ── Policies ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _reply(reply: Mapping[str, Any]) -> tuple[OfflineCheck, ...]:
    """Read what GetPolicy and GetResourcePolicy reply."""
    policy = _from_text(reply["Policy"]) if isinstance(reply["Policy"], str) else reply["Policy"]
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise InputError("its Policy is not the resource-based policy of a function")
    return _policy(policy, str(reply.get("RevisionId") or ""), reply["Policy"])


def _from_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"its policy is not JSON: {error}") from error


def _policy(policy: Mapping[str, Any], revision_id: str, written: Any = None) -> tuple[OfflineCheck, ...]:
    """Return one question for each function that a policy is of: its statements name it as their resource."""
    listed = policy["Statement"]
    statements = [listed] if isinstance(listed, dict) else listed if isinstance(listed, list) else []
    objects = [item for item in statements if isinstance(item, dict)]
    if objects and not any({"Principal", "NotPrincipal"} & item.keys() for item in objects):
        raise InputError(
            "it is an identity-based policy, which names no principal: permission-guard evaluate is for those"
        )
    actions = [str(action).lower() for item in objects for action in _list(item.get("Action"))]
    if actions and all(action.startswith("sts:") for action in actions):
        raise InputError("it is a role's trust policy: permission-guard evaluate is for roles")
    arns = list(dict.fromkeys(arn for item in objects for arn in _function_arns(item)))
    if not arns:
        raise InputError("no statement in it has a Lambda function as its Resource")
    if len(arns) == 1:  # as it was written, so that nothing is lost in reading it twice
        return (_offline_check(arns[0], written or dict(policy), revision_id),)
    return tuple(
        _offline_check(arn, {**policy, "Statement": [item for item in objects if _is_of(arn, item)]}, revision_id)
        for arn in arns
    )


def _offline_check(arn: str, document: Any, revision_id: str) -> OfflineCheck:
    target, qualifier = parse_function_arn(arn)
    policy = parse_policy(document, name="resource-based policy")
    found: ResourcePolicy | Unread = ResourcePolicy(arn, qualifier, revision_id, policy)
    snapshot = Snapshot(
        target,
        Function(target.arn, target.name, ""),
        resource_policies=(found,),
        own_organization=OFFLINE_ORGANIZATION,
    )
    return OfflineCheck((Scenario(snapshot),), frozenset({Direction.INVOKE_POLICY}))


def _is_of(arn: str, statement: Mapping[str, Any]) -> bool:
    """Tell whether a statement is of a function; one that names none may be of any."""
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
