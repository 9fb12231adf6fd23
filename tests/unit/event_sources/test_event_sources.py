"""The types of event sources: what each needs, and that AWS's own policy for it carries all of that."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.aws.source_policies import SERVICES
from permission_guard.engine import evaluate
from permission_guard.event_sources import EVENT_SOURCES, EventSource, Need, event_source_of
from permission_guard.iam import TrustSet
from permission_guard.model import Outcome
from permission_guard.rules.event_source_read_missing import EventSourceReadMissing, managed_policy_arn
from tests.fakes import ROLE_ARN, a_mapping, a_policy, a_role, allow, polling

QUEUE = "arn:aws:sqs:us-east-1:123456789012:incoming-orders.fifo"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
CONSUMER = f"{STREAM}/consumer/orders:1732000000"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-11-20T00:00:00.000"

# Written down once more, so that neither the code nor the test can lose an action in silence.
NEEDS = {
    QUEUE: [
        ("sqs:ReceiveMessage", QUEUE),
        ("sqs:DeleteMessage", QUEUE),
        ("sqs:GetQueueAttributes", QUEUE),
    ],
    STREAM: [
        ("kinesis:DescribeStream", STREAM),
        ("kinesis:DescribeStreamSummary", STREAM),
        ("kinesis:GetRecords", STREAM),
        ("kinesis:GetShardIterator", STREAM),
        ("kinesis:ListShards", STREAM),
    ],
    CONSUMER: [
        ("kinesis:DescribeStream", STREAM),
        ("kinesis:DescribeStreamSummary", STREAM),
        ("kinesis:GetRecords", STREAM),
        ("kinesis:GetShardIterator", STREAM),
        ("kinesis:ListShards", STREAM),
        ("kinesis:SubscribeToShard", CONSUMER),
    ],
    TABLE: [
        ("dynamodb:DescribeStream", TABLE),
        ("dynamodb:GetRecords", TABLE),
        ("dynamodb:GetShardIterator", TABLE),
    ],
}
RULE = EventSourceReadMissing(TrustSet(frozenset()))


def source_of(arn: str) -> EventSource:
    """Return the type of a source."""
    found = event_source_of(a_mapping(arn))
    assert found is not None
    return found


def judge(arn: str, *statements: dict[str, Any]) -> tuple[Outcome, list[str]]:
    """Return what is said of a role that has statements, and the actions that it lacks."""
    role = a_role({"Version": "2012-10-17", "Statement": list(statements)}) if statements else a_role()
    (verdict,) = evaluate(polling(role, mappings=(a_mapping(arn),)), [RULE]).verdicts
    return verdict.outcome, [need["action"] for need in verdict.evidence.get("missing", ())]


def granting(needs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return one statement a need."""
    return [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in needs]


@pytest.mark.parametrize("arn", NEEDS)
def test_each_type_needs_these_actions_on_these_resources(arn: str) -> None:
    """The list that AWS documents, without what only the console calls."""
    assert source_of(arn).needs(a_mapping(arn)) == tuple(Need(*need) for need in NEEDS[arn])


@pytest.mark.parametrize("arn", NEEDS)
def test_a_role_with_exactly_the_needs_passes(arn: str) -> None:
    """Nothing beyond the list is asked for: no ListStreams, no logs."""
    assert judge(arn, *granting(NEEDS[arn])) == (Outcome.PASS, [])


@pytest.mark.parametrize(
    ("arn", "index"),
    [(arn, index) for arn, needs in NEEDS.items() for index in range(len(needs))],
    ids=lambda value: str(value).rsplit(":", 1)[-1],
)
def test_each_action_that_is_taken_away_is_missed_and_named(arn: str, index: int) -> None:
    """One at a time: the finding names that one and no other."""
    left = [need for number, need in enumerate(NEEDS[arn]) if number != index]
    assert judge(arn, *granting(left)) == (Outcome.VIOLATION, [NEEDS[arn][index][0]])


