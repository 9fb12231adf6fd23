"""The calls of the self-test, which reach the application as those of a client do."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.server import pin

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server.gateway import Gateway

ACCOUNT = "000000000001"
REGION = "us-east-1"
ROOT = Credentials(ACCOUNT, "sandbox")


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to a call."""

    status: int
    body: str

    def json(self) -> Any:
        """Return the document in the body."""
        return json.loads(self.body or "{}")


async def within(seconds: float, condition: Callable[[], Any]) -> bool:
    """Return whether a condition is met in time."""
    until = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.005)
    return True


def require(condition: Any, hook: pin.Hook, reply: Reply) -> None:
    """Raise PinError with the name of the hook unless the condition is met."""
    if not condition:
        raise pin.PinError(f"The hook {hook} has no effect: MiniStack returned {reply.status} {reply.body}")


def policy_of(*statements: dict[str, Any]) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def element(xml: str, name: str) -> str:
    """Return the text of the first element of this name."""
    return next(iter(re.findall(f"<{name}>([^<]*)</{name}>", xml)), "")


async def iam(gateway: Gateway, action: str, **params: str) -> Reply:
    """Call IAM as the root."""
    return await query(gateway, "iam", action, ROOT, **params)


async def query(gateway: Gateway, service: str, action: str, credentials: Credentials, **params: str) -> Reply:
    """Make a call in the query protocol."""
    body = urlencode({"Action": action, "Version": "2010-05-08", **params}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return await call(gateway, "POST", "/", service, body=body, headers=headers, credentials=credentials)


async def call_lambda(
    gateway: Gateway,
    method: str,
    path: str,
    document: dict[str, Any] | None = None,
    credentials: Credentials = ROOT,
) -> Reply:
    """Call Lambda."""
    body = json.dumps(document).encode() if document else b""
    return await call(gateway, method, path, "lambda", body=body, credentials=credentials)


async def call_json(
    gateway: Gateway, service: str, target: str, document: dict[str, Any], credentials: Credentials = ROOT
) -> Reply:
    """Make a call in the JSON protocol."""
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1"}
    body = json.dumps(document).encode()
    return await call(gateway, "POST", "/", service, body=body, headers=headers, credentials=credentials)


async def call(
    gateway: Gateway,
    method: str,
    path: str,
    service: str = "",
    *,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    credentials: Credentials = ROOT,
) -> Reply:
    """Send one request to the application, unsigned if there is no service."""
    request = AWSRequest(method, f"http://localhost{path}", headers or {}, body)
    request.headers["content-length"] = str(len(body))
    if service:
        SigV4Auth(credentials, service, REGION).add_auth(request)
    status, content = 0, bytearray()
    resource, _, parameters = path.partition("?")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        content.extend(message.get("body", b""))

    lines = [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": resource,
        "raw_path": resource.encode(),
        "query_string": parameters.encode(),
        "headers": [(b"host", b"localhost"), *lines],
        "client": ("127.0.0.1", 0),
        "scheme": "http",
    }
    # A task gives the request its own context, as a server does.
    await asyncio.create_task(gateway.serve(scope, receive, send))
    return Reply(status, content.decode())
