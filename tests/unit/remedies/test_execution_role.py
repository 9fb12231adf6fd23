"""Remedies for an execution role: they can be pasted, and grant exactly what is missing."""

from __future__ import annotations

import json
import shlex
from typing import Any

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet
from permission_guard.model.verdicts import Outcome, Verdict, finding_id
from permission_guard.needs.base import Need
from permission_guard.remedies.execution_role import free_name, put, statements
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from tests.fakes import FUNCTION_ARN, MAPPING_SUBJECT, MAPPING_UUID, REGION, a_mapping, a_policy, a_role, allow, polling
from tests.unit.needs.event_sources.needs_table import BROKER, CLUSTER, DOCUMENTS

NAME = f"event-source-read-{finding_id('PG201', FUNCTION_ARN, MAPPING_SUBJECT)[:8]}"
GROUPS = [
    "arn:aws:rds:us-east-1:123456789012:cluster-pg:*",
    "arn:aws:rds:us-east-1:123456789012:subgrp:*",
]


def finding(source: str, *documents: dict[str, Any], **mapping: str) -> Verdict:
    """Return the verdict on a role that reads a source."""
    state = polling(a_role(*documents), mappings=(a_mapping(source, **mapping),))
    (verdict,) = evaluate(state, [EventSourceReadMissing(TrustSet(frozenset()))]).verdicts
    return verdict


def remedy(verdict: Verdict, kind: str) -> str:
    """Return one remedy."""
    return next(item.text for item in verdict.remedies if item.kind == kind)


def test_without_a_managed_policy_the_command_adds_a_policy_with_exactly_what_is_missing() -> None:
    """Pasted, it resolves the finding; it does not repeat what the role is already allowed."""
    describe = allow("rds:DescribeDBClusters", resource=DOCUMENTS)
    words = shlex.split(remedy(finding(DOCUMENTS, describe), "aws-cli"))
    assert words[:5] == ["aws", "iam", "put-role-policy", "--region", "us-east-1"]
    assert words[5:9] == ["--role-name", "orders-role", "--policy-name", NAME]
    document = json.loads(words[10])
    assert document["Statement"] == [
        {"Effect": "Allow", "Action": ["rds:DescribeDBClusterParameters"], "Resource": [GROUPS[0]]},
        {"Effect": "Allow", "Action": ["rds:DescribeDBSubnetGroups"], "Resource": [GROUPS[1]]},
    ]
    assert finding(DOCUMENTS, describe, document).outcome is Outcome.PASS
    assert json.loads(remedy(finding(DOCUMENTS, describe), "policy-statement")) == document["Statement"]


def test_terraform_has_the_same_policy() -> None:
    """As an inline policy of the role."""
    text = remedy(finding(BROKER), "terraform")
    assert text.startswith(f'resource "aws_iam_role_policy" "orders_role_{NAME.replace("-", "_")}_')
    assert f'  name   = "{NAME}"\n  role   = "orders-role"\n' in text
    document = json.loads(text.split("jsonencode(")[1].rsplit(")", 1)[0])
    assert document["Statement"] == [{"Effect": "Allow", "Action": ["mq:DescribeBroker"], "Resource": [BROKER]}]


def test_terraform_does_not_evaluate_variables_in_the_policy() -> None:
    """A name in a policy can have the same syntax."""
    *_, remedy = put(
        "arn:aws:iam::123456789012:role/orders-role", NAME, [Need("sqs:SendMessage", "arn:${Queue}")], REGION
    )
    assert remedy.kind == "terraform"
    assert '"arn:$${Queue}"' in remedy.text


def test_a_managed_policy_is_attached_if_aws_has_one() -> None:
    """As for queues and streams."""
    policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaMSKExecutionRole"
    command = f"aws iam attach-role-policy --region us-east-1 --role-name orders-role --policy-arn {policy}"
    assert remedy(finding(CLUSTER), "aws-cli") == command
    assert f'policy_arn = "{policy}"' in remedy(finding(CLUSTER), "terraform")
    assert finding(BROKER).evidence["managed_policy_arn"] is None


def test_the_cdk_has_the_grant_of_a_resource_where_one_exists() -> None:
    """Other actions become a statement; a secret without its last six characters is not found by its ARN."""
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:orders"
    whole = Need("secretsmanager:GetSecretValue", f"{secret}-1a2B3c")
    assert calls(Need("mq:DescribeBroker", BROKER), whole) == [
        "fn.addToRolePolicy(new iam.PolicyStatement({",
        f'secretsmanager.Secret.fromSecretCompleteArn(this, "secret-orders-1a2B3c", "{secret}-1a2B3c").grantRead(fn);',
    ]
    for resource in (secret, f"{secret}-??????"):
        assert calls(Need("secretsmanager:GetSecretValue", resource)) == [
            "fn.addToRolePolicy(new iam.PolicyStatement({"
        ]


def calls(*needs: Need) -> list[str]:
    """Return the first line of each call in the remedy for the AWS CDK."""
    _, remedy, _ = put("arn:aws:iam::123456789012:role/orders-role", NAME, needs, REGION)
    return [line for line in remedy.text.splitlines() if not line.startswith(("//", " ", "}"))]


def test_a_mapping_that_aws_disabled_is_enabled_after_the_policy_is_added() -> None:
    """In the other order AWS would disable it again."""
    disabled = {"state": "Disabled", "state_transition_reason": "EVENT_SOURCE_AUTHZ_ERROR"}
    put, enable = remedy(finding(BROKER, **disabled), "aws-cli").splitlines()
    assert put.startswith("aws iam put-role-policy ")
    assert enable == f"aws lambda update-event-source-mapping --region us-east-1 --uuid {MAPPING_UUID} --enabled"


def test_no_policy_of_the_role_is_replaced() -> None:
    """PutRolePolicy replaces a policy of the same name."""
    role = a_role()
    assert free_name("read", None) == free_name("read", role) == "read"
    role.inline.update({"read": a_policy(allow("sqs:*")), "read-2": a_policy(allow("sqs:*"))})  # type: ignore[attr-defined]
    assert free_name("read", role) == "read-3"


def test_actions_on_the_same_resources_share_a_statement() -> None:
    """In any order; duplicates are granted once."""
    needs = [Need("a:One", "x"), Need("a:Two", "y"), Need("a:One", "y"), Need("a:Three", "y"), Need("a:Two", "y")]
    assert statements(needs) == [
        {"Effect": "Allow", "Action": ["a:One"], "Resource": ["x", "y"]},
        {"Effect": "Allow", "Action": ["a:Two", "a:Three"], "Resource": ["y"]},
    ]
