"""Turn a CloudTrail record, as EventBridge delivers it, into targets to check.

An event says where to check, not what is true: only names are used, and of a call that AWS denied its parameters, which
are evaluated afresh. AWS writes dates and versions into event names ("still referring to the same public API"), so
names are compared without them. https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from permission_guard.errors import MalformedEventError, UnknownEventError
from permission_guard.iam.arn import parse_arn
from permission_guard.intake.denied_calls import denied_call_of
from permission_guard.intake.ignored_apis import IGNORED_APIS, OTHER_RESOURCES
from permission_guard.model.arns import parse_function_arn, parse_function_name, parse_policy_arn
from permission_guard.model.names import ROLE_NAME
from permission_guard.model.role_permissions import RoleChange
from permission_guard.model.targets import JSON, Direction, FunctionTarget, PolicyTarget, RoleTarget, Target
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.intake.cloudtrail_record import CloudTrailRecord
    from permission_guard.model.state import DeniedCall

LAMBDA = "lambda.amazonaws.com"
IAM = "iam.amazonaws.com"


@record
class RecordTargets:
    """The targets of one record, or none and the reason.

    `tool` is the infrastructure code that made the change, "" if it is unknown or nothing was changed. `denied_call` is
    the call that AWS denied because of the execution role, if there was one. `changed_by` is the ARN of the caller,
    `changed_from` the address and `changed_with` the user agent, each "" if it is unknown, and `changed_in` the region
    of the event; `role_change` is the call if it can have removed a permission from a role.
    """

    event_id: str
    targets: tuple[Target, ...]
    reason: str = ""
    tool: str = ""
    denied_call: DeniedCall | None = None
    changed_by: str = ""
    changed_from: str = ""
    changed_with: str = ""
    changed_in: str = ""
    role_change: RoleChange | None = None


def targets_of_record(record: CloudTrailRecord, direction: Direction) -> RecordTargets:
    """Return the targets that a checker of `direction` has to check because of a record.

    UnknownEventError for an API that is in no table: AWS may have added one that matters. MalformedEventError when
    the record does not name what it changed.
    """
    row = _APIS.get((record.event_source, record.api))
    if row is None:
        return RecordTargets(record.event_id, (), _why_ignored(record))
    if direction not in row.directions:
        return RecordTargets(record.event_id, (), row.never or f"{record.api} changes nothing that this checker reads")
    why_not = _why_nothing_changed(record, row)
    denied_call = denied_call_of(record) if why_not and direction is Direction.EXECUTION_ROLE else None
    if why_not and denied_call is None:
        return RecordTargets(record.event_id, (), why_not)
    target = row.locate(record)
    if isinstance(target, str):
        return RecordTargets(record.event_id, (), target)
    if target.account != record.account:
        return RecordTargets(record.event_id, (), f"the change is to account {target.account}, not to this one")
    return RecordTargets(
        record.event_id,
        (target,),
        tool="" if why_not else record.tool,
        denied_call=denied_call,
        changed_by=record.caller,
        changed_from=record.address,
        changed_with=record.user_agent,
        changed_in=record.region,
        role_change=_role_change(record, target) if row.removes else None,
    )


def _why_ignored(record: CloudTrailRecord) -> str:
    """Return why a call of an API that is not in the table needs no check. UnknownEventError if that is unknown."""
    # Only Lambda's and IAM's writes matter; PutResourcePolicy, for example, exists in a dozen services.
    if record.event_source not in (LAMBDA, IAM):
        return f"{record.event_source} is not watched"
    if record.event_source == LAMBDA and record.api in IGNORED_APIS:
        return f"{record.api}: {IGNORED_APIS[record.api]}"
    raise UnknownEventError(f"{record.event_source} {record.event_name!r:.100} is in no table")


def _role_change(record: CloudTrailRecord, target: Target) -> RoleChange | None:
    """Return the change of a role or of a managed policy; None if the record has no valid time."""
    try:
        at = datetime.fromisoformat(record.time)
    except ValueError:
        return None
    return RoleChange(
        record.event_id,
        record.api,
        (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat(),
        record.caller,
        role_name=target.name if isinstance(target, RoleTarget) else "",
        policy_arn=target.arn if isinstance(target, PolicyTarget) else "",
    )


def _why_nothing_changed(record: CloudTrailRecord, row: _Row) -> str:
    """Return why the call had no effect, "" if it had one.

    A denied CreateFunction has been recorded without an errorCode, with responseElements null. So a call that returns a
    response must have one.
    """
    if row.is_call and (record.error_code is not None or (record.response is None and row.answers)):
        return f"the call did not succeed: {record.error_code or 'no response'}"
    return row.idle(record)


def _publishes_nothing(record: CloudTrailRecord) -> str:
    if record.request.get("publish") is not True or record.request.get("dryRun") is True:
        return "the call published no version"
    return ""


def _changes_no_default(record: CloudTrailRecord) -> str:
    """Only a policy's default version has effect; IAM's response says whether the new version is the default."""
    version = (record.response or {}).get("policyVersion")
    is_default = version.get("isDefaultVersion") if isinstance(version, Mapping) else None
    if record.request.get("setAsDefault") is not True and is_default is not True:
        return "the new version is not the policy's default"
    return ""


def _never_idle(_record: CloudTrailRecord) -> str:
    return ""


def _named_function(record: CloudTrailRecord) -> FunctionTarget | str:
    return _function(record, record.request.get("functionName"), "functionName")


def _mapped_function(record: CloudTrailRecord) -> FunctionTarget | str:
    """Return the function of a mapping. The response names it; updates and deletions name only the mapping's UUID."""
    responded = (record.response or {}).get("functionArn")
    return _function(record, responded or record.request.get("functionName"), "functionArn")


