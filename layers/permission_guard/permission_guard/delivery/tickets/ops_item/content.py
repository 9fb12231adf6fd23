"""A finding as an OpsItem of AWS Systems Manager OpsCenter.

The description is what a person reads first and takes 2,048 bytes of Markdown; everything else, whole, is operational
data, where a value takes 20 KB. Limits: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html

An OpsItem remembers under `history` what happened to the finding, and under `status` where it stood when the bot last
wrote. From that the next write knows whether the OpsItem was closed along with the finding, or by a person.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Literal

from permission_guard.delivery.message import SectionStyle, compose
from permission_guard.delivery.text import cut_bytes, listing, one_line
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.message import Section
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

SOURCE = "permission-guard"
CATEGORY = "Security"

MAX_TITLE = 1_024
MAX_DESCRIPTION = 2_048
MAX_VALUE = 20_000
MAX_TAG = 256

# The severities of OpsCenter are "1" (critical) to "4" (low), its priorities 1 (highest) to 5.
_SEVERITIES = {Severity.CRITICAL: "1", Severity.HIGH: "2", Severity.MEDIUM: "3", Severity.LOW: "4"}
_PRIORITIES = {Severity.CRITICAL: 1, Severity.HIGH: 2, Severity.MEDIUM: 3, Severity.LOW: 4}

_HISTORY = "history"
_STATUS = "status"
_DEDUP = "/aws/dedup"
_MAX_SUMMARY = 300

_MARKDOWN = re.compile(r"([\\`*_\[\]<>~|#!])")
_NOT_IN_A_TAG = re.compile(r"[^\w .:/=+\-@]")
_FACTS_SHOWN = frozenset({"Function", "Subject", "Finding id"})
_ELSEWHERE = "\n\nMore is in the operational data of this OpsItem."


@record(kw_only=True)
class OpsItemContent:
    """What an OpsItem says. `data` is its operational data, `searchable` those of its keys that can be searched for."""

    title: str
    description: str
    severity: str
    priority: int
    data: Mapping[str, str]
    searchable: frozenset[str]
    tags: Mapping[str, str]


def content(finding: Finding, earlier: Mapping[str, str] | None = None) -> OpsItemContent:
    """Return what the OpsItem of a finding says now.

    `earlier` is the operational data it holds, None for a new one. A deduplication string can only be set at creation.
    """
    searchable = {
        "finding_id": finding.id,
        "rule_id": finding.rule_id,
        _STATUS: str(finding.status),
        "function_name": one_line(_function_name(finding.function_arn), MAX_TAG),
        "/aws/resources": json.dumps([{"arn": arn} for arn in _resources(finding)]),
    }
    if earlier is None:
        searchable[_DEDUP] = json.dumps({"dedupString": finding.id})
    shown = {
        "revision": str(finding.revision),
        "opened_at": finding.opened_at,
        "reason": finding.reason,
        "impact": finding.impact,
        "evidence": json.dumps(finding.evidence, indent=2, default=str),
        _HISTORY: _history(finding, earlier or {}),
        **_remedies(finding),
    }
    if finding.managed_by is not None:
        shown["managed_by"] = f"{finding.managed_by.tool} {finding.managed_by.stack}".strip()
    if finding.fix is not None:
        shown["bot_fix"] = f"{finding.fix.name}: {finding.fix.result}. {finding.fix.summary}"
        shown["bot_fix_before"] = json.dumps(finding.fix.before, indent=2, default=str)
        shown["bot_fix_after"] = json.dumps(finding.fix.after, indent=2, default=str)
        shown["bot_fix_undo"] = _whole(listing(finding.fix.undo))
    return OpsItemContent(
        title=cut_bytes(one_line(f"{finding.rule_id}: {finding.title}", MAX_TITLE), MAX_TITLE),
        description=_description(finding),
        severity=_SEVERITIES[finding.severity],
        priority=_PRIORITIES[finding.severity],
        data={_key(key): _fitting(value) for key, value in {**searchable, **shown}.items() if value.strip()},
        searchable=frozenset(searchable),
        tags={"permission-guard:rule": _tag(finding.rule_id), "permission-guard:function": _tag(finding.function_arn)},
    )


def status_to_set(finding: Finding, earlier: Mapping[str, str]) -> Literal["Open", "Resolved"] | None:
    """Return the status that the OpsItem has to take, None when it keeps the one it has.

    What a person set stands: InProgress is not set back to Open, and an OpsItem that a person resolved while the
    finding is open stays resolved until the finding comes back.
    """
    if finding.status is not Status.OPEN:
        return "Resolved"
    return "Open" if earlier.get(_STATUS, Status.OPEN) != Status.OPEN else None


def is_stale(finding: Finding, earlier: Mapping[str, str]) -> bool:
    """Tell whether the OpsItem already says something newer than this revision of the finding.

    Revisions count from one again when the findings table was made anew; then the later opening is the newer one.
    """
    revision, opened_at = earlier.get("revision", ""), earlier.get("opened_at", "")
    return revision.isdecimal() and int(revision) > finding.revision and opened_at >= finding.opened_at


def _function_name(arn: str) -> str:
    return arn.split(":function:", 1)[-1]


def _resources(finding: Finding) -> list[str]:
    """Return the ARNs that OpsCenter shows as related: the function, and its role where the finding is about one."""
    role_arn = finding.evidence.get("role_arn")
    return [finding.function_arn, *([role_arn] if isinstance(role_arn, str) and role_arn.startswith("arn:") else [])]


def _remedies(finding: Finding) -> dict[str, str]:
    """Return the cures by kind; those of one kind stand below each other."""
    texts: dict[str, str] = {}
    for remedy in finding.remedies:
        key = f"fix_with_{remedy.kind}"
        texts[key] = f"{texts[key]}\n\n{listing(remedy.text)}" if key in texts else listing(remedy.text)
    return {key: _whole(text) for key, text in texts.items()}


def _history(finding: Finding, earlier: Mapping[str, str]) -> str:
    """Return what happened so far as JSON, oldest first; what no longer fits is forgotten, oldest first."""
    entry = {"revision": finding.revision, "at": finding.changed_at, "what": str(finding.transition)}
    summary = finding.fix.summary if finding.fix is not None else finding.resolution
    if summary:
        entry["summary"] = one_line(summary, _MAX_SUMMARY)
    events = [*(event for event in _earlier_events(earlier) if event.get("revision") != finding.revision), entry]
    while len(text := json.dumps(events, indent=1)) > MAX_VALUE:
        del events[0]
    return text


def _earlier_events(earlier: Mapping[str, str]) -> list[dict[str, JSON]]:
    """Return the history in an OpsItem; people may edit operational data, so it may be anything."""
    try:
        events = json.loads(earlier.get(_HISTORY, "[]"))
    except ValueError:
        return []
    return [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []


def _key(key: str) -> str:
    return one_line(key, 128)


def _fitting(value: str) -> str:
    """Return a value as OpsCenter takes it: evidence that is too long is cut, which leaves it readable."""
    return cut_bytes(listing(value), MAX_VALUE)


def _whole(text: str) -> str:
    """Return what is to be pasted, or where it is when it does not fit: half a command does something else."""
    return text if len(text.encode()) <= MAX_VALUE else "Too long for an OpsItem: see the finding itself."


def _tag(text: str) -> str:
    return _NOT_IN_A_TAG.sub("_", text)[:MAX_TAG]


def _description(finding: Finding) -> str:
    """Return Markdown that fits: the parts in the order in which a person needs them, as many as there is room for."""
    message = compose(finding)
    facts = "\n".join(
        f"- {label}: `{value.replace('`', chr(39))}`" for label, value in message.facts if label in _FACTS_SHOWN
    )
    sections = sorted(message.sections, key=lambda section: section.form is SectionStyle.LISTING)
    parts = [f"**{_escape(message.happened)}**", facts, *(_markdown(section) for section in sections)]
    room = MAX_DESCRIPTION - len(_ELSEWHERE)
    text, left_out = "", False
    for part in parts:
        joined = f"{text}\n\n{part}".lstrip()
        if len(joined.encode()) <= room:
            text = joined
        else:
            left_out = True
    return text + _ELSEWHERE if left_out else text


def _markdown(section: Section) -> str:
    """Return a section as Markdown, at most a third of the room; code is fenced by more backticks than are in it."""
    room = MAX_DESCRIPTION // 3
    heading = f"**{_escape(section.title)}**"
    if section.form is SectionStyle.PROSE:
        return f"{heading}\n{_escape(cut_bytes(section.text, room))}"
    text = section.text if section.form is SectionStyle.COMMAND else cut_bytes(section.text, room)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{heading}\n{fence}\n{text}\n{fence}"


def _escape(text: str) -> str:
    """Return prose in which Markdown sees no formatting, link or image."""
    return _MARKDOWN.sub(r"\\\1", text)
