"""How long checks take when AWS throttles them, for several ways to retry: `make bench-throttling`.

Each execution environment has the readers, the checker and the clients of `check_invoke_policy`, and waits for real.
Only AWS is replaced: a handler of botocore's event `before-send` answers every attempt after 40 ms, and throttles
attempts on Lambda's API. The ways to retry are measured side by side, with the same seeds. The ratios are to what is
deployed.

- Shares: that many of the attempts are throttled, whatever the caller does.
- All attempts are throttled: how soon a check gives up.
- The limit of AWS: 15 calls a second for four environments together. More attempts are throttled.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, cast

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from permission_guard.aws.clients import CONFIG
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.organization import OrganizationReader
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.aws.readers.snapshots import StateReader
from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.checks.checker import Checker
from permission_guard.clock import utc_now
from permission_guard.iam import TrustSet
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.rules.invoke_policy import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.aws.readers.inventories import InventoryReader
    from permission_guard.model.state import Inventory
    from permission_guard.model.targets import RoleTarget

Run = Callable[[dict[str, Any]], list["Environment"]]
"""What makes checks with a way to retry, and returns the execution environments."""

DEPLOYED: Final[dict[str, Any]] = vars(CONFIG)["retries"]
WAYS: Final[dict[str, dict[str, Any]]] = {
    f"{mode} {attempts}": {"mode": mode, "total_max_attempts": attempts}
    for mode, attempts in (("adaptive", 7), ("adaptive", 4), ("standard", 7), ("standard", 5), ("standard", 4))
}
"""The ways to retry: the mode of botocore, and how many attempts a call has."""

SHARES: Final = (0, 5, 20, 50)
CHECKS: Final = 20
LATENCY: Final = 0.04
CALLS_A_SECOND: Final = 15
ENVIRONMENTS: Final = 4
TARGET: Final = FunctionTarget("aws", "us-east-1", "123456789012", "orders")
_POLICY: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "uploads",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": TARGET.arn,
            "Condition": {
                "StringEquals": {"AWS:SourceAccount": TARGET.account},
                "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::uploads"},
            },
        }
    ],
}
REPLIES: Final[dict[str, dict[str, Any]]] = {
    "GetFunctionConfiguration": {"FunctionName": TARGET.name, "Role": "arn:aws:iam::123456789012:role/orders"},
    "ListAliases": {"Aliases": [{"Name": "live", "FunctionVersion": "1"}]},
    "ListVersionsByFunction": {"Versions": [{"Version": "$LATEST"}, {"Version": "1"}]},
    "GetPolicy": {"Policy": json.dumps(_POLICY), "RevisionId": "1"},
    "ListFunctionUrlConfigs": {"FunctionUrlConfigs": []},
    "UpdateItem": {"Attributes": {"started": {"N": "1"}}},
    "TransactWriteItems": {},
    "Query": {"Items": []},
}
"""What AWS answers: a function with one version and one alias, each with a policy that has no defect."""


class NoInventories:
    """The inventories of an account without triggers: other services have limits of their own."""

    def read(self, _target: FunctionTarget, _not_before: float = 0.0) -> tuple[Inventory, ...]:
        """Return nothing."""
        return ()

    def bucket_exists(self, _arn: str, _not_before: float = 0.0) -> bool:
        """Return that every bucket exists."""
        return True


class NoUsers:
    """An index of roles without entries."""

    is_complete = True

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> dict[RoleTarget, tuple[FunctionTarget, ...]]:
        """Return no function for each role."""
        return dict.fromkeys(roles, ())


class Share:
    """Throttles a share of all attempts, in percent."""

    def __init__(self, percent: int, seed: int) -> None:
        self._percent = percent
        self._random = random.Random(seed)  # noqa: S311 - not for cryptography

    def __call__(self) -> bool:
        """Return whether an attempt is throttled."""
        return self._random.random() * 100 < self._percent


class Limit:
    """Throttles what exceeds a number of attempts a second, as a bucket of that many tokens does."""

    def __init__(self, a_second: int) -> None:
        self._a_second = a_second
        self._tokens = float(a_second)
        self._at = time.monotonic()
        self._lock = Lock()

    def __call__(self) -> bool:
        """Return whether an attempt is throttled."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._a_second, self._tokens + (now - self._at) * self._a_second)
            self._at = now
            if self._tokens < 1:
                return True
            self._tokens -= 1
            return False


