"""A finding as a ServiceNow incident: plain text, which ServiceNow shows literally outside of journal fields.

`correlation_id` has the finding's id, and `correlation_display` the mark. Both are fields for integrations.
https://www.servicenow.com/docs/bundle/xanadu-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from permission_guard.delivery.formats.plain import text_within
from permission_guard.delivery.text import one_line
from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.summary import message_of
from permission_guard.delivery.tickets.titles import title
from permission_guard.model import limits
from permission_guard.model.findings import Finding, Status
from permission_guard.model.verdicts import Severity

if TYPE_CHECKING:
    from permission_guard.delivery.tickets.summary import Ticketed
    from permission_guard.model.targets import JSON

NEW, IN_PROGRESS, RESOLVED = "1", "2", "6"
FINAL = frozenset({"7", "8"})
"""The states Closed and Canceled. ServiceNow does not reopen such an incident."""

_URGENCIES = {Severity.CRITICAL: "1", Severity.HIGH: "1", Severity.MEDIUM: "2", Severity.LOW: "3"}
_IMPACTS = {Severity.CRITICAL: "1", Severity.HIGH: "2", Severity.MEDIUM: "2", Severity.LOW: "3"}
_CLOSE_CODES = {Status.RESOLVED: "Solution provided", Status.SUPPRESSED: "No resolution provided"}

# In journal fields ServiceNow renders what stands between these as HTML.
_CODE = re.compile(r"\[(/?code)\]", re.IGNORECASE)
_MARK = re.compile(r"permission-guard (\d{1,18}) (\S{1,40}) (\w+) (true|false)", re.ASCII)
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]")


def correlation_id(about: Ticketed) -> str:
    """Return the id by which the incident of a finding is searched. It has nothing that ends a condition of a query."""
    return _NOT_IN_AN_ID.sub("_", about.id)


def incident(about: Ticketed, mark: Mark) -> dict[str, JSON]:
    """Return the fields that each write sets."""
    return {
        "short_description": _plain(title(about, limits.SERVICENOW_SHORT_DESCRIPTION_CHARACTERS)),
        "description": _plain(text_within(message_of(about), limits.SERVICENOW_TEXT_CHARACTERS)),
        "correlation_id": correlation_id(about),
        "correlation_display": _mark(mark),
    }


def new_incident(about: Ticketed) -> dict[str, JSON]:
    """Return the fields of a new incident. People may change its urgency and impact later."""
    return incident(about, Mark.of(about)) | {
        "urgency": _URGENCIES[about.severity],
        "impact": _IMPACTS[about.severity],
    }


def closing(about: Ticketed) -> dict[str, JSON]:
    """Return the fields that resolve an incident."""
    resolution = about.resolution if isinstance(about, Finding) else ""
    notes = resolution or message_of(about).happened
    return {
        "state": RESOLVED,
        "close_code": _CLOSE_CODES[about.status],
        "close_notes": one_line(_plain(notes), limits.SERVICENOW_TEXT_CHARACTERS),
    }


def is_closed(record: dict[str, JSON]) -> bool:
    """Return whether an incident is resolved, closed or canceled."""
    return record.get("state") == RESOLVED or record.get("state") in FINAL


def marked(record: JSON, about: Ticketed) -> Mark | None:
    """Return the mark of an incident, None if it is not the one of this finding."""
    if not isinstance(record, dict) or record.get("correlation_id") != correlation_id(about):
        return None
    found = _MARK.fullmatch(str(record.get("correlation_display")))
    if found is None:
        return Mark()
    return Mark.read(dict(zip(("revision", "opened_at", "status", "has_comment"), found.groups(), strict=True)))


def _mark(mark: Mark) -> str:
    values = mark.values()
    return f"permission-guard {values['revision']} {values['opened_at']} {values['status']} {values['has_comment']}"


def _plain(text: str) -> str:
    """Return text of the same length without what ServiceNow would render as HTML."""
    return _CODE.sub(r"(\1)", text)