@pytest.mark.parametrize(
    ("arn", "index"),
    [(arn, index) for arn, needs in NEEDS.items() for index in range(len(needs))],
    ids=lambda value: str(value).rsplit(":", 1)[-1],
)
def test_each_action_that_is_denied_is_missed_whatever_allows_it(arn: str, index: int) -> None:
    """A Deny of one action is one missing action."""
    action, resource = NEEDS[arn][index]
    deny = {"Effect": "Deny", "Action": action, "Resource": resource}
    assert judge(arn, {"Effect": "Allow", "Action": "*", "Resource": "*"}, deny) == (Outcome.VIOLATION, [action])


@cache
def managed(name: str) -> str:
    """Return the document of an AWS managed policy, of the copy that moto brings along."""
    policies = json.loads(aws_managed_policies_data)
    return json.dumps(policies[name.rsplit("/", 1)[-1]]["Document"])


@pytest.mark.parametrize("arn", NEEDS)
def test_the_managed_policy_of_a_type_is_all_that_its_type_needs(arn: str) -> None:
    """Attached alone, it turns the violation into a pass."""
    source = source_of(arn)
    policy_arn = managed_policy_arn(source, ROLE_ARN)
    role = a_role(attached={policy_arn: a_policy(managed(source.managed_policy), policy_arn)})
    (verdict,) = evaluate(polling(role, mappings=(a_mapping(arn),)), [RULE]).verdicts
    assert verdict.outcome is Outcome.PASS


@pytest.mark.parametrize("arn", [QUEUE, STREAM, TABLE])
def test_the_managed_policy_of_another_type_does_not_help(arn: str) -> None:
    """So the fix has to know the type."""
    for other in EVENT_SOURCES:
        if other is not source_of(arn):
            role = a_role(attached={"arn:other": a_policy(managed(other.managed_policy))})
            (verdict,) = evaluate(polling(role, mappings=(a_mapping(arn),)), [RULE]).verdicts
            assert verdict.outcome is Outcome.VIOLATION


def test_the_managed_policies_are_where_the_table_says() -> None:
    """Path and name, as ARNs spell them."""
    policies = json.loads(aws_managed_policies_data)
    for source in EVENT_SOURCES:
        path, name = source.managed_policy.rsplit("/", 1)
        assert policies[name]["Path"] == f"/{path}/"


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_managed_policy_s_arn_has_the_role_s_partition(partition: str) -> None:
    """AWS publishes the same policies in each."""
    arn = managed_policy_arn(source_of(QUEUE), f"arn:{partition}:iam::123456789012:role/orders-role")
    assert arn == f"arn:{partition}:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"


@pytest.mark.parametrize(
    "arn",
    [
        None,
        "",
        "not an ARN",
        "arn:aws:kafka:us-east-1:123456789012:cluster/c/1",
        "arn:aws:mq:us-east-1:123456789012:broker:b:b-1",
        "arn:aws:rds:us-east-1:123456789012:cluster:docs",
    ],
)
def test_a_source_of_another_type_is_not_known(arn: str | None) -> None:
    """Nothing is said of it, rather than something wrong."""
    assert event_source_of(a_mapping(arn)) is None


def test_sources_in_other_partitions_are_of_the_same_types() -> None:
    """Only the service counts."""
    assert source_of(QUEUE.replace("arn:aws:", "arn:aws-cn:")) is source_of(QUEUE)


@pytest.mark.parametrize("arn", NEEDS)
def test_the_policies_of_every_type_s_resources_can_be_read(arn: str) -> None:
    """What the state reader asks for is what the reader of policies knows."""
    assert {need.resource.split(":")[2] for need in source_of(arn).needs(a_mapping(arn))} <= SERVICES


def test_every_type_has_its_own_name_and_policy() -> None:
    """Two types with one name would make titles that mislead."""
    assert len({source.name for source in EVENT_SOURCES}) == len(EVENT_SOURCES)
    assert len({source.managed_policy for source in EVENT_SOURCES}) == len(EVENT_SOURCES)


def test_a_policy_for_the_stream_s_consumers_alone_does_not_serve_the_stream() -> None:
    """The ARN of a consumer begins with the stream's, and is another resource."""
    assert judge(STREAM, allow("kinesis:*", resource=f"{STREAM}/consumer/*")["Statement"][0])[0] is Outcome.VIOLATION
