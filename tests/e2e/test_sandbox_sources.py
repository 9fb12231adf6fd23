"""What the needs of a role depend on: created by real calls, read with the permissions of the deployed bot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.iam import Policy
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import SourceState, Unread
from sandbox.client.engineer import Engineer, document
from sandbox.client.process import ACCOUNT, REGION
from tests.e2e.bot import deployed_statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.model.targets import FunctionTarget
    from sandbox.client.process import Sandbox

NAME = "sources-of-needs"
_HERE = f"{REGION}:{ACCOUNT}"


@pytest.fixture(scope="module")
def arns(sandbox: Sandbox, make_function: Callable[..., str]) -> dict[str, str]:
    """Create a resource of every type, some with a customer managed key, some with a policy; return their ARNs."""
    engineer, client = Engineer(sandbox), sandbox.client
    kms, sqs, logs, efs = client("kms"), client("sqs"), client("logs"), client("efs")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=f"alias/{NAME}", TargetKeyId=key)
    function = make_function(NAME)
    engineer.permit(NAME, "anyone", "sns.amazonaws.com")
    queue, stream = engineer.queue(NAME), engineer.stream(NAME)
    owner = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sqs:*", "Resource": queue}
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    settings = {"KmsMasterKeyId": f"alias/{NAME}", "Policy": document(owner)}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=settings)
    sqs.create_queue(QueueName=f"{NAME}-plain", Attributes={"KmsMasterKeyId": "alias/aws/sqs"})
    reading = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kinesis:GetRecords", "Resource": stream}
    client("kinesis").put_resource_policy(ResourceARN=stream, Policy=document(reading))
    client("kinesis").start_stream_encryption(StreamARN=stream, EncryptionType="KMS", KeyId=key)
    secret = client("secretsmanager").create_secret(Name=NAME, SecretString="x", KmsKeyId=key)["ARN"]
    bucket = engineer.bucket(NAME)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    client("s3").put_bucket_encryption(Bucket=NAME, ServerSideEncryptionConfiguration={"Rules": [rule]})
    logs.create_log_group(logGroupName=f"/aws/lambda/{NAME}")
    system = efs.create_file_system(CreationToken=NAME)["FileSystemId"]
    mounting = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "elasticfilesystem:ClientMount"}
    efs.put_file_system_policy(FileSystemId=system, Policy=json.dumps({"Statement": [mounting]}))
    return {
        "access point": efs.create_access_point(FileSystemId=system)["AccessPointArn"],
        "bucket": bucket,
        "bus": client("events").create_event_bus(Name=NAME)["EventBusArn"],
        "function": function,
        "key": key,
        "log group": f"arn:aws:logs:{_HERE}:log-group:/aws/lambda/{NAME}",
        "plain queue": f"{queue}-plain",
        "queue": queue,
        "secret": secret,
        "stream": stream,
        "table": engineer.table(NAME),
        "topic": client("sns").create_topic(Name=NAME)["TopicArn"],
    }


@pytest.fixture(scope="module")
def reader(make_role: Callable[..., str], assume: Callable[[str, str], Any]) -> SourceReader:
    """Return the bot's own reader with the permissions of the deployed checker."""
    role = make_role(f"{NAME}-bot", *deployed_statements("CheckExecutionRoleRole"))
    return SourceReader(lambda service: assume(role, service))


@pytest.fixture(scope="module")
def function(arns: dict[str, str]) -> FunctionTarget:
    """Return the function that is checked."""
    return parse_function_arn(arns["function"])[0]


@pytest.mark.parametrize("kind", ["bucket", "queue", "secret", "stream"])
def test_a_resource_with_a_customer_managed_key_is_read_with_the_key(
    reader: SourceReader, arns: dict[str, str], function: FunctionTarget, kind: str
) -> None:
    """The resource may name the key by its ARN or an alias."""
    assert reader.state(arns[kind], function) == SourceState(arns["key"], exists=True)


@pytest.mark.parametrize("kind", ["log group", "plain queue", "table", "topic"])
def test_a_resource_without_a_customer_managed_key_is_read_without_a_key(
    reader: SourceReader, arns: dict[str, str], function: FunctionTarget, kind: str
) -> None:
    """It has an AWS managed key or none."""
    assert reader.state(arns[kind], function) == SourceState(exists=True)


@pytest.mark.parametrize("kind", ["function", "key", "queue", "stream", "topic"])
def test_the_policy_of_a_resource_is_read(
    reader: SourceReader, arns: dict[str, str], function: FunctionTarget, kind: str
) -> None:
    """The policy has its statements."""
    policy = reader.policy(arns[kind], function)
    assert isinstance(policy, Policy)
    assert policy.statements


@pytest.mark.parametrize("kind", ["bucket", "bus", "plain queue", "secret", "table"])
def test_a_resource_without_a_policy_has_none(
    reader: SourceReader, arns: dict[str, str], function: FunctionTarget, kind: str
) -> None:
    """Each service has its own reply for it."""
    assert reader.policy(arns[kind], function) is None


def test_a_file_system_is_read_through_its_access_point(
    reader: SourceReader, arns: dict[str, str], function: FunctionTarget
) -> None:
    """The file system has a policy, so its clients need IAM permissions."""
    state = reader.state(arns["access point"], function)
    assert isinstance(state, SourceState)
    assert state.uses_iam is True


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:dynamodb:{_HERE}:table/nobodys/stream/2026-11-21T00:00:00.000",
        f"arn:aws:kinesis:{_HERE}:stream/nobodys",
        f"arn:aws:logs:{_HERE}:log-group:/aws/lambda/nobodys",
        f"arn:aws:rds:{_HERE}:cluster:nobodys",
        "arn:aws:s3:::nobodys",
        f"arn:aws:secretsmanager:{_HERE}:secret:nobodys-AbCdEf",
        f"arn:aws:sns:{_HERE}:nobodys",
        f"arn:aws:sqs:{_HERE}:nobodys",
    ],
)
def test_a_missing_resource_does_not_exist(reader: SourceReader, function: FunctionTarget, arn: str) -> None:
    """The read is neither denied nor failed."""
    state = reader.state(arn, function)
    assert not isinstance(state, Unread)
    assert state is not None
    assert state.exists is False
