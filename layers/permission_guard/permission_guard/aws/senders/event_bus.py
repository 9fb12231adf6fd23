"""Put events on a bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from permission_guard.bus.events import SOURCE
from permission_guard.errors import DeliveryError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

    from permission_guard.model.findings import Finding


class EventBus:
    """The bus `permission-guard`, the extension point."""

    def __init__(self, client: EventBridgeClient, name: str) -> None:
        self._events = client
        self._name = name

    def publish(self, finding: Finding) -> None:
        """Publish a finding's last transition; DeliveryError when EventBridge did not accept it."""
        reply = self._events.put_events(
            Entries=[
                {
                    "EventBusName": self._name,
                    "Source": SOURCE,
                    "DetailType": str(finding.transition),
                    "Resources": [finding.function_arn],
                    "Detail": json.dumps(finding.to_document()),
                },
            ],
        )
        if reply["FailedEntryCount"]:
            entry = reply["Entries"][0]
            raise DeliveryError(
                f"EventBridge did not accept an event: {entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
            )
