"""Prism holds every request and response against a vendor's OpenAPI document: https://github.com/stoplightio/prism.

`make test-conformance` installs it into `prism/node_modules`, as `prism/package-lock.json` says.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

import pytest

from permission_guard.delivery.http.httpx_session import HttpxSession
from tests.conformance.material import SPECS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from permission_guard.delivery.http.session import HttpResponse

FOLDER: Final = Path(__file__).parent / "prism"
PROGRAM: Final = FOLDER / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
MISSING: Final = f"Prism is not in {FOLDER / 'node_modules'}. Run: make test-conformance MATERIAL=<folder>"

_STARTED = re.compile(r"Prism is listening on http://127\.0\.0\.1:(\d+)")
_SECONDS = 60.0


class Prism:
    """A proxy on loopback, for one document, to a server. Prism's own examples would not fit the documents.

    With `--errors` Prism answers an invalid request itself, and the server does not get it. An answer of the server
    that is not valid becomes HTTP 500.
    """

    def __init__(self, document: str, upstream: str) -> None:
        self._document = SPECS / document
        self._upstream = upstream

    def __enter__(self) -> Self:
        node = shutil.which("node")
        if node is None or not PROGRAM.exists():
            pytest.fail(MISSING, pytrace=False)
        mode = ["proxy", str(self._document), self._upstream]
        options = ["--errors", "--host", "127.0.0.1", "--port", "0"]
        self._process = subprocess.Popen(
            [node, str(PROGRAM), *mode, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.url = self._started()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(_SECONDS)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _started(self) -> str:
        """Return the address once Prism listens; read its log on, so that it never waits for a reader."""
        assert self._process.stdout is not None
        log: list[str] = []
        for line in self._process.stdout:
            log.append(line)
            if found := _STARTED.search(line):
                self._reader = Thread(target=self._process.stdout.read, daemon=True)
                self._reader.start()
                return f"http://127.0.0.1:{found[1]}"
        raise AssertionError(f"Prism did not start:\n{''.join(log)}")


class PrismSession:
    """The deployed session, which sends the requests for one `https` host to Prism instead.

    AssertionError for anything that Prism finds in a request or its response.
    """

    def __init__(self, host: str, prism: Prism) -> None:
        self._host = host
        self._prism = prism
        self._session = HttpxSession()
        self.requests = 0

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        """Send a request, with more time than the client gives the vendor: a busy machine must fail no test."""
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc) == ("https", self._host), url
        local = f"{self._prism.url}{parts._replace(scheme='', netloc='').geturl()}"
        response = self._session.request(method, local, headers=headers, body=body, timeout=_SECONDS)
        self.requests += 1
        assert_valid(response)
        return response


def assert_valid(response: HttpResponse) -> None:
    """Raise AssertionError with what Prism found in a request or its response."""
    found = violations(response.headers, response.body)
    assert not found, "\n".join(found)


def violations(headers: Mapping[str, str], body: bytes) -> list[str]:
    """Return what Prism found, from the header of a response, or from its own answer to a request that it refuses.

    The names of headers are in lower case.
    """
    found = json.loads(headers.get("sl-violations", "[]"))
    if not found and headers.get("content-type") == "application/problem+json":
        problem = json.loads(body)
        found = problem.get("validation") or [{"location": [], "message": problem["title"]}]
    return [f"{'.'.join(one['location'])}: {one['message']}" for one in found]
