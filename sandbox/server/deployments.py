"""Report CloudFormation's changes of Lambda and IAM to the trail.

MiniStack's CloudFormation writes to its stores without API calls. So a snapshot of the account is taken before and
after each Lambda or IAM resource that it creates, updates or deletes. The difference is reported as the calls that lead
to it, made by the caller of the deployment through `cloudformation.amazonaws.com`. Lambda's errors (`admission`) are
applied before and make the resource fail, as on AWS. A record has only what the stores contain. A resource that
CloudFormation itself rejects has no record.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, get_region

from sandbox.server import admission, inside
from sandbox.server.api import Call
from sandbox.server.records import CallOutcome
from sandbox.server.reply import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LoggedCall = tuple[Call, CallOutcome]
State = dict[str, dict[str, Any]]

_WATCHED = ("AWS::Lambda::", "AWS::IAM::")
_CONFIGURATION = (
    "Role",
    "Runtime",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "Environment",
    "VpcConfig",
    "TracingConfig",
    "KMSKeyArn",
    "Layers",
    "DeadLetterConfig",
    "EphemeralStorage",
    "LoggingConfig",
    "FileSystemConfigs",
    "SnapStart",
)
_MAPPING = (
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FilterCriteria",
    "DestinationConfig",
    "ScalingConfig",
    "Enabled",
    "MaximumRetryAttempts",
    "FunctionResponseTypes",
)


def wrap_provision(inner: Callable[..., Any], report: Callable[[Call, CallOutcome], None]) -> Callable[..., Any]:
    """Report the creation of a resource."""

    def provision(resource_type: str, logical_id: str, props: Mapping[str, Any], stack_name: str) -> Any:
        if not resource_type.startswith(_WATCHED):
            return inner(resource_type, logical_id, without_metric_math(resource_type, props), stack_name)
        _require_admission("Create", resource_type, props, report)
        before = snapshot()
        made = inner(resource_type, logical_id, props, stack_name)
        if resource_type == "AWS::IAM::Role":
            _set_boundary(made[0], props)
        _report_changes(before, report)
        return made

    return provision


def wrap_update(inner: Callable[..., Any], report: Callable[[Call, CallOutcome], None]) -> Callable[..., Any]:
    """Report the update of a resource."""

    def update(resource_type: str, physical_id: str, old: Any, new: Any, *rest: Any, **options: Any) -> Any:
        if not resource_type.startswith(_WATCHED) or old == new:
            old, new = (without_metric_math(resource_type, props) for props in (old, new))
            return inner(resource_type, physical_id, old, new, *rest, **options)
        _require_admission("Update", resource_type, {**new, "UUID": physical_id}, report)
        before = snapshot()
        made = inner(resource_type, physical_id, old, new, *rest, **options)
        if resource_type == "AWS::IAM::Role":
            _set_boundary(made[0], new)
        _report_changes(before, report)
        return made

    return update


def without_metric_math(resource_type: str, props: Any) -> Any:
    """Return an alarm's properties with its first metric in place of metric math, which MiniStack rejects.

    The sandbox stores alarms and does not evaluate expressions, so which metrics an expression adds up is tested on the
    template.
    """
    if resource_type != "AWS::CloudWatch::Alarm" or not props.get("Metrics"):
        return props
    stat = next(one["MetricStat"] for one in props["Metrics"] if "MetricStat" in one)
    others = {name: value for name, value in props.items() if name != "Metrics"}
    return {**others, **stat["Metric"], "Period": stat["Period"], "Statistic": stat["Stat"]}


def wrap_delete(inner: Callable[..., Any], report: Callable[[Call, CallOutcome], None]) -> Callable[..., Any]:
    """Report the deletion of a resource."""

    def delete(resource_type: str, *rest: Any, **options: Any) -> Any:
        before = snapshot() if resource_type.startswith(_WATCHED) else None
        done = inner(resource_type, *rest, **options)
        if before is not None:
            _report_changes(before, report)
        return done

    return delete


def _set_boundary(role_name: str, props: Mapping[str, Any]) -> None:
    """Set a role's permissions boundary, which MiniStack's CloudFormation drops and its evaluator uses."""
    inside.roles[role_name]["PermissionsBoundary"] = props.get("PermissionsBoundary", "")


def _require_admission(
    verb: str, resource_type: str, props: Mapping[str, Any], report: Callable[[Call, CallOutcome], None]
) -> None:
    call = Call("lambda", f"{verb}EventSourceMapping", props)
    try:
        if resource_type == "AWS::Lambda::Function" and props.get("Role"):
            tags = {tag["Key"]: tag["Value"] for tag in props.get("Tags") or []}
            operation = "CreateFunction" if verb == "Create" else "UpdateFunctionConfiguration"
            call = Call("lambda", operation, {**props, "Code": {}, "Tags": tags or None})
            admission.require_assumable(str(props["Role"]), str(props.get("FunctionName", "")))
        elif resource_type == "AWS::Lambda::EventSourceMapping":
            role = admission.role_of(str(props.get("FunctionName", "")))
            if role:
                admission.require_source_access(role, str(props.get("EventSourceArn", "")))
    except ApiError as error:
        report(call, CallOutcome(error_code=error.code, error_message=error.message))
        text = f'Resource handler returned message: "{error.message} (Service: Lambda, Status Code: {error.status})"'
        raise ValueError(text) from error


def _report_changes(before: State, report: Callable[[Call, CallOutcome], None]) -> None:
    for call, outcome in changes(before, snapshot()):
        report(call, outcome)


def snapshot() -> State:
    """Return the resources of Lambda and IAM in the account and region of the request."""
    functions = {
        name: {
            "config": record["config"],
            "code": record["config"].get("CodeSha256"),
            "package": {"S3Bucket": record.get("code_s3_bucket"), "S3Key": record.get("code_s3_key")},
            "tags": record.get("tags") or {},
            "aliases": record["aliases"],
            "versions": {number: version["config"] for number, version in record["versions"].items()},
            "statements": {one["Sid"]: one for one in record["policy"]["Statement"] if "Sid" in one},
            "invoke": record.get("event_invoke_configs") or {},
        }
        for name, record in inside.functions.items()
    }
    state = {
        "roles": dict(inside.roles.items()),
        "policies": dict(inside.managed_policies.items()),
        "functions": functions,
        "mappings": dict(inside.event_source_mappings.items()),
        "urls": dict(inside.function_urls.items()),
    }
    return copy.deepcopy(state)


def changes(before: State, after: State) -> Iterator[LoggedCall]:
    """Yield the calls, with their outcomes, that lead from one snapshot to another."""
    for arn, policy in _added(before["policies"], after["policies"]):
        yield _create_policy(arn, policy)
    for arn, old, policy in _kept(before["policies"], after["policies"]):
        yield from _policy_versions(arn, old, policy)
    for name, role in _added(before["roles"], after["roles"]):
        yield from _create_role(name, role)
    for name, old, role in _kept(before["roles"], after["roles"]):
        yield from _update_role(name, old, role)
    for name, function in _added(before["functions"], after["functions"]):
        yield _create_function(name, function)
        yield from _function_parts(name, _NO_PARTS, function)
    for name, old, function in _kept(before["functions"], after["functions"]):
        yield from _update_function(name, old, function)
        yield from _function_parts(name, old, function)
    yield from _mappings(before["mappings"], after["mappings"])
    yield from _urls(before["urls"], after["urls"])
    for name, _ in _added(after["functions"], before["functions"]):
        yield _done("lambda", "DeleteFunction", {"FunctionName": name})
    for name, role in _added(after["roles"], before["roles"]):
        yield from _role_policies(name, role, {"AttachedPolicies": [], "InlinePolicies": {}})
        yield _done("iam", "DeleteRole", {"RoleName": name})
    for arn, _ in _added(after["policies"], before["policies"]):
        yield _done("iam", "DeletePolicy", {"PolicyArn": arn})


_NO_PARTS: Mapping[str, Any] = {"aliases": {}, "versions": {}, "statements": {}, "invoke": {}, "tags": {}}


def _added(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in after.items() if key not in before]


def _kept(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(key, before[key], value) for key, value in after.items() if key in before and before[key] != value]


def _done(
    service: str, operation: str, params: Mapping[str, Any], output: Mapping[str, Any] | None = None
) -> LoggedCall:
    return Call(service, operation, params), CallOutcome(output=output)


def _create_policy(arn: str, policy: Mapping[str, Any]) -> LoggedCall:
    document = policy["Versions"][policy["DefaultVersionId"]]["Document"]
    params = {"PolicyName": policy["PolicyName"], "Path": policy["Path"], "PolicyDocument": _text(document)}
    return _done("iam", "CreatePolicy", params, {"Policy": {**policy, "Arn": arn}})


def _policy_versions(arn: str, old: Mapping[str, Any], policy: Mapping[str, Any]) -> Iterator[LoggedCall]:
    for number, _ in _added(policy["Versions"], old["Versions"]):
        yield _done("iam", "DeletePolicyVersion", {"PolicyArn": arn, "VersionId": number})
    for number, version in _added(old["Versions"], policy["Versions"]):
        is_default = policy["DefaultVersionId"] == number
        params = {"PolicyArn": arn, "PolicyDocument": _text(version["Document"]), "SetAsDefault": is_default}
        output = {key: value for key, value in version.items() if key != "Document"}
        yield _done("iam", "CreatePolicyVersion", params, {"PolicyVersion": output})


def _create_role(name: str, role: Mapping[str, Any]) -> Iterator[LoggedCall]:
    trust = _text(role["AssumeRolePolicyDocument"])
    params = {"Path": role["Path"], "RoleName": name, "AssumeRolePolicyDocument": trust}
    if role.get("PermissionsBoundary"):
        params["PermissionsBoundary"] = role["PermissionsBoundary"]
    yield _done("iam", "CreateRole", params, {"Role": {**role, "PermissionsBoundary": None}})
    yield from _role_policies(name, {"AttachedPolicies": [], "InlinePolicies": {}}, role)


def _update_role(name: str, old: Mapping[str, Any], role: Mapping[str, Any]) -> Iterator[LoggedCall]:
    if old["AssumeRolePolicyDocument"] != role["AssumeRolePolicyDocument"]:
        trust = _text(role["AssumeRolePolicyDocument"])
        yield _done("iam", "UpdateAssumeRolePolicy", {"RoleName": name, "PolicyDocument": trust})
    boundary = role.get("PermissionsBoundary")
    if (old.get("PermissionsBoundary") or "") != (boundary or ""):
        verb = "Put" if boundary else "Delete"
        params = {"RoleName": name, **({"PermissionsBoundary": boundary} if boundary else {})}
        yield _done("iam", f"{verb}RolePermissionsBoundary", params)
    if (old.get("Tags") or []) != (role.get("Tags") or []):
        yield _done("iam", "TagRole", {"RoleName": name, "Tags": role.get("Tags") or []})
    yield from _role_policies(name, old, role)


def _role_policies(name: str, old: Mapping[str, Any], role: Mapping[str, Any]) -> Iterator[LoggedCall]:
    for arn in [arn for arn in role["AttachedPolicies"] if arn not in old["AttachedPolicies"]]:
        yield _done("iam", "AttachRolePolicy", {"RoleName": name, "PolicyArn": arn})
    for arn in [arn for arn in old["AttachedPolicies"] if arn not in role["AttachedPolicies"]]:
        yield _done("iam", "DetachRolePolicy", {"RoleName": name, "PolicyArn": arn})
    for policy, document in role["InlinePolicies"].items():
        if old["InlinePolicies"].get(policy) != document:
            params = {"RoleName": name, "PolicyName": policy, "PolicyDocument": _text(document)}
            yield _done("iam", "PutRolePolicy", params)
    for policy, _ in _added(role["InlinePolicies"], old["InlinePolicies"]):
        yield _done("iam", "DeleteRolePolicy", {"RoleName": name, "PolicyName": policy})


def _create_function(name: str, function: Mapping[str, Any]) -> LoggedCall:
    config = function["config"]
    params = {"FunctionName": name, **{key: config[key] for key in _CONFIGURATION if config.get(key)}}
    params["Code"] = function["package"]
    if function["tags"]:
        params["Tags"] = function["tags"]
    return _done("lambda", "CreateFunction", params, config)


def _update_function(name: str, old: Mapping[str, Any], function: Mapping[str, Any]) -> Iterator[LoggedCall]:
    config = function["config"]
    if old["code"] != function["code"]:
        yield _done("lambda", "UpdateFunctionCode", {"FunctionName": name}, config)
    changed = {key: config.get(key) for key in _CONFIGURATION if config.get(key) != old["config"].get(key)}
    if changed:
        yield _done("lambda", "UpdateFunctionConfiguration", {"FunctionName": name, **changed}, config)


def _function_parts(name: str, old: Mapping[str, Any], function: Mapping[str, Any]) -> Iterator[LoggedCall]:
    for number, config in _added(old["versions"], function["versions"]):
        yield _done("lambda", "PublishVersion", {"FunctionName": name}, {**config, "Version": number})
    for number, _ in _added(function["versions"], old["versions"]):
        yield _done("lambda", "DeleteFunction", {"FunctionName": name, "Qualifier": number})
    for alias, held in _added(old["aliases"], function["aliases"]):
        params = {"FunctionName": name, "Name": alias, "FunctionVersion": held["FunctionVersion"]}
        yield _done("lambda", "CreateAlias", params, held)
    for alias, _, held in _kept(old["aliases"], function["aliases"]):
        params = {"FunctionName": name, "Name": alias, "FunctionVersion": held["FunctionVersion"]}
        yield _done("lambda", "UpdateAlias", params, held)
    for alias, _ in _added(function["aliases"], old["aliases"]):
        yield _done("lambda", "DeleteAlias", {"FunctionName": name, "Name": alias})
    for _, statement in _added(old["statements"], function["statements"]):
        output = {"Statement": json.dumps(statement, separators=(",", ":"))}
        yield _done("lambda", "AddPermission", _permission(name, statement), output)
    for sid, statement in _added(function["statements"], old["statements"]):
        params = {"FunctionName": name, "StatementId": sid, **_statement_qualifier(statement)}
        yield _done("lambda", "RemovePermission", params)
    for qualifier, config in function["invoke"].items():
        if old["invoke"].get(qualifier) != config:
            params = {"FunctionName": name, "Qualifier": qualifier, **config}
            yield _done("lambda", "PutFunctionEventInvokeConfig", params, config)
    for qualifier, _ in _added(function["invoke"], old["invoke"]):
        yield _done("lambda", "DeleteFunctionEventInvokeConfig", {"FunctionName": name, "Qualifier": qualifier})
    if old["tags"] != function["tags"] and old is not _NO_PARTS:
        params = {"Resource": function["config"]["FunctionArn"], "Tags": function["tags"]}
        yield _done("lambda", "TagResource", params)


def _permission(name: str, statement: Mapping[str, Any]) -> dict[str, Any]:
    principal = statement["Principal"]
    named = principal if isinstance(principal, str) else next(iter(principal.values()))
    equals = statement.get("Condition", {}).get("StringEquals", {})
    like = statement.get("Condition", {}).get("ArnLike", {})
    params = {
        "FunctionName": name,
        "StatementId": statement["Sid"],
        "Action": statement["Action"],
        "Principal": named,
        "SourceArn": like.get("AWS:SourceArn"),
        "SourceAccount": equals.get("AWS:SourceAccount"),
        "EventSourceToken": equals.get("lambda:EventSourceToken"),
        "FunctionUrlAuthType": equals.get("lambda:FunctionUrlAuthType"),
        "PrincipalOrgID": equals.get("aws:PrincipalOrgID"),
        **_statement_qualifier(statement),
    }
    return {key: value for key, value in params.items() if value is not None}


def _statement_qualifier(statement: Mapping[str, Any]) -> dict[str, str]:
    _, _, qualifier = str(statement["Resource"]).rpartition(":function:")[2].partition(":")
    return {"Qualifier": qualifier} if qualifier else {}


def _mappings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[LoggedCall]:
    for number, mapping in _added(before, after):
        params = {key: mapping[key] for key in ("EventSourceArn", "FunctionName", *_MAPPING) if key in mapping}
        yield _done(
            "lambda", "CreateEventSourceMapping", params, {**mapping, "EventSourceMappingArn": _mapping(number)}
        )
    for number, old, mapping in _kept(before, after):
        changed = {key: mapping[key] for key in ("FunctionName", *_MAPPING) if mapping.get(key) != old.get(key)}
        yield _done("lambda", "UpdateEventSourceMapping", {"UUID": number, **changed}, mapping)
    for number, mapping in _added(after, before):
        yield _done("lambda", "DeleteEventSourceMapping", {"UUID": number}, mapping)


def _mapping(number: str) -> str:
    return f"arn:aws:lambda:{get_region()}:{get_account_id()}:event-source-mapping:{number}"


def _urls(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[LoggedCall]:
    for key, url in _added(before, after):
        yield _done("lambda", "CreateFunctionUrlConfig", {**_url(key), "AuthType": url["AuthType"]}, url)
    for key, _, url in _kept(before, after):
        yield _done("lambda", "UpdateFunctionUrlConfig", {**_url(key), "AuthType": url["AuthType"]}, url)
    for key, _ in _added(after, before):
        yield _done("lambda", "DeleteFunctionUrlConfig", _url(key))


def _url(key: str) -> dict[str, str]:
    name, _, qualifier = key.partition(":")
    return {"FunctionName": name, "Qualifier": qualifier} if qualifier else {"FunctionName": name}


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)
