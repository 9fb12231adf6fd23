"""Ask the checkers to look at functions, through their own queues."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from permission_guard.errors import DeliveryError
from permission_guard.intake import look_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from permission_guard.model import FunctionTarget

FUNCTIONS_A_MESSAGE = 10
_MESSAGES_A_CALL = 10


def request_looks(client: SQSClient, queue_url: str, targets: Iterable[FunctionTarget]) -> int:
    """Send requests to look at functions; return how many functions. DeliveryError when SQS did not take them all."""
    targets = iter(targets)
    sent = 0
    while entries := list(islice(_entries(targets), _MESSAGES_A_CALL)):
        reply = client.send_message_batch(QueueUrl=queue_url, Entries=[entry for entry, _ in entries])
        if refused := reply.get("Failed"):
            raise DeliveryError(f"SQS refused {len(refused)} of {len(entries)} requests: {refused[0].get('Message')}")
        sent += sum(count for _, count in entries)
    return sent


def _entries(targets: Iterator[FunctionTarget]) -> Iterator[tuple[SendMessageBatchRequestEntryTypeDef, int]]:
    number = 0
    while chunk := list(islice(targets, FUNCTIONS_A_MESSAGE)):
        yield {"Id": str(number), "MessageBody": look_request(chunk)}, len(chunk)
        number += 1
