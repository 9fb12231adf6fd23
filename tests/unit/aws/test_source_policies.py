"""The policies of event sources: three services, three ways of saying that there is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from permission_guard.aws.source_policies import SourcePolicyReader
from permission_guard.iam import Policy
from permission_guard.model import Unread
from tests.fakes import ACCOUNT, QUEUE_ARN, REGION, ROLE_ARN, TARGET, allow
from tests.unit.aws.conftest import Answers

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks"
CONSUMER = f"{STREAM}/consumer/orders:1732000000"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/2026-11-20T00:00:00.000"
URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/incoming-orders"
GONE = "ResourceNotFoundException"
ASK = {
    QUEUE_ARN: ("sqs", "get_queue_attributes", "sqs:GetQueueAttributes"),
    STREAM: ("kinesis", "get_resource_policy", "kinesis:GetResourcePolicy"),
    CONSUMER: ("kinesis", "get_resource_policy", "kinesis:GetResourcePolicy"),
    TABLE: ("dynamodb", "get_resource_policy", "dynamodb:GetResourcePolicy"),
}
EACH = pytest.mark.parametrize("arn", ASK, ids=["queue", "stream", "consumer", "table"])
DOCUMENT = allow("sqs:*", "kinesis:*", "dynamodb:*", Principal={"AWS": ROLE_ARN})


class Sources:
    """Clients that are answered for, and the reader that has them."""

    def __init__(self) -> None:
        self.answers = {service: Answers(service) for service in ("sqs", "kinesis", "dynamodb")}
        self.made: list[str] = []
        self.reader = SourcePolicyReader(
            lambda: self._client("sqs"), lambda: self._client("kinesis"), lambda: self._client("dynamodb")
        )

    def _client(self, service: str) -> Any:
        self.made.append(service)
        return self.answers[service].client

    def say(self, arn: str, policy: str | None) -> None:
        """Answer for a source; None leaves the policy out of the answer."""
        service, operation, _ = ASK[arn]
        if service == "sqs":
            attributes = {} if policy is None else {"Attributes": {"Policy": policy}}
            self.answers[service].say(operation, attributes, QueueUrl=URL, AttributeNames=["Policy"])
        else:
            name = "ResourceARN" if service == "kinesis" else "ResourceArn"
            self.answers[service].say(operation, {} if policy is None else {"Policy": policy}, **{name: arn})

    def fail(self, arn: str, code: str) -> None:
        """Refuse the answer."""
        service, operation, _ = ASK[arn]
        self.answers[service].fail(operation, code)


@pytest.fixture
def sources() -> Iterator[Sources]:
    """Return sources whose answers must all be asked for."""
    sources = Sources()
    yield sources
    for answers in sources.answers.values():
        answers.all_were_asked_for()


@EACH
def test_a_policy_is_read_with_one_call(sources: Sources, arn: str) -> None:
    """The queue's URL is made from its ARN; only the client that is needed is made."""
    sources.say(arn, json.dumps(DOCUMENT))
    policy = sources.reader.policy(arn, TARGET)
    assert isinstance(policy, Policy)
    assert (policy.document, policy.name) == (DOCUMENT, arn)
    assert set(sources.made) == {ASK[arn][0]}


@pytest.mark.parametrize(
    ("arn", "said"), [(QUEUE_ARN, None), (QUEUE_ARN, ""), (STREAM, "{}"), (CONSUMER, "{}"), (TABLE, None)]
)
def test_a_source_without_a_policy_has_none(sources: Sources, arn: str, said: str | None) -> None:
    """Queues leave it out, streams say `{}`."""
    sources.say(arn, said)
    assert sources.reader.policy(arn, TARGET) is None


def test_a_table_s_stream_without_a_policy_is_an_error_of_its_own(sources: Sources) -> None:
    """Of this account or of another: whoever hears it may read it."""
    for arn in (TABLE, TABLE.replace(ACCOUNT, "111122223333")):
        sources.fail(TABLE, "PolicyNotFoundException")
        assert sources.reader.policy(arn, TARGET) is None


