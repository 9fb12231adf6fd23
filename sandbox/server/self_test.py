"""Test every hook on the running application, with the requests of a client.

A hook that MiniStack does not call any more would cause no error: permissions would not be checked and records would be
missing. The tests run in a separate account and end with a reset.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.server import pin

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server.gateway import Gateway

_ACCOUNT = "000000000001"
_REGION = "us-east-1"
_DEADLINE = 1.0
_ROOT = Credentials(_ACCOUNT, "sandbox")
_FUNCTIONS = "/2015-03-31/functions"
_MAPPINGS = "/2015-03-31/event-source-mappings"
_ROLE = f"arn:aws:iam::{_ACCOUNT}:role/probe"
_ALLOWED = "arn:aws:iam::aws:policy/ReadOnlyAccess"
_CHANGES = ["events:PutEvents", "events:UpdateEventBus"]
_TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com", "AWS": f"arn:aws:iam::{_ACCOUNT}:root"},
    "Action": "sts:AssumeRole",
}
_MAY_ATTACH_ONE = {
    "Effect": "Allow",
    "Action": "iam:AttachRolePolicy",
    "Resource": "*",
    "Condition": {"ArnEquals": {"iam:PolicyARN": _ALLOWED}},
}


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: str

    def json(self) -> Any:
        return json.loads(self.body or "{}")


async def run(gateway: Gateway) -> None:
    """Raise PinError with the name of the hook if one has no effect."""
    try:
        await _create_function(gateway)
        await _try_policy_keys(gateway)
        await _try_resource_policy(gateway)
        await _try_ops_items(gateway)
        await _try_invoking_services(gateway)
        await _try_bus_policy(gateway)
        await _try_queue_policy(gateway)
        await _try_app_config(gateway)
        await _try_admission(gateway)
        await _try_deployments(gateway)
        await _try_trail(gateway)
    finally:
        await _call(gateway, "POST", "/_ministack/reset")


async def _create_function(gateway: Gateway) -> None:
    trust, allow = _policy(_TRUST), _policy(_MAY_ATTACH_ONE)
    await _iam(gateway, "CreateRole", RoleName="probe", AssumeRolePolicyDocument=trust)
    await _iam(gateway, "PutRolePolicy", RoleName="probe", PolicyName="probe", PolicyDocument=allow)
    function = {"FunctionName": "probe", "Role": _ROLE, "Runtime": "python3.13", "Handler": "a.b", "Code": {}}
    reply = await _lambda(gateway, "POST", _FUNCTIONS, function)
    _require(reply.status == HTTPStatus.CREATED, pin.CREATE_FUNCTION, reply)
    lost = {**function, "FunctionName": "lost", "Role": _ROLE + "-that-does-not-exist"}
    reply = await _lambda(gateway, "POST", _FUNCTIONS, lost)
    _require("cannot be assumed by Lambda" in reply.body, pin.CREATE_FUNCTION, reply)


async def _try_policy_keys(gateway: Gateway) -> None:
    """Test the condition key iam:PolicyARN: only the policy of the condition can be attached."""
    session = await _session(gateway)
    for arn, expected in ((_ALLOWED, HTTPStatus.OK), (_ALLOWED.replace("ReadOnly", "Admin"), HTTPStatus.FORBIDDEN)):
        reply = await _query(gateway, "iam", "AttachRolePolicy", session, RoleName="probe", PolicyArn=arn)
        _require(reply.status == expected, pin.CONTEXT, reply)
    reply = await _iam(gateway, "GetPolicy", PolicyArn=_ALLOWED.replace("ReadOnly", "AmazonS3FilesClientReadOnly"))
    _require(reply.status == HTTPStatus.OK, pin.POLICIES_BY_AWS, reply)
    reply = await _iam(gateway, "SetDefaultPolicyVersion", PolicyArn="probe", VersionId="v1")
    if "NoSuchEntity" not in reply.body:
        raise pin.PinError(f"The hook ministack.services.iam._IAM_HANDLERS has no effect: {reply.body}")
    reply = await _query(gateway, "cloudformation", "DescribeStackResources", _ROOT, PhysicalResourceId="probe")
    if "Stack for probe does not exist" not in reply.body:
        handlers = "ministack.services.cloudformation.handlers._ACTION_HANDLERS"
        raise pin.PinError(f"The hook {handlers} has no effect: {reply.body}")
    batch = json.dumps({"QueueUrl": f"http://localhost/{_ACCOUNT}/probe", "Entries": []}).encode()
    headers = {"x-amz-target": "AmazonSQS.SendMessageBatch", "content-type": "application/x-amz-json-1.0"}
    reply = await _call(gateway, "POST", "/", "sqs", body=batch, headers=headers, credentials=session)
    _require("allows the sqs:sendmessage action" in reply.body, pin.IAM_ACTION, reply)
    reply = await _lambda(gateway, "DELETE", f"{_MAPPINGS}/probe", credentials=session)
    _require("lambda:DeleteEventSourceMapping on resource:" in reply.body, pin.LAMBDA_ACTION, reply)


async def _session(gateway: Gateway) -> Credentials:
    """Assume the role."""
    reply = await _query(gateway, "sts", "AssumeRole", _ROOT, RoleArn=_ROLE, RoleSessionName="probe")
    return Credentials(*(_element(reply.body, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))


async def _try_resource_policy(gateway: Gateway) -> None:
    path = f"{_FUNCTIONS}/probe/policy"
    reply = await _lambda(gateway, "GET", path)
    _require(reply.status == HTTPStatus.NOT_FOUND, pin.GET_POLICY, reply)
    statement = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    reply = await _lambda(gateway, "POST", path, statement)
    _require(reply.status == HTTPStatus.CREATED, pin.ADD_PERMISSION, reply)
    reply = await _lambda(gateway, "DELETE", f"{path}/s")
    _require(reply.status == HTTPStatus.NO_CONTENT, pin.REMOVE_PERMISSION, reply)
    arn = f"arn:aws:lambda:{_REGION}:{_ACCOUNT}:function:probe"
    reply = await _lambda(gateway, "GET", f"/2026-07-09/resource-policy/{arn}")
    _require("does not exist" in reply.body, pin.LAMBDA_REQUEST, reply)


async def _try_ops_items(gateway: Gateway) -> None:
    item = {"Title": "probe", "Source": "sandbox", "Description": "probe"}
    reply = await _json(gateway, "ssm", "AmazonSSM.CreateOpsItem", item)
    _require(reply.status == HTTPStatus.OK, pin.SSM_REQUEST, reply)
    reply = await _json(gateway, "ssm", "AmazonSSM.GetOpsItem", {"OpsItemId": reply.json()["OpsItemId"]})
    _require(reply.json().get("OpsItem", {}).get("Title") == "probe", pin.SSM_REQUEST, reply)


async def _try_invoking_services(gateway: Gateway) -> None:
    """Test the lists and descriptions of the services that can invoke functions."""
    reply = await _json(gateway, "logs", "Logs_20140328.DescribeAccountPolicies", {"policyType": "FIELD_INDEX_POLICY"})
    _require(reply.status == HTTPStatus.OK, pin.LOGS_REQUEST, reply)
    reply = await _call(gateway, "GET", "/authorizers", "iot")
    _require(reply.status == HTTPStatus.OK, pin.IOT_REQUEST, reply)
    reply = await _json(gateway, "organizations", "AWSOrganizationsV20161128.DescribeOrganization", {})
    _require("AWSOrganizationsNotInUseException" in reply.body, pin.ORGANIZATIONS_REQUEST, reply)
    secret = {"SecretId": "probe", "RotationLambdaARN": "arn:aws:lambda:::probe"}
    await _json(gateway, "secretsmanager", "secretsmanager.CreateSecret", {"Name": "probe", "SecretString": "probe"})
    await _json(gateway, "secretsmanager", "secretsmanager.RotateSecret", secret)
    reply = await _json(gateway, "secretsmanager", "secretsmanager.ListSecrets", {})
    _require("RotationLambdaARN" in reply.body, pin.SECRETS, reply)
    reply = await _json(gateway, "events", "AWSEvents.ListRules", {"EventBusName": "probe"})
    _require("does not exist" in reply.body, pin.EVENT_RULES, reply)
    reply = await _json(gateway, "events", "AWSEvents.ListTargetsByRule", {"Rule": "probe"})
    _require("does not exist" in reply.body, pin.EVENT_TARGETS, reply)
    bus = f"arn:aws:events:{_REGION}:{_ACCOUNT}:event-bus/default"
    reply = await _json(gateway, "events", "AWSEvents.DescribeEventBus", {"Name": bus})
    _require(reply.status == HTTPStatus.OK, pin.EVENT_BUS, reply)
    reply = await _lambda(gateway, "GET", "/2021-10-31/functions/lost/urls")
    _require("does not exist" in reply.body, pin.LIST_URLS, reply)


async def _try_bus_policy(gateway: Gateway) -> None:
    """Allow one role to put events on a bus and deny everyone else, the root too."""
    bus = f"arn:aws:events:{_REGION}:{_ACCOUNT}:event-bus/probe"
    about = {"Action": "events:PutEvents", "Resource": bus}
    others = {"ArnNotEquals": {"aws:PrincipalArn": _ROLE}}
    allow = {"Sid": "allow", "Effect": "Allow", "Principal": {"AWS": _ROLE}, **about}
    deny = {"Sid": "deny", "Effect": "Deny", "Principal": "*", "Condition": others, **about, "Action": _CHANGES}
    await _json(gateway, "events", "AWSEvents.CreateEventBus", {"Name": "probe"})
    policy = {"EventBusName": "probe", "Policy": _policy(allow, deny)}
    await _json(gateway, "events", "AWSEvents.PutPermission", policy)
    await _json(gateway, "events", "AWSEvents.PutPermission", policy)
    reply = await _json(gateway, "events", "AWSEvents.DescribeEventBus", {"Name": "probe"})
    _require("Deny" in reply.body, pin.PUT_BUS_PERMISSION, reply)
    events = {"Entries": [{"Source": "probe", "DetailType": "probe", "Detail": "{}", "EventBusName": "probe"}]}
    reply = await _json(gateway, "events", "AWSEvents.PutEvents", events, await _session(gateway))
    _require("explicit deny" not in reply.body, pin.CONDITION_KEY, reply)
    _require(reply.status == HTTPStatus.OK, pin.RESOURCE_POLICY, reply)
    reply = await _json(gateway, "events", "AWSEvents.PutEvents", events)
    _require("explicit deny in a resource-based policy" in reply.body, pin.PUT_EVENTS, reply)
    reply = await _json(gateway, "events", "AWSEvents.UpdateEventBus", {"Name": "probe"})
    _require("explicit deny in a resource-based policy" in reply.body, pin.ENFORCE, reply)
    lost = {"EventBusName": "probe", "StatementId": "lost"}
    reply = await _json(gateway, "events", "AWSEvents.RemovePermission", lost)
    _require("does not exist" in reply.body, pin.REMOVE_BUS_PERMISSION, reply)
    for operation in ("DeleteEventBus", "CreateEventBus", "DescribeEventBus"):
        reply = await _json(gateway, "events", f"AWSEvents.{operation}", {"Name": "probe"})
    _require("Deny" not in reply.body, pin.DELETE_BUS, reply)


async def _try_queue_policy(gateway: Gateway) -> None:
    """Deny everyone to send to a queue. The root can replace the policy, and a rule needs one that allows it."""
    arn = f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:probe"
    queue = {"QueueUrl": f"http://localhost/{_ACCOUNT}/probe"}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn}
    await _json(gateway, "sqs", "AmazonSQS.CreateQueue", {"QueueName": "probe"})
    await _json(gateway, "sqs", "AmazonSQS.SetQueueAttributes", {**queue, "Attributes": {"Policy": _policy(deny)}})
    reply = await _json(gateway, "sqs", "AmazonSQS.SendMessage", {**queue, "MessageBody": "probe"})
    _require("explicit deny in a resource-based policy" in reply.body, pin.QUEUE_POLICY, reply)
    reply = await _json(gateway, "sqs", "AmazonSQS.SetQueueAttributes", {**queue, "Attributes": {"Policy": ""}})
    _require(reply.status == HTTPStatus.OK, pin.QUEUE_POLICY, reply)
    rule = f"arn:aws:events:{_REGION}:{_ACCOUNT}:rule/sends"
    await _json(gateway, "events", "AWSEvents.PutRule", {"Name": "sends", "EventPattern": '{"source": ["probe"]}'})
    await _json(gateway, "events", "AWSEvents.PutTargets", {"Rule": "sends", "Targets": [{"Id": "queue", "Arn": arn}]})
    events = {"Entries": [{"Source": "probe", "DetailType": "probe", "Detail": "{}"}]}
    for statement, hook in ((None, pin.INVOKE_TARGET), (_sends(rule, arn), pin.SERVICE_SENDS)):
        policy = _policy(statement) if statement else ""
        await _json(gateway, "sqs", "AmazonSQS.SetQueueAttributes", {**queue, "Attributes": {"Policy": policy}})
        await _json(gateway, "events", "AWSEvents.PutEvents", events)
        reply = await _json(gateway, "sqs", "AmazonSQS.ReceiveMessage", queue)
        _require(("MessageId" in reply.body) == bool(statement), hook, reply)
    reply = await _json(gateway, "sqs", "AmazonSQS.ListMessageMoveTasks", {"SourceArn": f"{arn}-lost"})
    _require("SourceArn parameter" in reply.body, pin.SQS_REQUEST, reply)


def _sends(rule: str, queue: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": rule},
            "StringEquals": {"aws:PrincipalServiceName": "events.amazonaws.com"},
        },
    }


async def _try_app_config(gateway: Gateway) -> None:
    """Deploy a configuration whose validator does not exist."""
    made: dict[str, str] = {}
    for path, document in (
        ("applications", {"Name": "probe"}),
        ("environments", {"Name": "probe"}),
        ("configurationprofiles", {"Name": "probe", "Validators": [{"Type": "LAMBDA", "Content": f"{_ROLE}-lost"}]}),
        ("hostedconfigurationversions", {}),
    ):
        within = f"/applications/{made['applications']}" if made else ""
        if path == "hostedconfigurationversions":
            within += f"/configurationprofiles/{made['configurationprofiles']}"
        body = json.dumps(document).encode()
        reply = await _call(gateway, "POST", f"{within}/{path}", "appconfig", body=body)
        made[path] = reply.json().get("Id", "")
    deployment = {
        "ConfigurationProfileId": made["configurationprofiles"],
        "ConfigurationVersion": "1",
        "DeploymentStrategyId": "AppConfig.AllAtOnce",
    }
    path = f"/applications/{made['applications']}/environments/{made['environments']}/deployments"
    reply = await _call(gateway, "POST", path, "appconfig", body=json.dumps(deployment).encode())
    _require("not authorized to invoke the validator" in reply.body, pin.APP_CONFIG_REQUEST, reply)


async def _try_admission(gateway: Gateway) -> None:
    path = "/2019-09-25/functions/probe/event-invoke-config"
    reply = await _lambda(gateway, "PUT", path, {"MaximumRetryAttempts": 1})
    _require(":$LATEST" in reply.body, pin.PUT_INVOKE_CONFIG, reply)
    mapping = {"FunctionName": "probe", "EventSourceArn": f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:probe"}
    reply = await _lambda(gateway, "POST", _MAPPINGS, mapping)
    _require("does not have permissions" in reply.body, pin.CREATE_MAPPING, reply)


async def _try_deployments(gateway: Gateway) -> None:
    """Create a role with CloudFormation, which must appear in the trail, and the statement of a bus policy."""
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": [_TRUST]}}}
    before = gateway.trail.since(0)["last"]
    bus = f"arn:aws:events:{_REGION}:{_ACCOUNT}:event-bus/default"
    allow = {"Effect": "Allow", "Principal": {"AWS": _ROLE}, "Action": "events:PutEvents", "Resource": bus}
    policy = {"Type": "AWS::Events::EventBusPolicy", "Properties": {"StatementId": "made", "Statement": allow}}
    template = json.dumps({"Resources": {"Role": role, "Policy": policy}})
    params = {"StackName": "probe", "TemplateBody": template, "Capabilities.member.1": "CAPABILITY_IAM"}
    reply = await _query(gateway, "cloudformation", "CreateStack", _ROOT, **params)

    async def recorded() -> bool:
        return any(one["eventName"] == "CreateRole" for one in gateway.trail.since(before)["records"])

    async def stored() -> bool:
        return "made" in (await _json(gateway, "events", "AWSEvents.DescribeEventBus", {})).body

    no_handler = pin.PinError(f"The hook {pin.PROVISIONERS}._RESOURCE_HANDLERS has no effect: {reply.body}")
    if reply.status != HTTPStatus.OK:
        raise no_handler
    _require(await _within(_DEADLINE, recorded), pin.PROVISION, reply)
    if not await _within(_DEADLINE, stored):
        raise no_handler


async def _try_trail(gateway: Gateway) -> None:
    """Delete a function, whose record must reach a rule's queue through the default bus."""
    pattern = json.dumps({"source": ["aws.lambda"], "detail": {"eventName": [{"prefix": "DeleteFunction"}]}})
    arn = f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:inbox"
    target = {"Id": "queue", "Arn": arn}
    policy = _policy(_sends(f"arn:aws:events:{_REGION}:{_ACCOUNT}:rule/probe", arn))
    await _json(gateway, "sqs", "AmazonSQS.CreateQueue", {"QueueName": "inbox", "Attributes": {"Policy": policy}})
    await _json(gateway, "events", "AWSEvents.PutRule", {"Name": "probe", "EventPattern": pattern})
    await _json(gateway, "events", "AWSEvents.PutTargets", {"Rule": "probe", "Targets": [target]})
    await _lambda(gateway, "DELETE", f"{_FUNCTIONS}/probe")
    url = {"QueueUrl": f"http://localhost/{_ACCOUNT}/inbox"}

    async def received() -> bool:
        reply = await _json(gateway, "sqs", "AmazonSQS.ReceiveMessage", url)
        return "DeleteFunction20150331" in reply.body

    if not await _within(_DEADLINE, received):
        raise pin.PinError("The hook ministack.services.eventbridge._put_events delivered no record to a rule's queue.")


