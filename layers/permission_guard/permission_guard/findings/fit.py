"""Keep a finding's document within a size limit, whatever a policy contains.

Names, policies and error messages in AWS are chosen by their authors, so a finding can grow to any size. A finding
that no table, event or alert accepts would be hidden, and would block those after it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.model import limits
from permission_guard.model.owners import OWNER_TAGS
from permission_guard.model.verdicts import Remedy

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

_LONG_REMEDY = 4_000
_LONG_VALUE = 2_000
_LONG_TEXT = 2_000
_LONG_NAME = 500
_FEW = 3


def document_size(finding: Finding) -> int:
    """Return the size of a finding's document in bytes, as it is stored and sent: JSON with escaped characters."""
    return len(json.dumps(finding.to_document()))


def fit(finding: Finding, limit: int = limits.FINDING_DOCUMENT) -> Finding:
    """Return a finding whose document is at most `limit` bytes long.

    Long remedies are omitted first, then long evidence, then texts are cut; each says what is missing. The last step
    omits all remedies and evidence, and cuts the subject. The record of a fix is never changed: an undo needs it. The
    result is the same for the same finding, so that an unchanged one is not written again.
    """
    for shrink in _STEPS:
        if document_size(finding) <= limit:
            break
        finding = shrink(finding)
    return finding


def _without_long_remedies(finding: Finding) -> Finding:
    return replace(finding, remedies=tuple(map(_short_remedy, finding.remedies)))


def _short_remedy(remedy: Remedy) -> Remedy:
    if len(remedy.text) <= _LONG_REMEDY:
        return remedy
    return Remedy(
        remedy.kind, f"# This remedy has {len(remedy.text)} characters, too many for a finding. See its reason."
    )


def _without_long_evidence(finding: Finding) -> Finding:
    return replace(finding, evidence={_cut(key, _LONG_NAME): _short_value(v) for key, v in finding.evidence.items()})


def _short_value(value: JSON) -> JSON:
    size = len(json.dumps(value))
    return value if size <= _LONG_VALUE else {"omitted_bytes": size}


def _with_short_texts(finding: Finding, limit: int = _LONG_TEXT) -> Finding:
    return replace(
        finding,
        title=_cut(finding.title, _LONG_NAME),
        reason=_cut(finding.reason, limit),
        impact=_cut(finding.impact, limit),
        resolution=_cut(finding.resolution, limit),
    )


def _minimal(finding: Finding) -> Finding:
    return replace(
        _with_short_texts(finding, _LONG_NAME),
        subject=_cut(finding.subject, _LONG_NAME),
        evidence={"omitted_bytes": len(json.dumps(dict(finding.evidence)))},
        remedies=(),
        event_ids=tuple(_cut(text, _LONG_NAME) for text in finding.event_ids),
        changed_by=_cut(finding.changed_by, _LONG_NAME),
        functions=finding.functions[:_FEW],
        history=finding.history[-_FEW:],
        managed_by=None,
        tags={key: value for key, value in finding.tags.items() if key in OWNER_TAGS},
    )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


_STEPS: tuple[Callable[[Finding], Finding], ...] = (
    _without_long_remedies,
    _without_long_evidence,
    _with_short_texts,
    _minimal,
)
