"""What is no finding as an OpsItem: a summary, with the findings that wait as operational data, or a test ticket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from permission_guard.delivery.formats.markdown import markdown
from permission_guard.delivery.text import cut_bytes
from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.ops_item import content as ops_item
from permission_guard.delivery.tickets.summary import Summary, message_of
from permission_guard.delivery.tickets.titles import title

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.tickets.sample import TicketSample


def summary_content(
    about: Summary | TicketSample,
    earlier: Mapping[str, str] | None = None,
    *,
    mark: Mark | None = None,
    comment: str = "",
) -> ops_item.OpsItemContent:
    """Return the content of the OpsItem of a summary, or of a test. The parameters are those of `content`."""
    mark, message = mark or Mark.of(about), message_of(about)
    searchable = {"finding_id": about.id, "status": str(mark.status)}
    if earlier is None:
        searchable[ops_item.DEDUP] = json.dumps({"dedupString": about.id})
    shown = {
        "revision": str(mark.revision),
        "opened_at": mark.opened_at,
        "has_comment": mark.values()["has_comment"],
    }
    if isinstance(about, Summary):
        shown["findings"] = "\n\n".join(f"{one.title}\n{one.text}" for one in message.sections)
    if comment or (not mark.has_comment and "comment" in (earlier or {})):
        shown["comment"] = comment or ops_item.NO_COMMENT
    return ops_item.OpsItemContent(
        title=cut_bytes(title(about, ops_item.MAX_TITLE), ops_item.MAX_TITLE),
        description=markdown(message, ops_item.MAX_DESCRIPTION, rest=ops_item.ELSEWHERE),
        severity=ops_item.SEVERITIES[about.severity],
        priority=ops_item.PRIORITIES[about.severity],
        data={key: ops_item.limited(value) for key, value in {**searchable, **shown}.items()},
        searchable=frozenset(searchable),
        tags={"permission-guard:summary" if isinstance(about, Summary) else "permission-guard:test": "tickets"},
    )
