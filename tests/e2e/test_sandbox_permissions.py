"""Authorization by condition keys and actions that MiniStack itself does not support."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.process import Sandbox

SQS_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def allow(action: str, **condition: Any) -> dict[str, Any]:
    """Return a statement that allows an action on everything, under a condition."""
    return {"Effect": "Allow", "Action": action, "Resource": "*", **({"Condition": condition} if condition else {})}


def test_iam_policy_arn_allows_only_the_listed_policy_to_be_attached(
    sandbox: Sandbox, make_role: Callable[..., str], assume: Any, unique: str
) -> None:
    """IAM policy ARN allows only the listed policy to be attached."""
    caller = make_role(f"{unique}-caller", allow("iam:AttachRolePolicy", ArnEquals={"iam:PolicyARN": SQS_POLICY}))
    make_role(unique)
    client = assume(caller, "iam")

    client.attach_role_policy(RoleName=unique, PolicyArn=SQS_POLICY)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.attach_role_policy(RoleName=unique, PolicyArn=ADMINISTRATOR)

    attached = sandbox.client("iam").list_attached_role_policies(RoleName=unique)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [SQS_POLICY]


def test_dynamodb_leading_keys_allows_only_the_listed_partition_keys(
    sandbox: Sandbox, make_role: Callable[..., str], assume: Any, unique: str
) -> None:
    """DynamoDB leading keys allows only the listed partition keys."""
    administrator = sandbox.client("dynamodb")
    administrator.create_table(
        TableName=unique,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "finding_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "finding_id", "KeyType": "HASH"}],
    )
    condition = {
        "Null": {"dynamodb:LeadingKeys": "false"},
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["BREAKER"]},
    }
    client = assume(make_role(f"{unique}-caller", allow("dynamodb:PutItem", **condition)), "dynamodb")

    client.put_item(TableName=unique, Item={"finding_id": {"S": "BREAKER"}})
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_item(TableName=unique, Item={"finding_id": {"S": "FIXING"}})

    assert administrator.scan(TableName=unique)["Items"] == [{"finding_id": {"S": "BREAKER"}}]
    administrator.delete_table(TableName=unique)


def test_a_deny_on_iam_policy_arn_applies(make_role: Callable[..., str], assume: Any, unique: str) -> None:
    """A deny on IAM policy ARN applies."""
    deny = {**allow("iam:AttachRolePolicy", ArnNotEquals={"iam:PolicyARN": SQS_POLICY}), "Effect": "Deny"}
    client = assume(make_role(f"{unique}-caller", allow("iam:*"), deny), "iam")
    make_role(unique)

    client.attach_role_policy(RoleName=unique, PolicyArn=SQS_POLICY)
    with pytest.raises(ClientError, match="explicit deny"):
        client.attach_role_policy(RoleName=unique, PolicyArn=ADMINISTRATOR)


def test_iam_permissions_boundary_is_that_of_the_request_or_of_the_role(
    sandbox: Sandbox, make_role: Callable[..., str], assume: Any, unique: str
) -> None:
    """IAM permissions boundary is that of the request or of the role."""
    condition = {"StringEquals": {"iam:PermissionsBoundary": ADMINISTRATOR}}
    caller = make_role(
        f"{unique}-caller", allow("iam:*RolePermissionsBoundary", **condition), allow("iam:Tag*", **condition)
    )
    make_role(unique)
    client = assume(caller, "iam")

    with pytest.raises(ClientError, match="AccessDenied"):
        client.tag_role(RoleName=unique, Tags=[{"Key": "a", "Value": "b"}])
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_role_permissions_boundary(RoleName=unique, PermissionsBoundary=SQS_POLICY)
    client.put_role_permissions_boundary(RoleName=unique, PermissionsBoundary=ADMINISTRATOR)
    client.tag_role(RoleName=unique, Tags=[{"Key": "a", "Value": "b"}])

    assert sandbox.client("iam").list_role_tags(RoleName=unique)["Tags"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ({"StringEquals": {"iam:ResourceTag/permission-guard:fix": "never"}}, "never"),
        ({"StringEqualsIgnoreCase": {"aws:ResourceTag/permission-guard:fix": "never"}}, "Never"),
    ],
)
def test_a_resource_tag_protects_a_role(
    make_role: Callable[..., str], sandbox: Sandbox, assume: Any, unique: str, *, condition: Any, value: str
) -> None:
    """The second one is how the stack protects roles from its own fixes."""
    deny = allow("iam:AttachRolePolicy", **condition)
    client = assume(make_role(f"{unique}-caller", allow("iam:*"), {**deny, "Effect": "Deny"}), "iam")
    make_role(unique)
    client.attach_role_policy(RoleName=unique, PolicyArn=SQS_POLICY)
    sandbox.client("iam").tag_role(RoleName=unique, Tags=[{"Key": "permission-guard:fix", "Value": value}])

    with pytest.raises(ClientError, match="explicit deny"):
        client.attach_role_policy(RoleName=unique, PolicyArn=SQS_POLICY)


def test_lambda_principal_limits_which_principals_a_caller_may_allow(
    make_role: Callable[..., str], make_function: Callable[..., str], assume: Any, unique: str
) -> None:
    """Lambda principal limits which principals a caller may allow."""
    only_s3 = allow("lambda:AddPermission", StringEquals={"lambda:Principal": "s3.amazonaws.com"})
    client = assume(make_role(f"{unique}-caller", only_s3), "lambda")
    make_function(unique)
    permission = {"FunctionName": unique, "Action": "lambda:InvokeFunction"}

    client.add_permission(**permission, StatementId="s3", Principal="s3.amazonaws.com")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.add_permission(**permission, StatementId="any", Principal="*")


def test_lambda_function_arn_limits_which_function_may_be_mapped(
    make_role: Callable[..., str], make_function: Callable[..., str], sandbox: Sandbox, assume: Any, unique: str
) -> None:
    """Lambda function ARN limits which function may be mapped."""
    reader = make_role(unique, allow("sqs:*"))
    mine = make_function(f"{unique}-mine", role=reader)
    make_function(f"{unique}-other", role=reader)
    condition = {"ArnEquals": {"lambda:FunctionArn": mine}}
    client = assume(make_role(f"{unique}-caller", allow("lambda:*EventSourceMapping", **condition)), "lambda")
    sandbox.client("sqs").create_queue(QueueName=unique)
    source = f"arn:aws:sqs:us-east-1:123456789012:{unique}"

    mapping = client.create_event_source_mapping(FunctionName=f"{unique}-mine", EventSourceArn=source)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.create_event_source_mapping(FunctionName=f"{unique}-other", EventSourceArn=source)
    client.delete_event_source_mapping(UUID=mapping["UUID"])


def test_simulating_needs_the_action_on_the_simulated_role(
    make_role: Callable[..., str], assume: Any, unique: str
) -> None:
    """The result depends only on the policies of that role."""
    role, other = make_role(unique, allow("sqs:ReceiveMessage")), make_role(f"{unique}-other")
    client = assume(make_role(f"{unique}-caller", {**allow("iam:SimulatePrincipalPolicy"), "Resource": role}), "iam")
    asked = {"ActionNames": ["sqs:ReceiveMessage", "sqs:DeleteMessage"], "ResourceArns": ["arn:aws:sqs:::q"]}
    results = client.simulate_principal_policy(PolicySourceArn=role, **asked)["EvaluationResults"]
    assert [result["EvalDecision"] for result in results] == ["allowed", "implicitDeny"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client.simulate_principal_policy(PolicySourceArn=other, **asked)


@pytest.mark.parametrize(
    ("action", "method", "arguments"),
    [
        ("GetFunctionConcurrency", "get_function_concurrency", {}),
        ("ListFunctionEventInvokeConfigs", "list_function_event_invoke_configs", {}),
        ("ListFunctionUrlConfigs", "list_function_url_configs", {}),
        ("ListAliases", "list_aliases", {}),
        ("GetFunctionConfiguration", "get_function_configuration", {}),
        ("PutFunctionEventInvokeConfig", "put_function_event_invoke_config", {"MaximumRetryAttempts": 1}),
        ("DeleteFunctionConcurrency", "delete_function_concurrency", {}),
    ],
)
def test_lambda_authorizes_exactly_the_action_that_is_called(
    *,
    make_role: Callable[..., str],
    make_function: Callable[..., str],
    assume: Any,
    unique: str,
    action: str,
    method: str,
    arguments: dict[str, Any],
) -> None:
    """Lambda authorizes exactly the action that is called."""
    make_function(unique)
    may = assume(make_role(f"{unique}-may", allow(f"lambda:{action}")), "lambda")
    may_not = assume(make_role(f"{unique}-not", allow("lambda:GetFunction")), "lambda")

    getattr(may, method)(FunctionName=unique, **arguments)
    with pytest.raises(ClientError, match=f"not authorized to perform: lambda:{action}"):
        getattr(may_not, method)(FunctionName=unique, **arguments)


def test_a_function_can_only_get_a_role_that_the_caller_may_pass(
    make_role: Callable[..., str], assume: Any, code: bytes, unique: str
) -> None:
    """A function can only get a role that the caller may pass."""
    role = make_role(unique)
    passing = {**allow("iam:PassRole", StringEquals={"iam:PassedToService": "lambda.amazonaws.com"}), "Resource": role}
    function = {"FunctionName": unique, "Role": role, "Runtime": "python3.13", "Handler": "app.handler"}
    without = assume(make_role(f"{unique}-not", allow("lambda:CreateFunction")), "lambda")
    with_it = assume(make_role(f"{unique}-may", allow("lambda:CreateFunction"), passing), "lambda")

    with pytest.raises(ClientError, match="not authorized to perform: iam:PassRole"):
        without.create_function(**function, Code={"ZipFile": code})
    with_it.create_function(**function, Code={"ZipFile": code})


def test_an_injected_fault_occurs_the_requested_number_of_times(
    sandbox: Sandbox, make_function: Callable[..., str], make_role: Callable[..., str], unique: str
) -> None:
    """An injected fault occurs the requested number of times."""
    make_function(unique)
    client, iam = sandbox.client("lambda"), sandbox.client("iam")
    sandbox.inject_fault("lambda", "GetFunction", count=1)
    sandbox.inject_fault("iam", "GetRole", code="Throttling", status=400)

    with pytest.raises(ClientError, match="TooManyRequestsException"):
        client.get_function(FunctionName=unique)
    with pytest.raises(ClientError, match="Throttling"):
        iam.get_role(RoleName=f"{unique}-role")

    assert client.get_function(FunctionName=unique)["Configuration"]["FunctionName"] == unique
    assert iam.get_role(RoleName=f"{unique}-role")["Role"]["RoleName"] == f"{unique}-role"


def test_the_default_version_of_a_policy_can_be_changed(
    sandbox: Sandbox, make_role: Callable[..., str], assume: Any, unique: str
) -> None:
    """The default version of a policy can be changed, and decides."""
    iam = sandbox.client("iam")
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [allow(action)]}) for action in ("s3:*", "iam:*")]
    arn = iam.create_policy(PolicyName=unique, PolicyDocument=documents[0])["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=documents[1])
    client = assume(make_role(unique), "iam")
    iam.attach_role_policy(RoleName=unique, PolicyArn=arn)
    since = sandbox.last_record()

    with pytest.raises(ClientError, match="AccessDenied"):
        client.list_roles()
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    client.list_roles()

    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    record = sandbox.wait_for_record("SetDefaultPolicyVersion", since)
    assert record["requestParameters"] == {"policyArn": arn, "versionId": "v2"}
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v9")


def test_the_account_details_show_a_boundary(sandbox: Sandbox, make_role: Callable[..., str], unique: str) -> None:
    """The account details show a role's boundary."""
    make_role(unique)
    iam = sandbox.client("iam")
    iam.put_role_permissions_boundary(RoleName=unique, PermissionsBoundary=ADMINISTRATOR)

    roles = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]

    mine = next(role for role in roles if role["RoleName"] == unique)
    assert mine["PermissionsBoundary"]["PermissionsBoundaryArn"] == ADMINISTRATOR
