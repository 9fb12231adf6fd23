"""Ask the checkers to look at functions, through their own queues."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from permission_guard.clock import utc_now
from permission_guard.errors import DeliveryError
from permission_guard.intake.check_requests import check_request_body

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs import SQSClient

    from permission_guard.checks.checker import CheckRequest
    from permission_guard.model.targets import FunctionTarget

_MESSAGES_A_CALL = 10


class CheckQueue:
    """The queue of one checker.

    `grace_period_seconds` is how long a deployment may take from one change to the next that belongs to it, and IAM to
    agree with itself; up to 900, which is what SQS can wait.
    """

    def __init__(self, client: SQSClient, queue_url: str, grace_period_seconds: int = 0) -> None:
        self._sqs = client
        self._url = queue_url
        self._grace_period_seconds = grace_period_seconds

    def again(self, target: FunctionTarget, request: CheckRequest) -> None:
        """Request a look at a function, on an occasion, once what was changed has settled."""
        self._send([target], request, delay=self._grace_period_seconds, full=request.full)

    def now(self, targets: Iterable[FunctionTarget]) -> int:
        """Request thorough looks at functions about which nothing was changed just now; return how many."""
        return self._send(targets)

    def changed(self, targets: Iterable[FunctionTarget], request: CheckRequest) -> int:
        """Request looks at functions that a change concerns, as its event would; return how many."""
        return self._send(targets, request, after_grace_period=False, full=False)

    def _send(
        self,
        targets: Iterable[FunctionTarget],
        request: CheckRequest | None = None,
        *,
        delay: int = 0,
        after_grace_period: bool = True,
        full: bool = True,
    ) -> int:
        """Send requests; DeliveryError when SQS did not take them all.

        Each function has a message of its own, so that one that cannot be read does not bring others back with it.
        What is shared with other functions is read after the delay, which is in seconds. What led to the `request` is
        told on.
        """
        remaining, since = iter(targets), utc_now(after=delay)
        causes, tool = (request.event_ids, request.tool) if request else ((), "")
        sent = 0
        while batch := list(islice(remaining, _MESSAGES_A_CALL)):
            bodies = [
                check_request_body(
                    [target], since, after_grace_period=after_grace_period, full=full, causes=causes, tool=tool
                )
                for target in batch
            ]
            reply = self._sqs.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "MessageBody": body, "DelaySeconds": delay}
                    for number, body in enumerate(bodies)
                ],
            )
            if refused := reply.get("Failed"):
                raise DeliveryError(f"SQS refused {len(refused)} of {len(batch)} requests: {refused[0].get('Message')}")
            sent += len(batch)
        return sent
