"""States and policies are read over HTTP from an in-memory account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.iam import Policy
from permission_guard.model.state import SourceState
from tests.fakes import ACCOUNT, QUEUE_ARN, REGION, ROLE_ARN, TARGET, allow

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sqs import SQSClient

BUCKET = "arn:aws:s3:::failed-orders"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/orders"


@pytest.fixture
def reader(moto_account: None) -> SourceReader:
    """Return a reader of the in-memory account."""
    return SourceReader(boto3.client)  # type: ignore[arg-type]


@pytest.fixture
def key(moto_account: None) -> str:
    """Return the ARN of a key with the alias `orders`."""
    kms: Any = boto3.client("kms")
    arn = kms.create_key(Policy=json.dumps(document("own")))["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/orders", TargetKeyId=arn)
    return str(arn)


def document(sid: str) -> dict[str, Any]:
    """Return a policy that allows the role."""
    return allow("*", Principal={"AWS": ROLE_ARN}, Sid=sid)


def a_queue(key: str) -> str:
    """Make a queue; return its ARN."""
    sqs: SQSClient = boto3.client("sqs")
    attributes: dict[Any, str] = {"KmsMasterKeyId": key, "Policy": json.dumps(document("own"))}
    sqs.create_queue(QueueName="incoming-orders", Attributes=attributes)
    return QUEUE_ARN


def a_topic(key: str) -> str:
    """Make a topic; return its ARN."""
    attributes = {"KmsMasterKeyId": key, "Policy": json.dumps(document("own"))}
    return boto3.client("sns").create_topic(Name="failed-orders", Attributes=attributes)["TopicArn"]


def a_stream(key: str) -> str:
    """Make a data stream; return its ARN."""
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    kinesis.start_stream_encryption(StreamName="clicks", EncryptionType="KMS", KeyId=key)
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks"
    kinesis.put_resource_policy(ResourceARN=arn, Policy=json.dumps(document("own")))
    return arn


def a_secret(key: str) -> str:
    """Make a secret; return its ARN."""
    secrets = boto3.client("secretsmanager")
    arn = secrets.create_secret(Name="orders/broker", SecretString="{}", KmsKeyId=key)["ARN"]
    secrets.put_resource_policy(SecretId=arn, ResourcePolicy=json.dumps(document("own")))
    return arn


def a_bucket(key: str) -> str:
    """Make a bucket; return its ARN."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="failed-orders")
    rules: Any = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}]
    s3.put_bucket_encryption(Bucket="failed-orders", ServerSideEncryptionConfiguration={"Rules": rules})
    s3.put_bucket_policy(Bucket="failed-orders", Policy=json.dumps(document("own")))
    return BUCKET


@pytest.mark.parametrize("make", [a_queue, a_topic, a_stream, a_secret, a_bucket])
@pytest.mark.parametrize("by_alias", [True, False])
def test_a_customer_managed_key_and_the_policy_are_read(
    reader: SourceReader, key: str, make: Callable[[str], str], by_alias: bool
) -> None:
    """The key may be named by its ARN or alias. Its own policy is read as well."""
    arn = make("alias/orders" if by_alias else key)
    assert reader.state(arn, TARGET) == SourceState(key, exists=True)
    for resource in (arn, key):
        policy = reader.policy(resource, TARGET)
        assert isinstance(policy, Policy)
        assert [statement.sid for statement in policy.statements] == ["own"]


def test_a_bus_without_a_policy_and_missing_resources_have_no_policy(reader: SourceReader) -> None:
    """Each service reports a missing resource with its own error."""
    arn = boto3.client("events").create_event_bus(Name="orders")["EventBusArn"]
    assert reader.policy(arn, TARGET) is None
    for missing in (QUEUE_ARN, BUCKET, f"arn:aws:sns:{REGION}:{ACCOUNT}:failed-orders"):
        assert reader.state(missing, TARGET) == SourceState(exists=False)
        assert reader.policy(missing, TARGET) is None


def test_a_log_group_exists_once_it_is_created(reader: SourceReader) -> None:
    """Another group whose name has the same prefix does not count."""
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="/aws/lambda/orders-2")
    assert reader.state(GROUP, TARGET) == SourceState(exists=False)
    logs.create_log_group(logGroupName="/aws/lambda/orders")
    reader.forget()
    assert reader.state(GROUP, TARGET) == SourceState(exists=True)
