"""The world: one clock, everything that is on its way, and who goes on next.

At each call of AWS an invocation hands over. The world then lets it go on, lets another invocation go on, delivers
something (`transport.py`), or lets a person change the account: the seed decides. If nothing can happen now, the clock
moves to what comes next.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from greenlet import getcurrent

from permission_guard.config.document import AlertLimit
from tests.fakes import ACCOUNT, REGION
from tests.in_memory.client import Client
from tests.in_memory.dynamodb import Table, Tables
from tests.in_memory.events import EventBuses
from tests.in_memory.sqs import Queue, Queues
from tests.simulation.account import WRITES, Account
from tests.simulation.calls import Call, answer_of_others
from tests.simulation.environments import Environment, Invocation
from tests.simulation.evaluation import clean_evaluation
from tests.simulation.faults import Faults, Storms
from tests.simulation.observations import FINDING_PREFIX, Observations, read
from tests.simulation.receivers import Receivers
from tests.simulation.ticket_systems import keys_of
from tests.simulation.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.choices import Choices
    from tests.simulation.stack import Stack

    Answer = Callable[[Call], dict[str, Any]]

START: Final = 1_795_168_800.0
"""When each simulation starts, in seconds since 1970."""
MOST_STEPS: Final = 20_000
"""The steps after which the system counts as never quiet."""
MANY_DELIVERIES: Final = 17
"""After this number nothing unusual happens any more, so that nearly every seed ends within 40."""
ALMOST_NOW: Final = 0.01
"""Seconds that a call takes."""

_PAUSES: Final = ((22, 1_200.0), (MANY_DELIVERIES, 45.0))
"""After how many deliveries the next one waits, in seconds. A failed message is visible again after 18 minutes."""

_LIMITS: Final = (AlertLimit(), AlertLimit(messages=2, minutes=60), AlertLimit(messages=2, minutes=30))
"""How many messages each channel gets, in a seed."""
_LAGS: Final = (0.0, 0.0, 0.0, 2.0, 9.0)
_SWITCHES: Final = (0.12, 0.12, 0.4)
"""How often another invocation goes on after a call, in a seed."""


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
        self.transport = Transport(self)
        self.buses = EventBuses(lambda: self.now, ACCOUNT, REGION, self.transport.deliver, stack.rules)
        self.account: Account = Account(lambda: self.now, lambda: choices.pick("lag", _LAGS), self.transport.trail)
        self.receivers = Receivers(lambda: self.now, lambda: self.current)
        self.limit: AlertLimit = choices.pick("limit", _LIMITS)
        self.common: Mapping[str, Any] = {
            "version": 1,
            "grace_period_seconds": 60,
            "alerts": {"limit": {"messages": self.limit.messages, "minutes": self.limit.minutes}},
            **keys_of(stack.ticket_systems),
        }
        """What every configuration of the seed has."""
        self.document: str = json.dumps(self.common)
        self.coming: list[tuple[float, str, Callable[[], None]]] = []
        """What happens at a time: when, in words, and what."""
        self.running: list[Invocation] = []
        self.environments: dict[str, list[Environment]] = {name: [] for name in stack.environments}
        self.calls = 0
        self.deliveries = self._counted = 0
        self.configurations = 0
        self.has_sweep = False
        self.seen = Observations()
        self.unrecorded = 0
        """How often something was sent, and a fault kept that from being recorded."""
        self._switches: float = choices.pick("switches", _SWITCHES)
        self.interrupt: Callable[[Invocation, Call, Answer], dict[str, Any]] = lambda _by, call, answer: answer(call)
        """Answers the calls of invocations outside of storms: what interrupts one at a certain call."""
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
        return [*found, *self.transport.possible()]

    def _happen(self, number: int) -> None:
        _, words, action = self.coming.pop(number)
        self.tell(words)
        action()

    def _wait(self) -> bool:
        """Move the clock to what comes next; return False if nothing does."""
        times = [one.wakes_at for one in self.running]
        times += [at for at, _, _ in self.coming]
        times += self.transport.times()
        if not times:
            return False
        self.advance_to(max(min(times), self.now + ALMOST_NOW) + (0.0 if self.running else self.pause()))
        return True

    def pause(self) -> float:
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

    # ── Invocations ─────────────────────────────────────────────────────────────────────────────────────────────────

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

    def count_anew(self, since: int = 0) -> None:
        """Count deliveries again from a number of those until now: the others delay nothing."""
        self._counted, self.deliveries = self.all_deliveries - since, since

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
        stormy = self.faults.may_happen(self.calls, call)
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
                self.transport.on_delivery(partial(self.queues.answer, operation, params))
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
        """Pass a record of the stream on. The mapping filters what is no finding."""
        change = record["dynamodb"]
        if "NewImage" not in change or not change["Keys"]["sk"]["S"].startswith(FINDING_PREFIX):
            return
        self.seen.see_finding(change.get("OldImage"), change["NewImage"], self._current, self._violations)
        self.transport.put_record(record)

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
