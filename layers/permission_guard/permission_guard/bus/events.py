"""The events of the bus `permission-guard`, the extension point."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from permission_guard.errors import MalformedEventError
from permission_guard.model.arns import finding_target
from permission_guard.model.findings import Transition
from permission_guard.model.targets import NamedRole
from permission_guard.model.verdicts import FINDING_ID
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON, FindingTarget

SOURCE = "permission-guard"
"""The name of the bus, and the source of every event on it."""


@record
class BusEvent:
    """What an event of the bus names: a finding, its function or role, and a revision.

    Events are news, never orders: whoever acts on one reads the rest in the findings table. `transition` is the event's
    detail-type.
    """

    transition: Transition
    finding_id: str
    target_arn: str
    revision: int

    @property
    def target(self) -> FindingTarget:
        """The function or role; `event_of` has checked its ARN."""
        return finding_target(self.target_arn)


def read_message(body: str, sources: Mapping[str, str] | None = None) -> tuple[JSON, Mapping[str, JSON]]:
    """Return the detail-type and the detail of a queue message of the bot; MalformedEventError when it is not one.

    `sources` has the source of each detail-type that may come from another one than the bot.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedEventError("the message is not JSON") from error
    detail_type = event.get("detail-type") if isinstance(event, Mapping) else None
    source = (sources or {}).get(detail_type, SOURCE) if isinstance(detail_type, str) else SOURCE
    if not isinstance(event, Mapping) or event.get("source") != source:
        raise MalformedEventError("the message is not an event of the permission-guard bus")
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        raise MalformedEventError("the event has no `detail` object")
    return detail_type, detail


def event_of(detail_type: JSON, detail: Mapping[str, JSON]) -> BusEvent:
    """Return the event of the bus with a detail-type and a detail; MalformedEventError when it is not one."""
    if detail_type not in list(Transition):
        raise MalformedEventError(f"the event's detail-type is {detail_type!r:.100}")
    finding_id, target_arn = named_finding(detail)
    revision = detail.get("revision")
    if not isinstance(revision, int) or isinstance(revision, bool) or revision < 1:
        raise MalformedEventError("the event's detail lacks the `revision`, a whole number from 1")
    return BusEvent(Transition(detail_type), finding_id, target_arn, revision)


def named_finding(detail: Mapping[str, JSON]) -> tuple[str, str]:
    """Return the finding that a detail names, and the ARN of its function or role; MalformedEventError without them."""
    finding_id, role_arn = detail.get("id"), detail.get("role_arn", "")
    target_arn = role_arn or detail.get("function_arn")
    if not isinstance(finding_id, str) or not isinstance(target_arn, str):
        raise MalformedEventError("the event's detail lacks `id`, or `function_arn` and `role_arn`")
    if not FINDING_ID.fullmatch(finding_id):
        raise MalformedEventError("the event's `id` is not the id of a finding")
    try:
        target = finding_target(target_arn)
    except ValueError as error:
        raise MalformedEventError(f"the event's target is {error}") from error
    if isinstance(target, NamedRole) is not bool(role_arn):
        raise MalformedEventError("the event's `function_arn` is the ARN of a role, or its `role_arn` is none")
    return finding_id, target_arn


def event_body(finding: Finding) -> str:
    """Return the body of a queue message about a finding's last transition. It has only what `event_of` reads."""
    detail = {
        "id": finding.id,
        "function_arn": finding.function_arn,
        "role_arn": finding.role_arn,
        "revision": finding.revision,
    }
    return json.dumps({"source": SOURCE, "detail-type": str(finding.transition), "detail": detail})
