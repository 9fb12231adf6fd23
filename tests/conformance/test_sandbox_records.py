"""The keys and types of the sandbox's CloudTrail records, compared with published records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client.process import Sandbox, poll
from tests.conformance.material import CLOUDTRAIL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READ_QUEUE = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}

# Keys that only real AWS returns, and keys that only the published caller sent.
ONLY_IN_AWS = {
    "CreateFunction20150331": {"runtimeVersionConfig", "lastUpdateStatus"},
    "UpdateFunctionCode20150331v2": {"runtimeVersionConfig", "lastUpdateStatus", "loggingConfig"},
    "CreateEventSourceMapping20150331": {"kMSKeyArn", "filterCriteria", "scalingConfig", "sourceAccessConfigurations"},
}
ONLY_OF_THE_CALLER = {"CreateFunction20150331": {"s3Bucket", "s3Key", "s3ObjectVersion", "loggingConfig"}}


def published() -> list[Any]:
    """Return the published, complete records of the calls that `records_by_event` makes."""
    names = {
        "AddPermission20150331v2__invictus-ir",
        "AttachRolePolicy__invictus-ir",
        "CreateEventSourceMapping20150331__aws-docs",
        "CreateFunction20150331__stackd-native-2026__assumed-role",
        "CreatePolicy__invictus-ir",
        "CreateRole__invictus-ir",
        "DeleteFunction20150331__invictus-ir",
        "DeletePolicy__invictus-ir",
        "DeleteRolePolicy__invictus-ir",
        "DeleteRole__invictus-ir",
        "DetachRolePolicy__invictus-ir",
        "PutRolePolicy__invictus-ir",
        "RemovePermission20150331v2__invictus-ir",
        "UpdateAssumeRolePolicy__invictus-ir",
        "UpdateFunctionCode20150331v2__invictus-ir",
    }
    paths = [CLOUDTRAIL / f"{name}.json" for name in sorted(names)]
    return [pytest.param(path, id=path.stem) for path in paths]


@pytest.fixture(scope="module")
def records_by_event(sandbox: Sandbox, make_role: Callable[..., str], code: bytes) -> dict[str, dict[str, Any]]:
    """Create, change and delete a role, a policy, a function and a mapping; return the records by event name."""
    since = sandbox.last_record()
    iam, functions, sqs = sandbox.client("iam"), sandbox.client("lambda"), sandbox.client("sqs")
    role = make_role("trail", READ_QUEUE)
    tags = [{"Key": "Team", "Value": "a"}]
    document = json.dumps({"Version": "2012-10-17", "Statement": [READ_QUEUE]})
    policy = iam.create_policy(PolicyName="trail", Path="/", PolicyDocument=document, Description="", Tags=tags)
    arn = policy["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="trail", PolicyArn=arn)
    trust = iam.get_role(RoleName="trail")["Role"]["AssumeRolePolicyDocument"]
    iam.update_assume_role_policy(RoleName="trail", PolicyDocument=json.dumps(trust))
    settings = {"Runtime": "python3.12", "Handler": "app.handler", "Publish": False, "Timeout": 8, "MemorySize": 128}
    functions.create_function(FunctionName="trail", Role=role, Code={"ZipFile": code}, **settings)
    functions.update_function_code(FunctionName="trail", ZipFile=code, Publish=True)
    permission = {"FunctionName": "trail", "StatementId": "any"}
    functions.add_permission(**permission, Action="lambda:InvokeFunction", Principal="*")
    functions.remove_permission(**permission)
    queue = sqs.create_queue(QueueName="trail")["QueueUrl"]
    source = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = functions.create_event_source_mapping(
        FunctionName="trail",
        EventSourceArn=source,
        Enabled=True,
        BatchSize=10,
        MaximumBatchingWindowInSeconds=0,
    )
    functions.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=5)
    functions.delete_event_source_mapping(UUID=mapping["UUID"])
    functions.delete_function(FunctionName="trail")
    iam.detach_role_policy(RoleName="trail", PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    iam.delete_role_policy(RoleName="trail", PolicyName="own")
    iam.delete_role(RoleName="trail")
    document = json.dumps(trust)
    iam.create_role(RoleName="trail-2", Path="/", AssumeRolePolicyDocument=document, MaxSessionDuration=3600, Tags=tags)
    poll(lambda: sandbox.health()["delivered"] == sandbox.last_record(), deadline=5, what="delivery of all records")
    return {record["eventName"]: record for record in sandbox.records(since)}


@pytest.mark.parametrize("path", published())
def test_a_record_has_the_keys_and_types_of_a_published_one(
    path: Path, records_by_event: dict[str, dict[str, Any]]
) -> None:
    """Of the same API."""
    theirs = json.loads(path.read_text())
    name = theirs["eventName"]
    ours = records_by_event[name]

    assert differences(theirs, ours, ONLY_IN_AWS.get(name, set()) | ONLY_OF_THE_CALLER.get(name, set())) == []


def differences(theirs: Any, ours: Any, ignored: set[str], where: str = "") -> list[str]:
    """List where two records differ in their keys or in the types of their values."""
    if type(theirs) is not type(ours):
        return [f"{where}: {type(ours).__name__} instead of {type(theirs).__name__}"]
    if isinstance(theirs, dict) and not where.endswith((".userIdentity", ".tlsDetails")):
        keys = (theirs.keys() ^ ours.keys()) - ignored - {"tlsDetails", "sessionCredentialFromConsole"}
        found = [f"{where}.{key}: {'missing' if key in theirs else 'unexpected'}" for key in sorted(keys)]
        for key in theirs.keys() & ours.keys():
            found += differences(theirs[key], ours[key], ignored, f"{where}.{key}")
        return found
    return []
