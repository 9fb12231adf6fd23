"""The event source mappings that people and tools really write, where the corpus is at hand: what their roles lack.

Each action that is missing, or of which nobody can tell, stands below with the reason why that is right. Nothing else
is missing, and nothing below is not. Nothing of the corpus is in here but ids of records.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.engine import evaluate
from permission_guard.event_sources import NeedKind, SourceState, event_source_of, required
from permission_guard.event_sources.access import access
from permission_guard.event_sources.destinations import destinations_of
from permission_guard.execution_role import decide
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model import EventSourceMapping, Function, Outcome, Role, Snapshot
from permission_guard.rules.event_source_read_missing import EventSourceReadMissing
from tests.fakes import TARGET, a_mapping, a_role

CORPUS: Final = Path(__file__).parents[4] / "shared" / "corpus" / "event_source_mappings.jsonl"

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of event source mappings is not at hand")

_INTERFACES: Final = {
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeVpcs",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
}
_DATA_PLANE: Final = {
    "kafka-cluster:Connect",
    "kafka-cluster:DescribeTopic",
    "kafka-cluster:ReadData",
    "kafka-cluster:DescribeGroup",
    "kafka-cluster:AlterGroup",
}
_SECRET: Final = {"secretsmanager:GetSecretValue"}

Lack = tuple[str, set[str], str]
"""A reason, the actions, and the ids of the records."""

MISSING: Final[tuple[Lack, ...]] = (
    (
        "Serverless Framework grants three of the five actions that AWS lists for shared throughput.",
        {"kinesis:DescribeStreamSummary", "kinesis:ListShards"},
        (
            "m-3e1a1dcfb5e6d714 m-43fa2d15968fb2c8 m-5f6e8c89d6d7055e m-6b90fed8c9f6ff86 m-925f607f6c45cba2 "
            "m-a2a30fa1ad5da2a9 m-f5cc5d4383bbbd1b"
        ),
    ),
    (
        "Serverless Framework, for a consumer of the stream, grants DescribeStreamSummary and not DescribeStream.",
        {"kinesis:DescribeStream"},
        "m-0b6d4d58c95d21c2",
    ),
    (
        "The cluster is of us-west-2, and the role may describe the groups of the stack's region, us-east-1.",
        {"rds:DescribeDBClusterParameters", "rds:DescribeDBSubnetGroups"},
        "m-1330a791ccdd2472",
    ),
    (
        "SAM's policy for Amazon MQ, and one that is written by hand, have no network interfaces.",
        _INTERFACES,
        (
            "m-7e1d3ce4ffa18ca5 m-98399d5fbee5bceb m-bc2cd4f869e0dae5 m-d07a07fcc8e923df m-e747081773b3acfb "
            "m-fab1869ea71e17e1"
        ),
    ),
    (
        "The registry is of one account, and the role may read the schemas of another one's of that name.",
        {"glue:GetSchemaVersion"},
        "m-6236a29c68a165b7 m-735b0d5172367c95 m-b2940cc44a075dcf m-c75879a1beacc81b m-e39cbd938ed9f157",
    ),
)

UNCERTAIN: Final[tuple[Lack, ...]] = (
    (
        "The role has only kafka:DescribeCluster, which does for provisioned clusters; which kind it is was not read.",
        {"kafka:DescribeClusterV2"},
        "m-046010c883114ab1 m-3474277541d7a87f m-412b59db1d2c64cf m-417ebb44092eec50 m-bdcb65bfdad6e36a",
    ),
    (
        "The mapping names no secret: the cluster lets everybody in, or asks for IAM. That was not read.",
        _DATA_PLANE,
        (
            "m-046010c883114ab1 m-412b59db1d2c64cf m-417ebb44092eec50 m-6236a29c68a165b7 m-9490486411b2d025 "
            "m-a3151955ad29ee1d m-bdcb65bfdad6e36a m-c66d9db67d3143db m-c75879a1beacc81b m-e39cbd938ed9f157"
        ),
    ),
    (
        "The secret is named without the six characters at its end, in the mapping and in the policy.",
        _SECRET,
        (
            "m-0d63ec958e08211f m-117147efb79dc94b m-2c7bd476904cd477 m-3474277541d7a87f m-708ffb52fa23dd70 "
            "m-8dc7de8610af7177 m-98399d5fbee5bceb m-a32b96e525a0738f m-a93aa0cd25c389fc m-ade63826bec7a087 "
            "m-c66d9db67d3143db m-e0deb5169392a9ef m-fbb4c742ca1a9746"
        ),
    ),
    (
        "The registry is of another account, which has to let the role in; what it says was not read.",
        {"glue:GetRegistry"},
        "m-735b0d5172367c95 m-b2940cc44a075dcf",
    ),
)

OF_NO_TYPE: Final = {
    # Their ARN is another stack's, a variable's or a name: nobody can tell from the file what they read.
    "m-09b9243cb9344526",
    "m-1c41b33ff08eeb74",
    "m-322e2946e6725d5f",
    "m-966b1a7675a4e6ee",
    "m-9f5275f2e843b5cb",
    "m-bca2d901dd801bb6",
    "m-cc3c5a9929470016",
    "m-deb879859b35af48",
    "m-f4f28e85b0be4c14",
}


@cache
def records() -> dict[str, Any]:
    """Read the corpus."""
    found = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    return {record["id"]: record for record in found}


@cache
def managed(arn: str) -> Any:
    """Return what one of AWS's managed policies grants, of the copy that moto brings along."""
    policies = json.loads(aws_managed_policies_data)
    return parse_policy(policies[arn.rsplit("/", 1)[-1]]["Document"], name=arn)


