"""The own policies of what a role is used on: many services, many ways of saying that there is none."""

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
    """Say something, or refuse with a code."""
    if isinstance(said, str):
        sources.fail(own.client, own.operation, said)
        return
    sources.say(own.client, own.operation, said, **own.asked)
    if own.arn == KEY:  # of which the grants are read as well
        sources.say("kms", "list_grants", {"Grants": []}, KeyId=KEY, Limit=100)


@EACH
def test_a_policy_is_read_with_one_call_and_a_key_s_with_two(sources: Sources, own: Own) -> None:
    """Only the client that is needed is made; the policy has the name of what it is asked for."""
    answer(sources, own, own.reply)
    policy = sources.policy(own.arn)
    assert (policy.document, policy.name) == (DOCUMENT, own.arn)
    assert sources.made == (["kms", "kms"] if own.arn == KEY else [own.client])


@pytest.mark.parametrize("own", [own for own in OWN if own.arn != KEY], ids=lambda own: own.arn.split(":", 2)[2])
def test_what_has_no_policy_has_none(sources: Sources, own: Own) -> None:
    """Queues leave it out, streams say `{}`, tables and buckets refuse; a key always has one."""
    answer(sources, own, own.without)
    assert sources.reader.policy(own.arn, TARGET) is None


@EACH
def test_a_policy_in_words_that_nobody_understands_is_not_no_policy(sources: Sources, own: Own) -> None:
    """It may allow and it may deny."""
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
    """With the permission that may be missing; asking again helps only against what passes."""
    answer(sources, own, code)
    unread = sources.unread_policy(own.arn)
    assert (unread.action, unread.code, unread.message, unread.denied) == (own.action, code, "no", denied)


@EACH
def test_what_is_gone_has_no_policy(sources: Sources, own: Own) -> None:
    """Each service says it in its own words."""
    answer(sources, own, own.gone)
    assert sources.reader.policy(own.arn, TARGET) is None


@OF_AN_ACCOUNT
def test_what_seems_to_be_gone_in_another_account_may_only_be_closed(sources: Sources, own: Own) -> None:
    """AWS says that it does not exist, or that the caller has no access to it: nobody can tell which."""
    answer(sources, own, own.gone)
    unread = sources.unread_policy(own.arn.replace(ACCOUNT, "111122223333"))
    assert (unread.action, unread.code, unread.denied) == (own.action, "NotFound", True)
    assert "111122223333" in unread.message


def test_a_table_of_another_account_without_a_policy_has_none(sources: Sources) -> None:
    """Whoever hears that it has none may read it."""
    (table,) = [own for own in OWN if own.client == "dynamodb"]
    answer(sources, table, table.without)
    assert sources.reader.policy(table.arn.replace(ACCOUNT, "111122223333"), TARGET) is None


def test_the_policy_of_another_account_s_key_is_not_asked_for(sources: Sources) -> None:
    """KMS tells it to nobody but the account itself."""
    unread = sources.unread_policy(KEY.replace(ACCOUNT, "111122223333"))
    assert (unread.action, unread.code, unread.denied) == ("kms:GetKeyPolicy", "OtherAccount", True)
    assert sources.made == []


@OF_AN_ACCOUNT
def test_what_is_in_another_region_is_not_asked(sources: Sources, own: Own) -> None:
    """The client would ask for one of the same name in its own region."""
    unread = sources.unread_policy(own.arn.replace(REGION, "eu-west-1"))
    assert (unread.code, unread.denied) == ("OtherRegion", True)
    assert sources.made == []


@pytest.mark.parametrize("arn", ["arn:aws:kms:us-east-1:*:key/*", "arn:aws:sqs:us-east-1:123456789012:*"])
def test_what_is_not_known_in_full_is_not_asked(sources: Sources, arn: str) -> None:
    """Nobody knows whose policy to read, and trying again does not tell."""
    unread = sources.unread_policy(arn)
    assert (unread.code, unread.denied) == ("NotKnown", True)
    assert arn in unread.message
    assert sources.made == []


def test_what_has_the_same_policy_is_asked_once(sources: Sources) -> None:
    """A bucket and its objects, a function and any of its versions; a failure is remembered as well."""
    sources.say("s3", "get_bucket_policy", {"Policy": POLICY}, Bucket="failed-orders")
    sources.fail("lambda", "get_policy", "TooManyRequestsException")
    for _ in range(2):
        assert sources.policy(BUCKET).name == BUCKET
        assert sources.policy(OBJECTS).name == OBJECTS
        for arn in (FUNCTION, f"{FUNCTION}:*"):
            assert not sources.unread_policy(arn).denied
    assert sources.made == ["s3", "lambda"]


def test_whoever_forgets_asks_again(sources: Sources) -> None:
    """A fix needs what is so now."""
    for _ in range(2):
        sources.say("s3", "get_bucket_policy", {"Policy": POLICY}, Bucket="failed-orders")
        assert sources.policy(BUCKET)
        sources.reader.forget()


def test_a_reply_that_is_not_as_documented_is_not_read(sources: Sources) -> None:
    """What stands in for AWS in tests leaves things out; asking again would not help."""
    sources.say("s3", "get_bucket_policy", {})
    unread = sources.unread_policy(BUCKET)
    assert (unread.code, unread.denied) == ("MalformedReply", True)


def test_services_whose_policies_are_not_read_are_not_asked(sources: Sources) -> None:
    """A cluster has one that nobody reads; an ARN of nothing is of no service."""
    for arn in (CLUSTER, "arn:aws:s3files:us-east-1:123456789012:file-system/fs-1", "arn:aws"):
        assert sources.reader.policy(arn, TARGET) is None
    assert sources.made == []


def test_the_policies_that_may_be_asked_for_can_be_read() -> None:
    """What decides names exactly the services that are read here."""
    assert {name for name, service in SERVICES.items() if service.policy} == READABLE
    assert {own.arn.split(":")[2] for own in OWN} == READABLE


@pytest.mark.parametrize("end", ["", "/"])
def test_the_queue_s_url_is_at_the_client_s_endpoint(sources: Sources, end: str) -> None:
    """In the sandbox, on a private endpoint and in every partition."""
    sources.answers["sqs"] = Answers("sqs", endpoint_url=f"http://127.0.0.1:4566{end}")
    url = f"http://127.0.0.1:4566/{URL.split('/', 3)[3]}"
    sources.say("sqs", "get_queue_attributes", {}, QueueUrl=url, AttributeNames=["KmsMasterKeyId", "Policy"])
    assert sources.reader.policy(QUEUE_ARN, TARGET) is None
