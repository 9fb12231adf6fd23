"""Make a source invoke a function, and see whether it did: what the demo and the end-to-end tests show of a policy."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sandbox.client.process import poll

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.process import Sandbox

_DEADLINE = 20.0


class Deliveries:
    """The deliveries to a function, a version or an alias. The function writes each event into its log."""

    def __init__(self, sandbox: Sandbox, function_arn: str) -> None:
        self._sandbox, self._arn = sandbox, function_arn
        self._group = f"/aws/lambda/{function_arn.split(':')[6]}"
        self._logs = sandbox.client("logs")

    def invokes(self, service: str, source_arn: str, fire: Callable[[str], None]) -> bool:
        """Wait for one delivery, and return whether it invoked the function; False if its policy refused it.

        `fire` makes the source send an event that contains the text that it gets.
        """
        refusal = {"function": self._arn, "service": service, "source": source_arn}
        mark, before = f"mark-{uuid.uuid4().hex}", self._sandbox.refusals().count(refusal)
        fire(mark)

        def outcome() -> str:
            if self._sandbox.refusals().count(refusal) > before:
                return "refused"
            return "invoked" if mark in self._log() else ""

        ended = poll(outcome, deadline=_DEADLINE, what=f"delivery of {source_arn}")
        if ended == "refused" and mark in self._log():
            raise AssertionError(f"{source_arn} was refused, and invoked {self._arn}")
        return ended == "invoked"

    def _log(self) -> str:
        if not self._logs.describe_log_groups(logGroupNamePrefix=self._group)["logGroups"]:
            return ""
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=self._group)
        return "\n".join(event["message"] for page in pages for event in page["events"])
