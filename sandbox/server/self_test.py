"""Test every hook on the running application, with the requests of a client.

A hook that MiniStack does not call any more would cause no error: permissions would not be checked and records would be
missing. The tests run in a separate account and end with a reset.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.credentials import Credentials

from sandbox.server import pin
from sandbox.server.probes import (
    ACCOUNT,
    REGION,
    ROOT,
    Reply,
    call,
    call_json,
    call_lambda,
    element,
    iam,
    policy_of,
    query,
    require,
    within,
)

if TYPE_CHECKING:
    from sandbox.server.gateway import Gateway

_DEADLINE = 1.0
_FUNCTIONS = "/2015-03-31/functions"
_MAPPINGS = "/2015-03-31/event-source-mappings"
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/probe"
_ALLOWED = "arn:aws:iam::aws:policy/ReadOnlyAccess"
_CHANGES = ["events:PutEvents", "events:UpdateEventBus"]
_TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com", "AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "sts:AssumeRole",
}
_MAY_ATTACH_ONE = {
    "Effect": "Allow",
    "Action": "iam:AttachRolePolicy",
    "Resource": "*",
    "Condition": {"ArnEquals": {"iam:PolicyARN": _ALLOWED}},
}


async def run(gateway: Gateway) -> None:
    """Raise PinError with the name of the hook if one has no effect."""
    try:
        await _create_function(gateway)
        await _try_policy_keys(gateway)
        await _try_resource_policy(gateway)
        await _try_ops_items(gateway)
        await _try_security_hub(gateway)
        await _try_invoking_services(gateway)
        await _try_bus_policy(gateway)
        await _try_queue_policy(gateway)
        await _try_invocations(gateway)
        await _try_app_config(gateway)
        await _try_admission(gateway)
        await _try_deployments(gateway)
        await _try_trail(gateway)
    finally:
        await call(gateway, "POST", "/_ministack/reset")


async def _create_function(gateway: Gateway) -> None:
    trust, allow = policy_of(_TRUST), policy_of(_MAY_ATTACH_ONE)
    await iam(gateway, "CreateRole", RoleName="probe", AssumeRolePolicyDocument=trust)
    await iam(gateway, "PutRolePolicy", RoleName="probe", PolicyName="probe", PolicyDocument=allow)
    function = {"FunctionName": "probe", "Role": _ROLE, "Runtime": "python3.13", "Handler": "a.b", "Code": {}}
    reply = await call_lambda(gateway, "POST", _FUNCTIONS, function)
    require(reply.status == HTTPStatus.CREATED, pin.CREATE_FUNCTION, reply)
    lost = {**function, "FunctionName": "lost", "Role": _ROLE + "-that-does-not-exist"}
    reply = await call_lambda(gateway, "POST", _FUNCTIONS, lost)
    require("cannot be assumed by Lambda" in reply.body, pin.CREATE_FUNCTION, reply)


async def _try_policy_keys(gateway: Gateway) -> None:
    """Test the condition key iam:PolicyARN: only the policy of the condition can be attached."""
    session = await _session(gateway)
    for arn, expected in ((_ALLOWED, HTTPStatus.OK), (_ALLOWED.replace("ReadOnly", "Admin"), HTTPStatus.FORBIDDEN)):
        reply = await query(gateway, "iam", "AttachRolePolicy", session, RoleName="probe", PolicyArn=arn)
        require(reply.status == expected, pin.CONTEXT, reply)
    reply = await iam(gateway, "GetPolicy", PolicyArn=_ALLOWED.replace("ReadOnly", "AmazonS3FilesClientReadOnly"))
    require(reply.status == HTTPStatus.OK, pin.POLICIES_BY_AWS, reply)
    reply = await iam(gateway, "SetDefaultPolicyVersion", PolicyArn="probe", VersionId="v1")
    if "NoSuchEntity" not in reply.body:
        raise pin.PinError(f"The hook ministack.services.iam._IAM_HANDLERS has no effect: {reply.body}")
    reply = await query(gateway, "cloudformation", "DescribeStackResources", ROOT, PhysicalResourceId="probe")
    if "Stack for probe does not exist" not in reply.body:
        handlers = "ministack.services.cloudformation.handlers._ACTION_HANDLERS"
        raise pin.PinError(f"The hook {handlers} has no effect: {reply.body}")
    batch = json.dumps({"QueueUrl": f"http://localhost/{ACCOUNT}/probe", "Entries": []}).encode()
    headers = {"x-amz-target": "AmazonSQS.SendMessageBatch", "content-type": "application/x-amz-json-1.0"}
    reply = await call(gateway, "POST", "/", "sqs", body=batch, headers=headers, credentials=session)
    require("allows the sqs:sendmessage action" in reply.body, pin.IAM_ACTION, reply)
    reply = await call_lambda(gateway, "DELETE", f"{_MAPPINGS}/probe", credentials=session)
    require("lambda:DeleteEventSourceMapping on resource:" in reply.body, pin.LAMBDA_ACTION, reply)


async def _session(gateway: Gateway) -> Credentials:
    """Assume the role."""
    reply = await query(gateway, "sts", "AssumeRole", ROOT, RoleArn=_ROLE, RoleSessionName="probe")
    return Credentials(*(element(reply.body, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))


async def _try_resource_policy(gateway: Gateway) -> None:
    path = f"{_FUNCTIONS}/probe/policy"
    reply = await call_lambda(gateway, "GET", path)
    require(reply.status == HTTPStatus.NOT_FOUND, pin.GET_POLICY, reply)
    statement = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    reply = await call_lambda(gateway, "POST", path, statement)
    require(reply.status == HTTPStatus.CREATED, pin.ADD_PERMISSION, reply)
    reply = await call_lambda(gateway, "DELETE", f"{path}/s")
    require(reply.status == HTTPStatus.NO_CONTENT, pin.REMOVE_PERMISSION, reply)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:probe"
    reply = await call_lambda(gateway, "GET", f"/2026-07-09/resource-policy/{arn}")
    require("does not exist" in reply.body, pin.LAMBDA_REQUEST, reply)


async def _try_ops_items(gateway: Gateway) -> None:
    item = {"Title": "probe", "Source": "sandbox", "Description": "probe"}
    reply = await call_json(gateway, "ssm", "AmazonSSM.CreateOpsItem", item)
    require(reply.status == HTTPStatus.OK, pin.SSM_REQUEST, reply)
    reply = await call_json(gateway, "ssm", "AmazonSSM.GetOpsItem", {"OpsItemId": reply.json()["OpsItemId"]})
    require(reply.json().get("OpsItem", {}).get("Title") == "probe", pin.SSM_REQUEST, reply)


async def _try_security_hub(gateway: Gateway) -> None:
    """Import a finding, which MiniStack does not know, and let a role try that without a permission."""
    product = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default"
    texts = dict.fromkeys(("Description", "GeneratorId", "Id", "Title"), "probe")
    times = dict.fromkeys(("CreatedAt", "UpdatedAt"), "2026-11-30T12:00:00Z")
    names = {"SchemaVersion": "2018-10-08", "ProductArn": product, "AwsAccountId": ACCOUNT}
    finding = {**names, **texts, **times, "Resources": [{"Type": "Other", "Id": "probe"}]}
    body = json.dumps({"Findings": [finding]}).encode()
    reply = await call(gateway, "POST", "/findings/import", "securityhub", body=body)
    if reply.json().get("SuccessCount") != 1:
        raise pin.PinError(f"The hook ministack.app.SERVICE_HANDLERS has no effect: {reply.status} {reply.body}")
    session = await _session(gateway)
    reply = await call(gateway, "POST", "/findings/import", "securityhub", body=body, credentials=session)
    require(f"securityhub:BatchImportFindings on resource: {product}" in reply.body, pin.IAM_ACTION, reply)


async def _try_invoking_services(gateway: Gateway) -> None:
    """Test the lists and descriptions of the services that can invoke functions."""
    reply = await call_json(
        gateway, "logs", "Logs_20140328.DescribeAccountPolicies", {"policyType": "FIELD_INDEX_POLICY"}
    )
    require(reply.status == HTTPStatus.OK, pin.LOGS_REQUEST, reply)
    reply = await call(gateway, "GET", "/authorizers", "iot")
    require(reply.status == HTTPStatus.OK, pin.IOT_REQUEST, reply)
    reply = await call_json(gateway, "organizations", "AWSOrganizationsV20161128.DescribeOrganization", {})
    require("AWSOrganizationsNotInUseException" in reply.body, pin.ORGANIZATIONS_REQUEST, reply)
    secret = {"SecretId": "probe", "RotationLambdaARN": "arn:aws:lambda:::probe"}
    await call_json(
        gateway, "secretsmanager", "secretsmanager.CreateSecret", {"Name": "probe", "SecretString": "probe"}
    )
    await call_json(gateway, "secretsmanager", "secretsmanager.RotateSecret", secret)
    reply = await call_json(gateway, "secretsmanager", "secretsmanager.ListSecrets", {})
    require("RotationLambdaARN" in reply.body, pin.SECRETS, reply)
    reply = await call_json(gateway, "events", "AWSEvents.ListRules", {"EventBusName": "probe"})
    require("does not exist" in reply.body, pin.EVENT_RULES, reply)
    reply = await call_json(gateway, "events", "AWSEvents.ListTargetsByRule", {"Rule": "probe"})
    require("does not exist" in reply.body, pin.EVENT_TARGETS, reply)
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    reply = await call_json(gateway, "events", "AWSEvents.DescribeEventBus", {"Name": bus})
    require(reply.status == HTTPStatus.OK, pin.EVENT_BUS, reply)
    reply = await call_lambda(gateway, "GET", "/2021-10-31/functions/lost/urls")
    require("does not exist" in reply.body, pin.LIST_URLS, reply)


async def _try_bus_policy(gateway: Gateway) -> None:
    """Allow one role to put events on a bus and deny everyone else, the root too."""
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/probe"
    about = {"Action": "events:PutEvents", "Resource": bus}
    others = {"ArnNotEquals": {"aws:PrincipalArn": _ROLE}}
    allow = {"Sid": "allow", "Effect": "Allow", "Principal": {"AWS": _ROLE}, **about}
    deny = {"Sid": "deny", "Effect": "Deny", "Principal": "*", "Condition": others, **about, "Action": _CHANGES}
    await call_json(gateway, "events", "AWSEvents.CreateEventBus", {"Name": "probe"})
    policy = {"EventBusName": "probe", "Policy": policy_of(allow, deny)}
    await call_json(gateway, "events", "AWSEvents.PutPermission", policy)
    await call_json(gateway, "events", "AWSEvents.PutPermission", policy)
    reply = await call_json(gateway, "events", "AWSEvents.DescribeEventBus", {"Name": "probe"})
    require("Deny" in reply.body, pin.PUT_BUS_PERMISSION, reply)
    events = {"Entries": [{"Source": "probe", "DetailType": "probe", "Detail": "{}", "EventBusName": "probe"}]}
    reply = await call_json(gateway, "events", "AWSEvents.PutEvents", events, await _session(gateway))
    require("explicit deny" not in reply.body, pin.CONDITION_KEY, reply)
    require(reply.status == HTTPStatus.OK, pin.RESOURCE_POLICY, reply)
    reply = await call_json(gateway, "events", "AWSEvents.PutEvents", events)
    require("explicit deny in a resource-based policy" in reply.body, pin.PUT_EVENTS, reply)
    reply = await call_json(gateway, "events", "AWSEvents.UpdateEventBus", {"Name": "probe"})
    require("explicit deny in a resource-based policy" in reply.body, pin.ENFORCE, reply)
    lost = {"EventBusName": "probe", "StatementId": "lost"}
    reply = await call_json(gateway, "events", "AWSEvents.RemovePermission", lost)
    require("does not exist" in reply.body, pin.REMOVE_BUS_PERMISSION, reply)
    for operation in ("DeleteEventBus", "CreateEventBus", "DescribeEventBus"):
        reply = await call_json(gateway, "events", f"AWSEvents.{operation}", {"Name": "probe"})
    require("Deny" not in reply.body, pin.DELETE_BUS, reply)


async def _try_queue_policy(gateway: Gateway) -> None:
    """Deny everyone to send to a queue. The root can replace the policy, and a rule needs one that allows it."""
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:probe"
    queue = {"QueueUrl": f"http://localhost/{ACCOUNT}/probe"}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn}
    await call_json(gateway, "sqs", "AmazonSQS.CreateQueue", {"QueueName": "probe"})
    await call_json(
        gateway, "sqs", "AmazonSQS.SetQueueAttributes", {**queue, "Attributes": {"Policy": policy_of(deny)}}
    )
    reply = await call_json(gateway, "sqs", "AmazonSQS.SendMessage", {**queue, "MessageBody": "probe"})
    require("explicit deny in a resource-based policy" in reply.body, pin.QUEUE_POLICY, reply)
    reply = await call_json(gateway, "sqs", "AmazonSQS.SetQueueAttributes", {**queue, "Attributes": {"Policy": ""}})
    require(reply.status == HTTPStatus.OK, pin.QUEUE_POLICY, reply)
    rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/sends"
    await call_json(gateway, "events", "AWSEvents.PutRule", {"Name": "sends", "EventPattern": '{"source": ["probe"]}'})
    await call_json(
        gateway, "events", "AWSEvents.PutTargets", {"Rule": "sends", "Targets": [{"Id": "queue", "Arn": arn}]}
    )
    events = {"Entries": [{"Source": "probe", "DetailType": "probe", "Detail": "{}"}]}
    for statement, hook in ((None, pin.INVOKE_TARGET), (_sends(rule, arn), pin.SERVICE_SENDS)):
        policy = policy_of(statement) if statement else ""
        await call_json(gateway, "sqs", "AmazonSQS.SetQueueAttributes", {**queue, "Attributes": {"Policy": policy}})
        await call_json(gateway, "events", "AWSEvents.PutEvents", events)
        reply = await call_json(gateway, "sqs", "AmazonSQS.ReceiveMessage", queue)
        require(("MessageId" in reply.body) == bool(statement), hook, reply)
    reply = await call_json(gateway, "sqs", "AmazonSQS.ListMessageMoveTasks", {"SourceArn": f"{arn}-lost"})
    require("SourceArn parameter" in reply.body, pin.SQS_REQUEST, reply)


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


async def _try_invocations(gateway: Gateway) -> None:
    """Take the permission from a function that a bucket, a topic and a rule invoke, and let each try."""
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:probe"
    policy = f"{_FUNCTIONS}/probe/policy"
    configuration = (
        f"<NotificationConfiguration><CloudFunctionConfiguration><CloudFunction>{function}</CloudFunction>"
        "<Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration></NotificationConfiguration>"
    ).encode()
    await call(gateway, "PUT", "/probe", "s3")
    reply = await call(gateway, "PUT", "/probe?notification", "s3", body=configuration)
    require("Unable to validate" in reply.body, pin.VALIDATE_NOTIFICATIONS, reply)
    statement = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    await call_lambda(gateway, "POST", policy, statement)
    reply = await call(gateway, "PUT", "/probe?notification", "s3", body=configuration)
    require(reply.status == HTTPStatus.OK, pin.VALIDATE_NOTIFICATIONS, reply)
    await call_lambda(gateway, "DELETE", f"{policy}/s")
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:probe"
    await query(gateway, "sns", "CreateTopic", ROOT, Name="probe")
    await query(gateway, "sns", "Subscribe", ROOT, TopicArn=topic, Protocol="lambda", Endpoint=function)
    await call_json(gateway, "events", "AWSEvents.PutRule", {"Name": "invokes", "EventPattern": '{"source": ["call"]}'})
    target = {"Id": "function", "Arn": function}
    await call_json(gateway, "events", "AWSEvents.PutTargets", {"Rule": "invokes", "Targets": [target]})

    async def refused() -> bool:
        return function in (await call(gateway, "GET", "/_sandbox/refusals")).body

    async def require_refusal(hook: pin.Hook, reply: Reply) -> None:
        require(await within(_DEADLINE, refused), hook, reply)
        await call(gateway, "DELETE", "/_sandbox/refusals")

    reply = await call(gateway, "PUT", "/probe/object", "s3")
    await require_refusal(pin.DELIVER_FROM_BUCKET, reply)
    reply = await query(gateway, "sns", "Publish", ROOT, TopicArn=topic, Message="probe")
    await require_refusal(pin.DELIVER_FROM_TOPIC, reply)
    events = {"Entries": [{"Source": "call", "DetailType": "probe", "Detail": "{}"}]}
    reply = await call_json(gateway, "events", "AWSEvents.PutEvents", events)
    await require_refusal(pin.INVOKE_TARGET, reply)


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
        reply = await call(gateway, "POST", f"{within}/{path}", "appconfig", body=body)
        made[path] = reply.json().get("Id", "")
    deployment = {
        "ConfigurationProfileId": made["configurationprofiles"],
        "ConfigurationVersion": "1",
        "DeploymentStrategyId": "AppConfig.AllAtOnce",
    }
    path = f"/applications/{made['applications']}/environments/{made['environments']}/deployments"
    reply = await call(gateway, "POST", path, "appconfig", body=json.dumps(deployment).encode())
    require("not authorized to invoke the validator" in reply.body, pin.APP_CONFIG_REQUEST, reply)


async def _try_admission(gateway: Gateway) -> None:
    path = "/2019-09-25/functions/probe/event-invoke-config"
    reply = await call_lambda(gateway, "PUT", path, {"MaximumRetryAttempts": 1})
    require(":$LATEST" in reply.body, pin.PUT_INVOKE_CONFIG, reply)
    mapping = {"FunctionName": "probe", "EventSourceArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:probe"}
    reply = await call_lambda(gateway, "POST", _MAPPINGS, mapping)
    require("does not have permissions" in reply.body, pin.CREATE_MAPPING, reply)


async def _try_deployments(gateway: Gateway) -> None:
    """Create a role with CloudFormation, which must appear in the trail, and the statement of a bus policy."""
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": [_TRUST]}}}
    before = gateway.trail.since(0)["last"]
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    allow = {"Effect": "Allow", "Principal": {"AWS": _ROLE}, "Action": "events:PutEvents", "Resource": bus}
    policy = {"Type": "AWS::Events::EventBusPolicy", "Properties": {"StatementId": "made", "Statement": allow}}
    template = json.dumps({"Resources": {"Role": role, "Policy": policy}})
    params = {"StackName": "probe", "TemplateBody": template, "Capabilities.member.1": "CAPABILITY_IAM"}
    reply = await query(gateway, "cloudformation", "CreateStack", ROOT, **params)

    async def recorded() -> bool:
        return any(one["eventName"] == "CreateRole" for one in gateway.trail.since(before)["records"])

    async def stored() -> bool:
        return "made" in (await call_json(gateway, "events", "AWSEvents.DescribeEventBus", {})).body

    no_handler = pin.PinError(f"The hook {pin.PROVISIONERS}._RESOURCE_HANDLERS has no effect: {reply.body}")
    if reply.status != HTTPStatus.OK:
        raise no_handler
    require(await within(_DEADLINE, recorded), pin.PROVISION, reply)
    if not await within(_DEADLINE, stored):
        raise no_handler


async def _try_trail(gateway: Gateway) -> None:
    """Delete a function, whose record must reach a rule's queue through the default bus."""
    pattern = json.dumps({"source": ["aws.lambda"], "detail": {"eventName": [{"prefix": "DeleteFunction"}]}})
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox"
    target = {"Id": "queue", "Arn": arn}
    policy = policy_of(_sends(f"arn:aws:events:{REGION}:{ACCOUNT}:rule/probe", arn))
    await call_json(gateway, "sqs", "AmazonSQS.CreateQueue", {"QueueName": "inbox", "Attributes": {"Policy": policy}})
    await call_json(gateway, "events", "AWSEvents.PutRule", {"Name": "probe", "EventPattern": pattern})
    await call_json(gateway, "events", "AWSEvents.PutTargets", {"Rule": "probe", "Targets": [target]})
    await call_lambda(gateway, "DELETE", f"{_FUNCTIONS}/probe")
    url = {"QueueUrl": f"http://localhost/{ACCOUNT}/inbox"}

    async def received() -> bool:
        reply = await call_json(gateway, "sqs", "AmazonSQS.ReceiveMessage", url)
        return "DeleteFunction20150331" in reply.body

    if not await within(_DEADLINE, received):
        raise pin.PinError("The hook ministack.services.eventbridge._put_events delivered no record to a rule's queue.")
