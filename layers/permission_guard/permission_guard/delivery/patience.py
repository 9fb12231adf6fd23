"""Which other sides did not answer lately, and how much time an invocation has: a silent one takes it from no other.

A batch has several messages, and a message goes to several channels. A channel that does not answer takes 15 seconds of
the 60 of an invocation. If the invocation ended, the whole batch would be delivered again, and after five times all of
it would be in the dead-letter queue.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from permission_guard.delivery.alerts.channel import has_threads, shows_all
from permission_guard.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.http.session import HttpResponse, HttpSession
    from permission_guard.delivery.message import Message
    from permission_guard.delivery.tickets.base import Ticket, TicketSystem
    from permission_guard.delivery.tickets.summary import Ticketed

FOR_MESSAGE: Final = 20.0
"""Seconds that must be left to begin a message."""

FOR_CHANNEL: Final = 17.0
"""Seconds that must be left to send to an alert channel: it may take 15, and then its failure is recorded."""

FOR_CALLS: Final = 19.0
"""Seconds that must be left for a call to a ticket system of AWS: it may take 17."""

FOR_REQUEST: Final = 7.0
"""Seconds that must be left for a request to a ticket system: it may take five."""

SILENT_AFTER: Final = 4.5
"""Seconds. What failed after them had no answer in the time of one try, or had to wait."""

SILENT_FOR: Final = 60.0
"""Seconds in which what did not answer is not tried again."""

_EACH: Final = 360
"""Seconds. A message that failed is delivered again after them."""

Named = TypeVar("Named", bound="AlertChannel")


class Patience:
    """Kept between the invocations of an execution environment. The clocks return seconds; `now` is that of the day."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._now = now
        self._left: Callable[[], float] = lambda: math.inf
        self._silent: dict[str, float] = {}
        self._answered: set[str] = set()
        self._for_others = 0.0
        self._is_delayed = False

    def begin(self, remaining_time_in_millis: Callable[[], int]) -> None:
        """Begin an invocation. `remaining_time_in_millis` is the Lambda context's."""
        self._left = lambda: remaining_time_in_millis() / 1000
        self._for_others, self._is_delayed = 0.0, False

    def begin_message(self, messages: int) -> bool:
        """Begin the first one of the messages that are left; return false if there is no time for it."""
        self._for_others = FOR_MESSAGE if messages > 1 else 0.0
        return self.left() >= FOR_MESSAGE

    def has_time(self) -> bool:
        """Return whether there is time for one more delivery of this message, and then for the next message."""
        return self.left() >= FOR_CHANNEL + self._for_others

    def left(self) -> float:
        """Return the seconds that are left of the invocation."""
        return self._left()

    def ordered(self, channels: Sequence[Named]) -> list[Named]:
        """Return channels in the order in which to try them: those that did not answer lately are the last ones.

        Each time a message is delivered again, another one is the first: also where nothing is known yet, a channel
        that answers is tried before the silent ones have taken all the time.
        """
        first = int(self._now() // _EACH) % len(channels) if channels else 0
        turned = [*channels[first:], *channels[:first]]
        return sorted(turned, key=lambda one: self._silent.get(one.name, -math.inf))

    @contextmanager
    def attempt(self, name: str, seconds: float) -> Iterator[None]:
        """Try something that may take this many seconds. DeliveryError instead if that would be in vain."""
        # After a silent one, only what has answered before may take the time of the next message.
        is_risky = self._is_delayed and name not in self._answered
        if self.left() < seconds + (self._for_others if is_risky else 0):
            raise DeliveryError("not tried: too little of the function's time is left")
        began = self._clock()
        if began < self._silent.get(name, -math.inf) + SILENT_FOR:
            raise DeliveryError("not tried: its last try, less than a minute ago, got no answer")
        try:
            yield
        except Exception:
            if self._clock() - began >= SILENT_AFTER:
                self._silent[name] = self._clock()
                self._answered.discard(name)
                self._is_delayed = True
            raise
        self._silent.pop(name, None)
        self._answered.add(name)


class PatientChannel:
    """An alert channel that fails at once where it would be in vain to try it."""

    def __init__(self, channel: AlertChannel, patience: Patience) -> None:
        self.name = channel.name
        self._channel = channel
        self._patience = patience

    @property
    def has_threads(self) -> bool:
        """Whether later messages about a finding follow its first one."""
        return has_threads(self._channel)

    def shows_all(self, message: Message) -> bool:
        """Return whether the channel shows every finding of a message: what it leaves out must not count as sent."""
        return shows_all(self._channel, message)

    def send(self, message: Message, reference: str | None) -> str | None:
        """Send a message; DeliveryError when the system did not accept it, or was not tried."""
        with self._patience.attempt(self.name, FOR_CHANNEL):
            return self._channel.send(message, reference)


class PatientTickets:
    """A ticket system of AWS that fails at once where it would be in vain to call it."""

    def __init__(self, system: TicketSystem, patience: Patience) -> None:
        self.name = system.name
        self._system = system
        self._patience = patience

    def begin(self) -> None:
        """Begin a delivery."""
        self._system.begin()

    def read(self, reference: str, about: Ticketed) -> Ticket | None:
        """Return the ticket with this reference, None if it was deleted or is not about this finding."""
        with self._attempt():
            return self._system.read(reference, about)

    def find(self, about: Ticketed) -> Ticket | None:
        """Return the ticket that has this finding's id, None without one."""
        with self._attempt():
            return self._system.find(about)

    def open(self, about: Ticketed) -> str:
        """Open a ticket and return its reference."""
        with self._attempt():
            return self._system.open(about)

    def update(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the finding into its ticket."""
        with self._attempt():
            self._system.update(ticket, about)

    def resolve(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the finding into its ticket, and close it."""
        with self._attempt():
            self._system.resolve(ticket, about)

    def reopen(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the finding into its ticket, and open it again."""
        with self._attempt():
            self._system.reopen(ticket, about)

    def comment(self, ticket: Ticket, about: Ticketed, text: str) -> None:
        """Add a comment to a closed ticket."""
        with self._attempt():
            self._system.comment(ticket, about, text)

    def _attempt(self) -> AbstractContextManager[None]:
        return self._patience.attempt(self.name, FOR_CALLS)


class PatientSession:
    """An HTTP session that fails at once where it would be in vain to try a host."""

    def __init__(self, session: HttpSession, patience: Patience) -> None:
        self._session = session
        self._patience = patience

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        """Send a request. HttpError without a whole response, DeliveryError if the host was not tried."""
        with self._patience.attempt(urlsplit(url).netloc, FOR_REQUEST):
            return self._session.request(method, url, headers=headers, body=body, timeout=timeout)
