"""Attaching in every failing case of the rules: nothing is missing afterwards, and less does not suffice."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.checks.engine import evaluate
from permission_guard.errors import FixRefusedError
from permission_guard.fixes.attach_managed_policy import AttachManagedPolicy
from permission_guard.model.state import Role
from permission_guard.model.verdicts import Outcome
from permission_guard.needs.managed_policies import MANAGED_POLICIES
from permission_guard.rules import RULES
from tests.fakes import InMemoryState, a_finding, a_policy
from tests.rule_cases import RULE_CASES, snapshot_of, trust_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from permission_guard.fixes.base import Plan
    from permission_guard.iam import Policy
    from permission_guard.model.state import Snapshot
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule

FIX: Final = AttachManagedPolicy()
AWS: Final = "arn:aws:iam::aws:policy/"
FAILING: Final = [path for path in RULE_CASES if path.parent.name in FIX.rule_ids and path.stem.endswith(".fail")]
ATTACHED: Final = {
    "AWSLambdaSQSQueueExecutionRole": (
        "PG201-disabled-by-aws",
        "PG201-alias-of-version-with-own-role",
        "PG201-function-failed",
        "PG201-not-action-excludes",
        "PG201-not-resource",
        "PG201-nothing",
        "PG201-other-queue",
        "PG201-queue-policy-allows-account-root",
        "PG201-queue-policy-allows-in-part",
        "PG201-queue-policy-for-another",
        "PG201-queue-without-policy",
        "PG201-source-function-condition",
        "PG201-sqs-without-delete",
    ),
    "AWSLambdaKinesisExecutionRole": (
        "PG201-consumer-without-subscription",
        "PG201-kinesis-without-list-shards",
        "PG201-stream-policy-without-its-consumer",
        "PG201-two-mappings",
    ),
    "AWSLambdaDynamoDBExecutionRole": ("PG201-dynamodb-with-list-streams-only",),
    "AWSLambdaMSKExecutionRole": (
        "PG201-msk-nothing",
        "PG201-msk-older-action-serverless",
        "PG201-msk-other-cluster",
        "PG201-msk-without-brokers",
    ),
    "AWSLambdaBasicExecutionRole": (
        "PG204-condition-of-another-function",
        "PG204-log-group-without-star",
        "PG204-nothing",
        "PG204-nothing-and-no-log-group",
        "PG204-own-log-group-other-policy",
        "PG204-serverless-framework-other-stage",
        "PG204-version-with-own-role",
        "PG204-without-put",
    ),
    "CloudWatchLambdaInsightsExecutionRolePolicy": (
        "PG204-no-log-group",
        "PG211-insights-own-logs-alone",
        "PG211-two-features",
    ),
    "AWSLambdaENIManagementAccess": (
        "PG205-condition-on-source-function",
        "PG205-creation-denied",
        "PG205-describe-narrowed",
        "PG205-nothing",
        "PG205-version-in-a-vpc",
        "PG205-without-delete",
        "PG202-documentdb-one-action-short",
    ),
    "AWSXRayDaemonWriteAccess": (
        "PG206-condition-of-another-function",
        "PG206-nothing",
        "PG206-resource-narrowed",
        "PG206-telemetry-alone",
        "PG206-version-still-traced",
    ),
    "AWSLambdaBasicDurableExecutionRolePolicy": (
        "PG211-durable-condition-of-another-function",
        "PG211-durable-invoke-policy",
        "PG211-durable-nothing",
        "PG211-durable-version-with-own-role",
        "PG211-durable-without-qualifier",
        "PG211-durable-without-reading",
    ),
    "AmazonElasticFileSystemClientReadOnlyAccess": (
        "PG211-efs-another-access-point",
        "PG211-efs-nothing",
    ),
}
"""The policy that is attached in each case; no case needs two."""

REFUSED: Final = {
    "has every required permission": (
        "PG201-being-disabled-by-aws",
        "PG201-disabled-by-aws-and-allowed-again",
        "PG201-self-managed-kafka-disabled-by-aws",
    ),
    "the permissions boundary does not allow it": (
        "PG201-boundary",
        "PG201-boundary-and-role",
        "PG204-boundary",
        "PG205-boundary",
        "PG206-boundary",
        "PG211-durable-boundary",
        "PG202-boundary",
        "PG203-boundary",
    ),
    "Explicitly denied by": (
        "PG201-boundary-denies",
        "PG201-denied-whatever-is-unread",
        "PG201-explicit-deny",
        "PG201-msk-denied",
        "PG201-queue-policy-denies",
        "PG201-queue-policy-unread-and-denied",
        "PG204-explicit-deny",
        "PG205-explicit-deny",
        "PG206-explicit-deny",
        "PG211-durable-explicit-deny",
        "PG211-s3-files-denied",
        "PG203-explicit-deny",
    ),
    "the resource's own policy does not allow it": (
        "PG201-condition-not-met",
        "PG201-queue-of-another-account",
        "PG201-queue-of-another-account-does-not-allow",
        "PG203-queue-of-another-account",
    ),
    "AWS does not say by whom": ("PG201-disabled-by-unknown",),
    "No AWS managed policy on the bot's list": (
        "PG201-documentdb-boundary",
        "PG201-documentdb-cluster-alone",
        "PG201-documentdb-other-group",
        "PG201-mq-disabled-by-aws",
        "PG201-mq-source-function-condition",
        "PG201-mq-without-describe",
        "PG202-alias-with-own-role",
        "PG202-explicit-deny",
        "PG202-for-code-alone",
        "PG202-function-lacks-permissions-too",
        "PG202-mq-secret-missing",
        "PG202-mq-secret-of-another-name",
        "PG202-msk-glue-registry",
        "PG202-msk-iam-other-group",
        "PG202-msk-managed-policy-is-not-enough",
        "PG202-msk-mutual-tls",
        "PG202-msk-scram-without-secret",
        "PG202-queue-key-missing",
        "PG202-secret-key-does-not-delegate",
        "PG202-secret-key-missing",
        "PG202-secret-key-on-both-sides",
        "PG202-self-managed-confluent",
        "PG202-self-managed-oauthbearer-by-iam",
        "PG202-stream-key-missing",
        "PG202-two-mappings",
        "PG203-both-destinations",
        "PG203-dead-letter-topic",
        "PG203-kafka-topic",
        "PG203-on-failure-bucket-with-key",
        "PG203-on-success-bus",
        "PG203-stream-to-bucket-objects-alone",
        "PG203-table-to-topic-with-key",
    ),
    "no identity-based policy allows it": (
        "PG201-msk-vpc-connection-undescribed",
        "PG202-mq-as-sam-writes-it",
        "PG202-mq-nothing",
        "PG202-self-managed-vpc",
        "PG203-alias-with-own-role",
        "PG203-dead-letter-fifo-queue",
        "PG203-dead-letter-queue",
        "PG203-on-failure-queue",
        "PG203-on-success-function-qualified",
        "PG203-stream-to-queue",
        "PG203-version-like-the-function",
        "PG203-version-with-own-role",
    ),
    "an organization policy denies it": (
        "PG201-organization-denies",
        "PG201-organization-denies-and-disabled",
        "PG201-organization-denies-and-role-lacks",
    ),
}
"""Why no policy is attached, in the other cases."""


@cache
def published() -> dict[str, Policy]:
    """Return what AWS's policies allow, by their ARNs."""
    documents = json.loads(aws_managed_policies_data)
    return {
        f"{AWS}{policy.path}": a_policy(documents[policy.path.rpartition("/")[2]]["Document"], f"{AWS}{policy.path}")
        for policy in MANAGED_POLICIES
    }


