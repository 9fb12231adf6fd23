"""Which CloudFormation stack owns a resource: its name, none, or unread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from permission_guard.aws.readers.stacks import StackReader
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_cloudformation import CloudFormationClient

ASKED = {"PhysicalResourceId": "orders-role"}


@pytest.fixture
def cloudformation() -> CloudFormationClient:
    """A client without a network."""
    return boto3.client(
        "cloudformation", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


@pytest.fixture
def stub(cloudformation: CloudFormationClient) -> Iterator[Stubber]:
    """The answers of CloudFormation."""
    with Stubber(cloudformation) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def resource(**more: str) -> dict[str, object]:
    """Return a resource as CloudFormation describes it."""
    return {
        "LogicalResourceId": "OrdersRole",
        "ResourceType": "AWS::IAM::Role",
        "ResourceStatus": "CREATE_COMPLETE",
        "Timestamp": 0,
        "PhysicalResourceId": "orders-role",
        **more,
    }


def test_the_stack_that_owns_a_role_is_named(cloudformation: CloudFormationClient, stub: Stubber) -> None:
    """CloudFormation finds it by the role's name."""
    reply = {"StackResources": [resource(StackName="shop")]}
    stub.add_response("describe_stack_resources", reply, ASKED)
    assert StackReader(cloudformation).stack_of("orders-role") == "shop"


def test_a_role_outside_all_stacks_has_no_owner(cloudformation: CloudFormationClient, stub: Stubber) -> None:
    """CloudFormation returns a validation error for it."""
    stub.add_client_error(
        "describe_stack_resources", "ValidationError", "Stack for orders-role does not exist", 400, None, ASKED
    )
    assert StackReader(cloudformation).stack_of("orders-role") is None


@pytest.mark.parametrize(
    ("code", "message", "denied"),
    [
        ("AccessDenied", "not authorized to perform: cloudformation:DescribeStackResources", True),
        ("Throttling", "Rate exceeded", False),
        ("ValidationError", "1 validation error detected", False),
    ],
)
def test_any_other_error_is_unread(
    cloudformation: CloudFormationClient, stub: Stubber, code: str, message: str, *, denied: bool
) -> None:
    """A guard of the fixes needs the owner, so it must not be taken for none."""
    stub.add_client_error("describe_stack_resources", code, message, 400, None, ASKED)
    owner = StackReader(cloudformation).stack_of("orders-role")
    assert owner == Unread("cloudformation:DescribeStackResources", code, message, denied=denied)


def test_a_failed_connection_is_unread() -> None:
    """The endpoint does not answer."""
    nowhere = boto3.client(
        "cloudformation",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    owner = StackReader(nowhere).stack_of("orders-role")
    nowhere.close()
    assert isinstance(owner, Unread)
    assert not owner.denied
