"""Ask the checkers to look at functions, through their own queues."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from permission_guard.clock import utc_now
from permission_guard.errors import DeliveryError
from permission_guard.intake.check_requests import look_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs import SQSClient

    from permission_guard.checks.checker import Occasion
    from permission_guard.model.targets import FunctionTarget

_MESSAGES_A_CALL = 10


class LookQueue:
    """The queue of one checker.

    `settling_seconds` is how long a deployment may take from one change to the next that belongs to it, and IAM to
    agree with itself; up to 900, which is what SQS can wait.
    """

    def __init__(self, client: SQSClient, queue_url: str, settling_seconds: int = 0) -> None:
        self._sqs = client
        self._url = queue_url
        self._settling_seconds = settling_seconds

    def again(self, target: FunctionTarget, occasion: Occasion) -> None:
        """Request a look at a function, on an occasion, once what was changed has settled."""
        self._send([target], occasion, delay=self._settling_seconds, thorough=occasion.thorough)

    def now(self, targets: Iterable[FunctionTarget]) -> int:
        """Request thorough looks at functions about which nothing was changed just now; return how many."""
        return self._send(targets)

    def changed(self, targets: Iterable[FunctionTarget], occasion: Occasion) -> int:
        """Request looks at functions that a change concerns, as its event would; return how many."""
        return self._send(targets, occasion, settled=False, thorough=False)

    def _send(
        self,
        targets: Iterable[FunctionTarget],
        occasion: Occasion | None = None,
        *,
        delay: int = 0,
        settled: bool = True,
        thorough: bool = True,
    ) -> int:
        """Send requests; DeliveryError when SQS did not take them all.

        Each function has a message of its own, so that one that cannot be read does not bring others back with it.
        What is shared with other functions is read after the delay, which is in seconds. What led to the `occasion` is
        told on.
        """
        remaining, since = iter(targets), utc_now(after=delay)
        causes, tool = (occasion.event_ids, occasion.tool) if occasion else ((), "")
        sent = 0
        while batch := list(islice(remaining, _MESSAGES_A_CALL)):
            bodies = [
                look_request([target], since, settled=settled, thorough=thorough, causes=causes, tool=tool)
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
