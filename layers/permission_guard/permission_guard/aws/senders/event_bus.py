"""Put events on a bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from permission_guard.aws.senders.batches import batches
from permission_guard.bus.events import SOURCE
from permission_guard.errors import DeliveryError, EventRejectedError, error_code
from permission_guard.findings.fit import fit
from permission_guard.model import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from permission_guard.model.findings import Finding

    _Entry = tuple[Finding, PutEventsRequestEntryTypeDef]


# Errors that a retry of the same event does not change.
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
_REJECTED = frozenset({"InvalidArgument", "MalformedDetail", "ValidationException"})
_SMALLER = (50_000, 0)
_TRIES = 3


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
            (error,) = self._put([self._entry(fit(finding, limit))])
            if error is None:
                return
            if not isinstance(error, EventRejectedError):
                raise error
        raise EventRejectedError(f"EventBridge rejects the event of finding {finding.id}: {error}")

    def publish_all(self, findings: Iterable[Finding]) -> dict[str, Exception]:
        """Publish the last transitions of findings, as many in a request as EventBridge accepts.

        Return why a finding could not be published, by its id. One that cannot does not keep the others back.
        """
        failures: dict[str, Exception] = {}
        entries: list[_Entry] = []
        for finding in findings:
            try:
                entries.append((finding, self._entry(fit(finding))))
            except Exception as error:  # noqa: BLE001 - the other findings must be published
                failures[finding.id] = error
        for batch in batches(
            entries, lambda one: _size(one[1]), most=limits.EVENT_REQUEST_ENTRIES, most_bytes=limits.EVENT_ENTRY
        ):
            failures |= self._publish_batch(batch)
        return failures

    def _publish_batch(self, batch: Sequence[_Entry]) -> dict[str, Exception]:
        """Publish one request's entries: again what EventBridge did not accept for now, one by one what it rejects."""
        failures: dict[str, Exception] = {}
        for _ in range(_TRIES):
            try:
                errors = self._put([entry for _, entry in batch])
            except Exception as failure:  # noqa: BLE001 - the client has retried; the other batches must be published
                return failures | {finding.id: failure for finding, _ in batch}
            results = list(zip(batch, errors, strict=True))
            for (finding, _), error in results:
                if isinstance(error, EventRejectedError):
                    failures |= self._publish_alone(finding)
            failed = [(one, error) for one, error in results if isinstance(error, DeliveryError)]
            if not failed:
                return failures
            batch = [one for one, _ in failed]
        return failures | {finding.id: error for (finding, _), error in failed}

    def _publish_alone(self, finding: Finding) -> dict[str, Exception]:
        try:
            self.publish(finding)
        except Exception as error:  # noqa: BLE001 - the other findings must be published
            return {finding.id: error}
        return {}

    def _put(self, entries: Sequence[PutEventsRequestEntryTypeDef]) -> list[Exception | None]:
        """Put entries; return the error of each, None if EventBridge accepted it.

        EventRejectedError where EventBridge rejects it for good, DeliveryError where it did not accept it for now.
        """
        try:
            reply = self._events.put_events(Entries=entries)
        except ClientError as error:
            if error_code(error) not in _REJECTED:
                raise
            return [EventRejectedError(str(error)) for _ in entries]
        return [_error(entry.get("ErrorCode"), entry.get("ErrorMessage")) for entry in reply["Entries"]]

    def _entry(self, finding: Finding) -> PutEventsRequestEntryTypeDef:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": str(finding.transition),
            "Resources": [finding.function_arn],
            "Detail": json.dumps(finding.to_document()),
        }


def _error(code: str | None, message: str | None) -> Exception | None:
    if code is None:
        return None
    if code in _REJECTED:
        return EventRejectedError(f"{code}: {message}")
    return DeliveryError(f"EventBridge did not accept an event: {code}: {message}")


def _size(entry: PutEventsRequestEntryTypeDef) -> int:
    """Return the size of an entry as EventBridge calculates it.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
    """
    parts = (entry["Source"], entry["DetailType"], entry["Detail"], *entry["Resources"])
    return sum(len(part.encode()) for part in parts)
