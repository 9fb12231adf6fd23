"""The sandbox's CloudTrail records; `tests/conformance` compares their form with published ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from permission_guard.intake.cloudtrail import targets_of_record
from permission_guard.intake.cloudtrail_record import parse_record
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.targets import Direction, PolicyTarget, RoleTarget
from sandbox.client.process import ACCOUNT, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

READ_QUEUE = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}


def test_the_identity_of_a_session_is_that_of_a_published_one(
    sandbox: Sandbox, make_role: Callable[..., str], assume: Callable[[str, str], Any], unique: str
) -> None:
    """The identity of a session is that of a published one."""
    role = make_role(unique, {"Effect": "Allow", "Action": "iam:TagRole", "Resource": "*"})
    since = sandbox.last_record()

    assume(role, "iam").tag_role(RoleName=unique, Tags=[{"Key": "a", "Value": "b"}])

    identity = sandbox.wait_for_record("TagRole", since)["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{unique}/test"
    assert identity["accessKeyId"].startswith("ASIA")
    issuer = identity["sessionContext"]["sessionIssuer"]
    assert issuer["arn"] == role
    assert identity["principalId"] == f"{issuer['principalId']}:test"
    assert identity["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"


def test_the_identity_of_a_user_names_the_user(sandbox: Sandbox, unique: str) -> None:
    """The identity of a user names the user."""
    iam = sandbox.client("iam")
    iam.create_user(UserName=unique)
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]}
    iam.put_user_policy(UserName=unique, PolicyName="own", PolicyDocument=json.dumps(allow))
    key = iam.create_access_key(UserName=unique)["AccessKey"]
    since = sandbox.last_record()

    sandbox.client("iam", {**key, "SessionToken": None}).tag_user(UserName=unique, Tags=[{"Key": "a", "Value": "b"}])

    identity = sandbox.wait_for_record("TagUser", since)["userIdentity"]
    assert (identity["type"], identity["userName"]) == ("IAMUser", unique)
    assert identity["accessKeyId"] == key["AccessKeyId"]


def test_a_denied_call_is_recorded_without_parameters(
    sandbox: Sandbox, make_role: Callable[..., str], make_function: Callable[..., str], assume: Any, unique: str
) -> None:
    """A denied call is recorded without parameters."""
    arn = make_function(unique)
    role = make_role(f"{unique}-caller")
    since = sandbox.last_record()
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}

    with pytest.raises(ClientError) as refused:
        assume(role, "lambda").add_permission(FunctionName=unique, **permission)

    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    record = sandbox.wait_for_record("AddPermission20150331v2", since)
    assert record["errorCode"] == "AccessDenied"
    assert f"is not authorized to perform: lambda:AddPermission on resource: {arn}" in record["errorMessage"]
    assert (record["requestParameters"], record["responseElements"]) == (None, None)
    assert record["requestID"] == refused.value.response["ResponseMetadata"]["RequestId"]


def test_a_call_that_fails_is_recorded_with_its_error(sandbox: Sandbox, unique: str) -> None:
    """A call that fails is recorded with its error."""
    since = sandbox.last_record()

    with pytest.raises(ClientError):
        sandbox.client("lambda").delete_function(FunctionName=unique)
    with pytest.raises(ClientError):
        sandbox.client("iam").delete_role(RoleName=unique)

    function = sandbox.wait_for_record("DeleteFunction20150331", since)
    assert function["errorCode"] == "ResourceNotFoundException"
    assert function["requestParameters"] == {"functionName": unique}
    assert function["responseElements"] is None
    role = sandbox.wait_for_record("DeleteRole", since)
    assert role["errorCode"] == "NoSuchEntityException"


@pytest.mark.parametrize("form", ["{name}", "{account}:function:{name}", "{arn}", "{name}:live", "{arn}:live"])
def test_function_names_are_recorded_as_typed(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str, form: str
) -> None:
    """Function names are recorded as typed."""
    arn = make_function(unique)
    client = sandbox.client("lambda")
    version = client.publish_version(FunctionName=unique)["Version"]
    client.create_alias(FunctionName=unique, Name="live", FunctionVersion=version)
    typed = form.format(name=unique, account=ACCOUNT, arn=arn)
    since = sandbox.last_record()

    client.add_permission(
        FunctionName=typed,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::bucket",
        SourceAccount=ACCOUNT,
    )

    record = sandbox.wait_for_record("AddPermission20150331v2", since)
    assert record["requestParameters"] == {
        "functionName": typed,
        "statementId": "s3",
        "action": "lambda:InvokeFunction",
        "principal": "s3.amazonaws.com",
        "sourceArn": "arn:aws:s3:::bucket",
        "sourceAccount": ACCOUNT,
    }
    statement = json.loads(record["responseElements"]["statement"])
    assert statement["Resource"] == (f"{arn}:live" if typed.endswith(":live") else arn)


def test_every_other_family_is_recorded(sandbox: Sandbox, make_function: Callable[..., str], unique: str) -> None:
    """Every other family is recorded."""
    arn = make_function(unique)
    client = sandbox.client("lambda")
    since = sandbox.last_record()

    client.update_function_configuration(FunctionName=arn, Environment={"Variables": {"TOKEN": "s3cret"}})
    client.publish_version(FunctionName=unique)
    client.create_alias(FunctionName=unique, Name="live", FunctionVersion="1")
    client.update_alias(FunctionName=unique, Name="live", Description="d")
    client.delete_alias(FunctionName=unique, Name="live")
    client.create_function_url_config(FunctionName=unique, AuthType="NONE")
    client.update_function_url_config(FunctionName=unique, AuthType="AWS_IAM")
    client.delete_function_url_config(FunctionName=unique)
    client.put_function_event_invoke_config(FunctionName=unique, MaximumRetryAttempts=0)
    client.update_function_event_invoke_config(FunctionName=unique, MaximumEventAgeInSeconds=60)
    client.delete_function_event_invoke_config(FunctionName=unique)
    client.put_function_concurrency(FunctionName=unique, ReservedConcurrentExecutions=1)
    client.delete_function_concurrency(FunctionName=unique)
    client.tag_resource(Resource=arn, Tags={"Team": "a"})
    client.untag_resource(Resource=arn, TagKeys=["Team"])

    sandbox.wait_for_record("UntagResource20170331v2", since)
    records = sandbox.records(since)
    assert [record["eventName"] for record in records] == [
        "UpdateFunctionConfiguration20150331v2",
        "PublishVersion20150331",
        "CreateAlias20150331",
        "UpdateAlias20150331",
        "DeleteAlias20150331",
        "CreateFunctionUrlConfig",
        "UpdateFunctionUrlConfig",
        "DeleteFunctionUrlConfig",
        "PutFunctionEventInvokeConfig",
        "UpdateFunctionEventInvokeConfig",
        "DeleteFunctionEventInvokeConfig",
        "PutFunctionConcurrency20171031",
        "DeleteFunctionConcurrency20171031",
        "TagResource20170331v2",
        "UntagResource20170331v2",
    ]
    assert not [record for record in records if "errorCode" in record]
    assert records[0]["requestParameters"] == {"functionName": arn, "environment": {}}
    assert "s3cret" not in json.dumps(records)
    changed = records[9]["responseElements"]
    assert changed.pop("lastModified")
    assert changed.pop("destinationConfig") == {"onSuccess": {}, "onFailure": {}}
    settings = {"maximumRetryAttempts": 0, "maximumEventAgeInSeconds": 60}
    assert changed == {"functionArn": f"{arn}:$LATEST", **settings}


def test_tags_of_a_role_are_recorded_as_the_bot_reads_them(
    sandbox: Sandbox, make_role: Callable[..., str], unique: str
) -> None:
    """A policy may depend on tags, so tagging a role causes a check."""
    make_role(unique)
    iam, since = sandbox.client("iam"), sandbox.last_record()
    iam.tag_role(RoleName=unique, Tags=[{"Key": "team", "Value": "shop"}])
    iam.untag_role(RoleName=unique, TagKeys=["team"])
    for name in ("TagRole", "UntagRole"):
        record = sandbox.wait_for_record(name, since)
        envelope = {"source": "aws.iam", "account": ACCOUNT, "region": "us-east-1", "detail": record}
        assert targets_of_record(parse_record(envelope), Direction.EXECUTION_ROLE).targets == (
            RoleTarget(ACCOUNT, unique),
        )


def test_urls_aliases_and_versions_are_recorded_as_the_bot_reads_them(
    sandbox: Sandbox, make_function: Callable[..., str], code: bytes, unique: str
) -> None:
    """Each record names its function, and the alias where AWS does. The bot finds the function in it."""
    arn, live = make_function(unique), {"FunctionName": unique, "Qualifier": "live"}
    client, since = sandbox.client("lambda"), sandbox.last_record()

    client.publish_version(FunctionName=arn)
    client.create_alias(FunctionName=unique, Name="live", FunctionVersion="1")
    client.create_function_url_config(**live, AuthType="NONE")
    client.update_function_url_config(**live, AuthType="AWS_IAM", InvokeMode="RESPONSE_STREAM")
    with pytest.raises(ClientError, match="ResourceConflictException"):
        client.create_function_url_config(**live, AuthType="NONE")
    client.delete_function_url_config(**live)
    client.update_alias(FunctionName=arn, Name="live", FunctionVersion="1")
    client.delete_alias(FunctionName=unique, Name="live")
    client.update_function_code(FunctionName=unique, ZipFile=code, Publish=True)

    sandbox.wait_for_record("UpdateFunctionCode20150331v2", since)
    version, alias, url, changed, refused, deleted, moved, dropped, published = sandbox.records(since)
    named = {"functionName": unique}
    assert version["responseElements"].items() >= {"functionArn": f"{arn}:1", "version": "1"}.items()
    assert alias["requestParameters"] == {**named, "name": "live", "functionVersion": "1"}
    assert alias["responseElements"].keys() == {"aliasArn", "name", "functionVersion", "description", "revisionId"}
    assert url["requestParameters"] == {**named, "qualifier": "live", "authType": "NONE"}
    shape = {"functionUrl", "functionArn", "authType", "creationTime", "invokeMode"}
    assert url["responseElements"].keys() == shape
    assert changed["responseElements"].keys() == shape | {"lastModifiedTime"}
    assert {one["responseElements"]["functionArn"] for one in (url, changed)} == {f"{arn}:live"}
    assert (refused["errorCode"], refused["responseElements"]) == ("ResourceConflictException", None)
    assert (deleted["requestParameters"], deleted["responseElements"]) == ({**named, "qualifier": "live"}, None)
    assert moved["requestParameters"]["functionName"] == arn
    assert (dropped["requestParameters"], dropped["responseElements"]) == ({**named, "name": "live"}, None)
    assert published["responseElements"]["functionArn"] == f"{arn}:2"
    for one in (version, alias, url, changed, refused, deleted, moved, dropped, published):
        targets = targets_of_record(parse_record({"detail": one}), Direction.INVOKE_POLICY).targets
        assert targets == (() if one is refused else (parse_function_arn(arn)[0],)), one["eventName"]


def test_versions_of_a_policy_are_recorded_as_the_bot_reads_them(sandbox: Sandbox, unique: str) -> None:
    """The response has the version and whether it is the default; only a default version causes a check."""
    iam, since = sandbox.client("iam"), sandbox.last_record()
    document = json.dumps({"Version": "2012-10-17", "Statement": [READ_QUEUE]})
    arn = iam.create_policy(PolicyName=unique, PolicyDocument=document)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v3")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")

    sandbox.wait_for_record("DeletePolicyVersion", since)
    _, default, extra, chosen, deleted = sandbox.records(since)
    assert default["requestParameters"] == {"policyArn": arn, "policyDocument": document, "setAsDefault": True}
    assert "setAsDefault" not in extra["requestParameters"]
    for one, number in ((default, "v2"), (extra, "v3")):
        version = one["responseElements"]["policyVersion"]
        assert version.keys() == {"versionId", "isDefaultVersion", "createDate"}
        assert (version["versionId"], version["isDefaultVersion"]) == (number, one is default)
    for one in (chosen, deleted):
        assert (one["requestParameters"].keys(), one["responseElements"]) == ({"policyArn", "versionId"}, None)
    for one in (default, extra, chosen, deleted):
        targets = targets_of_record(parse_record({"detail": one}), Direction.EXECUTION_ROLE).targets
        assert targets == ((PolicyTarget(ACCOUNT, arn),) if one in (default, chosen) else ()), one["eventName"]


def test_reads_leave_no_record(sandbox: Sandbox, make_function: Callable[..., str], unique: str) -> None:
    """Reads leave no record."""
    make_function(unique)
    client = sandbox.client("lambda")
    since = sandbox.last_record()

    client.get_function(FunctionName=unique)
    client.list_functions()
    sandbox.client("iam").list_roles()
    client.invoke(FunctionName=unique)
    client.delete_function(FunctionName=unique)

    sandbox.wait_for_record("DeleteFunction20150331", since)
    assert [record["eventName"] for record in sandbox.records(since)] == ["DeleteFunction20150331"]


def test_rejected_syntax_leaves_no_record(sandbox: Sandbox, make_function: Callable[..., str], unique: str) -> None:
    """Rejected syntax leaves no record."""
    make_function(unique)
    client = sandbox.client("lambda")
    since = sandbox.last_record()

    with pytest.raises(ClientError, match="ValidationException"):
        client.add_permission(FunctionName=unique, StatementId="s", Action="s3:GetObject", Principal="*")
    client.delete_function(FunctionName=unique)

    sandbox.wait_for_record("DeleteFunction20150331", since)
    assert [record["eventName"] for record in sandbox.records(since)] == ["DeleteFunction20150331"]
