"""Ask the checkers to look at functions, through their own queues."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from permission_guard.clock import utc_now
from permission_guard.errors import DeliveryError
from permission_guard.intake import look_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs import SQSClient

    from permission_guard.model import FunctionTarget

_MESSAGES_A_CALL = 10


SETTLING_SECONDS = 120
"""How long a deployment may take from one change to the next that belongs to it; IAM agrees with itself as late."""


def look_again(client: SQSClient, queue_url: str, target: FunctionTarget) -> int:
    """Request a look at a function once what was changed has settled."""
    return request_looks(client, queue_url, [target], delay=SETTLING_SECONDS)


def request_looks(client: SQSClient, queue_url: str, targets: Iterable[FunctionTarget], *, delay: int = 0) -> int:
    """Send requests to look at functions; return how many. DeliveryError when SQS did not take them all.

    Each function has a message of its own, so that one that cannot be read does not bring others back with it. `delay`
    is in seconds, up to 900; what is shared with other functions is read after it.
    """
    remaining, since = iter(targets), utc_now(after=delay)
    sent = 0
    while batch := list(islice(remaining, _MESSAGES_A_CALL)):
        reply = client.send_message_batch(
            QueueUrl=queue_url,
            Entries=[
                {"Id": str(number), "MessageBody": look_request([target], since), "DelaySeconds": delay}
                for number, target in enumerate(batch)
            ],
        )
        if refused := reply.get("Failed"):
            raise DeliveryError(f"SQS refused {len(refused)} of {len(batch)} requests: {refused[0].get('Message')}")
        sent += len(batch)
    return sent
