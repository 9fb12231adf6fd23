"""How everything reaches a function: events over the rules of EventBridge and a queue, records over the table's stream.

What happens when, and how often, is decided by the seed. The world invokes the function.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from permission_guard.bus.events import SOURCE
from permission_guard.model.findings import Status
from tests.in_memory.sqs import Message
from tests.simulation.stream import Shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.in_memory.sqs import Queue
    from tests.simulation.stack import Poller
    from tests.simulation.world import World

_LATE: Final = (0.0, 0.0, 1.0, 20.0, 90.0)
_DELAYS: Final = (_LATE, _LATE, (0.0,))
"""How late events come, in a seed."""
_STREAM_DELAYS: Final = (0.0, 0.0, 0.0, 5.0, 90.0)
_DUPLICATES: Final = (0.02, 0.02, 0.3)
"""How often a queue delivers a message to two invocations at the same time, in a seed."""
_SHARDS: Final = 2


class Transport:
    """Carries events, messages and records to the functions of a world. `dropped` counts the events that are lost."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.shards = [Shard() for _ in range(_SHARDS)]
        self.dropped = 0
        self.on_delivery: Callable[[Callable[[], object]], object] = lambda _again: None
        """Gets what delivers an event to a queue, a message of a function, or a batch of the stream once more."""
        self._delays: tuple[float, ...] = world.choices.pick("delays", _DELAYS)
        self._duplicates: float = world.choices.pick("duplicates", _DUPLICATES)

    # ── What happens next ───────────────────────────────────────────────────────────────────────────────────────────

    def possible(self) -> Iterator[Callable[[], None]]:
        """Yield what invokes a function now: of each queue with a visible message, and of each shard with records."""
        world = self._world
        for poller in world.stack.pollers:
            busy = sum(one.words.startswith(f"{poller.function} of {poller.queue}") for one in world.running)
            if busy < poller.concurrency and world.queues.queues[poller.queue].visible(world.now):
                yield partial(self._poll, poller)
        for shard in self.shards:
            if shard.is_waiting and shard.readable_at <= world.now:
                yield partial(self._read_stream, shard)

    def times(self) -> Iterator[float]:
        """Yield when something else will be possible, in seconds since 1970."""
        for shard in self.shards:
            if shard.is_waiting:
                yield shard.readable_at
        for poller in self._world.stack.pollers:
            for message in self._world.queues.queues[poller.queue].messages.values():
                yield message.visible_at

    # ── From the account and the bus to the queues ──────────────────────────────────────────────────────────────────

    def trail(self, event: dict[str, Any]) -> None:
        """Deliver the event of a change of the account: at least once, in any order, or not at all."""
        world, detail = self._world, event["detail"]
        world.tell(f"{detail['eventName']} {json.dumps(detail['requestParameters'])[:160]}")
        if world.choices.happens("drop", 0.01):
            self.dropped += 1
            world.tell("its event is lost")
            return
        world.buses.put("default", event)

    def deliver(self, target: str, event: Mapping[str, Any]) -> None:
        """Let an event reach the queue of a rule: at least once, after a delay."""
        world, name, body = self._world, target.rpartition(":")[2], json.dumps(event)
        if event["source"] == SOURCE and self._is_lost(event):
            world.tell(f"{event['detail-type']} ({event['id']}) is lost on the way to {name}")
            return
        for _ in range(2 if world.choices.happens("duplicate event", 0.05) else 1):
            delay = world.choices.pick("event delay", self._delays)
            words = f"{event['detail-type']} ({event['id']}) reaches {name}"
            world.later(delay, words, partial(self._enqueue, world.queues.queues[name], body))

    def _is_lost(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event of the bus does not reach a queue. The sweep makes up for those of open findings."""
        world, detail = self._world, event["detail"]
        if detail["status"] != Status.OPEN or not world.choices.happens("lose event", world.faults.lost_event):
            return False
        self.dropped += 1
        world.seen.lost.add((detail["id"], detail["revision"]))
        return True

    def _enqueue(self, queue: Queue, body: str) -> None:
        self._world.queues.send(queue, body)
        self.on_delivery(partial(self._enqueue, queue, body))

    # ── From the queues to the functions ────────────────────────────────────────────────────────────────────────────

    def _poll(self, poller: Poller) -> None:
        """Invoke a function with a batch of messages."""
        queue = self._world.queues.queues[poller.queue]
        batch = self._receive(poller, queue)
        if not batch:
            return
        receipts = {message.id: message.receipt for message in batch}
        event = {
            "Records": [
                {
                    "messageId": message.id,
                    "body": message.body,
                    "attributes": {"ApproximateReceiveCount": str(message.times_received)},
                }
                for message in batch
            ]
        }
        words = f"{poller.function} of {poller.queue} ({', '.join(receipts)})"
        self._world.invoke(poller.function, event, partial(self._end, queue, receipts, words), words)

    def _receive(self, poller: Poller, queue: Queue) -> list[Message]:
        """Receive some of the messages that are visible."""
        world, batch = self._world, list[Message]()
        visible = queue.visible(world.now)
        most = min(poller.batch_size, world.choices.pick("batch", (poller.batch_size, 1, 2, 3)))
        while visible and len(batch) < most:
            message = visible.pop(world.choices.pick("message", range(len(visible))))
            received = queue.receive(message, world.now)
            if received is None:
                world.tell(f"{poller.queue}: {message.id} becomes a dead letter")
            else:
                batch.append(received)
                if world.choices.happens("two receivers", self._duplicates):
                    received.visible_at = world.now
        return batch

    def _end(self, queue: Queue, receipts: Mapping[str, str], words: str, result: dict[str, Any] | None) -> None:
        """Delete the messages that an invocation handled. Those that failed become visible again."""
        world = self._world
        failed = None if result is None else {one["itemIdentifier"] for one in result["batchItemFailures"]}
        if failed:
            world.tell(f"{words}: {', '.join(sorted(failed))} failed")
        for identifier, receipt in receipts.items():
            message = queue.messages.get(identifier)
            is_handled = failed is not None and identifier not in failed
            if message is None or message.receipt != receipt or not is_handled:
                continue
            if world.choices.happens("duplicate message", 0.02):
                message.visible_at = world.now  # delivered once more, although it was deleted
                world.tell(f"{identifier} is delivered again")
            else:
                del queue.messages[identifier]

    # ── From the table to the function that publishes ───────────────────────────────────────────────────────────────

    def put_record(self, record: dict[str, Any]) -> None:
        """Put a record of the stream into a shard."""
        world = self._world
        shard = self.shards[crc32(record["dynamodb"]["Keys"]["pk"]["S"].encode()) % _SHARDS]
        if not shard.is_waiting:
            delay = world.choices.pick("stream delay", _STREAM_DELAYS)
            shard.readable_at = world.now + (world.pause() or delay)
        shard.records.append(record)

    def _read_stream(self, shard: Shard) -> None:
        """Invoke the function that publishes with the next records of a shard."""
        world, batch = self._world, shard.read(self._world.stack.stream_batch)
        event, words = {"Records": batch}, f"publish_findings ({len(batch)} records)"
        self.on_delivery(lambda: world.invoke("publish_findings", event, lambda _result: None, f"{words}, once more"))
        world.invoke("publish_findings", event, partial(shard.end, batch), words)
