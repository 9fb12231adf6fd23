"""The world: one clock, everything that is on its way, and who goes on next.

At each call of AWS an invocation hands over. The world then lets it go on, lets another invocation go on, delivers
something, or lets a person change the account: the seed decides. If nothing can happen now, the clock moves to what
comes next.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from greenlet import getcurrent

from permission_guard.bus.events import SOURCE
from permission_guard.model.findings import Status
from tests.fakes import ACCOUNT, REGION
from tests.in_memory.client import Client
from tests.in_memory.dynamodb import Table, Tables
from tests.in_memory.events import EventBuses
from tests.in_memory.sqs import Message, Queue, Queues
from tests.simulation.account import WRITES, Account
from tests.simulation.calls import Call, answer_of_others
from tests.simulation.environments import Environment, Invocation
from tests.simulation.evaluation import clean_evaluation
from tests.simulation.faults import Faults, Storms
from tests.simulation.observations import FINDING_PREFIX, Observations, read
from tests.simulation.receivers import Receivers
from tests.simulation.stream import Shard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.choices import Choices
    from tests.simulation.stack import Poller, Stack

    Answer = Callable[[Call], dict[str, Any]]

START: Final = 1_795_168_800.0
"""When each simulation starts, in seconds since 1970."""
MOST_STEPS: Final = 20_000
"""The steps after which the system counts as never quiet."""
MANY_DELIVERIES: Final = 17
"""After this number nothing unusual happens any more, so that a seed ends after 40."""
ALMOST_NOW: Final = 0.01
"""Seconds that a call takes."""

_PAUSES: Final = ((22, 1_200.0), (MANY_DELIVERIES, 45.0))
"""After how many deliveries the next one waits, in seconds. A failed message is visible again after 18 minutes."""

_LAGS: Final = (0.0, 0.0, 0.0, 2.0, 9.0)
_LATE: Final = (0.0, 0.0, 1.0, 20.0, 90.0)
_DELAYS: Final = (_LATE, _LATE, (0.0,))
"""How late events come, in a seed."""
_STREAM_DELAYS: Final = (0.0, 0.0, 0.0, 5.0, 90.0)
_SWITCHES: Final = (0.12, 0.12, 0.4)
"""How often another invocation goes on after a call, in a seed."""
_DUPLICATES: Final = (0.02, 0.02, 0.3)
"""How often a queue delivers a message to two invocations at the same time, in a seed."""
_SHARDS: Final = 2


class NeverQuietError(AssertionError):
    """The system did not become quiet."""


class World:
    """Runs the stack in an account. `hub` is the greenlet that decides; `words` gets what happens, None for nobody."""

    def __init__(
        self,
        stack: Stack,
        choices: Choices,
        *,
        move_clock: Callable[[float], None],
        words: list[str] | None = None,
    ) -> None:
        self.stack, self.choices, self.faults = stack, choices, Faults()
        self._storms = Storms(self)
        self.hub = getcurrent()
        self.words = words
        self._move_clock = move_clock
        self.now = START
        move_clock(START)
        self.queues = Queues(lambda: self.now, ACCOUNT, REGION)
        for settings in (*(one for one in stack.queues if not one.dead_letters), *stack.queues):
            if settings.name not in self.queues.queues:
                dead_letters = self.queues.queues.get(settings.dead_letters)
                queue = Queue(settings.name, settings.visibility_timeout, 0.0, dead_letters, settings.max_receive_count)
                self.queues.queues[settings.name] = queue
        tables = (Table.of(name, properties) for name, properties in stack.tables.items())
        self.tables = Tables(*tables, on_record=self._pass_record)
        self.buses = EventBuses(lambda: self.now, ACCOUNT, REGION, self._deliver, stack.rules)
        self.account: Account = Account(lambda: self.now, lambda: choices.pick("lag", _LAGS), self._trail)
        self.receivers = Receivers(lambda: self.now)
        self.document: str = json.dumps({"version": 1, "grace_period_seconds": 60})
        self.shards = [Shard() for _ in range(_SHARDS)]
        self.coming: list[tuple[float, str, Callable[[], None]]] = []
        """What happens at a time: when, in words, and what."""
        self.running: list[Invocation] = []
        self.environments: dict[str, list[Environment]] = {name: [] for name in stack.environments}
        self.calls = 0
        self.deliveries = self._counted = 0
        self.dropped = 0
        self.configurations = 0
        self.has_sweep = False
        self.seen = Observations()
        self.unrecorded = 0
        """How often something was sent, and a fault kept that from being recorded."""
        self._delays: tuple[float, ...] = choices.pick("delays", _DELAYS)
        self._switches: float = choices.pick("switches", _SWITCHES)
        self._duplicates: float = choices.pick("duplicates", _DUPLICATES)
        self.interrupt: Callable[[Invocation, Call, Answer], dict[str, Any]] = lambda _by, call, answer: answer(call)
        """Answers the calls of invocations outside of storms: what interrupts one at a certain call."""
        self.on_delivery: Callable[[Callable[[], object]], object] = lambda _again: None
        """Gets what delivers an event to a queue, a message of a function, or a batch of the stream once more."""
        self._clients: dict[str, Client] = {}
        self._current: Invocation | None = None

    # ── The loop ────────────────────────────────────────────────────────────────────────────────────────────────────

    def run_until_quiet(self) -> None:
        """Run until nothing is on its way. NeverQuietError if that does not end."""
        for _ in range(MOST_STEPS):
            if not self._step():
                return
        raise NeverQuietError(f"after {MOST_STEPS} steps the system is not quiet")

    def _step(self) -> bool:
        """Let one thing happen; return whether there was anything."""
        ready = [one for one in self.running if one.wakes_at <= self.now]
        current = self._current if self._current in ready else None
        if current is not None and not self.choices.happens("switch", self._switches):
            self._go_on(current)
            return True
        others = [one for one in ready if one is not current]
        possible: list[Callable[[], None]] = [*(partial(self._go_on, one) for one in others), *self._possible()]
        if possible:
            self.choices.pick("next", possible)()
            return True
        if current is not None:
            self._go_on(current)
            return True
        return self._wait()

    def _go_on(self, invocation: Invocation) -> None:
        self._current = invocation
        invocation.go_on()

    def _possible(self) -> list[Callable[[], None]]:
        """Return what can happen now besides invocations that go on."""
        found: list[Callable[[], None]] = []
        for number, (at, _, _) in enumerate(self.coming):
            if at <= self.now:
                found.append(partial(self._happen, number))
        for poller in self.stack.pollers:
            busy = sum(one.words.startswith(f"{poller.function} of {poller.queue}") for one in self.running)
            if busy < poller.concurrency and self.queues.queues[poller.queue].visible(self.now):
                found.append(partial(self._poll, poller))
        shards = [shard for shard in self.shards if shard.is_waiting and shard.readable_at <= self.now]
        return [*found, *(partial(self._read_stream, shard) for shard in shards)]

    def _happen(self, number: int) -> None:
        _, words, action = self.coming.pop(number)
        self.tell(words)
        action()

    def _wait(self) -> bool:
        """Move the clock to what comes next; return False if nothing does."""
        times = [one.wakes_at for one in self.running]
        times += [at for at, _, _ in self.coming]
        times += [shard.readable_at for shard in self.shards if shard.is_waiting]
        times += [
            message.visible_at
            for poller in self.stack.pollers
            for message in self.queues.queues[poller.queue].messages.values()
        ]
        if not times:
            return False
        self.advance_to(max(min(times), self.now + ALMOST_NOW) + (0.0 if self.running else self._pause()))
        return True

    def _pause(self) -> float:
        """Return how many seconds pass before the next delivery, so that one delivers what several would."""
        return next((pause for many, pause in _PAUSES if self.deliveries > many), 0.0)

    def advance_to(self, moment: float) -> None:
        """Move the clock."""
        if moment - self.now > 1:
            self.tell(f"{moment - self.now:.0f} seconds later")
        self.now = moment
        self._move_clock(moment)
        for table in self.tables.items:
            self.tables.expire(table, moment)

    def tell(self, words: str) -> None:
        """Note what happens."""
        if self.words is not None:
            self.words.append(f"{self.now - START:9.2f} s  {words}")

    def later(self, seconds: float, words: str, action: Callable[[], None]) -> None:
        """Let something happen at a later time."""
        self.coming.append((self.now + seconds, words, action))

    # ── Deliveries ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _trail(self, event: dict[str, Any]) -> None:
        """Deliver the event of a change of the account: at least once, in any order, or not at all."""
        self.tell(f"{event['detail']['eventName']} {json.dumps(event['detail']['requestParameters'])[:160]}")
        if self.choices.happens("drop", 0.01):
            self.dropped += 1
            self.tell("its event is lost")
            return
        self.buses.put("default", event)

    def _deliver(self, target: str, event: Mapping[str, Any]) -> None:
        """Let an event reach the queue of a rule: at least once, after a delay."""
        name, body = target.rpartition(":")[2], json.dumps(event)
        if event["source"] == SOURCE and self._is_lost(event):
            self.tell(f"{event['detail-type']} ({event['id']}) is lost on the way to {name}")
            return
        for _ in range(2 if self.choices.happens("duplicate event", 0.05) else 1):
            delay = self.choices.pick("event delay", self._delays)
            words = f"{event['detail-type']} ({event['id']}) reaches {name}"
            self.later(delay, words, partial(self._enqueue, self.queues.queues[name], body))

    def _is_lost(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event of the bus does not reach a queue. The sweep makes up for those of open findings."""
        detail = event["detail"]
        if detail["status"] != Status.OPEN or not self.choices.happens("lose event", self.faults.lost_event):
            return False
        self.dropped += 1
        self.seen.lost.add((detail["id"], detail["revision"]))
        return True

    def _enqueue(self, queue: Queue, body: str) -> None:
        self.queues.send(queue, body)
        self.on_delivery(partial(self._enqueue, queue, body))

    def _poll(self, poller: Poller) -> None:
        """Invoke a function with a batch of messages."""
        queue, batch = self.queues.queues[poller.queue], list[Message]()
        visible = queue.visible(self.now)
        most = min(poller.batch_size, self.choices.pick("batch", (poller.batch_size, 1, 2, 3)))
        while visible and len(batch) < most:
            message = visible.pop(self.choices.pick("message", range(len(visible))))
            received = queue.receive(message, self.now)
            if received is None:
                self.tell(f"{poller.queue}: {message.id} becomes a dead letter")
            else:
                batch.append(received)
                if self.choices.happens("two receivers", self._duplicates):
                    received.visible_at = self.now
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

        def ended(result: dict[str, Any] | None) -> None:
            failed = None if result is None else {one["itemIdentifier"] for one in result["batchItemFailures"]}
            if failed:
                self.tell(f"{words}: {', '.join(sorted(failed))} failed")
            for identifier, receipt in receipts.items():
                message = queue.messages.get(identifier)
                is_handled = failed is not None and identifier not in failed
                if message is None or message.receipt != receipt or not is_handled:
                    continue
                if self.choices.happens("duplicate message", 0.02):
                    message.visible_at = self.now  # delivered once more, although it was deleted
                    self.tell(f"{identifier} is delivered again")
                else:
                    del queue.messages[identifier]

        self.invoke(poller.function, event, ended, words)

    def _read_stream(self, shard: Shard) -> None:
        """Invoke the function that publishes with the next records of a shard."""
        batch = shard.read(self.stack.stream_batch)
        event, words = {"Records": batch}, f"publish_findings ({len(batch)} records)"
        self.on_delivery(lambda: self.invoke("publish_findings", event, lambda _result: None, f"{words}, once more"))
        self.invoke("publish_findings", event, partial(shard.end, batch), words)

    def invoke(
        self, function: str, event: dict[str, Any], ended: Callable[[dict[str, Any] | None], None], words: str
    ) -> None:
        """Start an invocation, in an execution environment that is idle or in a new one."""
        self.deliveries += 1
        self.choices.is_calm = self.deliveries > MANY_DELIVERIES
        self.tell(words)
        idle = [one for one in self.environments[function] if not one.is_busy]
        environment = self.choices.pick("environment", [*idle, None]) if idle else None
        if environment is None:
            environment = Environment(function)
            self.environments[function].append(environment)
        timeout = self.stack.timeouts[function]
        invocation = Invocation(self, environment, event, timeout=timeout, ended=ended, words=words)
        self.running.append(invocation)
        self._go_on(invocation)

    @property
    def all_deliveries(self) -> int:
        """The deliveries until now. `deliveries` are those since they were last counted anew."""
        return self._counted + self.deliveries

    def count_anew(self) -> None:
        """Count deliveries from 0 again: those until now delay nothing."""
        self._counted, self.deliveries = self.all_deliveries, 0

    def invoke_asynchronously(self, function: str, event: dict[str, Any], words: str, retries: int = 2) -> None:
        """Invoke a function, and again after an error, as Lambda does: a minute later, and two minutes later."""

        def ended(result: dict[str, Any] | None) -> None:
            if result is None and retries:
                again = f"{words}, once more"
                self.later(
                    60.0 * (3 - retries), again, lambda: self.invoke_asynchronously(function, event, again, retries - 1)
                )

        self.invoke(function, event, ended, words)

    def end(self, invocation: Invocation) -> None:
        """Forget an invocation that ended. After a crash its environment is gone."""
        self.running.remove(invocation)
        if invocation.is_dead:
            self.environments[invocation.environment.function].remove(invocation.environment)

    @property
    def current(self) -> Invocation | None:
        """The invocation that goes on, or went on last."""
        return self._current

    @property
    def environment(self) -> Environment:
        """The execution environment of the running invocation."""
        assert self._current is not None
        return self._current.environment

    # ── Calls ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def client(self, service: str) -> Client:
        """Return the client of a service."""
        if service not in self._clients:
            self._clients[service] = Client(service, self.call)
        return self._clients[service]

    def sleep(self, seconds: float) -> None:
        """Let others go on for some seconds."""
        if self._current is not None and getcurrent() is not self.hub:
            invocation = self._current
            invocation.pause(seconds)
            self._current = invocation

    def call(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Answer a call of the running invocation, with what the seed decides: a fault, a crash, others first."""
        invocation, call = self._current, Call(service, operation, params)
        if invocation is None or getcurrent() is self.hub:
            return self._answer(call)
        if invocation.is_dead:
            invocation.crash()
        self.calls += 1
        stormy = self.faults.may_happen(self.calls)
        invocation.waiting = call
        invocation.pause()
        self._current = invocation
        self.now += ALMOST_NOW
        self._move_clock(self.now)
        reply = (self._storms.answer if stormy else self.interrupt)(invocation, call, self._answer)
        if call.is_send:
            invocation.has_sent = True
        elif call.is_record:
            invocation.has_sent = False
        if stormy and self.choices.happens("crash after", self.faults.crashed):
            self._storms.crash(invocation, f"{call}: crash after the call")
        return reply

    def _answer(self, call: Call) -> dict[str, Any]:
        service, operation, params = call.service, call.operation, call.params
        if self._current is not None and operation not in WRITES:
            self._current.stop_read.see(call, self.tables.items["DecisionsTable"])
        if service == "dynamodb" and operation in self.tables.operations:
            return self.tables.answer(operation, params)
        if service == "sqs":
            if operation.startswith("SendMessage"):
                self.on_delivery(partial(self.queues.answer, operation, params))
            return self.queues.answer(operation, params)
        if service == "events" and operation in self.buses.operations:
            for entry in params.get("Entries", ()):
                self.seen.see_event(json.loads(entry["Detail"]))
            return self.buses.answer(operation, params)
        if operation == "GetLatestConfiguration" and self._current is not None:
            self._current.environment.document = self.document
        for part in (self.account, self.receivers):
            found = part.answer(service, operation, params)
            if found is not None:
                self._see_write(call)
                return found
        return answer_of_others(call, self.document)

    def _see_write(self, call: Call) -> None:
        if call.operation not in WRITES:
            return
        assert self._current is not None
        items = self.tables.items["FindingsTable"].values()
        self.seen.see_write(
            self._current,
            call,
            at=self.now,
            running=self.running,
            findings=(read(item) for item in items if item["sk"]["S"].startswith(FINDING_PREFIX)),
            decisions=self.tables.items["DecisionsTable"],
        )

    def _pass_record(self, _table: str, record: dict[str, Any]) -> None:
        """Put a record of the stream into a shard. The mapping filters what is no finding."""
        change = record["dynamodb"]
        if "NewImage" not in change or not change["Keys"]["sk"]["S"].startswith(FINDING_PREFIX):
            return
        self.seen.see_finding(change.get("OldImage"), change["NewImage"], self._current, self._violations)
        shard = self.shards[crc32(change["Keys"]["pk"]["S"].encode()) % _SHARDS]
        if not shard.is_waiting:
            delay = self.choices.pick("stream delay", _STREAM_DELAYS)
            shard.readable_at = self.now + (self._pause() or delay)
        shard.records.append(record)

    def _violations(self) -> Mapping[str, Any] | None:
        """Return the problems that exist, None if they may be others than when the running invocation began."""
        invocation = self._current
        if invocation is None or self.configurations or self.account.version() != invocation.account_before:
            return None
        self._current = None  # what is read now is no call of the invocation
        try:
            return clean_evaluation(self)[0]
        finally:
            self._current = invocation
