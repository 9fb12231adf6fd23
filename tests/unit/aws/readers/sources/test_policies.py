"""Resource policies of what a role uses: each service says in its own way that there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.readers.sources.services import SERVICES
from permission_guard.needs.decision import READABLE
from tests.fakes import ACCOUNT, QUEUE_ARN, REGION, TARGET
from tests.unit.aws.conftest import Answers
from tests.unit.aws.readers.sources.cases import (
    BUCKET,
    CLUSTER,
    DOCUMENT,
    FUNCTION,
    KEY,
    OBJECTS,
    OWN,
    POLICY,
    URL,
    Own,
)

if TYPE_CHECKING:
    from tests.unit.aws.readers.sources.conftest import Sources

EACH = pytest.mark.parametrize("own", OWN, ids=lambda own: own.arn.split(":", 2)[2])
OF_AN_ACCOUNT = pytest.mark.parametrize(
    "own", [own for own in OWN if ":s3:" not in own.arn and own.arn != KEY], ids=lambda own: own.arn.split(":", 2)[2]
)


def answer(sources: Sources, own: Own, said: dict[str, Any] | str) -> None:
    """Answer with a reply, or with an error code."""
    if isinstance(said, str):
        sources.fail(own.client, own.operation, said)
        return
    sources.say(own.client, own.operation, said, **own.asked)
    if own.arn == KEY:  # a key's grants are read as well
        sources.say("kms", "list_grants", {"Grants": []}, KeyId=KEY, Limit=100)


@EACH
def test_a_policy_is_read_with_one_call_and_a_key_s_with_two(sources: Sources, own: Own) -> None:
    """Only the client that is needed is created. The policy is named after its resource."""
    answer(sources, own, own.reply)
    policy = sources.policy(own.arn)
    assert (policy.document, policy.name) == (DOCUMENT, own.arn)
    assert sources.made == (["kms", "kms"] if own.arn == KEY else [own.client])


@pytest.mark.parametrize("own", [own for own in OWN if own.arn != KEY], ids=lambda own: own.arn.split(":", 2)[2])
def test_a_resource_without_a_policy_has_none(sources: Sources, own: Own) -> None:
    """Queues leave it out, streams return `{}`, tables and buckets return an error; a key always has a policy."""
    answer(sources, own, own.without)
    assert sources.reader.policy(own.arn, TARGET) is None


@EACH
def test_a_malformed_policy_is_not_a_missing_policy(sources: Sources, own: Own) -> None:
    """It may allow or deny anything."""
    reply = {name: {"Policy": "not JSON"} if name == "Attributes" else "not JSON" for name in own.reply}
    answer(sources, own, reply)
    assert sources.policy(own.arn).unreadable


@EACH
@pytest.mark.parametrize(
    ("code", "denied"),
    [
        ("AccessDeniedException", True),
        ("InvalidArnException", True),
        ("ThrottlingException", False),
        ("LimitExceededException", False),
    ],
)
def test_a_policy_that_cannot_be_read_says_why(sources: Sources, own: Own, code: str, denied: bool) -> None:
    """The action names the missing permission. Only transient errors are worth a retry."""
    answer(sources, own, code)
    unread = sources.unread_policy(own.arn)
    assert (unread.action, unread.code, unread.message, unread.denied) == (own.action, code, "no", denied)


@EACH
def test_a_deleted_resource_has_no_policy(sources: Sources, own: Own) -> None:
    """Each service has its own error code for it."""
    answer(sources, own, own.not_found)
    assert sources.reader.policy(own.arn, TARGET) is None


@OF_AN_ACCOUNT
def test_a_resource_not_found_in_another_account_is_unread(sources: Sources, own: Own) -> None:
    """The error does not say whether the resource is missing or the caller has no access to it."""
    answer(sources, own, own.not_found)
    unread = sources.unread_policy(own.arn.replace(ACCOUNT, "111122223333"))
    assert (unread.action, unread.code, unread.denied) == (own.action, "NotFound", True)
    assert "111122223333" in unread.message


def test_a_table_of_another_account_without_a_policy_has_none(sources: Sources) -> None:
    """DynamoDB returns that error only to callers with access to the table."""
    (table,) = [own for own in OWN if own.client == "dynamodb"]
    answer(sources, table, table.without)
    assert sources.reader.policy(table.arn.replace(ACCOUNT, "111122223333"), TARGET) is None


def test_the_policy_of_another_account_s_key_is_not_requested(sources: Sources) -> None:
    """KMS returns a key policy only to the account that owns the key."""
    unread = sources.unread_policy(KEY.replace(ACCOUNT, "111122223333"))
    assert (unread.action, unread.code, unread.denied) == ("kms:GetKeyPolicy", "OtherAccount", True)
    assert sources.made == []


@OF_AN_ACCOUNT
def test_policies_in_another_region_are_not_requested(sources: Sources, own: Own) -> None:
    """The client would read a resource of the same name in its own region."""
    unread = sources.unread_policy(own.arn.replace(REGION, "eu-west-1"))
    assert (unread.code, unread.denied) == ("OtherRegion", True)
    assert sources.made == []


@pytest.mark.parametrize("arn", ["arn:aws:kms:us-east-1:*:key/*", "arn:aws:sqs:us-east-1:123456789012:*"])
def test_the_policy_of_an_incomplete_arn_is_not_requested(sources: Sources, arn: str) -> None:
    """The ARN does not identify a resource, and a retry would not change that."""
    unread = sources.unread_policy(arn)
    assert (unread.code, unread.denied) == ("NotKnown", True)
    assert arn in unread.message
    assert sources.made == []


def test_a_shared_policy_is_read_once(sources: Sources) -> None:
    """A bucket and its objects share one, as do a function and its versions. Failures are cached too."""
    sources.say("s3", "get_bucket_policy", {"Policy": POLICY}, Bucket="failed-orders")
    sources.fail("lambda", "get_policy", "TooManyRequestsException")
    for _ in range(2):
        assert sources.policy(BUCKET).name == BUCKET
        assert sources.policy(OBJECTS).name == OBJECTS
        for arn in (FUNCTION, f"{FUNCTION}:*"):
            assert not sources.unread_policy(arn).denied
    assert sources.made == ["s3", "lambda"]


def test_a_policy_is_read_again_after_the_cache_is_cleared(sources: Sources) -> None:
    """A fix needs the current state."""
    for _ in range(2):
        sources.say("s3", "get_bucket_policy", {"Policy": POLICY}, Bucket="failed-orders")
        assert sources.policy(BUCKET)
        sources.reader.forget()


def test_a_malformed_reply_is_unread(sources: Sources) -> None:
    """Emulators of AWS leave fields out; a retry would not help."""
    sources.say("s3", "get_bucket_policy", {})
    unread = sources.unread_policy(BUCKET)
    assert (unread.code, unread.denied) == ("MalformedReply", True)


def test_unsupported_services_are_not_called(sources: Sources) -> None:
    """Policies of clusters are not read; a malformed ARN has no service."""
    for arn in (CLUSTER, "arn:aws:s3files:us-east-1:123456789012:file-system/fs-1", "arn:aws"):
        assert sources.reader.policy(arn, TARGET) is None
    assert sources.made == []


def test_every_policy_that_the_rules_request_can_be_read() -> None:
    """The evaluation and the reader have the same list of services."""
    assert {name for name, service in SERVICES.items() if service.policy} == READABLE
    assert {own.arn.split(":")[2] for own in OWN} == READABLE


@pytest.mark.parametrize("end", ["", "/"])
def test_the_queue_s_url_is_at_the_client_s_endpoint(sources: Sources, end: str) -> None:
    """The sandbox, private endpoints and other partitions have URLs of their own."""
    sources.answers["sqs"] = Answers("sqs", endpoint_url=f"http://127.0.0.1:4566{end}")
    url = f"http://127.0.0.1:4566/{URL.split('/', 3)[3]}"
    sources.say("sqs", "get_queue_attributes", {}, QueueUrl=url, AttributeNames=["KmsMasterKeyId", "Policy"])
    assert sources.reader.policy(QUEUE_ARN, TARGET) is None
