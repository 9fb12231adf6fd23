"""What a service answers instead of a reply."""

from __future__ import annotations

from typing import Any


class RejectedError(Exception):
    """What AWS answers instead: an error code, and more of the reply."""

    def __init__(self, code: str, message: str = "", *, status: int = 400, **reply: Any) -> None:
        super().__init__(code)
        self.code, self.message, self.status, self.reply = code, message, status, reply
