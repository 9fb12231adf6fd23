"""Which calls the check of an execution role takes: a sweep checks thousands of functions."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.organization import OrganizationReader
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.aws.readers.snapshots import StateReader
from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.model.targets import Direction, FunctionTarget
from tests.fakes import ACCOUNT, QUEUE_ARN, REGION, ROLE_ARN, SQS_POLICY, TARGET, TRUST_LAMBDA, allow

if TYPE_CHECKING:
    from permission_guard.aws.readers.inventories import InventoryReader
    from permission_guard.model.state import Snapshot

ALWAYS = [
    "lambda:ListFunctionEventInvokeConfigs",
    "lambda:GetFunctionConfiguration",
    "lambda:ListEventSourceMappings",
    "iam:GetRole",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
]
"""The calls that read a function and its role, without the role's policies."""


class Account:
    """An in-memory account; `calls` lists the calls of the reader under test."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        lambdas = FunctionReader(self.client("lambda"))
        self.reader = StateReader(
            lambdas,
            RoleReader(self.client("iam")),
            SourceReader(self.client),
            no_inventories,
            OrganizationReader(lambda: self.client("organizations"), lambda: self.client("iam")),
        )

    def client(self, service: str) -> Any:
        """Return a client whose calls are counted."""
        client: Any = boto3.client(service)  # type: ignore[call-overload]
        client.meta.events.register("before-call", self._count)
        return client

    def _count(self, model: Any, **_: object) -> None:
        self.calls.append(f"{model.service_model.service_name}:{model.name}")

    def snapshot_of(self, target: FunctionTarget = TARGET) -> Snapshot:
        """Return the snapshot of a function for its execution role."""
        return self.reader.snapshot(target, Direction.EXECUTION_ROLE)


def no_inventories() -> InventoryReader:
    """Fail: this scope does not read the triggers of a function."""
    raise AssertionError


def a_role(*documents: dict[str, Any]) -> None:
    """Make the role, with inline policies."""
    iam = boto3.client("iam")
    iam.create_role(RoleName="orders-role", Path="/service-role/", AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))
    for number, document in enumerate(documents):
        iam.put_role_policy(RoleName="orders-role", PolicyName=str(number), PolicyDocument=json.dumps(document))


def a_polling_function(name: str = TARGET.name) -> None:
    """Make a function that polls the queue."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    client = boto3.client("lambda")
    client.create_function(
        FunctionName=name, Role=ROLE_ARN, Handler="app.f", Runtime="python3.13", Code={"ZipFile": code.getvalue()}
    )
    client.create_event_source_mapping(FunctionName=name, EventSourceArn=QUEUE_ARN)


def a_queue(**attributes: str) -> None:
    """Make the queue."""
    boto3.client("sqs").create_queue(QueueName="incoming-orders", Attributes=attributes)  # type: ignore[arg-type]


@pytest.fixture
def account(moto_account: None) -> Account:
    """Return an empty account."""
    return Account()


def test_a_queue_that_the_role_may_poll_takes_one_call(account: Account) -> None:
    """One call returns both the key and the policy of the queue."""
    a_role(SQS_POLICY)
    a_queue()
    a_polling_function()
    snapshot = account.snapshot_of()
    assert account.calls == [*ALWAYS, "iam:GetRolePolicy", "sqs:GetQueueAttributes"]
    assert snapshot.unread == ()
    assert snapshot.source_policies == {}


def test_a_role_that_allows_everything_takes_no_more_calls(account: Account) -> None:
    """The log group and the queue's policy are not read."""
    a_role(allow("*"))
    a_queue()
    a_polling_function()
    account.snapshot_of()
    assert account.calls == [*ALWAYS, "iam:GetRolePolicy", "sqs:GetQueueAttributes"]


def test_a_queue_with_a_customer_managed_key_takes_three_more_calls(account: Account) -> None:
    """They read the key, its policy and its grants."""
    kms: Any = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    a_role(allow("*"))
    a_queue(KmsMasterKeyId=key)
    a_polling_function()
    snapshot = account.snapshot_of()
    assert account.calls[-4:] == ["sqs:GetQueueAttributes", "kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"]
    assert set(snapshot.source_policies) == {key}


def test_a_role_without_policies_takes_one_call_for_the_queue_and_one_for_the_log_group(account: Account) -> None:
    """The call for the queue's key returns its policy too."""
    a_role()
    a_queue()
    a_polling_function()
    snapshot = account.snapshot_of()
    assert account.calls == [*ALWAYS, "logs:DescribeLogGroups", "sqs:GetQueueAttributes"]
    assert snapshot.source_policies == {QUEUE_ARN: None}


def test_a_queue_and_a_role_shared_by_fifty_functions_are_read_once(account: Account) -> None:
    """Only the configuration and the destinations are read for each function."""
    a_role(SQS_POLICY)
    a_queue()
    names = [f"orders-{number}" for number in range(50)]
    for name in names:
        a_polling_function(name)
    for name in names:
        account.snapshot_of(FunctionTarget("aws", REGION, ACCOUNT, name))
    each = {"lambda:GetFunctionConfiguration": 50, "lambda:ListFunctionEventInvokeConfigs": 50}
    once = Counter([*ALWAYS, "iam:GetRolePolicy", "sqs:GetQueueAttributes"])
    assert Counter(account.calls) == {**once, **each}
