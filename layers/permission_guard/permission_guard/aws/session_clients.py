"""The boto3 clients of one session and region, with the limits of a scan."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from permission_guard.aws.clients import CONFIG
from permission_guard.aws.rates import MARGIN, Rate, Rates
from permission_guard.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Session = boto3.Session

LAMBDA: Final = "lambda"
GET_POLICY: Final = "lambda.GetPolicy"

LIMITS: Final[Mapping[str, float]] = {
    "api-gateway": 10.0,
    "api-gateway.GetResources": 2.5,
    "cloudwatch-logs.DescribeSubscriptionFilters": 5.0,
}
"""AWS's limits of other services' calls that cannot be raised, a second. The names are those of botocore's events.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
"""

_ATTEMPTS: Final = 8


def rates_of(
    policy_rate: float | None,
    rate: float | None,
    wait: Callable[[float], bool],
    clock: Callable[[], float] = time.monotonic,
) -> Rates:
    """Return the limits of an account and region.

    `policy_rate` is the limit of GetPolicy and `rate` that of all other calls of Lambda's control plane. Calls without
    a limit are counted, and end when `wait` says that the scan is stopped.
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    limits = {GET_POLICY: policy_rate, LAMBDA: rate, **LIMITS}
    made = {name: Rate(_shown(name), _below(limit), wait, clock) for name, limit in limits.items()}
    return Rates(made, Rate("other services", None, wait, clock), shared=["api-gateway.GetResources"])


def _below(limit: float | None) -> float | None:
    """Return a rate below a limit of AWS, so that calls that arrive a little earlier are not throttled."""
    return None if limit is None else limit - min(MARGIN, limit / 10)


def _shown(name: str) -> str:
    """Return the name of a limit as IAM's actions name the service."""
    service, _, operation = name.partition(".")
    prefix = {"api-gateway": "apigateway", "cloudwatch-logs": "logs"}.get(service, service)
    return f"{prefix}:{operation}" if operation else prefix


class SessionClients:
    """Creates each client once. Safe for threads.

    Lambda's calls are retried in the mode `standard`, because `rates` slow them down; those of other services in the
    mode `adaptive`, because AWS does not publish their limits.
    """

    def __init__(self, session: Session, region: str, rates: Rates, connections: int) -> None:
        self._session = session
        self._region = region
        self._rates = rates
        self._connections = connections
        self._lock = Lock()
        self._made: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return the client of a service. ConfigurationError if boto3 cannot create it."""
        with self._lock:
            if service not in self._made:
                self._made[service] = self._create(service)
            return self._made[service]

    def _create(self, service: str) -> Any:
        if service == LAMBDA:
            retries = Config(retries={"mode": "standard", "total_max_attempts": _ATTEMPTS})
        else:
            retries = Config(retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS})
        config = CONFIG.merge(retries).merge(Config(max_pool_connections=self._connections))
        try:
            client = self._session.client(service, region_name=self._region, config=config)  # type: ignore[call-overload]
        except (BotoCoreError, ValueError) as error:
            message = f"boto3 cannot create a client for {service} in {self._region}: {error}"
            raise ConfigurationError(message) from error
        self._rates.attach(client)
        return client
