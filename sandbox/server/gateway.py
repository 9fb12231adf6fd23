"""Forward every request to MiniStack unchanged, and record the calls of Lambda and IAM in the trail.

`/_sandbox/` is the API of the sandbox: `GET health`, `GET trail?since=N`, `POST trail` (a record to deliver unchanged),
`POST delivery` (hold, delay, copies), `POST` and `DELETE faults`, `DELETE environments` (the next invocation of every
function is a cold start), `GET` and `DELETE refusals` (invocations that a function's policy did not allow).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from ministack.app import app as ministack
from ministack.core.responses import get_account_id, get_region

from sandbox.server import api, environments, invocations, records
from sandbox.server.caller import signed_scope, user_identity
from sandbox.server.context import current_call, current_key

if TYPE_CHECKING:
    from sandbox.server.api import Call, Request
    from sandbox.server.faults import Faults
    from sandbox.server.own_service import OwnService
    from sandbox.server.records import CallOutcome
    from sandbox.server.reply import Response
    from sandbox.server.trail import Trail

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CONTROL = "/_sandbox/"
_RESET = "/_ministack/reset"
_CLOUDFORMATION = "cloudformation.amazonaws.com"


@dataclass(slots=True)
class _Response:
    """A copy of MiniStack's response."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class Gateway:
    """The ASGI application around MiniStack's application."""

    def __init__(self, trail: Trail, faults: Faults, own: Sequence[OwnService]) -> None:
        self.trail, self.faults, self.own = trail, faults, own

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        path = scope["path"]
        if path.startswith(CONTROL):
            await self._control(scope, receive, send)
            return
        headers = _text_headers(scope["headers"])
        key, service = signed_scope(headers.get("authorization", "")) or ("", "")
        current_key.set(key)
        current_call.set(None)
        if service in {"lambda", "iam"}:
            await self._watched(service, scope, headers, receive, send)
            return
        if service == "appconfig" and path.startswith("/configuration"):
            await self._faulty("appconfigdata", scope, headers, receive, send)
            return
        await ministack(scope, receive, send)
        if path == _RESET:
            self.reset()

    def reset(self) -> None:
        """Remove the state of the sandbox outside MiniStack."""
        self.trail.reset()
        self.faults.clear()
        invocations.reset()
        for service in self.own:
            service.reset()

    async def _watched(self, service: str, scope: Scope, headers: dict[str, str], receive: Receive, send: Send) -> None:
        body = await _whole_body(receive)
        query = parse_qs(scope.get("query_string", b"").decode(), keep_blank_values=True)
        request = api.Request(scope["method"], scope["path"], query, headers, body)
        call = api.parse(service, request)
        current_call.set(call)
        request_id = str(uuid.uuid4())
        fault = self.faults.take(call, request_id) if call else None
        if fault is not None:
            await _send(send, fault, request_id)
            return
        copy = _Response()
        await ministack(scope, _replay(body, receive), _tee(copy, send, request_id))
        if call is not None and records.is_recorded(call):
            self._record(call, request, scope, copy)

    async def _faulty(self, service: str, scope: Scope, headers: dict[str, str], receive: Receive, send: Send) -> None:
        """Serve a call that is not recorded, and that can have a fault."""
        body = await _whole_body(receive)
        query = parse_qs(scope.get("query_string", b"").decode(), keep_blank_values=True)
        call = api.parse(service, api.Request(scope["method"], scope["path"], query, headers, body))
        request_id = str(uuid.uuid4())
        fault = self.faults.take(call, request_id) if call else None
        if fault is None:
            await ministack(scope, _replay(body, receive), send)
        else:
            await _send(send, fault, request_id)

    def _record(self, call: Call, request: Request, scope: Scope, response: _Response) -> None:
        """Record one call. The caller already has the response, so an error here is only printed and counted."""
        try:
            outcome = records.read_outcome(call, response.status, response.headers, bytes(response.body))
            if not records.is_logged_outcome(outcome):
                return
            client = (scope.get("client") or ("127.0.0.1",))[0]
            identity = user_identity(current_key.get(), get_account_id())
            caller = records.Caller(identity, client, request.headers.get("user-agent", ""))
            self._put(call, outcome, caller)
        except Exception:  # noqa: BLE001 - see above
            self.trail.failed(call.operation)

    def report_deployment(self, call: Call, outcome: CallOutcome) -> None:
        """Record a call that CloudFormation made for the caller of a deployment."""
        try:
            identity = {**user_identity(current_key.get(), get_account_id()), "invokedBy": _CLOUDFORMATION}
            self._put(call, outcome, records.Caller(identity, _CLOUDFORMATION, _CLOUDFORMATION, over_tls=False))
        except Exception:  # noqa: BLE001 - a deployment must not fail because of its record
            self.trail.failed(call.operation)

    def _put(self, call: Call, outcome: CallOutcome, caller: records.Caller) -> None:
        account, region, now = get_account_id(), get_region(), datetime.now(UTC)
        self.trail.put(records.record(call, outcome, caller, account=account, region=region, at=now))

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qs(scope.get("query_string", b"").decode())
        try:
            document = json.loads(await _whole_body(receive) or b"{}")
            reply = self._controlled(scope["method"], scope["path"].removeprefix(CONTROL), query, document)
            status = HTTPStatus.OK
        except (TypeError, ValueError) as error:
            reply, status = {"error": str(error)}, HTTPStatus.BAD_REQUEST
        except LookupError as error:
            reply, status = {"error": str(error)}, HTTPStatus.NOT_FOUND
        content = {"Content-Type": "application/json"}
        await _send(send, (status, content, json.dumps(reply).encode()), "")

    def _controlled(self, method: str, path: str, query: api.Query, document: dict[str, Any]) -> dict[str, Any]:
        match method, path:
            case "GET", "health":
                return {"status": "ok", **self.trail.health()}
            case "GET", "trail":
                return self.trail.since(int(query.get("since", ["0"])[0]))
            case "POST", "trail":
                self.trail.put(document)
            case "POST", "delivery":
                return asdict(self.trail.configure(document))
            case "POST", "faults":
                return asdict(self.faults.add(document))
            case "GET", "refusals":
                return {"refusals": invocations.refused()}
            case "DELETE", "faults" | "environments" | "refusals":
                end = {"faults": self.faults.clear, "environments": environments.end_all, "refusals": invocations.reset}
                end[path]()
            case _:
                raise LookupError(f"{method} {CONTROL}{path} does not exist")
        return {}


async def _whole_body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            return b"".join(chunks)


def _text_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _tee(copy: _Response, send: Send, request_id: str) -> Send:
    """Copy a response while it is sent. Add a request id, which MiniStack's denials lack."""

    async def teed(message: Message) -> None:
        if message["type"] == "http.response.start":
            copy.status = message["status"]
            copy.headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]
            }
            if "x-amzn-requestid" not in copy.headers:
                copy.headers["x-amzn-requestid"] = request_id
                message = {**message, "headers": [*message["headers"], (b"x-amzn-requestid", request_id.encode())]}
        elif message["type"] == "http.response.body":
            copy.body += message.get("body", b"")
        await send(message)

    return teed


async def _send(send: Send, response: Response, request_id: str) -> None:
    status, headers, body = response
    lines = {**headers, "Content-Length": str(len(body)), **({"x-amzn-requestid": request_id} if request_id else {})}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines.items()]
    await send({"type": "http.response.start", "status": int(status), "headers": encoded})
    await send({"type": "http.response.body", "body": body})
