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
            rejection = self._put(fit(finding, limit))
            if rejection is None:
                return
        raise EventRejectedError(f"EventBridge rejects the event of finding {finding.id}: {rejection}")

    def _put(self, finding: Finding) -> str | None:
        """Put the event on the bus. Return why EventBridge rejects it for good, None if it accepted it."""
        entry: PutEventsRequestEntryTypeDef = {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": str(finding.transition),
            "Resources": [finding.function_arn],
            "Detail": json.dumps(finding.to_document()),
        }
        try:
            reply = self._events.put_events(Entries=[entry])
        except ClientError as error:
            if error_code(error) not in _REJECTED:
                raise
            return str(error)
        if not reply["FailedEntryCount"]:
            return None
        failed = reply["Entries"][0]
        reason = f"{failed.get('ErrorCode')}: {failed.get('ErrorMessage')}"
        if failed.get("ErrorCode") in _REJECTED:
            return reason
        raise DeliveryError(f"EventBridge did not accept an event: {reason}")