class Body:
    """The body of a reply."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_options: Any) -> list[bytes]:
        """Return the content in one part."""
        return [self._content]


@dataclass
class Environment:
    """An execution environment: a checker with clients of its own."""

    retries: dict[str, Any]
    throttles: Callable[[], bool]
    attempts: int = 0
    throttled: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106 - AWS is not called
        clients = {name: self._client(session, name) for name in ("lambda", "iam", "dynamodb")}
        reader = StateReader(
            FunctionReader(clients["lambda"]),
            RoleReader(clients["iam"]),
            SourceReader(clients.__getitem__),
            lambda: cast("InventoryReader", NoInventories()),
            OrganizationReader(lambda: clients["organizations"], lambda: clients["iam"]),
        )
        rules = tuple(rule(TrustSet(frozenset())) for rule in RULES)
        table = FindingsTable(clients["dynamodb"], "findings")
        self._checker = Checker(Direction.INVOKE_POLICY, rules, reader, table, utc_now, users=NoUsers())

    def check(self, number: int) -> None:
        """Check one function, and measure it."""
        target = replace(TARGET, name=f"{TARGET.name}-{number}")
        start = time.monotonic()
        result = self._checker.check(target, self._checker.start(target))
        self.seconds.append(time.monotonic() - start)
        self.failed += bool(result.unread)

    def _client(self, session: boto3.Session, service: str) -> Any:
        config = CONFIG.merge(Config(retries=cast("Any", self.retries)))
        client: Any = session.client(service, region_name=TARGET.region, config=config)  # type: ignore[call-overload]
        client.meta.events.register("before-send", self._answer)
        return client

    def _answer(self, request: Any, event_name: str, **_more: Any) -> AWSResponse:
        time.sleep(LATENCY)
        _, service, operation = event_name.split(".")
        if service == "lambda":
            self.attempts += 1
            if self.throttles():
                self.throttled += 1
                return _reply(request, 429, {"message": "Rate exceeded"}, "TooManyRequestsException")
        return _reply(request, 200, REPLIES[operation])


def _reply(request: Any, status: int, body: dict[str, Any], error: str = "") -> AWSResponse:
    headers = HTTPHeaders.from_dict({"x-amzn-ErrorType": error} if error else {})
    return AWSResponse(request.url, status, headers, Body(json.dumps(body).encode()))


def of_share(percent: int, checks: int = CHECKS) -> Run:
    """Return what makes checks in one environment, with a share of the attempts throttled."""

    def run(retries: dict[str, Any]) -> list[Environment]:
        environment = Environment(retries, Share(percent, seed=percent))
        for number in range(checks):
            environment.check(number)
        return [environment]

    return run


def of_limit(retries: dict[str, Any]) -> list[Environment]:
    """Return environments after checks under one limit for all of them."""
    limit = Limit(CALLS_A_SECOND)
    environments = [Environment(retries, limit) for _ in range(ENVIRONMENTS)]

    def check_all(environment: Environment) -> None:
        for number in range(CHECKS):
            environment.check(number)

    with ThreadPoolExecutor(ENVIRONMENTS) as pool:
        list(pool.map(check_all, environments))
    return environments


def measure(title: str, run: Run) -> None:
    """Measure all ways to retry side by side, and print a line for each."""
    with ThreadPoolExecutor(len(WAYS)) as pool:
        measured = dict(zip(WAYS, pool.map(run, WAYS.values()), strict=True))
    base = next((_average(measured[name]) for name, retries in WAYS.items() if retries == DEPLOYED), 0.0)
    print(f"\n{title}\n{'':<14} s a check  ratio  longest   failed  calls a check  throttled")
    for name, environments in measured.items():
        seconds = [one for environment in environments for one in environment.seconds]
        attempts = sum(environment.attempts for environment in environments)
        throttled = sum(environment.throttled for environment in environments)
        failed = f"{sum(environment.failed for environment in environments)}/{len(seconds)}"
        ratio = f"{_average(environments) / base:.2f}" if base else ""
        print(
            f"{name:<14}{_average(environments):>10.2f}{ratio:>7}{max(seconds):>9.1f}{failed:>9}"
            f"{attempts / len(seconds):>15.1f}{throttled / attempts:>11.0%}",
            flush=True,
        )


def _average(environments: list[Environment]) -> float:
    seconds = [one for environment in environments for one in environment.seconds]
    return sum(seconds) / len(seconds)


def main() -> None:
    """Print a table for each share, for calls that are always throttled, and for the limit of AWS."""
    for percent in SHARES:
        measure(f"{percent} % of the attempts are throttled", of_share(percent))
    measure("all attempts are throttled", of_share(100, checks=1))
    measure(f"{ENVIRONMENTS} environments share {CALLS_A_SECOND} calls a second", of_limit)


if __name__ == "__main__":
    main()
