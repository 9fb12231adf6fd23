"""The types of event sources: PG201's verdicts on each, and that AWS's own policy for it has all needs."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet
from permission_guard.model.verdicts import Outcome
from permission_guard.needs.event_sources import EVENT_SOURCES, EventSource, event_source_of
from permission_guard.remedies.execution_role import by_aws
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from tests.fakes import ROLE_ARN, a_mapping, a_policy, a_role, allow, polling
from tests.unit.needs.event_sources.needs_table import (
    BROKER,
    CASES,
    CLUSTER,
    CONSUMER,
    DOCUMENTS,
    QUEUE,
    STREAM,
    TABLE,
    self_managed,
)

# What PG201 requires, by source; the table has the needs of each mapping, of every kind.
NEEDS = {
    QUEUE: CASES["sqs"].read,
    STREAM: CASES["kinesis"].read,
    CONSUMER: CASES["kinesis-fan-out"].read,
    TABLE: CASES["dynamodb"].read,
    CLUSTER: CASES["msk-serverless"].read,
    BROKER: CASES["mq-activemq"].read,
    DOCUMENTS: CASES["documentdb"].read,
}
MANAGED = [arn for arn in NEEDS if arn not in (BROKER, DOCUMENTS)]
RULE = EventSourceReadMissing(TrustSet(frozenset()))


def source_of(arn: str) -> EventSource:
    """Return the type of a source."""
    found = event_source_of(a_mapping(arn))
    assert found is not None
    return found


def check(arn: str, *statements: dict[str, Any]) -> tuple[Outcome, list[str]]:
    """Return the outcome for a role with these statements, and the actions that it lacks."""
    role = a_role({"Version": "2012-10-17", "Statement": list(statements)}) if statements else a_role()
    (verdict,) = evaluate(polling(role, mappings=(a_mapping(arn),)), [RULE]).verdicts
    return verdict.outcome, [need["action"] for need in verdict.evidence.get("missing", ())]


def granting(needs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return one statement for each need."""
    return [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in needs]


@pytest.mark.parametrize("arn", NEEDS)
def test_a_role_with_exactly_the_needs_passes(arn: str) -> None:
    """Nothing beyond the list is required: no ListStreams, no logs."""
    assert check(arn, *granting(NEEDS[arn])) == (Outcome.PASS, [])


@pytest.mark.parametrize(
    ("arn", "index"),
    [(arn, index) for arn, needs in NEEDS.items() for index in range(len(needs))],
    ids=lambda value: str(value).rsplit(":", 1)[-1],
)
def test_each_removed_action_is_reported_as_missing(arn: str, index: int) -> None:
    """One at a time: the finding names that one and no other."""
    left = [need for number, need in enumerate(NEEDS[arn]) if number != index]
    assert check(arn, *granting(left)) == (Outcome.VIOLATION, [NEEDS[arn][index][0]])


@pytest.mark.parametrize(
    ("arn", "index"),
    [(arn, index) for arn, needs in NEEDS.items() for index in range(len(needs))],
    ids=lambda value: str(value).rsplit(":", 1)[-1],
)
def test_each_denied_action_is_reported_as_missing_although_it_is_allowed(arn: str, index: int) -> None:
    """A Deny of one action is one missing action."""
    action, resource = NEEDS[arn][index]
    alternative = ["kafka:DescribeCluster"] if action == "kafka:DescribeClusterV2" else []
    deny = {"Effect": "Deny", "Action": [action, *alternative], "Resource": resource}
    assert check(arn, {"Effect": "Allow", "Action": "*", "Resource": "*"}, deny) == (Outcome.VIOLATION, [action])


@cache
def managed(name: str) -> str:
    """Return the document of an AWS managed policy, from moto's copy."""
    policies = json.loads(aws_managed_policies_data)
    return json.dumps(policies[name.rsplit("/", 1)[-1]]["Document"])


@pytest.mark.parametrize("arn", MANAGED)
def test_the_managed_policy_of_a_type_has_all_that_its_type_needs(arn: str) -> None:
    """Attached alone, it resolves the violation."""
    source = source_of(arn)
    policy_arn = by_aws(source.managed_policy, ROLE_ARN)
    role = a_role(attached={policy_arn: a_policy(managed(source.managed_policy), policy_arn)})
    (verdict,) = evaluate(polling(role, mappings=(a_mapping(arn),)), [RULE]).verdicts
    assert verdict.outcome is Outcome.PASS


@pytest.mark.parametrize("arn", [QUEUE, STREAM, TABLE, CLUSTER, BROKER, DOCUMENTS])
def test_the_managed_policy_of_another_type_does_not_help(arn: str) -> None:
    """So the fix must know the type."""
    for other in EVENT_SOURCES:
        if other.managed_policy and other is not source_of(arn):
            role = a_role(attached={"arn:other": a_policy(managed(other.managed_policy))})
            (verdict,) = evaluate(polling(role, mappings=(a_mapping(arn),)), [RULE]).verdicts
            assert verdict.outcome is Outcome.VIOLATION


def test_the_managed_policies_are_where_the_table_says() -> None:
    """Path and name, as ARNs spell them."""
    policies = json.loads(aws_managed_policies_data)
    assert {source.name for source in EVENT_SOURCES if not source.managed_policy} == {
        "Amazon DocumentDB cluster",
        "Amazon MQ broker",
        "self-managed Apache Kafka cluster",
    }
    for source in filter(lambda one: one.managed_policy, EVENT_SOURCES):
        path, name = source.managed_policy.rsplit("/", 1)
        assert policies[name]["Path"] == f"/{path}/"


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_managed_policy_s_arn_has_the_role_s_partition(partition: str) -> None:
    """AWS publishes the same policies in each."""
    arn = by_aws(source_of(QUEUE).managed_policy, f"arn:{partition}:iam::123456789012:role/orders-role")
    assert arn == f"arn:{partition}:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"


@pytest.mark.parametrize(
    "arn",
    [
        None,
        "",
        "not an ARN",
        "arn:aws:s3:::example-uploads",
        "arn:aws:docdb-elastic:us-east-1:123456789012:cluster/1",
    ],
)
def test_a_source_of_another_type_is_not_known(arn: str | None) -> None:
    """It has no verdict, rather than a wrong one."""
    assert event_source_of(a_mapping(arn)) is None


def test_sources_in_other_partitions_are_of_the_same_types() -> None:
    """Only the service counts."""
    assert source_of(QUEUE.replace("arn:aws:", "arn:aws-cn:")) is source_of(QUEUE)


def test_every_type_has_its_own_name_and_policy() -> None:
    """Two types with one name would have misleading titles."""
    assert len({source.name for source in EVENT_SOURCES}) == len(EVENT_SOURCES)
    policies = [source.managed_policy for source in EVENT_SOURCES if source.managed_policy]
    assert len(set(policies)) == len(policies)


def test_self_managed_kafka_has_no_arn() -> None:
    """It is identified by its servers; a mapping without servers and without an ARN has no type."""
    source = event_source_of(self_managed())
    assert source is not None
    assert source.name == "self-managed Apache Kafka cluster"


def test_a_policy_for_the_stream_s_consumers_does_not_cover_the_stream() -> None:
    """The ARN of a consumer begins with the stream's, but is another resource."""
    assert check(STREAM, allow("kinesis:*", resource=f"{STREAM}/consumer/*")["Statement"][0])[0] is Outcome.VIOLATION
