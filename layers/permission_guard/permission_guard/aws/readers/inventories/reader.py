"""Read all inventories at once, within a time, and remember them for a while."""

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
    from collections.abc import Callable

    from permission_guard.aws.readers.inventories.base import InvokingService
    from permission_guard.model.targets import FunctionTarget

T = TypeVar("T")

_THREADS = 8
_FAILURE_SECONDS = 60.0

# HEAD has no body: the status is all that S3 says, and of a bucket that exists it tells strangers no more than that.
_OF_A_BUCKET = {"301": True, "400": True, "403": True, "404": False}


@record
class _Kept(Generic[T]):
    """What was read, when that began, and for how many seconds it serves."""

    value: T
    read_at: float
    seconds: float

    def serves(self, now: float, not_before: float) -> bool:
        return self.read_at >= not_before and now - self.read_at < self.seconds


class InventoryReader:
    """What is set up to invoke functions. Make one for each execution environment: it remembers.

    `client` makes the client of a service. An inventory serves for `max_age_seconds`, one that failed for a minute at
    most, so that what is denied or throttled is not asked for again with every function. No call is begun once a
    service had its `max_seconds`: what was not reached by then is Unread.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        clock: Callable[[], float] = time.time,
        max_age_seconds: float = 300,
        max_seconds: float = 20,
    ) -> None:
        self._client = client
        self._clock = clock
        self._max_age = max_age_seconds
        self._max_seconds = max_seconds
        self._lock = Lock()
        self._inventories: dict[tuple[str, str, str, str], _Kept[Inventory]] = {}
        self._buckets: dict[str, _Kept[bool | Unread]] = {}

    def read(self, target: FunctionTarget, not_before: float = 0.0) -> tuple[Inventory, ...]:
        """Return the inventory of every service in the account and region of a function; what fails is Unread.

        None was read before `not_before`, in seconds since 1970.
        """
        keys = {(target.partition, target.region, target.account, service.name): service for service in SERVICES}
        with self._lock:
            now = self._clock()
            stale = {
                key: service
                for key, service in keys.items()
                if key not in self._inventories or not self._inventories[key].serves(now, not_before)
            }
            for key, inventory in zip(stale, self._walk_all(list(stale.values()), target), strict=True):
                self._inventories[key] = _Kept(inventory, now, self._serves_for(inventory))
            return tuple(self._inventories[key].value for key in keys)

    def bucket_exists(self, arn: str, not_before: float = 0.0) -> bool | Unread:
        """Tell whether anybody has a bucket; it takes no permission, since a refusal says that it exists.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
        """
        now = self._clock()
        kept = self._buckets.get(arn)
        if kept is None or not kept.serves(now, not_before):
            answer = self._head_bucket(arn.rpartition(":")[2])
            kept = _Kept(answer, now, self._failed_for() if isinstance(answer, Unread) else self._max_age)
            self._buckets[arn] = kept
        return kept.value

    def _head_bucket(self, name: str) -> bool | Unread:
        reply = attempt("s3:HeadBucket", lambda: bool(self._client("s3").head_bucket(Bucket=name)))
        if isinstance(reply, Unread):
            return _OF_A_BUCKET.get(reply.code, reply)
        return reply is not None

    def _walk_all(self, services: list[InvokingService], target: FunctionTarget) -> list[Inventory]:
        if not services:
            return []
        # boto3 makes clients in one thread at a time; once made, they serve many.
        clients = [self._client(service.name) for service in services]
        with ThreadPoolExecutor(len(services)) as pool:
            return list(pool.map(self._walk, services, clients, [target] * len(services)))

    def _walk(self, service: InvokingService, client: Any, target: FunctionTarget) -> Inventory:
        if not _is_offered(client.meta.service_model.endpoint_prefix, target):
            return Inventory(service.name, service.principal, frozenset())
        deadline = self._clock() + self._max_seconds
        with ThreadPoolExecutor(_THREADS) as pool:
            walk = Walk(client, service, target, pool, lambda: self._clock() >= deadline)
            reply = attempt(service.actions[0], lambda: service.read(walk))
        return reply if isinstance(reply, Inventory) else walk.inventory(reply or ())

    def _serves_for(self, inventory: Inventory) -> float:
        """Return for how long an inventory serves; more time would not help one that ran out of it."""
        failed = isinstance(inventory.sources, Unread) and inventory.sources.code != TIME_LIMIT
        if failed or not all(unread.denied for unread in inventory.unread.values()):
            return self._failed_for()
        return self._max_age

    def _failed_for(self) -> float:
        return min(_FAILURE_SECONDS, self._max_age)


def _is_offered(endpoint_prefix: str, target: FunctionTarget) -> bool:
    """Tell whether a service is there, as far as botocore knows the region."""
    regions = _regions_of(endpoint_prefix, target.partition)
    return target.region in regions or target.region not in _regions_of("lambda", target.partition)


@cache
def _regions_of(endpoint_prefix: str, partition: str) -> frozenset[str]:
    return frozenset(_endpoints().get_available_endpoints(endpoint_prefix, partition))


@cache
def _endpoints() -> EndpointResolver:
    # Session.get_available_regions would read the model of each service again, for the name that its client knows.
    return EndpointResolver(get_session().get_data("endpoints"))