@EACH
def test_a_policy_in_words_that_nobody_understands_is_not_no_policy(sources: Sources, arn: str) -> None:
    """It may allow and it may deny."""
    sources.say(arn, "not JSON")
    policy = sources.reader.policy(arn, TARGET)
    assert isinstance(policy, Policy)
    assert policy.unreadable


@EACH
@pytest.mark.parametrize(("code", "denied"), [("AccessDeniedException", True), ("ThrottlingException", False)])
def test_a_policy_that_cannot_be_read_says_why(sources: Sources, arn: str, code: str, denied: bool) -> None:
    """With the permission that may be missing."""
    sources.fail(arn, code)
    assert sources.reader.policy(arn, TARGET) == Unread(ASK[arn][2], code, "no", denied=denied)


@EACH
def test_a_source_that_is_gone_has_no_policy(sources: Sources, arn: str) -> None:
    """The queue says it in its own words."""
    sources.fail(arn, "AWS.SimpleQueueService.NonExistentQueue" if arn == QUEUE_ARN else GONE)
    assert sources.reader.policy(arn, TARGET) is None


@EACH
def test_another_account_s_source_that_seems_to_be_gone_may_only_be_closed(sources: Sources, arn: str) -> None:
    """AWS says that it does not exist, or that the caller has no access to it: nobody can tell which."""
    sources.fail(arn, "AWS.SimpleQueueService.NonExistentQueue" if arn == QUEUE_ARN else GONE)
    foreign = arn.replace(ACCOUNT, "111122223333")
    unread = sources.reader.policy(foreign, TARGET)
    assert isinstance(unread, Unread)
    assert (unread.action, unread.code, unread.denied) == (ASK[arn][2], "NotFound", True)
    assert foreign in unread.message


@EACH
def test_a_source_of_another_region_is_not_asked(sources: Sources, arn: str) -> None:
    """The client would ask for one of the same name in its own region."""
    unread = sources.reader.policy(arn.replace(REGION, "eu-west-1"), TARGET)
    assert isinstance(unread, Unread)
    assert (unread.code, unread.denied) == ("OtherRegion", True)
    assert sources.made == []


@pytest.mark.parametrize("end", ["", "/"])
def test_the_queue_s_url_is_at_the_client_s_endpoint(end: str) -> None:
    """In the sandbox, on a private endpoint and in every partition."""
    sources = Sources()
    answers = sources.answers["sqs"] = Answers("sqs", endpoint_url=f"http://127.0.0.1:4566{end}")
    url = f"http://127.0.0.1:4566/{ACCOUNT}/incoming-orders"
    answers.say("get_queue_attributes", {"Attributes": {}}, QueueUrl=url, AttributeNames=["Policy"])
    assert sources.reader.policy(QUEUE_ARN, TARGET) is None
    answers.all_were_asked_for()


def test_a_queue_s_policy_is_read_over_the_wire(moto_account: None) -> None:
    """As it was written, and of a queue that does not exist none."""
    sqs = boto3.client("sqs")
    reader = SourcePolicyReader(lambda: sqs, lambda: boto3.client("kinesis"), lambda: boto3.client("dynamodb"))
    assert reader.policy(QUEUE_ARN, TARGET) is None
    sqs.create_queue(QueueName="incoming-orders")
    assert reader.policy(QUEUE_ARN, TARGET) is None
    document = allow("sqs:ReceiveMessage", resource=QUEUE_ARN, Principal={"AWS": ROLE_ARN}, Sid="own")
    sqs.set_queue_attributes(QueueUrl=URL, Attributes={"Policy": json.dumps(document)})
    policy = reader.policy(QUEUE_ARN, TARGET)
    assert isinstance(policy, Policy)
    assert policy.statements[0].sid == "own"
