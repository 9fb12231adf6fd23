"""Delivers CloudTrail records to the default event bus, in order and off the request path.

One task empties one queue, so a call is never delayed or broken by its record. It runs on MiniStack's own event loop,
whose stores no other thread may change meanwhile. A record that cannot be delivered is printed to stderr and counted;
`GET /_sandbox/health` shows the count.
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
    """How records reach the bus: withheld while `hold`, `delay` seconds late, `copies` times each."""

    hold: bool = False
    delay: float = 0.0
    copies: int = 1


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    record: Record


class Trail:
    """Keeps the last records and hands each to the default event bus."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[int, Record]] = asyncio.Queue()
        self._life = 0
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
        """Keep a record and queue it for the bus; any thread may."""
        with self._numbering:
            self._count += 1
            self._kept.append(_Entry(self._count, record))
        self._loop.call_soon_threadsafe(self._queue.put_nowait, (self._life, record))

    def failed(self, what: str) -> None:
        """Count and print the exception at hand, of a record that could not be written or delivered."""
        self._failures += 1
        print(f"sandbox: the trail lost {what}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)

    def configure(self, changes: dict[str, Any]) -> Delivery:
        """Change how records are delivered; lifting `hold` releases what was withheld."""
        self._delivery = replace(self._delivery, **changes)
        if self._delivery.hold:
            self._released.clear()
        else:
            self._released.set()
        return self._delivery

    def since(self, number: int) -> dict[str, Any]:
        """Return the kept records numbered above `number`, oldest first, and the newest number."""
        with self._numbering:
            entries = [entry for entry in self._kept if entry.number > number]
            return {"last": self._count, "records": [entry.record for entry in entries]}

    def health(self) -> dict[str, Any]:
        """Return the counts and the present delivery settings."""
        counts = {"recorded": self._count, "delivered": self._delivered, "failures": self._failures}
        return {**counts, "delivery": asdict(self._delivery)}

    def reset(self) -> None:
        """Forget everything, count from zero, and deliver normally again."""
        self._life += 1  # what is still queued belongs to the past, and is dropped
        self._kept.clear()
        self._count = self._delivered = self._failures = 0
        self.configure(asdict(Delivery()))

    async def _run(self) -> None:
        while True:
            life, record = await self._queue.get()
            await self._released.wait()
            if life == self._life:
                await self._deliver(record)

    async def _deliver(self, record: Record) -> None:
        try:
            if self._delivery.delay:
                await asyncio.sleep(self._delivery.delay)
            for _ in range(self._delivery.copies):
                deliver(record)
        except Exception:  # noqa: BLE001 - whatever went wrong, the next record must still be delivered
            self.failed(f"{record.get('eventName')} {record.get('eventID')}")
        else:
            self._delivered += 1


def deliver(record: Record) -> None:
    """Put one record on the default bus of the account and region it belongs to."""
    with request_scope(record["recipientAccountId"], record["awsRegion"]):
        status, _, body = inside.put_events({"Entries": [to_bus_entry(record)]}, allow_aws_source=True)
    if status != 200 or json.loads(body)["FailedEntryCount"]:  # noqa: PLR2004 - HTTP OK
        raise RuntimeError(f"the event bus rejected the record: {body!r}")
