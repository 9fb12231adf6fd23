"""What the contracts are tested with: the services in memory, moto, and MiniStack in the sandbox."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox.client.process import poll
from tests.fakes import ACCOUNT, REGION
from tests.in_memory.aws import InMemoryAws

if TYPE_CHECKING:
    from collections.abc import Callable

    import time_machine

    from sandbox.client.process import Sandbox

    T = TypeVar("T")

WITHIN = 3.0
"""The seconds within which something must happen that takes a second or two."""
_STEP = 0.25


class Aws(Protocol):
    """An implementation of AWS."""

    def client(self, service: str) -> Any:
        """Return a client of a service."""

    def now(self) -> int:
        """Return the time, in seconds since 1970."""

    def eventually(self, probe: Callable[[], T | None], within: float = WITHIN) -> T:
        """Return the first truthy result of `probe`, while time goes on. TimeoutError after `within` seconds."""


class InMemory:
    """The services in memory; time goes on by itself."""

    def __init__(self) -> None:
        self._account = InMemoryAws()
        self.client = self._account.client

    def now(self) -> int:
        """Return the time of the account."""
        return int(self._account.now)

    def eventually(self, probe: Callable[[], T | None], within: float = WITHIN) -> T:
        """Move the clock until `probe` has a result."""
        return _while_moving(self._account.pass_time, probe, within)


class _OfThisProcess:
    def now(self) -> int:
        """Return the time of this process."""
        return int(time.time())


class Moto(_OfThisProcess):
    """moto; `traveller` moves the clock of the process. The clients are made once."""

    def __init__(self, clients: dict[str, Any], traveller: time_machine.Traveller) -> None:
        self._clients, self._traveller = clients, traveller

    def client(self, service: str) -> Any:
        """Return a client of a service."""
        if service not in self._clients:
            keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
            self._clients[service] = boto3.client(service, region_name=REGION, **keys)  # type: ignore[call-overload]
        return self._clients[service]

    def eventually(self, probe: Callable[[], T | None], within: float = WITHIN) -> T:
        """Move the clock until `probe` has a result."""
        return _while_moving(self._traveller.shift, probe, within)


class MiniStack(_OfThisProcess):
    """The sandbox; time goes on for everyone."""

    def __init__(self, clients: dict[str, Any], sandbox: Sandbox) -> None:
        self._clients, self._sandbox = clients, sandbox

    def client(self, service: str) -> Any:
        """Return a client of a service."""
        if service not in self._clients:
            self._clients[service] = self._sandbox.client(service)
        return self._clients[service]

    def eventually(self, probe: Callable[[], T | None], within: float = WITHIN) -> T:
        """Wait until `probe` has a result."""
        return poll(probe, deadline=within, what="expected result")


def queue_for(aws: Aws, service: str, source: str) -> tuple[str, str]:
    """Make a queue to which a service may send for one resource; return its URL and its ARN."""
    name = unique("queue")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return aws.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"], arn


def unique(name: str) -> str:
    """Return a name that no other test uses."""
    return f"{name}-{uuid.uuid4().hex[:10]}"


def _while_moving(move: Callable[[float], None], probe: Callable[[], T | None], within: float) -> T:
    passed = 0.0
    while not (found := probe()):
        if passed > within:
            raise TimeoutError(f"no expected result after {within:g} s")
        move(_STEP)
        passed += _STEP
    return found


def error_of(call: Callable[..., Any], **params: Any) -> dict[str, Any]:
    """Return the reply with which a call is rejected."""
    with pytest.raises(ClientError) as rejected:
        call(**params)
    reply: dict[str, Any] = dict(rejected.value.response)
    return reply


def code_of(call: Callable[..., Any], **params: Any) -> str:
    """Return the error code with which a call is rejected."""
    code: str = error_of(call, **params)["Error"]["Code"]
    return code
