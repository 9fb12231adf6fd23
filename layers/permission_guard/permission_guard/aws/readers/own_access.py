"""Find out which actions a session is allowed: by IAM's policy simulator, else by calls that only read."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import OperationNotFoundError

from permission_guard.aws.calls import is_denied
from permission_guard.aws.sessions import client_of
from permission_guard.errors import error_code
from permission_guard.model.access import Access, Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import boto3

    from permission_guard.aws.sessions import Identity

_SIMULATE: Final = "iam:SimulatePrincipalPolicy"
_AT_ONCE: Final = 50
_ASSUMED: Final = re.compile(r"arn:[^:]+:sts::\d{12}:assumed-role/(?P<name>[^/]+)/.+")
_ONLY_READS: Final = ("List", "Describe", "Get")
_SERVICES: Final = {
    "cognito-idp": "cognito-idp",
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elbv2",
    "tag": "resourcegroupstaggingapi",
}
"""The names that boto3 has for services whose IAM prefix is another one."""
_OPERATIONS: Final = {"s3:ListAllMyBuckets": "ListBuckets"}
_SMALL_PAGES: Final = ("MaxItems", "MaxResults", "Limit", "limit", "MaxRecords", "maxResults", "PageSize")


def access_of(session: boto3.Session, identity: Identity, region: str, actions: Iterable[str]) -> tuple[Access, ...]:
    """Return for each action whether the session is allowed it on all resources, sorted by action.

    The simulator needs iam:SimulatePrincipalPolicy, and iam:GetRole for a role that has a path. Where it cannot be
    asked, an action is tried if its call reads only and names no resource. The others are unknown.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    wanted = sorted(set(actions))
    iam = client_of(session, "iam")
    principal, why_not = _principal(iam, identity)
    if principal:
        try:
            return tuple(sorted(_simulated(iam, principal, region, wanted)))
        except (ClientError, BotoCoreError) as error:
            why_not = f"{_SIMULATE} failed: {_reason(error)}"
    return tuple(_tried(session, region, action, why_not) for action in wanted)


def _principal(iam: Any, identity: Identity) -> tuple[str, str]:
    """Return the ARN that the simulator takes for the caller; else an empty text, and why there is none."""
    match = _ASSUMED.fullmatch(identity.arn)
    if match is None:
        is_user = ":user/" in identity.arn
        return (identity.arn, "") if is_user else ("", f"the simulator cannot evaluate {identity.arn}")
    try:
        return str(iam.get_role(RoleName=match["name"])["Role"]["Arn"]), ""
    except (ClientError, BotoCoreError):
        return f"arn:{identity.partition}:iam::{identity.account}:role/{match['name']}", ""


def _simulated(iam: Any, principal: str, region: str, actions: list[str]) -> Iterator[Access]:
    for start in range(0, len(actions), _AT_ONCE):
        names = actions[start : start + _AT_ONCE]
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=principal,
            ActionNames=names,
            ContextEntries=[
                {"ContextKeyName": "aws:RequestedRegion", "ContextKeyType": "string", "ContextKeyValues": [region]},
                {"ContextKeyName": "aws:SecureTransport", "ContextKeyType": "boolean", "ContextKeyValues": ["true"]},
            ],
        )
        decided = {one["EvalActionName"]: _decision(one) for page in pages for one in page["EvaluationResults"]}
        for name in names:
            yield decided.get(name) or Access(name, Decision.UNKNOWN, "the policy simulator does not answer")


def _decision(result: Mapping[str, Any]) -> Access:
    action, decision = str(result["EvalActionName"]), result.get("EvalDecision")
    missing = result.get("MissingContextValues") or ()
    if decision == "allowed":
        return Access(action, Decision.ALLOWED)
    if missing:
        return Access(action, Decision.UNKNOWN, f"it depends on {', '.join(missing)}, which only a real call has")
    if decision == "explicitDeny":
        return Access(action, Decision.DENIED, "a statement denies it")
    if not (result.get("OrganizationsDecisionDetail") or {}).get("AllowedByOrganizations", True):
        return Access(action, Decision.DENIED, "the organization's policies do not allow it")
    if not (result.get("PermissionsBoundaryDecisionDetail") or {}).get("AllowedByPermissionsBoundary", True):
        return Access(action, Decision.DENIED, "the permissions boundary does not allow it")
    return Access(action, Decision.DENIED, "no policy allows it on all resources")


def _tried(session: boto3.Session, region: str, action: str, why_not: str) -> Access:
    """Try an action whose call reads only and needs no parameters."""
    found = _call(session, region, action)
    if found is None:
        return Access(action, Decision.UNKNOWN, f"{why_not}, and no call without a resource tries it")
    try:
        found()
    except ClientError as error:
        if is_denied(error):
            return Access(action, Decision.DENIED, "AWS denied a call")
        return Access(action, Decision.UNKNOWN, f"a call failed: {_reason(error)}")
    except BotoCoreError as error:
        return Access(action, Decision.UNKNOWN, f"a call failed: {_reason(error)}")
    return Access(action, Decision.ALLOWED)


def _call(session: boto3.Session, region: str, action: str) -> Callable[[], object] | None:
    """Return a call that needs an action, None unless it only reads and needs no parameters. Its page is small."""
    prefix, _, name = action.partition(":")
    operation = _OPERATIONS.get(action, name)
    if not operation.startswith(_ONLY_READS):
        return None
    try:
        client = client_of(session, _SERVICES.get(prefix, prefix), region)
        shape = client.meta.service_model.operation_model(operation).input_shape
    except (BotoCoreError, OperationNotFoundError):
        return None
    if shape is not None and shape.required_members:
        return None
    members = shape.members if shape is not None else {}
    page = next((one for one in _SMALL_PAGES if one in members and members[one].type_name == "integer"), None)
    parameters = {page: max(members[page].metadata.get("min", 1), 1)} if page else {}
    return partial(getattr(client, xform_name(operation)), **parameters)


def _reason(error: Exception) -> str:
    return error_code(error) if isinstance(error, ClientError) else str(error)
