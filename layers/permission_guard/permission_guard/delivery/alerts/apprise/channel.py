"""The Apprise channel: sends messages to each URL of a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from permission_guard.delivery.alerts.apprise.targets import targets
from permission_guard.errors import DeliveryError

if TYPE_CHECKING:
    from permission_guard.delivery.alerts.apprise.targets import Target
    from permission_guard.delivery.message import Message

_URL_IS_STALE: Final = frozenset({401, 403, 404, 410})
_REMEMBERED: Final = 200


class AppriseUrls(Protocol):
    """The source of the URLs, which are secrets: anyone who has them can post."""

    def get(self) -> tuple[str, ...]:
        """Return the URLs; ConfigurationError when there are none."""

    def forget(self) -> None:
        """Drop the cached URLs, one of which no longer works; the next `get` reads them again."""


class AppriseChannel:
    """Sends each message to every URL of a secret.

    If some of them fail, the delivery fails, and its retry leaves out those that succeeded. Which ones did is known to
    this object only: a retry by another one sends to all of them.
    """

    def __init__(self, secret: AppriseUrls, *, name: str) -> None:
        self._secret = secret
        self.name = name
        self._done: dict[str, dict[Target, set[str] | None]] = {}

    def send(self, message: Message, reference: str | None) -> None:  # noqa: ARG002 - no service has a reference
        """Send a message; DeliveryError names the URLs that did not accept it by their schemes and positions."""
        # Apprise is imported only when a message is sent: it takes longer than the rest of the cold start.
        from permission_guard.delivery.alerts.apprise.services import send  # noqa: PLC0415
        from permission_guard.delivery.alerts.apprise.transport import deadline  # noqa: PLC0415

        end = deadline()
        done = self._done.setdefault(message.key, {})
        failures: list[str] = []
        for target in targets(self._secret.get(), self.name):
            sent = done.setdefault(target, set())
            if sent is None:
                continue
            result = send(target, message, end, sent)
            if result.accepted:
                done[target] = None
                continue
            failures.append(f"{target.name}: {result.outcome}")
            if result.status in _URL_IS_STALE:
                self._secret.forget()
        if failures:
            self._forget_the_oldest()
            raise DeliveryError(f"Apprise could not send the message: {'; '.join(failures)}")
        del self._done[message.key]

    def shows_all(self, message: Message) -> bool:
        """Return whether every URL's service shows every finding of a message, and takes it in the time of a delivery.

        The errors are those of `send`, but for what only a request shows.
        """
        from permission_guard.delivery.alerts.apprise.services import shows_all  # noqa: PLC0415 - as above

        return all(shows_all(target, message) for target in targets(self._secret.get(), self.name))

    def _forget_the_oldest(self) -> None:
        while len(self._done) > _REMEMBERED:
            del self._done[next(iter(self._done))]