def _polled_function(record: CloudTrailRecord) -> FunctionTarget | str:
    """Return the function of a mapping that AWS disabled, or that the record names none.

    AWS documents only the reason. Records on functions name theirs in `resources`, as those of invocations do.
    https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
    """
    for arn in record.named:
        try:
            return parse_function_arn(arn)[0]
        except ValueError:
            continue
    return "the record does not name the function of the mapping that AWS disabled; the sweep checks it"


def _resource_function(record: CloudTrailRecord) -> FunctionTarget | str:
    """Return the function whose policy changed, or why another resource with a policy needs no check."""
    text = record.request.get("resourceArn")
    if not isinstance(text, str):
        raise MalformedEventError(f"{record.event_name} has no `resourceArn`")
    reason = _why_no_function(text)
    if reason:
        return reason
    try:
        return parse_function_arn(text)[0]
    except ValueError as error:
        raise MalformedEventError(str(error)) from error


def _why_no_function(text: str) -> str:
    """Return why a resource of AWS Lambda that is not a function needs no check; empty for anything else."""
    arn = parse_arn(text)
    kind = re.split("[:/]", arn.resource)[0] if arn is not None and arn.service == "lambda" else ""
    return f"the change is not to a function: {OTHER_RESOURCES[kind]}" if kind in OTHER_RESOURCES else ""


def _function(record: CloudTrailRecord, name: JSON, key: str) -> FunctionTarget | str:
    if not isinstance(name, str):
        raise MalformedEventError(f"{record.event_name} has no `{key}`")
    if reason := _why_no_function(name):
        return reason
    try:
        return parse_function_name(name, region=record.region, account=record.account)[0]
    except ValueError as error:
        raise MalformedEventError(str(error)) from error


def _named_role(record: CloudTrailRecord) -> RoleTarget:
    name = record.request.get("roleName")
    if not isinstance(name, str) or not ROLE_NAME.match(name):
        raise MalformedEventError(f"{record.event_name} has no valid `roleName`")
    return RoleTarget(record.account, name)


def _named_policy(record: CloudTrailRecord) -> PolicyTarget:
    arn = record.request.get("policyArn")
    if not isinstance(arn, str):
        raise MalformedEventError(f"{record.event_name} has no `policyArn`")
    try:
        return parse_policy_arn(arn)
    except ValueError as error:
        raise MalformedEventError(str(error)) from error


@record
class _Row:
    """One API: the directions it concerns, where it names what it changed, and whether a success has a response.

    `idle` returns why a call that succeeded changed nothing, "" if it changed something. `never` says why no call of
    this API needs a check: no rule of template.yaml matches it, but it is not unknown. `is_call` is false for what
    Lambda reports by itself: that cannot fail. `removes` is true if the call can remove a permission from a role's
    identity policies. `locate` returns the target, or why the record has none.
    """

    locate: Callable[[CloudTrailRecord], Target | str]
    directions: frozenset[Direction]
    answers: bool
    idle: Callable[[CloudTrailRecord], str] = _never_idle
    never: str = ""
    is_call: bool = True
    removes: bool = False


_INVOKE = frozenset({Direction.INVOKE_POLICY})
_ROLE = frozenset({Direction.EXECUTION_ROLE})
_BOTH = _INVOKE | _ROLE
_NEITHER: frozenset[Direction] = frozenset()

