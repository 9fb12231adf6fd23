"""The deliveries table in memory, with a clock, for the tests of limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.quotas import QuotaTable
from permission_guard.aws.tables.waiting_for_digests import WaitingForDigestsTable
from permission_guard.config.document import AlertLimit
from permission_guard.delivery.alerts.waiting import WaitingSender
from permission_guard.delivery.limits import ChannelLimits
from tests.fakes import ACCOUNT, REGION
from tests.in_memory.aws import InMemoryAws
from tests.stack_tables import DELIVERIES_TABLE
from tests.unit.delivery.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.ledger import DeliveryResult
    from permission_guard.delivery.message import Message
    from permission_guard.model.digests import Digest

START: Final = datetime(2026, 11, 20, 9, tzinfo=UTC)
TABLE: Final = DELIVERIES_TABLE["TableName"]
COMMAND: Final = "permission-guard findings list --stack-name permission-guard --region us-east-1"


class TimedChannel(Channel):
    """A channel that keeps the times of its messages, too."""

    def __init__(self, deliveries: Deliveries, name: str = "sns", *failures: Exception) -> None:
        super().__init__(name, *failures)
        self.times: list[datetime] = []
        self._deliveries = deliveries

    def send(self, message: Message, reference: str | None) -> str | None:
        """Accept a message."""
        reference = super().send(message, reference)
        self.times.append(self._deliveries.now)
        return reference


class Deliveries:
    """The table, with what reads and writes it."""

    def __init__(self, limit: AlertLimit | None = None) -> None:
        self.now = START
        self.limit = limit or AlertLimit(messages=3, minutes=10)
        self.dynamodb: Any = InMemoryAws().client("dynamodb")
        self.dynamodb.create_table(**DELIVERIES_TABLE)
        client: Any = self.dynamodb
        self.ledger = DeliveryTable(client, TABLE)
        self.quota = QuotaTable(client, TABLE)
        self.waiting = WaitingForDigestsTable(client, TABLE, wait=lambda _seconds: None)
        self.digests: dict[str, Digest] = {}

    @property
    def limits(self) -> ChannelLimits:
        """The limits of the channels."""
        return ChannelLimits(self.limit, self.quota, self.waiting, lambda: self.now)

    def digest(self, digest_id: str) -> Digest | None:
        """Return a stored digest."""
        return self.digests.get(digest_id)

    def send_waiting(self, channel: AlertChannel, has_time: Callable[[], bool] = lambda: True) -> list[DeliveryResult]:
        """Send what waits for a channel while there is time."""
        sender = WaitingSender(
            self.limit,
            self.limits,
            self.ledger,
            self.waiting,
            self,
            account=ACCOUNT,
            region=REGION,
            command=COMMAND,
            has_time=has_time,
            clock=lambda: self.now,
        )
        return sender.send(channel)

    def later(self, **later: float) -> None:
        """Move the clock."""
        self.now += timedelta(**later)
