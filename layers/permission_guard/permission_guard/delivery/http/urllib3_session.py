"""The HTTP session with urllib3, which botocore brings along. Import it only when a request is sent.

The only module that knows the library: see docs/decisions/0045.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import urllib3

from permission_guard.delivery.http.session import MAX_BODY, HttpError, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHUNK = 16_384


class Urllib3Session:
    """Sends requests and keeps connections between the invocations of a function."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", retries=False, maxsize=1)

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        """Send a request and return its response, whatever its status. HttpError without a whole response."""
        try:
            return self._request(method, url, headers=headers, body=body, timeout=timeout)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            failed = type(error).__name__
        raise HttpError(failed)  # outside the handler: the library's errors have the address, and would be chained

    def _request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        end = time.monotonic() + timeout
        response = self._pool.request(
            method,
            url,
            body=body,
            headers=dict(headers),
            timeout=urllib3.Timeout(total=timeout),
            redirect=False,
            preload_content=False,
            enforce_content_length=True,
        )
        read = b""
        is_whole = False
        try:
            for chunk in response.stream(_CHUNK):
                read += chunk
                if len(read) > MAX_BODY or time.monotonic() > end:
                    raise TimeoutError("the response is too long, or takes too long")
            is_whole = True
        finally:
            # A connection whose response was not read to its end cannot be used again.
            response.release_conn() if is_whole else response.close()
        names = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(response.status, names, read)
