"""Connections with one time limit for all that a request does: every address of the host, the headers and the body.

The time limits of `socket` and `http.client` begin again with each address and each part of a response. Name resolution
has no limit.
"""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _typeshed import WriteableBuffer


def shares(host: str, port: int, left: Callable[[], float]) -> Iterator[tuple[tuple[str, int], float]]:
    """Yield the addresses of a host with their port, and the seconds for each: a silent one leaves time for others.

    OSError for a host without an address.
    """
    found = list(dict.fromkeys(one[4][:2] for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    for number, (address, its_port) in enumerate(found):
        yield (str(address), int(its_port)), left() / (len(found) - number)


def connect(host: str, port: int, left: Callable[[], float]) -> socket.socket:
    """Connect to a host while time is left. OSError if that fails at each of its addresses."""
    failed = OSError("the host has no address")
    for address, seconds in shares(host, port, left):
        try:
            return socket.create_connection(address, seconds)
        except OSError as error:
            failed = error
    raise failed


class BoundedConnection(HTTPConnection):
    """A connection for one request. `timeout` is for all of it, in seconds: after that, TimeoutError."""

    _end = 0.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._create_connection = lambda address, *_others: connect(address[0], address[1], self.left)

    def connect(self) -> None:
        """Connect; the time begins."""
        self._end = time.monotonic() + float(self.timeout or 0)
        super().connect()

    def send(self, data: Any) -> None:
        """Send a part of the request."""
        if self.sock is not None:
            self.sock.settimeout(self.left())
        super().send(data)

    def left(self) -> float:
        """Return the seconds that are left. TimeoutError if none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def response_class(self, sock: socket.socket, *arguments: Any, **options: Any) -> HTTPResponse:  # type: ignore[override] # it is called, and nothing else
        """Return the response that `http.client` reads from a socket."""
        response = HTTPResponse(sock, *arguments, **options)
        response.fp = io.BufferedReader(_Reader(sock, response.fp.detach(), self.left))
        return response


class BoundedSecureConnection(BoundedConnection, HTTPSConnection):
    """The same with TLS."""


class _Reader(io.RawIOBase):
    """What a socket receives, while time is left."""

    def __init__(self, sock: socket.socket, received: io.RawIOBase, left: Callable[[], float]) -> None:
        self._sock = sock
        self._received = received
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._sock.settimeout(self._left())
        return self._received.readinto(buffer)

    def close(self) -> None:
        self._received.close()
        super().close()
