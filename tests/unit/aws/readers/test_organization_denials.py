"""What the organization denies: the policy simulator is asked for denied calls and for functions that AWS reports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet
from permission_guard.model.state import DeniedCall
from permission_guard.model.verdicts import Outcome
from permission_guard.rules.execution_role.call_denied import CallDenied
from tests.fakes import ACCOUNT, DENIED, FUNCTION_ARN, QUEUE_ARN, ROLE_ARN, THROTTLED, a_function, a_role
from tests.unit.aws.readers.snapshot_account import EVERYTHING, Account, snapshot_of

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Unread

READING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def asked_of_the_simulator(account: Account, *denied_calls: DeniedCall) -> list[str]:
    """Take a snapshot; return what the simulator was asked."""
    snapshot_of(account, *denied_calls)
    return [asked for asked in account.asked if asked.startswith("organization of ")]


# What AWS denied, the policies that the role then has, and what the simulator is asked.
NETWORK = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")
INTERFACE = f"arn:aws:ec2:us-east-1:{ACCOUNT}:network-interface/one-of-them"
DENIED_CALLS: dict[str, tuple[str, dict[str, object], list[str]]] = {
    "CreateEventSourceMapping": (
        "The function execution role does not have permissions to call ReceiveMessage on SQS",
        {"EventSourceArn": QUEUE_ARN},
        [f"{action} on {QUEUE_ARN}" for action in READING],
    ),
    "CreateFunction": (
        "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
        {"VpcConfig": {"SubnetIds": ["subnet-1"]}},
        [
            f"{NETWORK[0]} on *",
            f"{NETWORK[0]} on {INTERFACE}",
            f"{NETWORK[1]} on *",
            f"{NETWORK[2]} on *",
            f"{NETWORK[2]} on {INTERFACE}",
        ],
    ),
    "UpdateFunctionConfiguration": (
        "The provided execution role does not have permissions to call SendMessage on SQS",
        {"DeadLetterConfig": {"TargetArn": QUEUE_ARN}},
        [f"sqs:SendMessage on {QUEUE_ARN}"],
    ),
    "PutFunctionEventInvokeConfig": (
        "The function's execution role does not have permissions to call PutObject on arn:aws:s3:::failed",
        {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::failed"}}},
        ["s3:ListBucket on arn:aws:s3:::failed", "s3:PutObject on arn:aws:s3:::failed/one-of-them"],
    ),
}


def a_denied_call(api: str) -> DeniedCall:
    """Return a call that AWS denied."""
    message, configuration, _ = DENIED_CALLS[api]
    return DeniedCall(
        api=api,
        function_arn=FUNCTION_ARN,
        role_arn=ROLE_ARN if api == "CreateFunction" else "",
        message=message,
        at="2026-11-20T10:22:00.000+00:00",
        configuration=configuration,
    )


@pytest.mark.parametrize("api", DENIED_CALLS)
def test_the_simulator_is_asked_for_what_a_denied_call_requires(api: str) -> None:
    """The role's own policies allow all of it, so another policy denies it."""
    functions: dict[str, Function | Unread] = {} if api == "CreateFunction" else {FUNCTION_ARN: a_function()}
    asked = asked_of_the_simulator(Account(functions), a_denied_call(api))
    assert asked == [f"organization of {request}" for request in DENIED_CALLS[api][2]]


@pytest.mark.parametrize("api", DENIED_CALLS)
def test_a_denied_call_that_the_organization_denies_is_a_violation(api: str) -> None:
    """From the simulator's answer to the verdict of PG213, for each request that the simulator was asked."""
    functions: dict[str, Function | Unread] = {} if api == "CreateFunction" else {FUNCTION_ARN: a_function()}
    rule = CallDenied(TrustSet(frozenset()))
    (allowed,) = evaluate(snapshot_of(Account(functions), a_denied_call(api)), [rule]).verdicts
    assert allowed.outcome is Outcome.PASS
    for request in DENIED_CALLS[api][2]:
        action, _, resource = request.partition(" on ")
        account = Account(functions, denials=frozenset({(action, resource)}))
        (verdict,) = evaluate(snapshot_of(account, a_denied_call(api)), [rule]).verdicts
        assert verdict.outcome is Outcome.VIOLATION, request
        assert "change the organization's policy" in verdict.reason


@pytest.mark.parametrize(("unread", "retried"), [(DENIED, False), (THROTTLED, True)])
def test_a_denied_call_is_unknown_if_the_simulator_cannot_be_called(unread: Unread, retried: bool) -> None:
    """It must not look as if the call could be repeated."""
    account = Account({FUNCTION_ARN: a_function()}, denials=unread)
    snapshot = snapshot_of(account, a_denied_call("CreateEventSourceMapping"))
    (verdict,) = evaluate(snapshot, [CallDenied(TrustSet(frozenset()))]).verdicts
    assert verdict.outcome is Outcome.UNKNOWN
    assert (unread in snapshot.unread) is retried


def test_the_simulator_is_asked_for_the_network_of_a_function_whose_role_aws_reports() -> None:
    """The role's own policies allow it."""
    failed = {"VpcConfig": {"SubnetIds": ["subnet-1"]}, "State": "Failed"}
    reported = replace(a_function(), configuration={**failed, "StateReasonCode": "InsufficientRolePermissions"})
    other = replace(a_function(), configuration={**failed, "StateReasonCode": "SubnetOutOfIPAddresses"})
    assert f"organization of {NETWORK[0]} on *" in asked_of_the_simulator(Account({FUNCTION_ARN: reported}))
    assert asked_of_the_simulator(Account({FUNCTION_ARN: other})) == []


def test_a_role_that_a_denied_call_names_without_its_path_is_simulated_too() -> None:
    """IAM finds roles by their names, and returns the ARN with the path."""
    named = ROLE_ARN.replace("service-role/", "")
    assert named != ROLE_ARN
    account = Account({}, roles={named: a_role(EVERYTHING)})
    call = replace(a_denied_call("CreateFunction"), role_arn=named)
    account.denials = frozenset({(NETWORK[0], "*")})
    (verdict,) = evaluate(snapshot_of(account, call), [CallDenied(TrustSet(frozenset()))]).verdicts
    assert verdict.outcome is Outcome.VIOLATION
