"""Put events on a bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from permission_guard.bus.events import SOURCE
from permission_guard.errors import DeliveryError, EventRejectedError, error_code
from permission_guard.findings.fit import fit
from permission_guard.model import limits

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from permission_guard.model.findings import Finding

# Errors that a retry of the same event does not change.
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
_REJECTED = frozenset({"InvalidArgument", "MalformedDetail", "ValidationException"})
_SMALLER = (50_000, 0)


class EventBus:
    """The bus `permission-guard`, the extension point."""

    def __init__(self, client: EventBridgeClient, name: str) -> None:
        self._events = client
        self._name = name

    def publish(self, finding: Finding) -> None:
        """Publish a finding's last transition. An event that EventBridge rejects is sent again with less content.

        DeliveryError if EventBridge did not accept it for now, EventRejectedError if it rejects even the smallest form.
        """
        for limit in (limits.FINDING_DOCUMENT, *_SMALLER):
            error = self._put(self._entry(fit(finding, limit)))
            if error is None:
                return
            if not isinstance(error, EventRejectedError):
                raise error
        raise EventRejectedError(f"EventBridge rejects the event of finding {finding.id}: {error}")

    def _put(self, entry: PutEventsRequestEntryTypeDef) -> Exception | None:
        """Put an entry; return its error, None if EventBridge accepted it.

        EventRejectedError if EventBridge rejects it for good, DeliveryError if it did not accept it for now.
        """
        try:
            (reply,) = self._events.put_events(Entries=[entry])["Entries"]
        except ClientError as error:
            if error_code(error) not in _REJECTED:
                raise
            return EventRejectedError(str(error))
        return _error(reply.get("ErrorCode"), reply.get("ErrorMessage"))

    def _entry(self, finding: Finding) -> PutEventsRequestEntryTypeDef:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": str(finding.transition),
            "Resources": [finding.target_arn],
            "Detail": json.dumps(finding.to_document()),
        }


def _error(code: str | None, message: str | None) -> Exception | None:
    if code is None:
        return None
    if code in _REJECTED:
        return EventRejectedError(f"{code}: {message}")
    return DeliveryError(f"EventBridge did not accept an event: {code}: {message}")
