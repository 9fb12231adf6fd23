"""One flaw is one finding: where a rule tells a cause, the others do not tell what follows from it."""

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
SHUT = replace(a_role(allow("*")), trust_policy=parse_policy({"Version": "2012-10-17", "Statement": []}))
ALL_BUT_QUEUES = a_role(allow("logs:*", "ec2:*NetworkInterface*", "xray:*", "lambda:*Durable*"))
ALL_BUT_NETWORK = a_role(allow("logs:*", "sqs:*Message*", "sqs:GetQueueAttributes", "xray:*", "lambda:*Durable*"))
ASSUME = "The role defined for the function cannot be assumed by Lambda."


def refused(api: str, message: str) -> DeniedCall:
    """Return a call about the function that AWS refused."""
    configuration = {"EventSourceArn": QUEUE_ARN} if api == "CreateEventSourceMapping" else {}
    return DeniedCall(
        api=api, function_arn=FUNCTION_ARN, role_arn="", message=message, at=NOW, configuration=configuration
    )


def logged(role: Role | None, *denied_calls: DeniedCall, **said: str) -> list[str]:
    """Return the rules that tell something of a function that polls a queue, whose role another shares."""
    snapshot = Snapshot(
        TARGET,
        FUNCTION,
        mappings=(a_mapping(**said),),
        versions={FUNCTION_ARN: FUNCTION},
        roles={ROLE_ARN: role},
        role_users={ROLE_ARN: (TARGET,) if role else (TARGET, OTHER)},
        denied_calls=denied_calls,
    )
    return [verdict.rule_id for verdict in evaluate(snapshot, RULES).violations]


@pytest.mark.parametrize("role", [None, SHUT])
def test_a_role_that_lambda_cannot_use_is_told_once(role: Role | None) -> None:
    """Neither what it does not allow, nor what AWS says and refuses because of it."""
    said = {"last_processing_result": "PROBLEM: Lambda failed to assume your function execution role."}
    calls = [refused(api, ASSUME) for api in ("CreateEventSourceMapping", "UpdateFunctionConfiguration")]
    found = logged(role, *calls, **said)
    assert [rule for rule in found if rule != "PG210"] == ["PG207"]


def test_a_queue_that_may_not_be_read_is_told_once() -> None:
    """Of the mapping that there is, whatever AWS says of it and refuses beside it."""
    said = {"last_processing_result": "The function execution role does not have permissions to call ReceiveMessage"}
    again = refused("CreateEventSourceMapping", "does not have permissions to call ReceiveMessage on SQS")
    assert logged(ALL_BUT_QUEUES, again, **said) == ["PG201", "PG203"]


def test_network_interfaces_that_may_not_be_made_are_told_once() -> None:
    """Also where a change of the function was refused for them."""
    call = refused("UpdateFunctionConfiguration", "does not have permissions to call CreateNetworkInterface on EC2")
    assert logged(ALL_BUT_NETWORK, call) == ["PG205"]
