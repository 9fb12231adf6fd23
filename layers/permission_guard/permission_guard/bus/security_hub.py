"""The event by which Security Hub reports that a finding of the bot changed. It reaches the ticket queue by a rule.

https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from permission_guard.bus.events import SOURCE
from permission_guard.bus.ticket_reviews import TicketReview
from permission_guard.errors import MalformedEventError
from permission_guard.model.arns import finding_target
from permission_guard.model.verdicts import FINDING_ID

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON

SECURITY_HUB_SOURCE: Final = "aws.securityhub"
IMPORTED_DETAIL_TYPE: Final = "Security Hub Findings - Imported"

_ECHO: Final = timedelta(minutes=15)
"""How long after the bot's own comment events are ignored: Security Hub takes minutes to show what was written."""


def read_imported(detail: Mapping[str, JSON], now: datetime) -> TicketReview | None:
    """Return the finding whose ticket is to be read, None for an event that the bot's own comment caused.

    Only the names are used: the table has the finding, and Security Hub its workflow status. MalformedEventError if the
    event names no finding of the bot.
    """
    findings = detail.get("findings")
    document = findings[0] if isinstance(findings, list) and len(findings) == 1 else None
    if not isinstance(document, Mapping):
        raise MalformedEventError("the event of Security Hub has not one finding")
    fields, resources = document.get("ProductFields"), document.get("Resources")
    finding_id = fields.get(f"{SOURCE}/finding") if isinstance(fields, Mapping) else None
    if not isinstance(finding_id, str) or not FINDING_ID.fullmatch(finding_id):
        raise MalformedEventError("the event of Security Hub has no id of a finding of the bot")
    first = resources[0] if isinstance(resources, list) and resources else None
    arn = first.get("Id") if isinstance(first, Mapping) else None
    try:
        target = finding_target(arn if isinstance(arn, str) else "")
    except ValueError as error:
        raise MalformedEventError(f"the event of Security Hub is about {error}") from error
    return None if _is_echo(document.get("Note"), now) else TicketReview(finding_id, target)


def _is_echo(note: JSON, now: datetime) -> bool:
    """Return whether the bot has just written the note of a finding."""
    if not isinstance(note, Mapping) or note.get("UpdatedBy") != SOURCE:
        return False
    try:
        written = datetime.fromisoformat(str(note.get("UpdatedAt")))
    except ValueError:
        return False
    written = written if written.tzinfo else written.replace(tzinfo=UTC)
    return abs(now - written) < _ECHO
