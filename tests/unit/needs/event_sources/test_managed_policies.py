"""AWS managed policies for event sources, from moto's copy: which needs of mappings each allows.

The tables are complete: a test fails if AWS widens or narrows a policy, or if a need changes.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.needs.base import NeedKind
from permission_guard.needs.decision import decide
from permission_guard.needs.event_sources import EVENT_SOURCES, event_source_of
from tests.fakes import FUNCTION_ARN, a_policy, a_role
from tests.unit.needs.event_sources import needs_table
from tests.unit.needs.event_sources.needs_table import CASES, mapping

if TYPE_CHECKING:
    from permission_guard.model.state import Role
    from permission_guard.needs.base import Need
    from permission_guard.needs.event_sources import EventSource

LOGS: Final = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
INTERFACES: Final = {action for action, _ in needs_table.INTERFACES}

CARRIES: Final[dict[str, set[str]]] = {
    "service-role/AWSLambdaDynamoDBExecutionRole": set(),
    "service-role/AWSLambdaKinesisExecutionRole": set(),
    "service-role/AWSLambdaMSKExecutionRole": INTERFACES,
    "service-role/AWSLambdaSQSQueueExecutionRole": set(),
}
"""The needs of mappings of any type that each policy allows, besides reading sources of its own type."""

HAS_BESIDES: Final = {
    "service-role/AWSLambdaDynamoDBExecutionRole": {*LOGS, "dynamodb:ListStreams"},
    "service-role/AWSLambdaKinesisExecutionRole": {*LOGS, "kinesis:ListStreams"},
    "service-role/AWSLambdaMSKExecutionRole": {*LOGS, *INTERFACES, "kafka:DescribeCluster"},
    "service-role/AWSLambdaSQSQueueExecutionRole": LOGS,
}
"""The actions in each policy that reading sources of its type does not require."""

OTHER_POLICIES: Final = {
    "AWSLambdaBasicDurableExecutionRolePolicy",
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaENIManagementAccess",
    "AWSLambdaRole",
    "AWSLambdaVPCAccessExecutionRole",
}
"""AWS managed policies for execution roles that are not for a type of event source."""


@cache
def published() -> dict[str, Any]:
    """Return the AWS managed policies by their names."""
    found: dict[str, Any] = json.loads(aws_managed_policies_data)
    return found


def role_with(policy: str) -> Role:
    """Return a role with only one managed policy, given as path and name."""
    arn = f"arn:aws:iam::aws:policy/{policy}"
    return a_role(attached={arn: a_policy(published()[policy.rpartition("/")[2]]["Document"], arn)})


def actions_of(policy: str) -> set[str]:
    """Return the actions that a managed policy allows, each on every resource."""
    found: set[str] = set()
    for statement in published()[policy.rpartition("/")[2]]["Document"]["Statement"]:
        assert statement.keys() - {"Sid"} == {"Effect", "Action", "Resource"}
        assert (statement["Effect"], statement["Resource"]) == ("Allow", "*")
        found.update(statement["Action"])
    return found


def needs_of_all(*kinds: NeedKind) -> dict[EventSource, set[Need]]:
    """Return the needs of all cases of the table by their types; of some kinds, or of all."""
    found: dict[EventSource, set[Need]] = {source: set() for source in EVENT_SOURCES}
    for case in CASES.values():
        source = event_source_of(case.mapping)
        assert source is not None
        found[source].update(
            need for need in source.needs(case.mapping, case.sources) if not kinds or need.kind in kinds
        )
    return found


WITH_POLICY: Final = {source.managed_policy: source for source in EVENT_SOURCES if source.managed_policy}


def test_each_policy_of_a_type_is_in_the_tables() -> None:
    """A type with a new policy must be added."""
    assert WITH_POLICY.keys() == CARRIES.keys() == HAS_BESIDES.keys()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.read])
def test_the_policy_of_the_type_allows_reading(name: str) -> None:
    """For every way to sign in, and every state of the source; some types have no policy."""
    case = CASES[name]
    source = event_source_of(case.mapping)
    assert source is not None
    reading = [need for need in source.needs(case.mapping, case.sources) if need.kind is NeedKind.READ]
    assert reading
    if source.managed_policy:
        role = role_with(source.managed_policy)
        assert [need.action for need in reading if not decide(need, role, FUNCTION_ARN, {}).allowed] == []
    else:
        assert source.name in {"Amazon MQ broker", "Amazon DocumentDB cluster"}


def test_reading_a_cluster_of_another_account_requires_more_than_the_policy() -> None:
    """Describing the managed VPC connection must be allowed in the owner's own policy."""
    connection = "arn:aws:kafka:us-east-1:123456789012:vpc-connection/111122223333/orders/51jn98b4-7"
    source = event_source_of(mapping(connection))
    assert source is not None
    role = role_with(source.managed_policy)
    reading = [need for need in source.needs(mapping(connection)) if need.kind is NeedKind.READ]
    lacks = [need.action for need in reading if decide(need, role, FUNCTION_ARN, {}).denied]
    assert lacks == [need.action for need in reading if not need.carried] == ["kafka:DescribeVpcConnection"]


@pytest.mark.parametrize("policy", WITH_POLICY)
def test_a_policy_allows_no_other_needs_than_the_table_lists(policy: str) -> None:
    """No secret, no key, no destination, no data plane of a cluster, and no source of another type."""
    role, own = role_with(policy), needs_of_all(NeedKind.READ)[WITH_POLICY[policy]]
    others = set().union(*needs_of_all().values()) - own
    assert {need.action for need in others if decide(need, role, FUNCTION_ARN, {}).allowed} == CARRIES[policy]


@pytest.mark.parametrize("policy", WITH_POLICY)
def test_a_policy_has_exactly_the_additional_actions_of_the_table(policy: str) -> None:
    """No more and no less."""
    own = needs_of_all(NeedKind.READ)[WITH_POLICY[policy]]
    assert actions_of(policy) - {need.action for need in own} == HAS_BESIDES[policy]


def test_aws_has_no_other_policy_for_reading_a_source() -> None:
    """When AWS adds one for brokers or for DocumentDB, that type can name it."""
    for_functions = {
        name
        for name, policy in published().items()
        if name.startswith("AWSLambda") and policy["Path"] == "/service-role/"
    }
    assert for_functions == OTHER_POLICIES | {policy.rpartition("/")[2] for policy in WITH_POLICY}
    for name in OTHER_POLICIES:
        role = role_with(f"service-role/{name}")
        for source, reading in needs_of_all(NeedKind.READ).items():
            assert [need.action for need in reading if decide(need, role, FUNCTION_ARN, {}).allowed] == [], source.name
