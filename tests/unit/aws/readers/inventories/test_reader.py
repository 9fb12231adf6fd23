"""The reader: services are read in parallel, within a time limit, and cached."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, get_ident
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from permission_guard.aws.readers.inventories import InventoryReader
from permission_guard.aws.readers.inventories.services import SERVICES
from permission_guard.model.state import Unread
from permission_guard.model.targets import FunctionTarget
from tests.fakes import ACCOUNT, OTHER, TARGET
from tests.unit.aws.readers.inventories.conftest import FUNCTION, Account

if TYPE_CHECKING:
    from permission_guard.model.state import Inventory

BUCKET = "arn:aws:s3:::uploads"
PATIENCE = 10.0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


@pytest.fixture
def reader(account: Account, clock: Clock) -> InventoryReader:
    """Return the reader under test."""
    return InventoryReader(account.client, clock)


def named(found: tuple[Inventory, ...], name: str) -> Inventory:
    """Return the inventory of a service."""
    return next(inventory for inventory in found if inventory.name == name)


def buckets(account: Account, count: int) -> None:
    """Give the account buckets that all notify the function."""
    account.say("s3", "list_buckets", {"Buckets": [{"Name": f"bucket-{number}"} for number in range(count)]})
    notification = {"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"]}
    account.say("s3", "get_bucket_notification_configuration", {"LambdaFunctionConfigurations": [notification]})


# ── Cache ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cache_is_shared_by_all_functions_of_the_account(
    account: Account, reader: InventoryReader, clock: Clock
) -> None:
    """A sweep checks hundreds of functions."""
    first = reader.read(TARGET)
    asked = len(account.asked)
    clock.now += 299
    assert reader.read(OTHER) == first
    assert len(account.asked) == asked


def test_an_expired_inventory_is_read_again(account: Account, reader: InventoryReader, clock: Clock) -> None:
    """Buckets may have changed after five minutes."""
    assert named(reader.read(TARGET), "s3").sources == frozenset()
    buckets(account, 1)
    clock.now += 300
    assert named(reader.read(TARGET), "s3").sources == frozenset({"arn:aws:s3:::bucket-0"})


def test_an_inventory_older_than_the_request_is_read_again(
    account: Account, reader: InventoryReader, clock: Clock
) -> None:
    """A check must not use state from before its request."""
    reader.read(TARGET)
    buckets(account, 1)
    clock.now += 1
    assert named(reader.read(TARGET, not_before=clock.now), "s3").sources == frozenset({"arn:aws:s3:::bucket-0"})
    asked = len(account.asked)
    clock.now += 1
    reader.read(TARGET, not_before=clock.now - 1)
    assert len(account.asked) == asked


def test_a_failed_read_is_not_repeated_within_a_minute(account: Account, reader: InventoryReader, clock: Clock) -> None:
    """A denied call would be denied for the next function too. The other services stay cached."""
    account.fail("s3", "list_buckets", "AccessDenied", 403)
    reader.read(TARGET)
    asked = len(account.asked)
    clock.now += 59
    assert isinstance(named(reader.read(TARGET), "s3").sources, Unread)
    assert len(account.asked) == asked
    clock.now += 1
    reader.read(TARGET)
    assert account.asked[asked:] == [("s3", "list_buckets", {"MaxBuckets": 1000})]


@pytest.mark.parametrize(("code", "read_again"), [("SlowDown", True), ("AccessDenied", False)])
def test_a_source_that_was_throttled_is_read_again_soon(
    account: Account, reader: InventoryReader, clock: Clock, code: str, read_again: bool
) -> None:
    """A denied source, such as by a bucket policy, would be denied again."""
    buckets(account, 1)
    account.fail("s3", "get_bucket_notification_configuration", code)
    reader.read(TARGET)
    asked = len(account.asked)
    clock.now += 60
    reader.read(TARGET)
    assert (len(account.asked) > asked) is read_again


def test_two_threads_share_one_read(account: Account, reader: InventoryReader) -> None:
    """The second thread waits for the first."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(reader.read, (TARGET, OTHER))
    assert first == second
    assert account.operations("s3") == ["list_buckets"]


def test_another_account_is_another_inventory(account: Account, reader: InventoryReader) -> None:
    """The command line may check several accounts."""
    reader.read(TARGET)
    reader.read(replace(TARGET, account="111122223333"))
    assert account.operations("s3") == ["list_buckets"] * 2


# ── In parallel ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_services_are_read_in_parallel(account: Account, reader: InventoryReader) -> None:
    """The read takes as long as the slowest service, not as all of them together."""
    together = Barrier(len(SERVICES))
    run = set[str]()

    def wait(service: str, _operation: str) -> None:
        if service not in run:
            run.add(service)
            together.wait(PATIENCE)

    account.before = wait
    reader.read(TARGET)
    assert run == {service.name for service in SERVICES}


def test_the_sources_of_a_service_are_read_in_parallel(account: Account, reader: InventoryReader) -> None:
    """An account may have a thousand buckets."""
    buckets(account, 8)
    together = Barrier(8)

    def wait(_service: str, operation: str) -> None:
        if operation == "get_bucket_notification_configuration":
            together.wait(PATIENCE)

    account.before = wait
    assert len(named(reader.read(TARGET), "s3").triggers) == 8


