"""A CloudTrail record, as EventBridge delivers it, becomes the targets to look at.

An event says where to look, never what is true: nothing of it but names is used, and of a call that AWS refused what it
asked for, which is asked anew. AWS writes dates and versions into event names ("still referring to the same public
API"), so names are compared without them.
https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from permission_guard.errors import MalformedEventError, UnknownEventError
from permission_guard.intake.denied_calls import denied_call_of
from permission_guard.model.arns import parse_function_arn, parse_function_name, parse_policy_arn
from permission_guard.model.targets import JSON, Direction, FunctionTarget, PolicyTarget, RoleTarget, Target
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.intake.cloudtrail_record import CloudTrailRecord
    from permission_guard.model.state import DeniedCall

LAMBDA = "lambda.amazonaws.com"
IAM = "iam.amazonaws.com"


@record
class RecordTargets:
    """What follows from one record: the targets, or none and the reason.

    `tool` is the infrastructure code that made the change, "" if that is unknown or nothing was changed. `refusal` is
    the call, where AWS refused it because of the execution role.
    """

    event_id: str
    targets: tuple[Target, ...]
    reason: str = ""
    tool: str = ""
    refusal: DeniedCall | None = None


def targets_of_record(record: CloudTrailRecord, direction: Direction) -> RecordTargets:
    """Return where `direction` has to look after this record.

    UnknownEventError for an API that is in no table: AWS may have added one that matters. MalformedEventError when
    the record lacks the name of what it changed.
    """
    row = _APIS.get((record.event_source, record.api))
    if row is None:
        # Only Lambda's and IAM's writes are ours; PutResourcePolicy, for one, exists in a dozen services.
        if record.event_source not in (LAMBDA, IAM):
            return RecordTargets(record.event_id, (), f"{record.event_source} is not watched")
        raise UnknownEventError(f"{record.event_source} {record.event_name!r:.100} is in no table")
    if direction not in row.directions:
        return RecordTargets(record.event_id, (), row.never or f"{record.api} changes nothing that this checker reads")
    why_not = _why_nothing_changed(record, row)
    refusal = denied_call_of(record) if why_not and direction is Direction.EXECUTION_ROLE else None
    if why_not and refusal is None:
        return RecordTargets(record.event_id, (), why_not)
    target = row.locate(record)
    if target is None:
        return RecordTargets(record.event_id, (), row.nameless)
    if target.account != record.account:
        return RecordTargets(record.event_id, (), f"the change is to account {target.account}, not to this one")
    return RecordTargets(record.event_id, (target,), tool="" if why_not else record.tool, refusal=refusal)


def _why_nothing_changed(record: CloudTrailRecord, row: _Row) -> str:
    """Return why the call took no effect, "" if it did.

    A denied CreateFunction was seen in the trail without any errorCode, its responseElements null; so for calls that
    answer with something, the answer must be there.
    """
    if row.is_call and (record.error_code is not None or (record.response is None and row.answers)):
        return f"the call did not succeed: {record.error_code or 'no response'}"
    return row.idle(record)


def _publishes_nothing(record: CloudTrailRecord) -> str:
    if record.request.get("publish") is not True or record.request.get("dryRun") is True:
        return "the call published no version"
    return ""


def _changes_no_default(record: CloudTrailRecord) -> str:
    """Only a policy's default version says anything; IAM answers whether the new one is it."""
    version = (record.response or {}).get("policyVersion")
    is_default = version.get("isDefaultVersion") if isinstance(version, Mapping) else None
    if record.request.get("setAsDefault") is not True and is_default is not True:
        return "the new version is not the policy's default"
    return ""


def _never_idle(_record: CloudTrailRecord) -> str:
    return ""


def _named_function(record: CloudTrailRecord) -> FunctionTarget:
    return _function(record, record.request.get("functionName"), "functionName")


def _mapped_function(record: CloudTrailRecord) -> FunctionTarget:
    """Return the function of a mapping. The answer names it; updates and deletions ask by the mapping's UUID."""
    answered = (record.response or {}).get("functionArn")
    return _function(record, answered or record.request.get("functionName"), "functionArn")


def _polled_function(record: CloudTrailRecord) -> FunctionTarget | None:
    """Return the function of a mapping that AWS switched off, None where the record names none.

    AWS documents no more of it than the reason. Records on functions name theirs among `resources`, as those of
    invocations do. https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
    """
    for arn in record.named:
        try:
            return parse_function_arn(arn)[0]
        except ValueError:
            continue
    return None


def _resource_function(record: CloudTrailRecord) -> FunctionTarget | None:
    """Return the function whose policy it is, None for a runtime's: those have policies as well."""
    arn = record.request.get("resourceArn")
    if not isinstance(arn, str):
        raise MalformedEventError(f"{record.event_name} has no `resourceArn`")
    if ":lambda:" in arn and ":runtime/" in arn:
        return None
    try:
        return parse_function_arn(arn)[0]
    except ValueError as error:
        raise MalformedEventError(str(error)) from error


