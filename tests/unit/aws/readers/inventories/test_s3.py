"""Buckets: all of them are sources, and those in the region may notify functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes import REGION
from tests.unit.aws.readers.inventories.conftest import FUNCTION, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

NOTIFIES = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"]}]}


def test_a_bucket_in_another_region_exists_and_is_not_read(account: Account) -> None:
    """S3 only notifies functions in the bucket's region."""
    buckets = [{"Name": "uploads", "BucketRegion": REGION}, {"Name": "far", "BucketRegion": "eu-west-1"}]
    account.say("s3", "list_buckets", {"Buckets": buckets}, MaxBuckets=1000)
    account.say("s3", "get_bucket_notification_configuration", NOTIFIES)
    inventory = read_one(account, "s3")
    assert inventory.sources == frozenset({"arn:aws:s3:::uploads", "arn:aws:s3:::far"})
    assert logged(inventory.triggers) == {("arn:aws:s3:::uploads", FUNCTION, "the bucket uploads")}
    assert account.operations("s3") == ["list_buckets", "get_bucket_notification_configuration"]


def test_a_bucket_without_a_region_in_the_list_is_read(account: Account) -> None:
    """An emulator may leave the region out."""
    account.say("s3", "list_buckets", {"Buckets": [{"Name": "uploads"}]})
    account.say("s3", "get_bucket_notification_configuration", NOTIFIES, Bucket="uploads")
    assert logged(read_one(account, "s3").triggers) == {("arn:aws:s3:::uploads", FUNCTION, "the bucket uploads")}


def test_a_notification_to_something_else_is_no_trigger(account: Account) -> None:
    """Queues and topics have policies of their own."""
    account.say("s3", "list_buckets", {"Buckets": [{"Name": "uploads"}]})
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:uploads", "Events": ["s3:ObjectCreated:*"]}
    account.say("s3", "get_bucket_notification_configuration", {"QueueConfigurations": [queue]})
    assert read_one(account, "s3").triggers == ()