def test_clients_are_created_one_at_a_time(account: Account) -> None:
    """Creating boto3 clients is not thread-safe; using them is."""
    made: list[tuple[str, int]] = []

    def client(service: str) -> Any:
        made.append((service, get_ident()))
        return account.client(service)

    InventoryReader(client).read(TARGET)
    assert made == [(service.name, get_ident()) for service in SERVICES]


# ── Time limit ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_sources_not_read_within_the_time_limit_are_unread(
    account: Account, reader: InventoryReader, clock: Clock
) -> None:
    """Triggers read until then are kept, and all sources are known."""
    buckets(account, 100)

    def work(_service: str, operation: str) -> None:
        if operation == "get_bucket_notification_configuration":
            clock.now += 1

    account.before = work
    inventory = named(reader.read(TARGET), "s3")
    assert not isinstance(inventory.sources, Unread)
    assert len(inventory.sources) == 100
    assert len(inventory.triggers) + len(inventory.unread) == 100
    assert 20 <= len(inventory.triggers) <= 20 + 8
    unread = inventory.unread["arn:aws:s3:::bucket-99"]
    assert (unread.action, unread.code, unread.denied) == ("s3:GetBucketNotification", "TimeLimit", True)


def test_a_list_not_read_within_the_time_limit_is_unread(
    account: Account, reader: InventoryReader, clock: Clock
) -> None:
    """A partial list would report the rest as deleted. An early retry would fail again."""
    page = {"Buckets": [{"Name": "bucket"}], "ContinuationToken": "more"}

    def work(service: str, _operation: str) -> None:
        if service == "s3":
            clock.now += 5
            account.say("s3", "list_buckets", {**page, "ContinuationToken": f"more-{clock.now}"})

    account.say("s3", "list_buckets", page)
    account.before = work
    sources = named(reader.read(TARGET), "s3").sources
    assert isinstance(sources, Unread)
    assert (sources.action, sources.code, sources.denied) == ("s3:ListAllMyBuckets", "TimeLimit", True)
    asked = len(account.operations("s3"))
    clock.now += 100
    reader.read(TARGET)
    assert len(account.operations("s3")) == asked


# ── Regions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("partition", "region", "missing"),
    [
        ("aws", "us-east-1", set()),
        ("aws", "ca-west-1", {"iot"}),
        ("aws-cn", "cn-north-1", {"cognito-idp"}),
        ("aws", "xx-nowhere-1", set()),
    ],
)
def test_a_service_missing_in_the_region_is_empty(partition: str, region: str, missing: set[str]) -> None:
    """The region has no endpoint for it. A region unknown to botocore may have all services."""
    account = Account(region)
    found = InventoryReader(account.client).read(FunctionTarget(partition, region, ACCOUNT, "orders"))
    assert {inventory.name for inventory in found if not isinstance(inventory.sources, Unread)} == {
        service.name for service in SERVICES
    }
    assert {service.name for service in SERVICES} - {service for service, _, _ in account.asked} == missing


def test_arns_have_the_partition_of_the_account(account: Account) -> None:
    """China is a partition of its own."""
    account.say("s3", "list_buckets", {"Buckets": [{"Name": "uploads"}]})
    target = FunctionTarget("aws-cn", "cn-north-1", ACCOUNT, "orders")
    assert named(InventoryReader(account.client).read(target), "s3").sources == frozenset({"arn:aws-cn:s3:::uploads"})


# ── Foreign buckets ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bucket_that_answers_exists(account: Account, reader: InventoryReader) -> None:
    """HeadBucket takes the name of the bucket."""
    assert reader.bucket_exists(BUCKET) is True
    assert account.asked == [("s3", "head_bucket", {"Bucket": "uploads"})]


@pytest.mark.parametrize(
    ("code", "exists"), [("301", True), ("400", True), ("403", True), ("404", False), ("NoSuchBucket", False)]
)
def test_a_denied_head_request_means_that_the_bucket_exists(
    account: Account, reader: InventoryReader, code: str, exists: bool
) -> None:
    """The reply to a HEAD request has no body: the status is the error code."""
    account.fail("s3", "head_bucket", code, 404)
    assert reader.bucket_exists(BUCKET) is exists


def test_a_bucket_whose_head_request_fails_is_unread(account: Account, reader: InventoryReader) -> None:
    """The failure does not say whether the bucket exists."""
    account.fail("s3", "head_bucket", "503", 503)
    assert reader.bucket_exists(BUCKET) == Unread("s3:HeadBucket", "503", "no", denied=False)

    def fail(_service: str, _operation: str) -> None:
        raise ConnectTimeoutError(endpoint_url="https://nowhere.invalid")

    account.before = fail
    unread = reader.bucket_exists("arn:aws:s3:::another")
    assert isinstance(unread, Unread)
    assert unread.code == "ConnectTimeoutError"


@pytest.mark.parametrize(("code", "seconds"), [("404", 300), ("503", 60)])
def test_the_existence_of_a_bucket_is_cached(
    account: Account, reader: InventoryReader, clock: Clock, code: str, seconds: int
) -> None:
    """Failures are cached for less time."""
    account.fail("s3", "head_bucket", code, int(code))
    for wait, asked in ((0, 1), (seconds - 1, 1), (1, 2)):
        clock.now += wait
        reader.bucket_exists(BUCKET)
        assert len(account.asked) == asked
    reader.bucket_exists(BUCKET, not_before=clock.now + 1)
    assert len(account.asked) == 3
