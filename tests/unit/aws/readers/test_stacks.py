"""Which CloudFormation stack owns a resource: its name, none, or unread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from permission_guard.aws.readers.regions import EnabledRegions
from permission_guard.aws.readers.stacks import AccountStacks, StackReader
from permission_guard.fixes.attach_managed_policy import AttachManagedPolicy
from permission_guard.model.state import Unread
from tests.template.calls import uses
from tests.unit.aws.conftest import Answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
        ("InvalidClientTokenId", "The security token included in the request is invalid", True),
        ("OptInRequired", "The region is not enabled", True),
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


# ── In every region ─────────────────────────────────────────────────────────────────────────────────────────────────

OWN, OTHERS = "us-east-1", ("ap-southeast-2", "eu-west-1")
DENIED = ("AccessDenied", "a service control policy denies the region")
THROTTLED = ("Throttling", "Rate exceeded")


class Account:
    """An account with three regions: the stack of each that owns the role, or the error with which it answers."""

    def __init__(self, answers: dict[str, str | tuple[str, str]], regions: Callable[[], object] | None = None) -> None:
        self.answers = answers
        self.now = 1000.0
        self.asked: list[str] = []
        self.lists = 0
        self.listed: list[str] = [*OTHERS, OWN]
        self.meta = type("Meta", (), {"region_name": OWN})
        self.regions = EnabledRegions(lambda: self, lambda: self.now)
        self.stacks = AccountStacks(self.regions, self._client_in)

    def describe_regions(self) -> dict[str, object]:
        self.lists += 1
        return {"Regions": [{"RegionName": name} for name in self.listed]}

    def stack_of(self, role: str = "orders-role") -> str | Unread | None:
        return self.stacks.stack_of(role)

    def _client_in(self, region: str) -> CloudFormationClient:
        self.asked.append(region)
        stubbed = Answers("cloudformation")
        answer = self.answers.get(region, ("ValidationError", "Stack for orders-role does not exist"))
        if isinstance(answer, str):
            stubbed.say("describe_stack_resources", {"StackResources": [resource(StackName=answer)]})
        else:
            stubbed.fail("describe_stack_resources", *answer)
        client: CloudFormationClient = stubbed.client
        return client


def test_a_role_of_no_stack_in_any_region_has_no_owner() -> None:
    """Every enabled region is asked, the own one first."""
    account = Account({})
    assert account.stack_of() is None
    assert account.asked == [OWN, *OTHERS]


def test_the_own_region_s_stack_is_named_without_the_region() -> None:
    """No other region is asked then."""
    account = Account({OWN: "shop"})
    assert account.stack_of() == "shop"
    assert account.asked == [OWN]


@pytest.mark.parametrize("region", OTHERS)
@pytest.mark.parametrize("error", [None, DENIED, THROTTLED])
def test_a_role_belongs_to_the_stack_of_any_region(region: str, error: tuple[str, str] | None) -> None:
    """Roles are global, stacks are not. Whether the others can be asked does not matter."""
    others: dict[str, str | tuple[str, str]] = {name: error for name in (OWN, *OTHERS) if error is not None}
    assert Account({**others, region: "shop"}).stack_of() == f"shop in {region}"


@pytest.mark.parametrize("region", [OWN, *OTHERS])
@pytest.mark.parametrize(("error", "denied"), [(DENIED, True), (THROTTLED, False)])
def test_an_owner_is_unread_if_one_region_cannot_be_asked(region: str, error: tuple[str, str], *, denied: bool) -> None:
    """The stack that owns the role may be there: the fix refuses, or tries again."""
    code, message = error
    owner = Account({region: error}).stack_of()
    assert owner == Unread("cloudformation:DescribeStackResources", code, f"{message} ({region})", denied=denied)


def test_a_denied_region_is_named_before_one_that_may_answer_later() -> None:
    """A retry does not help."""
    owner = Account({OTHERS[0]: THROTTLED, OTHERS[1]: DENIED}).stack_of()
    assert isinstance(owner, Unread)
    assert owner.denied


def test_the_enabled_regions_are_cached_for_an_hour_and_the_owner_is_not() -> None:
    """A fix changes the role right after."""
    account = Account({})
    account.stack_of()
    account.answers, account.now = {OTHERS[0]: "shop"}, account.now + 3599
    assert account.stack_of() == f"shop in {OTHERS[0]}"
    assert account.lists == 1
    account.listed, account.now, account.asked = ["eu-north-1"], account.now + 1, []
    assert account.stack_of() is None
    assert account.lists == 2
    assert account.asked == [OWN, "eu-north-1"]


def test_a_clock_that_went_back_does_not_keep_the_list() -> None:
    """It may be older than an hour."""
    account = Account({})
    account.regions.read()
    account.now -= 1
    account.regions.read()
    assert account.lists == 2


def test_an_owner_is_unread_if_the_regions_cannot_be_listed() -> None:
    """The list is not cached then."""
    ec2 = Answers("ec2")
    ec2.fail("describe_regions", "UnauthorizedOperation")
    ec2.say("describe_regions", {"Regions": []})
    regions = EnabledRegions(lambda: ec2.client)
    owner = AccountStacks(regions, lambda _: pytest.fail("a region is asked")).stack_of("orders-role")
    assert isinstance(owner, Unread)
    assert (owner.action, owner.denied) == ("ec2:DescribeRegions", True)
    assert regions.read() == (ec2.client.meta.region_name,)


def test_the_fix_declares_what_asking_takes() -> None:
    """The role of the fixer allows what the fix declares."""
    assert uses("aws/readers/stacks") | uses("aws/readers/regions") <= AttachManagedPolicy.reads


# ── The own region ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_stack_of_a_permission_is_asked_in_the_own_region_only(
    cloudformation: CloudFormationClient, stub: Stubber
) -> None:
    """A permission is in the region of its function, and a policy can have many."""
    asked: list[str] = []

    class Regions:
        def read(self) -> tuple[str, ...]:
            return ("us-east-1", "eu-west-1")

    def client_in(region: str) -> CloudFormationClient:
        asked.append(region)
        return cloudformation

    stub.add_response("describe_stack_resources", {"StackResources": [resource(StackName="shop")]}, ASKED)
    regions: Any = Regions()
    assert AccountStacks(regions, client_in).stack_in_own_region("orders-role") == "shop"
    assert asked == ["us-east-1"]


def test_without_the_regions_the_stack_of_a_permission_is_unread() -> None:
    """A guard that cannot be evaluated refuses."""
    unread = Unread("ec2:DescribeRegions", "UnauthorizedOperation", "no", denied=True)

    class Regions:
        def read(self) -> Unread:
            return unread

    regions: Any = Regions()
    assert AccountStacks(regions, lambda _region: pytest.fail("nothing is asked")).stack_in_own_region("s") is unread
