"""One IAM change that affects many functions takes a limited number of calls, in batches."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.fakes import ROLE_ARN, SQS_POLICY
from tests.integration.conftest import cloudtrail, sqs_event

if TYPE_CHECKING:
    from tests.integration.conftest import Account

ROLE = "orders-role"
SCHEDULED = {"detail-type": "Scheduled Event"}


@pytest.fixture
def swept(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account in which the sweep can send to both checkers."""
    monkeypatch.setenv("INVOKE_POLICY_QUEUE_URL", account.queue("invoke-policy"))
    monkeypatch.setenv("EXECUTION_ROLE_QUEUE_URL", account.queue("execution-role"))
    return account


def make_sharing(account: Account, count: int) -> None:
    """Create functions that poll a queue with one role, then sweep and check them."""
    account.make_role()
    account.iam.put_role_policy(RoleName=ROLE, PolicyName="queue", PolicyDocument=json.dumps(SQS_POLICY))
    for number in range(count):
        account.make_function(f"orders-{number:02}")
        account.map_queue(f"orders-{number:02}")
    account.run("sweep_account", SCHEDULED)
    account.run("check_execution_role", sqs_event(*account.received("execution-role")))


def make_roles(account: Account, count: int) -> str:
    """Create roles with one customer managed policy; return its ARN."""
    policy = account.iam.create_policy(PolicyName="shared", PolicyDocument=json.dumps(SQS_POLICY))["Policy"]["Arn"]
    for number in range(count):
        account.make_role(f"{ROLE_ARN}-{number}")
        account.iam.attach_role_policy(RoleName=f"{ROLE}-{number}", PolicyArn=policy)
    return policy


def test_one_change_of_a_role_with_fifty_functions_is_one_batch(swept: Account) -> None:
    """The index finds them with one query, and role and queue are read once. Each function takes five more calls.

    A query reads a function's check and findings together, and one transaction writes the check with the new finding.
    Tags are read for functions with a new finding.
    """
    make_sharing(swept, 50)
    swept.iam.delete_role_policy(RoleName=ROLE, PolicyName="queue")
    run = swept.run("check_execution_role", sqs_event(cloudtrail("delete_role_policy", roleName=ROLE)))
    assert (run.failed, run.counts["FunctionsChecked"], run.counts["FindingsOpened"]) == ([], 50, 50)
    assert Counter(run.calls) == {
        "dynamodb:GetItem": 1,
        "dynamodb:Query": 1 + 50,
        "dynamodb:TransactWriteItems": 50,
        "iam:GetRole": 1,
        "iam:ListAttachedRolePolicies": 1,
        "iam:ListRolePolicies": 1,
        "lambda:GetFunctionConfiguration": 50,
        "lambda:ListEventSourceMappings": 1,
        "lambda:ListFunctionEventInvokeConfigs": 50,
        "lambda:ListTags": 50,
        "sqs:GetQueueAttributes": 1,
    }


def test_checks_are_requested_for_the_functions_of_a_role_that_exceed_a_batch(swept: Account) -> None:
    """Each call sends ten requests. The next invocation checks these functions like the first fifty."""
    make_sharing(swept, 75)
    swept.iam.delete_role_policy(RoleName=ROLE, PolicyName="queue")
    run = swept.run("check_execution_role", sqs_event(cloudtrail("delete_role_policy", roleName=ROLE)))
    assert (run.failed, run.counts["FunctionsChecked"], run.counts["ChecksRequested"]) == ([], 50, 25)
    assert run.calls.count("sqs:SendMessageBatch") == 3
    rest = swept.run("check_execution_role", sqs_event(*swept.received("checks")))
    assert (rest.counts["FunctionsChecked"], rest.counts["FindingsOpened"]) == (25, 25)
    assert rest.calls.count("iam:GetRole") == 1
    assert len([finding for finding in swept.findings if finding.rule_id == "PG201"]) == 75


def test_a_managed_policy_of_a_hundred_roles_is_resolved_by_the_index(swept: Account) -> None:
    """Each role has its own function. The whole index is read once, and functions are not listed."""
    policy = make_roles(swept, 100)
    for number in range(100):
        swept.make_function(f"orders-{number:02}", f"{ROLE_ARN}-{number}")
    swept.run("sweep_account", SCHEDULED)
    run = swept.run("check_execution_role", sqs_event(cloudtrail("create_policy_version", policyArn=policy)))
    assert (run.failed, run.counts["FunctionsChecked"], run.counts["ChecksRequested"]) == ([], 50, 50)
    assert {call: number for call, number in Counter(run.calls).items() if ":List" in call} == {
        "iam:ListEntitiesForPolicy": 1,
        "iam:ListAttachedRolePolicies": 50,
        "iam:ListRolePolicies": 50,
        "lambda:ListEventSourceMappings": 1,
        "lambda:ListFunctionEventInvokeConfigs": 50,
    }
    assert (run.calls.count("iam:GetPolicy"), run.calls.count("sqs:SendMessageBatch")) == (2, 5)


def test_two_changes_of_a_policy_before_the_first_sweep_are_one_batch(account: Account) -> None:
    """Roles and functions are listed once, and shared resources of the fifty functions are read once.

    No tags are read: the new finding is about the shared role.
    """
    policy = make_roles(account, 100)
    for number in range(50):
        account.make_function(f"orders-{number}", f"{ROLE_ARN}-0")
        account.map_queue(f"orders-{number}")
    events = [cloudtrail(name, policyArn=policy) for name in ("create_policy_version", "set_default_policy_version")]
    run = account.run("check_execution_role", sqs_event(*events))
    assert run.failed == []
    assert run.counts["FunctionsChecked"] == 50
    assert Counter(call for call in run.calls if not call.startswith("dynamodb:")) == {
        "iam:ListEntitiesForPolicy": 1,
        "lambda:ListFunctions": 1,
        "lambda:ListEventSourceMappings": 1,
        "iam:GetRole": 1,
        "iam:ListAttachedRolePolicies": 1,
        "iam:ListRolePolicies": 1,
        "iam:GetPolicy": 2,
        "iam:GetPolicyVersion": 2,
        "lambda:GetFunctionConfiguration": 50,
        "lambda:ListFunctionEventInvokeConfigs": 50,
        "sqs:GetQueueAttributes": 1,
    }
