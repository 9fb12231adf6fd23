"""The sandbox as an ASGI application: MiniStack with the additions of this package, after a self-test.

Run by `sandbox.client.process` as `python -m hypercorn sandbox.server.app:app` in the sandbox's own environment.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sandbox.server import pin

if TYPE_CHECKING:
    from sandbox.server.gateway import Gateway

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Serve the APIs of AWS and of the sandbox."""
    if scope["type"] == "lifespan":
        await _lifespan(scope, receive, send)
    elif scope["type"] == "http":
        # AWS serves TLS only. Policies that deny calls without TLS must have the same effect here.
        await gateway().serve({**scope, "scheme": "https"}, receive, send)
    else:
        from ministack.app import app as ministack  # noqa: PLC0415 - only after the version check

        await ministack(scope, receive, send)


@lru_cache
def gateway() -> Gateway:
    """Return the assembled sandbox."""
    # These modules need the names of MiniStack that the version check has found.
    from sandbox.server import hooks  # noqa: PLC0415
    from sandbox.server.account_policies import AccountPolicies  # noqa: PLC0415
    from sandbox.server.authorizers import Authorizers  # noqa: PLC0415
    from sandbox.server.faults import Faults  # noqa: PLC0415
    from sandbox.server.gateway import Gateway  # noqa: PLC0415
    from sandbox.server.message_moves import MessageMoves  # noqa: PLC0415
    from sandbox.server.ops_items import OpsItems  # noqa: PLC0415
    from sandbox.server.security_hub import SecurityHub  # noqa: PLC0415
    from sandbox.server.trail import Trail  # noqa: PLC0415

    own = (OpsItems(), SecurityHub(), AccountPolicies(), Authorizers(), MessageMoves())
    assembled = Gateway(Trail(), Faults(), own)
    hooks.install(assembled.own, assembled.report_deployment)
    assembled.trail.start()
    return assembled


async def _lifespan(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Start MiniStack, then test every hook. A failure stops the server with its message."""
    from sandbox.server import self_test  # noqa: PLC0415 - imports MiniStack only after the version check

    async def started(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            try:
                await self_test.run(gateway())
            except pin.PinError as error:
                message = _startup_failure(error)
        await send(message)

    try:
        pin.check()
        gateway()
    except (pin.PinError, ImportError) as error:
        await receive()
        await send(_startup_failure(error))
        return
    from ministack.app import app as ministack  # noqa: PLC0415 - only after the version check

    await ministack(scope, receive, started)


def _startup_failure(error: Exception) -> Message:
    print(f"sandbox: {error}", file=sys.stderr, flush=True)
    return {"type": "lifespan.startup.failed", "message": str(error)}
