"""A finding as an OpsItem of AWS Systems Manager OpsCenter.

A person reads the description first: at most 2,048 bytes of Markdown. The operational data has the whole finding; a
value takes at most 20 KB. Limits:
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html

The operational data `history` has the finding's transitions. `revision`, `opened_at`, `status` and `has_comment` are
the mark: the finding at the bot's last write.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.markdown import markdown
from permission_guard.delivery.plans import plan_parts
from permission_guard.delivery.text import cut_bytes, listing, one_line
from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.titles import title
from permission_guard.errors import UNREADABLE
from permission_guard.model import limits
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

SOURCE = "permission-guard"
CATEGORY = "Security"

MAX_TITLE = limits.OPS_ITEM_TITLE
MAX_DESCRIPTION = limits.OPS_ITEM_DESCRIPTION
MAX_VALUE = limits.OPS_ITEM_VALUE
MAX_TAG = limits.OPS_ITEM_TAG

# The severities of OpsCenter are "1" (critical) to "4" (low), its priorities 1 (highest) to 5.
SEVERITIES = {Severity.CRITICAL: "1", Severity.HIGH: "2", Severity.MEDIUM: "3", Severity.LOW: "4"}
PRIORITIES = {Severity.CRITICAL: 1, Severity.HIGH: 2, Severity.MEDIUM: 3, Severity.LOW: 4}

UNRESOLVED: Final = ("Open", "InProgress")
CLOSED: Final = frozenset({"Resolved", "Closed"})

_HISTORY = "history"
DEDUP = "/aws/dedup"
_MAX_SUMMARY = 300
_MAX_RESOURCES = 10

_NOT_IN_A_TAG = re.compile(r"[^\w .:/=+\-@]")
_DOTS = "..."  # a tag cannot contain an ellipsis
ELSEWHERE = "See the operational data of this OpsItem for more."
NO_COMMENT = "There is no comment."


@record(kw_only=True)
class OpsItemContent:
    """The content of an OpsItem. `data` is its operational data; `searchable` are the searchable keys of `data`."""

    title: str
    description: str
    severity: str
    priority: int
    data: Mapping[str, str]
    searchable: frozenset[str]
    tags: Mapping[str, str]


def content(
    finding: Finding,
    earlier: Mapping[str, str] | None = None,
    *,
    mark: Mark | None = None,
    comment: str = "",
) -> OpsItemContent:
    """Return the content of a finding's OpsItem.

    `earlier` is its operational data, None for a new OpsItem: a deduplication string can only be set at creation.
    `mark` is what to record of the finding, by default without a comment.
    """
    mark = mark or Mark.of(finding)
    searchable = {
        "finding_id": finding.id,
        "rule_id": finding.rule_id,
        "status": str(mark.status),
        "function_name": one_line(_function_name(finding), MAX_TAG),
        "/aws/resources": json.dumps([{"arn": arn} for arn in _resources(finding)]),
    }
    if earlier is None:
        searchable[DEDUP] = json.dumps({"dedupString": finding.id})
    shown = {
        "revision": str(mark.revision),
        "opened_at": mark.opened_at,
        "reason": finding.reason,
        "impact": finding.impact,
        "evidence": json.dumps(finding.evidence, indent=2, default=str),
        _HISTORY: _history(finding, earlier or {}),
        **_remedies(finding),
    }
    if mark.has_comment or "has_comment" in (earlier or {}):
        shown["has_comment"] = mark.values()["has_comment"]
    if comment or (not mark.has_comment and "comment" in (earlier or {})):
        shown["comment"] = comment or NO_COMMENT
    if finding.managed_by is not None:
        shown["managed_by"] = f"{finding.managed_by.tool} {finding.managed_by.stack}".strip()
    if finding.fix is not None:
        shown["bot_fix"] = f"{finding.fix.name}: {finding.fix.result}. {finding.fix.last_summary}"
        # Not left out if empty: OpsCenter keeps a value that is not written again.
        plan = "\n\n".join(f"{title}:\n{text}" for title, text in plan_parts(finding.fix))
        shown["bot_fix_plan"] = plan or "There is no plan."
        shown["bot_fix_approve"] = _whole(listing(finding.fix.approve), finding) or "Nothing waits for an approval."
        shown["bot_fix_before"] = json.dumps(finding.fix.before, indent=2, default=str)
        shown["bot_fix_after"] = json.dumps(finding.fix.after, indent=2, default=str)
        shown["bot_fix_undo"] = _whole(listing(finding.fix.undo), finding)
    return OpsItemContent(
        title=cut_bytes(title(finding, MAX_TITLE), MAX_TITLE),
        description=_description(finding),
        severity=SEVERITIES[finding.severity],
        priority=PRIORITIES[finding.severity],
        data={_key(key): limited(value) for key, value in {**searchable, **shown}.items() if value.strip()},
        searchable=frozenset(searchable),
        tags={"permission-guard:rule": _tag(finding.rule_id), "permission-guard:function": _tag(finding.target_arn)},
    )


def _function_name(finding: Finding) -> str:
    """Return the name of the function, with its qualifier, or that of the role which a finding is about."""
    return finding.function_arn.partition(":function:")[2] or finding.role_arn.rpartition("/")[2]


def _resources(finding: Finding) -> list[str]:
    """Return the ARNs that OpsCenter shows as related: the functions, and the role if the finding names one."""
    named = finding.evidence.get("role_arn")
    role_arn = named if isinstance(named, str) and named.startswith("arn:") else ""
    return list(filter(None, dict.fromkeys([finding.target_arn, role_arn, *finding.functions[:_MAX_RESOURCES]])))


def _remedies(finding: Finding) -> dict[str, str]:
    """Return the remedies by kind; several of one kind are joined into one text."""
    texts: dict[str, str] = {}
    for remedy in finding.remedies:
        key = f"fix_with_{remedy.kind}"
        text = f"# {remedy.step}\n{remedy.text}" if remedy.step else remedy.text
        text = f"{text}\n\nWhat else changes: {remedy.changes}" if remedy.changes else text
        texts[key] = f"{texts[key]}\n\n{listing(text)}" if key in texts else listing(text)
    return {key: _whole(text, finding) for key, text in texts.items()}


def _history(finding: Finding, earlier: Mapping[str, str]) -> str:
    """Return the finding's transitions as JSON, oldest first; the oldest are dropped when the text is too long."""
    entry = {"revision": finding.revision, "at": finding.changed_at, "what": str(finding.transition)}
    summary = finding.fix.last_summary if finding.fix is not None else finding.resolution
    if summary:
        entry["summary"] = one_line(summary, _MAX_SUMMARY)
    events = [*(event for event in _earlier_events(earlier) if event.get("revision") != finding.revision), entry]
    while len(text := json.dumps(events, indent=1)) > MAX_VALUE:
        del events[0]
    return text


def _earlier_events(earlier: Mapping[str, str]) -> list[dict[str, JSON]]:
    """Return the history in an OpsItem; people can edit operational data, so the text may be invalid."""
    try:
        events = json.loads(earlier.get(_HISTORY, "[]"))
    except UNREADABLE:
        return []
    return [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []


def _key(key: str) -> str:
    return one_line(key, 128)


def limited(value: str) -> str:
    """Return a value that OpsCenter accepts: evidence that is too long is cut."""
    return cut_bytes(listing(value), MAX_VALUE)


def _whole(text: str, finding: Finding) -> str:
    """Return text to paste, or where it is when it is too long: half a command does something else."""
    if len(text.encode()) <= MAX_VALUE:
        return text
    return f"Too long for an OpsItem: see permission-guard findings show {finding.id}"


def _tag(text: str) -> str:
    value = _NOT_IN_A_TAG.sub("_", text)
    return value if len(value) <= MAX_TAG else value[: MAX_TAG - len(_DOTS)] + _DOTS


def _description(finding: Finding) -> str:
    """Return Markdown within the size limit: the message's parts in their order, without those that are too long."""
    return markdown(compose(finding), MAX_DESCRIPTION, rest=ELSEWHERE)