_APIS: dict[tuple[str, str], _Row] = {
    (LAMBDA, "CreateFunction"): _Row(_named_function, _BOTH, answers=True),
    (LAMBDA, "DeleteFunction"): _Row(_named_function, _BOTH, answers=False),
    (LAMBDA, "UpdateFunctionConfiguration"): _Row(_named_function, _ROLE, answers=True),
    (LAMBDA, "AddPermission"): _Row(_named_function, _INVOKE, answers=True),
    (LAMBDA, "RemovePermission"): _Row(_named_function, _INVOKE, answers=False),
    (LAMBDA, "PutResourcePolicy"): _Row(_resource_function, _INVOKE, answers=False),
    (LAMBDA, "DeleteResourcePolicy"): _Row(_resource_function, _INVOKE, answers=False),
    (LAMBDA, "CreateEventSourceMapping"): _Row(_mapped_function, _ROLE, answers=True),
    (LAMBDA, "UpdateEventSourceMapping"): _Row(_mapped_function, _ROLE, answers=True),
    (LAMBDA, "DeleteEventSourceMapping"): _Row(_mapped_function, _ROLE, answers=True),
    # The policy decides who may use a URL; whether there is one, and its auth type, decide what the policy has to
    # contain.
    (LAMBDA, "CreateFunctionUrlConfig"): _Row(_named_function, _INVOKE, answers=False),
    (LAMBDA, "UpdateFunctionUrlConfig"): _Row(_named_function, _INVOKE, answers=False),
    (LAMBDA, "DeleteFunctionUrlConfig"): _Row(_named_function, _INVOKE, answers=False),
    # Aliases and versions have policies of their own, and triggers may name them. A version keeps the role with which
    # it was published, and a mapping on an alias uses the role of the version behind it.
    (LAMBDA, "CreateAlias"): _Row(_named_function, _BOTH, answers=False),
    (LAMBDA, "UpdateAlias"): _Row(_named_function, _BOTH, answers=False),
    (LAMBDA, "DeleteAlias"): _Row(_named_function, _BOTH, answers=False),
    (LAMBDA, "PublishVersion"): _Row(_named_function, _BOTH, answers=False),
    (LAMBDA, "UpdateFunctionCode"): _Row(_named_function, _BOTH, answers=True, idle=_publishes_nothing),
    # The destinations of asynchronous invocations: the role has to be allowed to send to them.
    (LAMBDA, "PutFunctionEventInvokeConfig"): _Row(_named_function, _ROLE, answers=False),
    (LAMBDA, "UpdateFunctionEventInvokeConfig"): _Row(_named_function, _ROLE, answers=False),
    (LAMBDA, "DeleteFunctionEventInvokeConfig"): _Row(_named_function, _ROLE, answers=False),
    # A check does no harm, whatever the reason was. A mapping that the record does not name is found by the sweep.
    (LAMBDA, "LambdaESMDisabled"): _Row(_polled_function, _ROLE, answers=False, is_call=False),
    # The prefix `DeleteFunction` matches them; no rule needs them.
    (LAMBDA, "DeleteFunctionCodeSigningConfig"): _Row(_named_function, _NEITHER, answers=False),
    (LAMBDA, "DeleteFunctionConcurrency"): _Row(_named_function, _NEITHER, answers=False),
    (IAM, "AttachRolePolicy"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "DetachRolePolicy"): _Row(_named_role, _ROLE, answers=False, removes=True),
    (IAM, "PutRolePolicy"): _Row(_named_role, _ROLE, answers=False, removes=True),
    (IAM, "DeleteRolePolicy"): _Row(_named_role, _ROLE, answers=False, removes=True),
    (IAM, "PutRolePermissionsBoundary"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "DeleteRolePermissionsBoundary"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "UpdateAssumeRolePolicy"): _Row(_named_role, _ROLE, answers=False),
    # A policy may use the tags of the role: aws:PrincipalTag.
    (IAM, "TagRole"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "UntagRole"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "CreateRole"): _Row(_named_role, _ROLE, answers=True),
    (IAM, "DeleteRole"): _Row(_named_role, _ROLE, answers=False),
    # These name a policy; the checker lists the roles that have it.
    (IAM, "CreatePolicyVersion"): _Row(_named_policy, _ROLE, answers=True, idle=_changes_no_default, removes=True),
    (IAM, "SetDefaultPolicyVersion"): _Row(_named_policy, _ROLE, answers=False, removes=True),
    (IAM, "DeletePolicyVersion"): _Row(
        _named_policy, _NEITHER, answers=False, never="IAM deletes no version that is its policy's default"
    ),
    (IAM, "DeletePolicy"): _Row(
        _named_policy, _NEITHER, answers=False, never="IAM deletes no policy that is attached or used as a boundary"
    ),
}
"""One row an API. `answers` is true where CloudTrail's responseElements are filled when the call succeeds.

It is also false where no record of a success is known: one check too many does no harm.
"""

REMOVING = frozenset(api for (_, api), row in _APIS.items() if row.removes)
"""The calls that can remove a permission from a role's identity policies."""
