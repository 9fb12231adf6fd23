"""What the clients of alert and ticket systems need of an HTTP library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.errors import PermissionGuardError
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY = 4_000_000
"""The most bytes of a response that are read: more than a hundred issues of GitHub."""


class HttpError(PermissionGuardError):
    """A request got no whole response. Of the library's error it names only the type: its text may have secrets."""


@record
class HttpResponse:
    """A whole response. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpSession(Protocol):
    """Sends requests. It follows no redirect, uses no proxy, repeats nothing, and verifies certificates."""

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        """Send a request and return its response, whatever its status. `timeout` is in seconds, for all of it.

        HttpError without a whole response. No error of the library is chained to it.
        """
