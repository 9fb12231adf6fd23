"""What can go wrong with a call of AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ReadTimeoutError

from tests.in_memory.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.calls import Call
    from tests.simulation.environments import Invocation
    from tests.simulation.world import World


@dataclass(frozen=True, slots=True)
class Faults:
    """How likely each fault is at a call, as a share of all calls in some windows: from which one on, and for how many.

    With `of_vendors`, every request to a ticket system can have one. An event between the bus and a queue can be lost
    at any time.
    """

    windows: tuple[range, ...] = ()
    of_vendors: bool = False
    throttled: float = 0.20
    failed: float = 0.05
    lost_reply: float = 0.02
    crashed: float = 0.02
    lost_event: float = 0.0

    def may_happen(self, number: int, call: Call) -> bool:
        """Return whether a call, the one with this number, can have a fault."""
        return (self.of_vendors and call.is_request) or any(number in window for window in self.windows)


class Storms:
    """The faults of calls. The seed decides for each; the world counts what was sent and could not be recorded."""

    def __init__(self, world: World) -> None:
        self._world = world

    def answer(self, invocation: Invocation, call: Call, answer: Callable[[Call], dict[str, Any]]) -> dict[str, Any]:
        """Answer a call, unless the seed decides for a fault. `answer` does without one."""
        happens, faults = self._world.choices.happens, self._world.faults
        if happens("crash before", faults.crashed):
            self.crash(invocation, f"{call}: crash before the call")
        if happens("throttle", faults.throttled):
            self._fail(invocation, call, "throttled")
            raise RejectedError("ThrottlingException", "Rate exceeded")
        if happens("server error", faults.failed):
            self._fail(invocation, call, "500")
            raise RejectedError("InternalServerError", "Internal error", status=500)
        reply = answer(call)
        if not call.is_read and happens("lost reply", faults.lost_reply):
            return self._lost(invocation, call, reply, answer)
        return reply

    def crash(self, invocation: Invocation, words: str) -> None:
        """End the process of an invocation."""
        self._world.tell(words)
        self._world.unrecorded += invocation.has_sent
        invocation.crash()

    def _fail(self, invocation: Invocation, call: Call, words: str) -> None:
        self._world.tell(f"{call}: {words}")
        self._world.unrecorded += invocation.has_sent and call.is_record
        invocation.is_disturbed = True

    def _lost(
        self, invocation: Invocation, call: Call, reply: dict[str, Any], answer: Callable[[Call], dict[str, Any]]
    ) -> dict[str, Any]:
        """Lose the reply of a call that took effect: the SDK calls again, or gives up.

        Of an HTTP request the reply is lost, or replaced by the error of a gateway.

        A transaction has a token, so that its second try does nothing.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        """
        self._world.unrecorded += call.is_send
        invocation.is_disturbed = True
        if self._world.choices.happens("give up", 0.5):
            self._world.tell(f"{call}: it takes effect, and its reply is lost")
            raise ReadTimeoutError(endpoint_url=call.service)
        if call.is_request:
            self._world.tell(f"{call}: it takes effect, and its reply is 502")
            raise RejectedError("BadGateway", "Bad gateway", status=502)
        self._world.tell(f"{call}: its reply is lost, and the SDK calls again")
        return reply if call.operation == "TransactWriteItems" else answer(call)
