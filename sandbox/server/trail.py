"""Deliver CloudTrail records to the default event bus, in order and outside the requests.

One task delivers the records of one queue, so that a record cannot delay a call or make it fail. The task runs on
MiniStack's event loop, because no other thread may change MiniStack's stores. A record that cannot be delivered is
printed to stderr and counted. `GET /_sandbox/health` returns the count.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import traceback
from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import Any

from ministack.core.responses import request_scope

from sandbox.server import inside
from sandbox.server.records import Record, to_bus_entry

KEPT_RECORDS = 2_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of records: withheld while `hold` is true, `delay` seconds late, `copies` times each."""

    hold: bool = False
    delay: float = 0.0
    copies: int = 1


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    record: Record


class Trail:
    """Store the last records, and deliver each to the default event bus."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[int, Record]] = asyncio.Queue()
        self._generation = 0
        self._kept: deque[_Entry] = deque(maxlen=KEPT_RECORDS)
        self._released = asyncio.Event()
        self._released.set()
        self._delivery = Delivery()
        self._numbering = threading.Lock()
        self._count = 0
        self._delivered = 0
        self._failures = 0

    def start(self) -> None:
        """Start delivering, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run())

    def put(self, record: Record) -> None:
        """Store a record and queue it for the bus. Any thread may call this."""
        with self._numbering:
            self._count += 1
            self._kept.append(_Entry(self._count, record))
        self._loop.call_soon_threadsafe(self._queue.put_nowait, (self._generation, record))

    def failed(self, what: str) -> None:
        """Count and print the current exception, because of which a record was lost."""
        self._failures += 1
        print(f"sandbox: the trail lost {what}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)

    def configure(self, changes: dict[str, Any]) -> Delivery:
        """Change the delivery of records. `hold=False` delivers the withheld records."""
        self._delivery = replace(self._delivery, **changes)
        if self._delivery.hold:
            self._released.clear()
        else:
            self._released.set()
        return self._delivery

    def since(self, number: int) -> dict[str, Any]:
        """Return the stored records numbered above `number`, oldest first, and the newest number."""
        with self._numbering:
            entries = [entry for entry in self._kept if entry.number > number]
            return {"last": self._count, "records": [entry.record for entry in entries]}

    def health(self) -> dict[str, Any]:
        """Return the counts and the current delivery settings."""
        counts = {"recorded": self._count, "delivered": self._delivered, "failures": self._failures}
        return {**counts, "delivery": asdict(self._delivery)}

    def reset(self) -> None:
        """Remove all records, and reset the counts and the delivery settings."""
        self._generation += 1  # the queued records of the previous generation are dropped
        self._kept.clear()
        self._count = self._delivered = self._failures = 0
        self.configure(asdict(Delivery()))

    async def _run(self) -> None:
        while True:
            generation, record = await self._queue.get()
            await self._released.wait()
            if generation == self._generation:
                await self._deliver(record)

    async def _deliver(self, record: Record) -> None:
        try:
            if self._delivery.delay:
                await asyncio.sleep(self._delivery.delay)
            for _ in range(self._delivery.copies):
                deliver(record)
        except Exception:  # noqa: BLE001 - the next record must be delivered after any error
            self.failed(f"{record.get('eventName')} {record.get('eventID')}")
        else:
            self._delivered += 1


def deliver(record: Record) -> None:
    """Put one record on the default bus of its account and region."""
    with request_scope(record["recipientAccountId"], record["awsRegion"]):
        status, _, body = inside.put_events({"Entries": [to_bus_entry(record)]}, allow_aws_source=True)
    if status != 200 or json.loads(body)["FailedEntryCount"]:  # noqa: PLR2004 - HTTP OK
        raise RuntimeError(f"the event bus rejected the record: {body!r}")
