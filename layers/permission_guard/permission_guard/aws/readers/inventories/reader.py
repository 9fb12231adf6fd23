"""Read all inventories at once, within a time limit, and cache them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from botocore.regions import EndpointResolver
from botocore.session import get_session

from permission_guard.aws.readers.inventories.base import TIME_LIMIT, Walk, attempt
from permission_guard.aws.readers.inventories.services import SERVICES
from permission_guard.model.state import Inventory, Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from permission_guard.aws.readers.inventories.base import InvokingService
    from permission_guard.model.targets import FunctionTarget

T = TypeVar("T")

_THREADS = 8
_FAILURE_SECONDS = 60.0

# HeadBucket has no body, so the status code is the only answer. Status 403 means that the bucket exists.
_EXISTS_BY_STATUS = {"301": True, "400": True, "403": True, "404": False}


@record
class _Cached(Generic[T]):
    """A value, when reading it started, and for how many seconds it is valid."""

    value: T
    read_at: float
    seconds: float

    def is_valid(self, now: float, not_before: float) -> bool:
        return self.read_at >= not_before and now - self.read_at < self.seconds


class InventoryReader:
    """Reads what is set up to invoke functions, and caches it. Make one for each execution environment.

    `client` returns the boto3 client of a service, and `pool` a number of threads. An inventory is valid for
    `max_age_seconds`. One that failed is valid for at most a minute, so that a denied or throttled call is not repeated
    for every function. After `max_seconds` for one service no call is started, and the rest is Unread. `services` are
    those that are read, and `actions` the IAM actions of the calls that are made, None for all.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        clock: Callable[[], float] = time.time,
        max_age_seconds: float = 300,
        max_seconds: float = 20,
        pool: Callable[[int], Executor] = ThreadPoolExecutor,
        *,
        services: Sequence[InvokingService] = SERVICES,
        actions: frozenset[str] | None = None,
    ) -> None:
        self._client = client
        self._services = services
        self._actions = actions
        self._pool = pool
        self._clock = clock
        self._max_age = max_age_seconds
        self._max_seconds = max_seconds
        self._lock = Lock()
        self._inventories: dict[tuple[str, str, str, str], _Cached[Inventory]] = {}
        self._buckets: dict[str, _Cached[bool | Unread]] = {}

    def read(self, target: FunctionTarget, not_before: float = 0.0) -> tuple[Inventory, ...]:
        """Return the inventory of every service in the account and region of a function. What fails is Unread.

        Each was read after `not_before`, in seconds since 1970.
        """
        keys = {(target.partition, target.region, target.account, service.name): service for service in self._services}
        with self._lock:
            now = self._clock()
            stale = {
                key: service
                for key, service in keys.items()
                if key not in self._inventories or not self._inventories[key].is_valid(now, not_before)
            }
            for key, inventory in zip(stale, self._walk_all(list(stale.values()), target), strict=True):
                self._inventories[key] = _Cached(inventory, now, self._valid_seconds(inventory))
            return tuple(self._inventories[key].value for key in keys)

    def bucket_exists(self, arn: str, not_before: float = 0.0) -> bool | Unread:
        """Return whether a bucket exists, in any account. No permission is needed: access denied means that it exists.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
        """
        now = self._clock()
        cached = self._buckets.get(arn)
        if cached is None or not cached.is_valid(now, not_before):
            answer = self._head_bucket(arn.rpartition(":")[2])
            cached = _Cached(answer, now, self._failed_seconds() if isinstance(answer, Unread) else self._max_age)
            self._buckets[arn] = cached
        return cached.value

    def _head_bucket(self, name: str) -> bool | Unread:
        reply = attempt("s3:HeadBucket", lambda: bool(self._client("s3").head_bucket(Bucket=name)))
        if isinstance(reply, Unread):
            return _EXISTS_BY_STATUS.get(reply.code, reply)
        return reply is not None

    def _walk_all(self, services: list[InvokingService], target: FunctionTarget) -> list[Inventory]:
        if not services:
            return []
        # boto3 clients are thread-safe, but creating them is not.
        clients = [self._client(service.name) for service in services]
        with self._pool(len(services)) as pool:
            return list(pool.map(self._walk, services, clients, [target] * len(services)))

    def _walk(self, service: InvokingService, client: Any, target: FunctionTarget) -> Inventory:
        if not _is_offered(client.meta.service_model.endpoint_prefix, target):
            return Inventory(service.name, service.principal, frozenset())
        deadline = self._clock() + self._max_seconds
        with self._pool(_THREADS) as pool:
            walk = Walk(client, service, target, pool, lambda: self._clock() >= deadline, self._actions)
            reply = attempt(service.actions[0], lambda: service.read(walk))
        return reply if isinstance(reply, Inventory) else walk.inventory(reply or ())

    def _valid_seconds(self, inventory: Inventory) -> float:
        """Return for how many seconds an inventory is valid. Another read would reach the time limit again."""
        failed = isinstance(inventory.sources, Unread) and inventory.sources.code != TIME_LIMIT
        if failed or not all(unread.denied for unread in inventory.unread.values()):
            return self._failed_seconds()
        return self._max_age

    def _failed_seconds(self) -> float:
        return min(_FAILURE_SECONDS, self._max_age)


def _is_offered(endpoint_prefix: str, target: FunctionTarget) -> bool:
    """Return whether a region offers a service. Regions that botocore does not know offer all."""
    regions = _regions_of(endpoint_prefix, target.partition)
    return target.region in regions or target.region not in _regions_of("lambda", target.partition)


@cache
def _regions_of(endpoint_prefix: str, partition: str) -> frozenset[str]:
    return frozenset(_endpoints().get_available_endpoints(endpoint_prefix, partition))


@cache
def _endpoints() -> EndpointResolver:
    # Session.get_available_regions would load each service model again, only for the endpoint prefix.
    return EndpointResolver(get_session().get_data("endpoints"))
