"""Recognize resource-based policies of functions in every form in which AWS prints them, and return their checks."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError, UnsupportedFileError
from permission_guard.iam import parse_policy
from permission_guard.model.arns import parse_function_arn, parse_function_name
from permission_guard.model.state import Function, ResourcePolicy, Snapshot, Unread
from permission_guard.offline.scenarios import RULES_ON_POLICIES, OfflineCheck, Scenario
from permission_guard.offline.template import OFFLINE_ORGANIZATION
from permission_guard.remedies.permission import Permission, statement_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.offline.physical_names import Place

_NOT_IN_POLICIES: Final = frozenset({"RevisionId", "ResponseMetadata"})
"""Members of responses that stand beside the elements of a policy when both are copied into one object."""

_SERVICE: Final = re.compile(r"[a-z0-9.-]*[a-z][a-z0-9.-]*\.[a-z.]+", re.ASCII)

_ADD_PERMISSION: Final = {
    "EventSourceToken": "event_source_token",
    "FunctionUrlAuthType": "function_url_auth_type",
    "PrincipalOrgID": "principal_org_id",
    "SourceAccount": "source_account",
    "SourceArn": "source_arn",
}


def policy_checks(document: Any, place: Place) -> tuple[OfflineCheck, ...] | None:  # noqa: PLR0911 - one a form
    """Return the checks of a policy, None if the document is not one. InputError if it cannot be evaluated.

    Read are the responses of GetPolicy, GetResourcePolicy and AddPermission, policies, statements, lists of statements,
    and the parameters of AddPermission.
    """
    if isinstance(document, list):
        statements = [item for item in document if isinstance(item, dict) and "Effect" in item]
        return _checks({"Statement": statements}) if statements and statements == document else None
    if not isinstance(document, dict):
        return None
    if "Policy" in document:
        return _reply(document)
    if "Statement" in document:
        if isinstance(document["Statement"], str):
            return _checks({"Statement": [from_text(document["Statement"])]})
        return _checks({name: value for name, value in document.items() if name not in _NOT_IN_POLICIES})
    if "Effect" in document:
        return _checks({"Statement": [document]})
    if document.keys() >= {"FunctionName", "Action", "Principal"}:
        return _checks({"Statement": [_added(document, place)]})
    return None


def from_text(text: str) -> Any:
    """Return the value of a policy's text. InputError if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"its policy is not JSON: {error}") from error


def _reply(reply: Mapping[str, Any]) -> tuple[OfflineCheck, ...]:
    policy = from_text(reply["Policy"]) if isinstance(reply["Policy"], str) else reply["Policy"]
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise UnsupportedFileError("its Policy is not the resource-based policy of a function: it has no Statement")
    return _checks(policy, reply["Policy"])


def _added(parameters: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return the statement that a call of AddPermission creates."""
    texts = {name: str(value) for name, value in parameters.items() if isinstance(value, (str, int))}
    try:
        target, qualifier = parse_function_name(texts["FunctionName"], region=place.region, account=place.account)
    except (KeyError, ValueError) as error:
        raise InputError("its FunctionName is not the name or ARN of a function") from error
    qualifier = texts.get("Qualifier", qualifier)
    permission = Permission(
        function_name="",
        statement_id=texts.get("StatementId", ""),
        action=texts.get("Action", ""),
        principal=texts.get("Principal", ""),
        invoked_via_function_url=parameters.get("InvokedViaFunctionUrl") is True,
        **{option: texts[name] for name, option in _ADD_PERMISSION.items() if name in texts},
    )
    return statement_of(permission, f"{target.arn}:{qualifier}" if qualifier else target.arn)


def _checks(policy: Mapping[str, Any], original: Any = None) -> tuple[OfflineCheck, ...]:
    """Return one check for each function that is the resource of a statement."""
    listed = policy["Statement"]
    statements = [listed] if isinstance(listed, dict) else listed if isinstance(listed, list) else []
    objects = [_with_sid(item) for item in statements if isinstance(item, dict)]
    if objects and not any({"Principal", "NotPrincipal"} & item.keys() for item in objects):
        raise UnsupportedFileError(
            "this is an identity-based policy: no statement has a Principal. Use permission-guard evaluate --policies"
        )
    actions = [str(action).lower() for item in objects for action in _list(item.get("Action"))]
    if actions and all(action.startswith("sts:") for action in actions):
        raise UnsupportedFileError(
            "this is the trust policy of a role. Check the role's template, or use permission-guard evaluate --role"
        )
    arns = list(dict.fromkeys(arn for item in objects for arn in _function_arns(item)))
    if not arns:
        raise UnsupportedFileError("no statement has a Lambda function as its Resource")
    if len(arns) == 1:
        if objects != statements:
            return (_check(arns[0], {**policy, "Statement": objects}),)
        return (_check(arns[0], original or dict(policy)),)  # the original text: parsed JSON loses repeated elements
    return tuple(
        _check(arn, {**policy, "Statement": [item for item in objects if _applies_to(arn, item)]}) for arn in arns
    )


def _with_sid(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return a statement in IAM's words. The Lambda console has its own: StatementId, Conditions, a bare principal."""
    if "StatementId" not in statement:
        return dict(statement)
    names = {"StatementId": "Sid", "Conditions": "Condition"}
    renamed = {names.get(name, name): value for name, value in statement.items()}
    principal = renamed.get("Principal")
    if isinstance(principal, str) and principal != "*":
        renamed["Principal"] = {"Service" if _SERVICE.fullmatch(principal) else "AWS": principal}
    return renamed


def _check(arn: str, document: Any) -> OfflineCheck:
    target, qualifier = parse_function_arn(arn)
    policy = parse_policy(document, name="resource-based policy")
    found: ResourcePolicy | Unread = ResourcePolicy(arn, qualifier, policy)
    snapshot = Snapshot(
        target,
        Function(target.arn, target.name, ""),
        resource_policies=(found,),
        own_organization=OFFLINE_ORGANIZATION,
    )
    return OfflineCheck((Scenario(snapshot),), RULES_ON_POLICIES)


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