async def _within(seconds: float, condition: Callable[[], Any]) -> bool:
    until = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.005)
    return True


def _require(condition: Any, hook: pin.Hook, reply: _Reply) -> None:
    if not condition:
        raise pin.PinError(f"The hook {hook} has no effect: MiniStack returned {reply.status} {reply.body}")


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _element(xml: str, name: str) -> str:
    return next(iter(re.findall(f"<{name}>([^<]*)</{name}>", xml)), "")


async def _iam(gateway: Gateway, action: str, **params: str) -> _Reply:
    return await _query(gateway, "iam", action, _ROOT, **params)


async def _query(gateway: Gateway, service: str, action: str, credentials: Credentials, **params: str) -> _Reply:
    body = urlencode({"Action": action, "Version": "2010-05-08", **params}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return await _call(gateway, "POST", "/", service, body=body, headers=headers, credentials=credentials)


async def _lambda(
    gateway: Gateway,
    method: str,
    path: str,
    document: dict[str, Any] | None = None,
    credentials: Credentials = _ROOT,
) -> _Reply:
    body = json.dumps(document).encode() if document else b""
    return await _call(gateway, method, path, "lambda", body=body, credentials=credentials)


async def _json(
    gateway: Gateway, service: str, target: str, document: dict[str, Any], credentials: Credentials = _ROOT
) -> _Reply:
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1"}
    body = json.dumps(document).encode()
    return await _call(gateway, "POST", "/", service, body=body, headers=headers, credentials=credentials)


async def _call(
    gateway: Gateway,
    method: str,
    path: str,
    service: str = "",
    *,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    credentials: Credentials = _ROOT,
) -> _Reply:
    """Send one request to the application, unsigned if there is no service."""
    request = AWSRequest(method, f"http://localhost{path}", headers or {}, body)
    request.headers["content-length"] = str(len(body))
    if service:
        SigV4Auth(credentials, service, _REGION).add_auth(request)
    status, content = 0, bytearray()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        content.extend(message.get("body", b""))

    lines = [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *lines],
        "client": ("127.0.0.1", 0),
        "scheme": "http",
    }
    # A task gives the request its own context, as a server does.
    await asyncio.create_task(gateway.serve(scope, receive, send))
    return _Reply(status, content.decode())
