"""Which suppressions end, and which open findings become suppressed. Pure.

Tags are judged by checks, which read them: what depends on tags ends here only by its time, or because the
configuration no longer has it for the finding.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from permission_guard.findings.exceptions import Exceptions
from permission_guard.findings.lifecycle import Change, reopened, suppressed, suppression_text
from permission_guard.model.findings import Status
from permission_guard.model.suppressions import SuppressedBy

if TYPE_CHECKING:
    from permission_guard.config.document import GuardConfig
    from permission_guard.model.findings import Finding


def of_suppressed(finding: Finding, config: GuardConfig, now: str) -> Change | None:
    """Return the change of a suppressed finding, None if it stays as it is.

    It is reopened when its suppression has ended and nothing else suppresses it.
    """
    if finding.status is not Status.SUPPRESSED or _is_in_force(finding, config, now):
        return None
    suppression = Exceptions(config, None, now).suppression_of(finding)
    if suppression is None:
        return reopened(replace(finding, suppression=None), now)
    if suppression == finding.suppression:
        return None
    # It was suppressed all the time: that is no transition.
    after = replace(finding, suppression=suppression, resolution=suppression_text(suppression))
    return Change(after, finding.revision)


def of_open(finding: Finding, config: GuardConfig, now: str) -> Change | None:
    """Return the change that suppresses an open finding, None if no exception does."""
    suppression = Exceptions(config, None, now).suppression_of(finding) if finding.status is Status.OPEN else None
    return suppressed(finding, suppression, now) if suppression is not None else None


def configuration_digest(config: GuardConfig) -> str:
    """Return a digest of what can suppress open findings here."""
    return hashlib.sha256(repr(config.exceptions).encode(errors="replace")).hexdigest()


def _is_in_force(finding: Finding, config: GuardConfig, now: str) -> bool:
    """Return whether what suppressed a finding still does, without another look at the exceptions."""
    suppression = finding.suppression
    if suppression is None or datetime.fromisoformat(suppression.until) <= datetime.fromisoformat(now):
        return False
    if suppression.by is SuppressedBy.PERSON:
        return True
    if suppression.by is SuppressedBy.FUNCTION_TAG:
        allowed = config.function_tags
        return allowed.enabled and (not allowed.rules or finding.rule_id in allowed.rules)
    return Exceptions(config, None, now).may_match_by_tags(finding)