def built(record: dict[str, Any]) -> tuple[EventSourceMapping, Function, Role]:
    """Return a record's mapping, its function and its role, all of the source's account and region."""
    about = record["resolved"]["mapping"]
    source = about.get("EventSourceArn")
    parts = (source or "").split(":")
    region, account = parts[3:5] if len(parts) > 5 else ("us-east-1", "123456789012")
    function_arn = f"arn:aws:lambda:{region}:{account}:function:orders"
    statements = [
        {name: value for name, value in statement.items() if name != "policy"}
        for statement in record["resolved"]["statements"]
    ]
    role = a_role(
        {"Version": "2012-10-17", "Statement": statements},
        arn=f"arn:aws:iam::{account}:role/orders-role",
        attached={arn: managed(arn) for arn in record["resolved"]["managed_policy_arns"]},
    )
    mapping = a_mapping(source, function_arn=function_arn, configuration=about)
    return mapping, Function(function_arn, "orders", role.arn), role


def sources_of(mapping: EventSourceMapping) -> dict[str, SourceState]:
    """Return that nothing is under a key of the customer's: none of the records has one."""
    about = mapping.configuration
    kafka = about.get("AmazonManagedKafkaEventSourceConfig") or about.get("SelfManagedKafkaEventSourceConfig", {})
    registry = kafka.get("SchemaRegistryConfig", {}).get("AccessConfigs", ())
    named = [
        (mapping.event_source_arn or "").partition("/consumer/")[0],
        *(uri for _, uri in access(mapping)),
        *(entry["URI"] for entry in registry),
        *destinations_of(mapping),
    ]
    return dict.fromkeys(filter(None, named), SourceState())


def said() -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return what is missing and what is not certain: record and action."""
    missing: set[tuple[str, str]] = set()
    uncertain: set[tuple[str, str]] = set()
    for name, record in records().items():
        mapping, function, role = built(record)
        source = event_source_of(mapping)
        for need in source.needs(mapping, sources_of(mapping)) if source else ():
            decision = decide(need, role, function.arn, {})
            if not decision.allowed and not need.recommended:
                (missing if decision.denied else uncertain).add((name, need.action))
    return missing, uncertain


def listed(table: tuple[Lack, ...]) -> set[tuple[str, str]]:
    """Return what a table says: record and action."""
    return {(name, action) for _, actions, names in table for name in names.split() for action in actions}


def test_every_action_that_is_missing_is_rightly_so() -> None:
    """And every one of which nobody can tell."""
    assert len(records()) == 88
    missing, uncertain = said()
    assert missing == listed(MISSING)
    assert uncertain == listed(UNCERTAIN)


def test_what_is_of_no_type_has_no_arn_to_tell_it_by() -> None:
    """The rest of the corpus is of a type that is known."""
    unknown = {name for name, record in records().items() if event_source_of(built(record)[0]) is None}
    assert unknown == OF_NO_TYPE


def test_the_rule_says_of_each_mapping_what_its_reading_needs_say() -> None:
    """A violation names what is missing, what is not certain is unknown, and everything else passes."""
    rule = EventSourceReadMissing(TrustSet(frozenset()))
    missing, uncertain = said()
    for name, record in records().items():
        mapping, function, role = built(record)
        source = event_source_of(mapping)
        state = Snapshot(
            TARGET, function, mappings=(mapping,), versions={function.arn: function}, roles={role.arn: role}
        )
        verdicts = evaluate(state, [rule]).verdicts
        if source is None:
            assert not verdicts
            continue
        reading = {(name, need.action) for need in required(source.needs(mapping), NeedKind.READ)}
        (verdict,) = verdicts
        expected = Outcome.VIOLATION if reading & missing else Outcome.UNKNOWN if reading & uncertain else Outcome.PASS
        assert verdict.outcome is expected, name
        assert {(name, need["action"]) for need in verdict.evidence.get("missing", ())} == reading & missing
