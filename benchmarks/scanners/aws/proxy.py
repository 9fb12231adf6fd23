"""The proxy that every call goes through: it counts, delays and refuses calls, on the loopback interface only.

The account does not change, so each answer is computed once and then repeated. A request with the path `/-/run` starts
a run: it clears the counts, fills the buckets and sets the latency. `/-/counts` returns what was counted since.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from benchmarks.scanners.aws.limits import Limits, refusal
from benchmarks.scanners.aws.requests import Call, Reply, Request, call_of, error_reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HOST: Final = "127.0.0.1"
_REASONS: Final = {200: "OK", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(slots=True)
class Run:
    """The settings and counts of one run. Counts are by `service:Operation`."""

    latency: float = 0.0
    limits: Limits | None = None
    calls: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)
    seconds: list[tuple[float, str, bool]] = field(default_factory=list)

    def admits(self, call: Call) -> bool:
        """Count a call, and return whether it is within the limits."""
        name = f"{call.service}:{call.operation}"
        admitted = self.limits is None or self.limits.admits(call)
        self.calls[name] += 1
        if not admitted:
            self.refused[name] += 1
        if call.service == "lambda":
            self.seconds.append((round(time.monotonic() - self.started, 3), call.operation, admitted))
        return admitted

    def counts(self) -> dict[str, Any]:
        """Return what was counted. `lambda` has when each call to Lambda came, and whether it was admitted."""
        return {
            "calls": dict(self.calls),
            "refused": dict(self.refused),
            "failed": dict(self.failed),
            "lambda": self.seconds,
        }


class Proxy:
    """Answers HTTP requests with what `answer` returns."""

    def __init__(self, answer: Callable[[Call, Request], Reply]) -> None:
        self._answer = answer
        self._answers: dict[tuple[Any, ...], Reply] = {}
        self.run = Run()

    def reply(self, request: Request) -> tuple[Reply, float]:
        """Return the reply to a request, and after how many seconds to send it."""
        if request.path.startswith("/-/"):
            return self._control(request), 0.0
        call = call_of(request)
        if not self.run.admits(call):
            return refusal(), self.run.latency
        key = (call.service, call.region, request.method, request.target, _selected(request.headers), request.body)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self._answer(call, request)
        if found.status >= 500:  # noqa: PLR2004 - what this account cannot answer, so that no figure hides it
            self.run.failed[f"{call.service}:{call.operation}"] += 1
        return found, self.run.latency

    def _control(self, request: Request) -> Reply:
        if request.path == "/-/run":
            asked = json.loads(request.body)
            self.run = Run(asked["latency"], Limits() if asked["limits"] else None)
            return json_reply({})
        if request.path == "/-/counts":
            return json_reply(self.run.counts())
        return error_reply(404, "NotFound")


def _selected(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the headers that say which answer is wanted: the host and the operation."""
    return tuple((name, headers[name]) for name in ("host", "x-amz-target") if name in headers)


class Connection(asyncio.Protocol):
    """One connection: requests of HTTP/1.1 with a content length, one after the other."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a TCP server hands over
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._received += data
        while True:
            head, separator, rest = self._received.partition(b"\r\n\r\n")
            if not separator:
                return
            line, *fields = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in fields)}
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return
            self._received = rest[length:]
            method, target, _ = line.split(" ", 2)
            if "transfer-encoding" in headers:
                self._send(error_reply(501, "NotImplementedException", message="send a content length"), method)
                return
            reply, delay = self._proxy.reply(Request(method, target, headers, rest[:length]))
            asyncio.get_running_loop().call_later(delay, self._send, reply, method)

    def _send(self, reply: Reply, method: str) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        fields = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Error')}"]
        fields += [f"{name}: {value}" for name, value in reply.headers.items()]
        fields.append(f"Content-Length: {len(reply.body)}")
        body = b"" if method == "HEAD" else reply.body
        self._transport.write("\r\n".join(fields).encode("latin-1") + b"\r\n\r\n" + body)


async def serve(proxy: Proxy, ready: Callable[[int], None]) -> None:
    """Serve until cancelled. `ready` receives the port."""
    server = await asyncio.get_running_loop().create_server(lambda: Connection(proxy), HOST, 0, backlog=1024)
    ready(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()
