"""The current request, for the hooks that run inside MiniStack."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.server.api import Call

current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)
# Tasks that a request starts, such as the deployment of a stack, inherit the caller.
current_key: ContextVar[str] = ContextVar("current_key", default="")