def name_of(path: Path) -> str:
    """Return the id of a case."""
    return f"{path.parent.name}-{path.stem.removesuffix('.fail')}"


def case_of(path: Path) -> tuple[Snapshot, Rule]:
    """Read a case."""
    case: dict[str, Any] = json.loads(path.read_text())
    rule = next(rule for rule in RULES if rule.id == path.parent.name)
    return replace(snapshot_of(case), tags={}), rule(trust_of(case))


def violations(snapshot: Snapshot, rule: Rule) -> Iterator[Verdict]:
    """Yield what the rule reports."""
    yield from (one for one in evaluate(snapshot, [rule]).verdicts if one.outcome is Outcome.VIOLATION)


def plan_for(problem: Verdict, snapshot: Snapshot, rule: Rule) -> Plan:
    """Plan the fix of a problem."""
    finding = a_finding(
        id=problem.finding_id,
        rule_id=rule.id,
        function_arn=problem.function_arn,
        subject=problem.subject,
        evidence=problem.evidence,
    )
    state = InMemoryState(snapshot, managed=dict(published()))
    return FIX.plan(finding, snapshot, state, lambda one: evaluate(one, [rule]).verdicts)


def with_policies(snapshot: Snapshot, role_arn: str, arns: Iterable[str]) -> Snapshot:
    """Return the state after policies were attached to a role."""
    role = snapshot.roles[role_arn]
    assert isinstance(role, Role)
    attached = {**role.attached, **{arn: published()[arn] for arn in arns}}
    return replace(snapshot, roles={**snapshot.roles, role_arn: replace(role, attached=attached)})


def missing(snapshot: Snapshot, rule: Rule, problem: Verdict) -> Sequence[Mapping[str, Any]]:
    """Return what is missing of a problem now; a part that is unknown is missing."""
    now = next(one for one in evaluate(snapshot, [rule]).verdicts if one.finding_id == problem.finding_id)
    return [{"unknown": now.reason}] if now.outcome is Outcome.UNKNOWN else [*now.evidence.get("missing", ())]


@pytest.mark.parametrize("path", FAILING, ids=name_of)
def test_the_fewest_policies_are_attached_or_the_fix_is_refused(path: Path) -> None:
    """No other role, no other policy, and each of them is necessary."""
    snapshot, rule = case_of(path)
    attached: list[str] = []
    refused: list[str] = []
    for problem in violations(snapshot, rule):
        try:
            plan = plan_for(problem, snapshot, rule)
        except FixRefusedError as error:
            refused.append(str(error))
            continue
        role_arn, arns = problem.evidence["role_arn"], plan.change["policy_arns"]
        assert plan.change == {"action": "iam:AttachRolePolicy", "role_arn": role_arn, "policy_arns": arns}
        assert missing(with_policies(snapshot, role_arn, arns), rule, problem) == []
        for fewer in (set_ for size in range(len(arns)) for set_ in combinations(published(), size)):
            assert missing(with_policies(snapshot, role_arn, fewer), rule, problem)
        assert [line.split()[-1] for line in plan.undo.splitlines()] == arns
        attached.append("+".join(arn.rpartition("/")[2] for arn in arns))
    name = name_of(path)
    assert set(attached) == {policy for policy, cases in ATTACHED.items() if name in cases}
    assert all(any(why in reason for why, cases in REFUSED.items() if name in cases) for reason in refused)
    assert attached or refused


def test_each_case_is_in_one_of_the_tables() -> None:
    """A table names no case that does not exist."""
    named = [name for cases in (*ATTACHED.values(), *REFUSED.values()) for name in cases]
    assert sorted(named) == sorted(map(name_of, FAILING))
