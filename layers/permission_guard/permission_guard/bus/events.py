"""The events of the bus `permission-guard`, the extension point."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from permission_guard.errors import MalformedEventError
from permission_guard.model.findings import Finding, Transition
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON

SOURCE = "permission-guard"
"""The name of the bus, and the source of every event on it."""


@record
class BusEvent:
    """An event of the bus: the transition of its detail-type, and its detail.

    A person may send one too (`Fix Approved`), with no more in its detail than the finding's `id`, `function_arn` and
    the `revision` that proposed the fix.
    """

    transition: Transition
    finding_id: str
    function_arn: str
    detail: Mapping[str, JSON]

    @property
    def revision(self) -> int:
        """The finding's revision; MalformedEventError when the detail has none."""
        revision = self.detail.get("revision")
        if not isinstance(revision, int) or isinstance(revision, bool):
            raise MalformedEventError("the event's detail lacks the `revision`, a whole number")
        return revision

    @property
    def finding(self) -> Finding:
        """The finding document; MalformedEventError when the detail is incomplete."""
        try:
            return Finding.from_document(self.detail)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MalformedEventError(f"the event carries no finding document: {error!r:.200}") from error


def read_event(body: str) -> BusEvent:
    """Read a queue message that carries an event of the bus; MalformedEventError when it does not."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedEventError("the message is not JSON") from error
    if not isinstance(event, Mapping) or event.get("source") != SOURCE:
        raise MalformedEventError("the message is not an event of the permission-guard bus")
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        raise MalformedEventError("the event has no `detail` object")
    if event.get("detail-type") not in list(Transition):
        raise MalformedEventError(f"the event's detail-type is {event.get('detail-type')!r:.100}")
    names = detail.get("id"), detail.get("function_arn")
    if not all(isinstance(name, str) and name for name in names):
        raise MalformedEventError("the event's detail lacks `id` or `function_arn`")
    return BusEvent(Transition(event["detail-type"]), str(names[0]), str(names[1]), detail)
