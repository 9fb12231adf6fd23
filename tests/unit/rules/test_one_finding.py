"""One problem is one finding: if a rule reports the cause, the other rules do not report its effects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import DeniedCall, Function, Snapshot
from permission_guard.model.targets import Direction
from permission_guard.rules import rules_for
from tests.fakes import FUNCTION_ARN, NOW, OTHER, QUEUE_ARN, ROLE_ARN, TARGET, a_mapping, a_role, allow

if TYPE_CHECKING:
    from permission_guard.model.state import Role

RULES = rules_for(Direction.EXECUTION_ROLE, TrustSet(frozenset()))
FUNCTION = Function(
    FUNCTION_ARN,
    "orders",
    ROLE_ARN,
    {
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:failed"},
        "TracingConfig": {"Mode": "Active"},
        "VpcConfig": {"SubnetIds": ["subnet-0a1b2c3d"]},
        "DurableConfig": {"RetentionPeriodInDays": 7},
    },
)
UNTRUSTING = replace(a_role(allow("*")), trust_policy=parse_policy({"Version": "2012-10-17", "Statement": []}))
WITHOUT_QUEUES = a_role(allow("logs:*", "ec2:*NetworkInterface*", "xray:*", "lambda:*Durable*"))
WITHOUT_NETWORK = a_role(allow("logs:*", "sqs:*Message*", "sqs:GetQueueAttributes", "xray:*", "lambda:*Durable*"))
ASSUME = "The role defined for the function cannot be assumed by Lambda."


def denied(api: str, message: str) -> DeniedCall:
    """Return a call about the function that AWS denied."""
    configuration = {"EventSourceArn": QUEUE_ARN} if api == "CreateEventSourceMapping" else {}
    return DeniedCall(
        api=api, function_arn=FUNCTION_ARN, role_arn="", message=message, at=NOW, configuration=configuration
    )


def violated(role: Role | None, *denied_calls: DeniedCall, **mapping: str) -> list[str]:
    """Return the violated rules of a function that polls a queue and shares its role with another function."""
    snapshot = Snapshot(
        TARGET,
        FUNCTION,
        mappings=(a_mapping(**mapping),),
        versions={FUNCTION_ARN: FUNCTION},
        roles={ROLE_ARN: role},
        role_users={ROLE_ARN: (TARGET,) if role else (TARGET, OTHER)},
        denied_calls=denied_calls,
    )
    return [verdict.rule_id for verdict in evaluate(snapshot, RULES).violations]


@pytest.mark.parametrize("role", [None, UNTRUSTING])
def test_a_role_that_lambda_cannot_assume_is_one_finding(role: Role | None) -> None:
    """Its missing permissions and AWS's error messages are not reported as well."""
    mapping = {"last_processing_result": "PROBLEM: Lambda failed to assume your function execution role."}
    calls = [denied(api, ASSUME) for api in ("CreateEventSourceMapping", "UpdateFunctionConfiguration")]
    found = violated(role, *calls, **mapping)
    assert [rule for rule in found if rule != "PG210"] == ["PG207"]


def test_a_queue_that_the_role_may_not_read_is_one_finding() -> None:
    """It is about the existing mapping, although AWS reports a problem with it and denied another call."""
    mapping = {"last_processing_result": "The function execution role does not have permissions to call ReceiveMessage"}
    call = denied("CreateEventSourceMapping", "does not have permissions to call ReceiveMessage on SQS")
    assert violated(WITHOUT_QUEUES, call, **mapping) == ["PG201", "PG203"]


def test_network_interfaces_that_the_role_may_not_create_are_one_finding() -> None:
    """Even if AWS denied a change of the function because of them."""
    call = denied("UpdateFunctionConfiguration", "does not have permissions to call CreateNetworkInterface on EC2")
    assert violated(WITHOUT_NETWORK, call) == ["PG205"]
