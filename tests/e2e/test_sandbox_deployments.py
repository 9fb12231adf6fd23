"""CloudFormation's calls are recorded in the trail, and a stack fails if Lambda rejects a call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.readers.regions import EnabledRegions
from permission_guard.aws.readers.stacks import AccountStacks, StackReader
from sandbox.client.process import ACCOUNT, Sandbox, SandboxError
from tests.e2e.answers import stable_status

if TYPE_CHECKING:
    from pathlib import Path

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
SQS_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"


def template(*, managed: list[str] | None = None, trust: dict[str, Any] | None = None, timeout: int = 3) -> str:
    """Return a stack of a role, a function, its permission and its mapping to a queue."""
    role = {
        "AssumeRolePolicyDocument": trust or TRUST,
        "ManagedPolicyArns": [SQS_POLICY] if managed is None else managed,
        "Policies": [{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}],
        "PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess",
    }
    function = {
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Timeout": timeout,
        "Environment": {"Variables": {"TOKEN": "s3cret"}},
        "Code": {"ZipFile": "def handler(event, context): return 1"},
    }
    permission = {
        "FunctionName": {"Ref": "Function"},
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
    }
    mapping = {"FunctionName": {"Ref": "Function"}, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}}
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission},
        "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
    }
    return json.dumps({"Resources": resources})


def test_a_stack_is_recorded_from_its_role_to_its_deletion(sandbox: Sandbox, unique: str) -> None:
    """The trail holds a stack from its role to its deletion."""
    cloudformation = sandbox.client("cloudformation")
    since = sandbox.last_record()

    cloudformation.create_stack(StackName=unique, TemplateBody=template(), Capabilities=["CAPABILITY_IAM"])
    assert stable_status(sandbox, unique) == "CREATE_COMPLETE"
    created = sandbox.records(since)
    middle = sandbox.last_record()
    changed = template(timeout=5, managed=[])
    cloudformation.update_stack(StackName=unique, TemplateBody=changed, Capabilities=["CAPABILITY_IAM"])
    assert stable_status(sandbox, unique) == "UPDATE_COMPLETE"
    updated = sandbox.records(middle)
    last = sandbox.last_record()
    cloudformation.delete_stack(StackName=unique)
    stable_status(sandbox, unique)
    sandbox.wait_for_record("DeleteRole", last)
    deleted = sandbox.records(last)

    names = [record["eventName"] for record in created]
    assert names[:4] == ["CreateRole", "AttachRolePolicy", "PutRolePolicy", "CreateFunction20150331"]
    assert sorted(names[4:]) == ["AddPermission20150331v2", "CreateEventSourceMapping20150331"]
    for record in created:
        assert record["userIdentity"]["invokedBy"] == "cloudformation.amazonaws.com"
        assert record["sourceIPAddress"] == record["userAgent"] == "cloudformation.amazonaws.com"
        assert record["userIdentity"]["accountId"] == ACCOUNT
        assert "tlsDetails" not in record
    by_name = {record["eventName"]: record for record in created}
    function = by_name["CreateFunction20150331"]
    assert function["requestParameters"]["environment"] == {}
    assert function["responseElements"]["functionArn"].endswith(function["requestParameters"]["functionName"])
    permission = by_name["AddPermission20150331v2"]
    assert permission["requestParameters"]["principal"] == "s3.amazonaws.com"
    assert json.loads(permission["responseElements"]["statement"])["Principal"] == {"Service": "s3.amazonaws.com"}
    assert by_name["CreateEventSourceMapping20150331"]["responseElements"]["uUID"]
    assert "s3cret" not in json.dumps(created)
    assert {record["eventName"] for record in updated} == {
        "DetachRolePolicy",
        "UpdateFunctionConfiguration20150331v2",
    }
    assert {"DeleteFunction20150331", "DeleteEventSourceMapping20150331", "DeleteRolePolicy", "DeleteRole"} <= {
        record["eventName"] for record in deleted
    }


def test_a_template_sets_the_boundary_of_its_role(sandbox: Sandbox, unique: str) -> None:
    """A template sets the boundary of its role."""
    cloudformation = sandbox.client("cloudformation")
    cloudformation.create_stack(StackName=unique, TemplateBody=template(), Capabilities=["CAPABILITY_IAM"])
    stable_status(sandbox, unique)

    resource = cloudformation.describe_stack_resource(StackName=unique, LogicalResourceId="Role")
    role = sandbox.client("iam").get_role(RoleName=resource["StackResourceDetail"]["PhysicalResourceId"])["Role"]

    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith("/AdministratorAccess")


@pytest.mark.parametrize(
    ("options", "reason", "event"),
    [
        (
            {"managed": []},
            "does not have permissions to call ReceiveMessage on SQS",
            "CreateEventSourceMapping20150331",
        ),
        (
            {"trust": json.loads(json.dumps(TRUST).replace("lambda.", "ec2."))},
            "cannot be assumed by Lambda",
            "CreateFunction20150331",
        ),
    ],
)
def test_a_stack_fails_where_lambda_rejects(
    sandbox: Sandbox, unique: str, options: dict[str, Any], reason: str, event: str
) -> None:
    """A stack fails where Lambda rejects a call."""
    cloudformation = sandbox.client("cloudformation")
    since = sandbox.last_record()

    body = template(**options)
    cloudformation.create_stack(StackName=unique, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    status = stable_status(sandbox, unique)

    reasons = [one.get("ResourceStatusReason", "") for one in stack_events(sandbox, unique)]
    assert status == "ROLLBACK_COMPLETE"
    assert any(reason in one for one in reasons)
    record = sandbox.wait_for_record(event, since)
    assert record["errorCode"] == "InvalidParameterValueException"
    assert reason in record["errorMessage"]


def stack_events(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    """Return the events of a stack."""
    events: list[dict[str, Any]] = sandbox.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return events


def test_event_invoke_configurations_are_recorded_when_created_and_deleted(sandbox: Sandbox, unique: str) -> None:
    """The configuration is a resource of its own, which an update of the stack deletes."""
    cloudformation, since = sandbox.client("cloudformation"), sandbox.last_record()
    more = json.loads(template())
    properties = {"FunctionName": {"Ref": "Function"}, "Qualifier": "$LATEST", "MaximumRetryAttempts": 1}
    more["Resources"]["Invoking"] = {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": properties}
    stack = {"StackName": unique, "Capabilities": ["CAPABILITY_IAM"]}

    cloudformation.create_stack(**stack, TemplateBody=json.dumps(more))
    assert stable_status(sandbox, unique) == "CREATE_COMPLETE"
    put = sandbox.wait_for_record("PutFunctionEventInvokeConfig", since)
    cloudformation.update_stack(**stack, TemplateBody=template())
    assert stable_status(sandbox, unique) == "UPDATE_COMPLETE"
    deleted = sandbox.wait_for_record("DeleteFunctionEventInvokeConfig", since)

    assert put["requestParameters"]["maximumRetryAttempts"] == 1
    assert deleted["requestParameters"]["functionName"] == put["requestParameters"]["functionName"]


def test_sam_deploys_a_template_and_its_parameters(sandbox: Sandbox, unique: str, tmp_path: Path) -> None:
    """SAM deploys a template and its parameters."""
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return 1\n")
    built = tmp_path / "template.json"
    function = {"CodeUri": ".", "Handler": "app.handler", "Runtime": "python3.13"}
    document = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {"Note": {"Type": "String"}},
        "Resources": {"Function": {"Type": "AWS::Serverless::Function", "Properties": function}},
        "Outputs": {"Note": {"Value": {"Ref": "Note"}}, "Arn": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}}},
    }
    built.write_text(json.dumps(document))
    since = sandbox.last_record()

    outputs = sandbox.deploy(unique, {"Note": "two words"}, built)

    assert outputs["Note"] == "two words"
    assert sandbox.client("lambda").get_function(FunctionName=outputs["Arn"])["Configuration"]["State"] == "Active"
    assert sandbox.wait_for_record("CreateFunction20150331", since)["userAgent"] == "cloudformation.amazonaws.com"


def test_a_failed_deployment_raises_with_what_sam_said(sandbox: Sandbox, unique: str, tmp_path: Path) -> None:
    """A failed deployment raises with what SAM said."""
    built = tmp_path / "template.json"
    built.write_text(json.dumps({"Resources": {"Odd": {"Type": "AWS::No::Such"}}}))

    with pytest.raises(SandboxError, match="AWS::No::Such"):
        sandbox.deploy(unique, template=built)


def test_a_role_belongs_to_the_stack_of_another_region(sandbox: Sandbox, unique: str) -> None:
    """Roles are global, and CloudFormation of each region knows its own stacks only."""

    def cloudformation(region: str) -> Any:
        return sandbox.client("cloudformation", region_name=region)

    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": unique, "AssumeRolePolicyDocument": TRUST}}
    there = cloudformation("eu-west-1")
    there.create_stack(
        StackName=unique,
        TemplateBody=json.dumps({"Resources": {"Role": role}}),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    there.get_waiter("stack_create_complete").wait(StackName=unique, WaiterConfig={"Delay": 1})
    stacks = AccountStacks(EnabledRegions(lambda: sandbox.client("ec2")), cloudformation)
    assert stacks.stack_of(unique) == f"{unique} in eu-west-1"
    assert stacks.stack_of(f"{unique}-of-no-stack") is None
    assert StackReader(cloudformation("us-east-1")).stack_of(unique) is None
    there.delete_stack(StackName=unique)
