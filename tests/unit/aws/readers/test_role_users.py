"""Which functions use a role: all of every enabled region, or unread."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

import boto3
import pytest
from botocore.stub import Stubber

from permission_guard.aws.readers.role_users import RoleUsers
from permission_guard.fixes.attach_managed_policy import AttachManagedPolicy
from permission_guard.model.state import Unread
from tests.fakes import DENIED, FUNCTION_ARN, ROLE_ARN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_lambda import LambdaClient

    from permission_guard.aws.readers.regions import EnabledRegions

OTHER = "arn:aws:lambda:eu-west-1:123456789012:function:returns"


class Regions:
    """The enabled regions, or why they are unread."""

    def __init__(self, found: tuple[str, ...] | Unread) -> None:
        self.found = found

    def read(self) -> tuple[str, ...] | Unread:
        return self.found


class Account:
    """Lambda in two regions."""

    def __init__(self, stack: ExitStack) -> None:
        self.clients: dict[str, LambdaClient] = {
            region: boto3.client(
                "lambda", region_name=region, aws_access_key_id="testing", aws_secret_access_key="testing"
            )
            for region in ("us-east-1", "eu-west-1")
        }
        self.stubs = {region: stack.enter_context(Stubber(client)) for region, client in self.clients.items()}

    def has(self, region: str, *functions: tuple[str, str], marker: str = "") -> None:
        """Add a page with functions and their roles."""
        page: dict[str, object] = {"Functions": [{"FunctionArn": arn, "Role": role} for arn, role in functions]}
        self.stubs[region].add_response("list_functions", {**page, **({"NextMarker": marker} if marker else {})})

    def functions_of(self, regions: tuple[str, ...] | Unread = ("us-east-1", "eu-west-1")) -> object:
        """Return which functions use the role."""
        users = RoleUsers(cast("EnabledRegions", Regions(regions)), self.clients.__getitem__)
        return users.functions_of(ROLE_ARN)


@pytest.fixture
def account() -> Iterator[Account]:
    """An account whose answers are all read."""
    with ExitStack() as stack:
        found = Account(stack)
        yield found
        for stub in found.stubs.values():
            stub.assert_no_pending_responses()


def test_the_functions_of_all_regions_and_pages_are_found(account: Account) -> None:
    """Those with another role are not."""
    account.has("us-east-1", (f"{FUNCTION_ARN}-2", f"{ROLE_ARN}-2"), marker="more")
    account.has("us-east-1", (FUNCTION_ARN, ROLE_ARN))
    account.has("eu-west-1", (OTHER, ROLE_ARN))
    assert account.functions_of() == (OTHER, FUNCTION_ARN)


@pytest.mark.parametrize(
    ("code", "denied"),
    [("AccessDeniedException", True), ("UnrecognizedClientException", True), ("TooManyRequestsException", False)],
)
def test_one_region_that_cannot_be_read_makes_it_unread(account: Account, code: str, denied: bool) -> None:
    """A function there may use the role. The message names the region."""
    account.has("us-east-1", (FUNCTION_ARN, ROLE_ARN))
    account.stubs["eu-west-1"].add_client_error("list_functions", code, "no", 403)
    found = account.functions_of()
    assert isinstance(found, Unread)
    assert (found.action, found.message, found.denied) == ("lambda:ListFunctions", "no (eu-west-1)", denied)
    assert found.action in AttachManagedPolicy.reads


def test_a_region_without_a_list_makes_it_unread(account: Account) -> None:
    """No list is not an empty list."""
    account.has("us-east-1", (FUNCTION_ARN, ROLE_ARN))
    account.stubs["eu-west-1"].add_client_error("list_functions", "ResourceNotFoundException", "no", 404)
    assert isinstance(account.functions_of(), Unread)


def test_without_the_list_of_regions_it_is_unread(account: Account) -> None:
    """A region that nobody knows of may have functions."""
    assert account.functions_of(DENIED) == DENIED
