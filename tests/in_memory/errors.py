"""What a service answers instead of a reply."""

from __future__ import annotations

from typing import Any


class RejectedError(Exception):
    """What AWS answers instead: an error code, and more of the reply.

    `modeled` is the error's name in the service's model where its code is another.
    """

    def __init__(self, code: str, message: str = "", *, status: int = 400, modeled: str = "", **reply: Any) -> None:
        super().__init__(code)
        self.code, self.message, self.status, self.modeled, self.reply = code, message, status, modeled or code, reply
