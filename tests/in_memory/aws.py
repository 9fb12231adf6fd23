"""The services in memory as one account, with a clock that tests move."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.fakes import ACCOUNT, REGION, SQS_POLICY, SQS_POLICY_ARN
from tests.in_memory.client import Client
from tests.in_memory.dynamodb import Tables
from tests.in_memory.dynamodb_streams import Streams
from tests.in_memory.events import EventBuses
from tests.in_memory.functions import Functions
from tests.in_memory.iam import Roles
from tests.in_memory.ops_items import OpsItems
from tests.in_memory.security_hub import SecurityHub
from tests.in_memory.sns import Topics
from tests.in_memory.sqs import Queues

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.in_memory.events import Event
    from tests.in_memory.service import Service

START: Final = 1_795_168_800.0


class InMemoryAws:
    """An account. `now` is in seconds since 1970."""

    def __init__(self) -> None:
        self.now = START
        place = (self._clock, ACCOUNT, REGION)
        self._queues, self._tables = Queues(*place), Tables()
        self._services: Mapping[str, Service] = {
            "dynamodb": self._tables,
            "dynamodbstreams": Streams(self._tables),
            "events": EventBuses(*place, deliver=self._deliver),
            "iam": Roles(self._clock, ACCOUNT, {SQS_POLICY_ARN: SQS_POLICY}),
            "lambda": Functions(*place),
            "securityhub": SecurityHub(),
            "sns": Topics(*place, send=self._send),
            "sqs": self._queues,
            "ssm": OpsItems(),
        }

    def client(self, service: str) -> Client:
        """Return a client of a service."""
        return Client(service, self._answer)

    def pass_time(self, seconds: float) -> None:
        """Move the clock. TTL deletes at once what expires."""
        self.now += seconds
        for table in self._tables.tables:
            self._tables.expire(table, self.now)

    def _clock(self) -> float:
        return self.now

    def _answer(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        return self._services[service].answer(operation, params)

    def _deliver(self, target: str, event: Event) -> None:
        self._send(target, json.dumps(event))

    def _send(self, queue_arn: str, body: str) -> None:
        self._queues.send(self._queues.queues[queue_arn.rpartition(":")[2]], body)