def _function(record: CloudTrailRecord, name: JSON, key: str) -> FunctionTarget:
    if not isinstance(name, str):
        raise MalformedEventError(f"{record.event_name} has no `{key}`")
    try:
        return parse_function_name(name, region=record.region, account=record.account)[0]
    except ValueError as error:
        raise MalformedEventError(str(error)) from error


def _named_role(record: CloudTrailRecord) -> RoleTarget:
    name = record.request.get("roleName")
    if not isinstance(name, str) or not re.fullmatch(r"[\w+=,.@-]{1,64}", name, re.ASCII):
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
    """One API: which scopes it concerns, where it names what it changed, and whether a success has a response.

    `idle` says why a call that succeeded changed nothing after all, "" if it did. `never` says why no call of this API
    ever needs a look: no rule of template.yaml asks for it, and if one ever does, it is no unknown API. `is_call` is
    false where Lambda tells by itself what nobody called for: that does not fail. `nameless` says why there is nothing
    to look at where the record does not name it.
    """

    locate: Callable[[CloudTrailRecord], Target | None]
    directions: frozenset[Direction]
    answers: bool
    idle: Callable[[CloudTrailRecord], str] = _never_idle
    never: str = ""
    is_call: bool = True
    nameless: str = "the change is to something else than a function, a role or a policy"


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
    # Who may use a URL is up to the policy; but there has to be one, and its kind decides what the policy must say.
    (LAMBDA, "CreateFunctionUrlConfig"): _Row(_named_function, _INVOKE, answers=False),
    (LAMBDA, "UpdateFunctionUrlConfig"): _Row(_named_function, _INVOKE, answers=False),
    (LAMBDA, "DeleteFunctionUrlConfig"): _Row(_named_function, _INVOKE, answers=False),
    # Aliases and versions have policies of their own, and what is set up to invoke one needs it to be there. A version
    # keeps the role with which it was published, and a mapping on an alias runs with that of the version behind it.
    (LAMBDA, "CreateAlias"): _Row(_named_function, _BOTH, answers=False),
    (LAMBDA, "UpdateAlias"): _Row(_named_function, _BOTH, answers=False),
    (LAMBDA, "DeleteAlias"): _Row(_named_function, _BOTH, answers=False),
    (LAMBDA, "PublishVersion"): _Row(_named_function, _BOTH, answers=False),
    (LAMBDA, "UpdateFunctionCode"): _Row(_named_function, _BOTH, answers=True, idle=_publishes_nothing),
    # Where the results of asynchronous invocations go; the role has to be allowed to send them there.
    (LAMBDA, "PutFunctionEventInvokeConfig"): _Row(_named_function, _ROLE, answers=False),
    (LAMBDA, "UpdateFunctionEventInvokeConfig"): _Row(_named_function, _ROLE, answers=False),
    (LAMBDA, "DeleteFunctionEventInvokeConfig"): _Row(_named_function, _ROLE, answers=False),
    # A look does no harm, whatever the reason. Of a mapping that a record does not let us find, nothing is lost either.
    (LAMBDA, "LambdaESMDisabled"): _Row(
        _polled_function,
        _ROLE,
        answers=False,
        is_call=False,
        nameless="the record does not name the function of the mapping that AWS switched off; the sweep sees it",
    ),
    # Matched by the prefix `DeleteFunction`, and of no concern to a rule that exists.
    (LAMBDA, "DeleteFunctionCodeSigningConfig"): _Row(_named_function, _NEITHER, answers=False),
    (LAMBDA, "DeleteFunctionConcurrency"): _Row(_named_function, _NEITHER, answers=False),
    (IAM, "AttachRolePolicy"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "DetachRolePolicy"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "PutRolePolicy"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "DeleteRolePolicy"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "PutRolePermissionsBoundary"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "DeleteRolePermissionsBoundary"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "UpdateAssumeRolePolicy"): _Row(_named_role, _ROLE, answers=False),
    # A policy may ask for the tags of the role: aws:PrincipalTag.
    (IAM, "TagRole"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "UntagRole"): _Row(_named_role, _ROLE, answers=False),
    (IAM, "CreateRole"): _Row(_named_role, _ROLE, answers=True),
    (IAM, "DeleteRole"): _Row(_named_role, _ROLE, answers=False),
    # These name a policy, and whoever has it is another question.
    (IAM, "CreatePolicyVersion"): _Row(_named_policy, _ROLE, answers=True, idle=_changes_no_default),
    (IAM, "SetDefaultPolicyVersion"): _Row(_named_policy, _ROLE, answers=False),
    (IAM, "DeletePolicyVersion"): _Row(
        _named_policy, _NEITHER, answers=False, never="IAM deletes no version that is its policy's default"
    ),
    (IAM, "DeletePolicy"): _Row(
        _named_policy, _NEITHER, answers=False, never="IAM deletes no policy that anybody has or is limited by"
    ),
}
"""One row an API. `answers` is true where CloudTrail's responseElements are filled when the call succeeds.

It is false as well where no record of a success is known: to look once too often does no harm.
"""
