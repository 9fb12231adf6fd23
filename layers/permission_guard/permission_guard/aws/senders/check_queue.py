"""Request checks of functions, through the checkers' own queues."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from permission_guard.aws.senders.batches import batches
from permission_guard.checks.requests import CheckRequest
from permission_guard.clock import utc_now
from permission_guard.errors import DeliveryError
from permission_guard.intake.check_requests import check_request_body
from permission_guard.model import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs import SQSClient

    from permission_guard.model.targets import FunctionTarget


class CheckQueue:
    """The queue of one checker.

    `grace_period_seconds` is how long a deployment may take from one change to the next, and IAM to propagate; up to
    900, the longest delay of SQS.
    """

    def __init__(self, client: SQSClient, queue_url: str, grace_period_seconds: int = 0) -> None:
        self._sqs = client
        self._url = queue_url
        self._grace_period_seconds = grace_period_seconds

    def recheck(self, target: FunctionTarget, request: CheckRequest) -> None:
        """Request another check of a function after the grace period."""
        delay, after = self._grace_period_seconds, request.after_grace_period
        self._send([target], request, utc_now(after=delay), delay=delay, after_grace_period=after, full=request.full)

    def request_full(self, targets: Iterable[FunctionTarget], *, baseline: bool = False) -> int:
        """Request full checks of functions that did not change just now; return how many.

        `baseline` is true for the first sweep: one digest reports what its checks find.
        """
        return self._send(targets, CheckRequest(baseline=baseline), utc_now())

    def request_again(self, targets: Iterable[FunctionTarget], request: CheckRequest) -> int:
        """Request the checks that a batch was asked for and leaves to another one; return how many.

        Denied calls cannot be passed on: the caller keeps their messages.
        """
        since = datetime.fromtimestamp(request.requested_at, UTC).isoformat() if request.requested_at else None
        return self._send(targets, request, since, after_grace_period=request.after_grace_period, full=request.full)

    def _send(
        self,
        targets: Iterable[FunctionTarget],
        request: CheckRequest,
        requested_at: str | None,
        *,
        delay: int = 0,
        after_grace_period: bool = True,
        full: bool = True,
    ) -> int:
        """Send requests; DeliveryError when SQS did not accept them all.

        Each function has a message of its own, so that one failure does not retry others. What functions share is read
        after `requested_at`. The delay is in seconds. The causes of the `request` are passed on.
        """
        because: dict[str, Any] = {
            "causes": request.event_ids,
            "tool": request.tool,
            "changed_by": request.changed_by,
            "changed_from": request.changed_from,
            "changed_with": request.changed_with,
            "changed_in": request.changed_in,
            "changed_event": request.changed_event,
            "role_changes": request.role_changes,
            "iam_change": request.iam_change,
            "baseline": request.baseline,
        }
        sent = 0
        requests = (
            check_request_body([target], requested_at, after_grace_period=after_grace_period, full=full, **because)
            for target in targets
        )
        # The messages of a batch together must not be larger than one message may be. JSON is ASCII here.
        for bodies in batches(requests, len, most=limits.QUEUE_BATCH_MESSAGES, most_bytes=limits.QUEUE_MESSAGE):
            reply = self._sqs.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "MessageBody": body, "DelaySeconds": delay}
                    for number, body in enumerate(bodies)
                ],
            )
            if failed := reply.get("Failed"):
                raise DeliveryError(
                    f"SQS did not accept {len(failed)} of {len(bodies)} requests: {failed[0].get('Message')}"
                )
            sent += len(bodies)
        return sent
