"""What a rule reports: a violation, a pass, or unknown."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping  # noqa: TC003 - `make generate` resolves the annotations
from enum import StrEnum
from typing import TYPE_CHECKING

from permission_guard.records import field, record

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON


class Severity(StrEnum):
    """How bad it is if nobody does anything."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Outcome(StrEnum):
    """The three verdicts. Unknown is not pass."""

    VIOLATION = "violation"
    PASS = "pass"  # noqa: S105 - a verdict
    UNKNOWN = "unknown"


@record
class Remedy:
    """A cure, ready to paste: `kind` is `aws-cli`, `sam` or `terraform`."""

    kind: str
    text: str


@record(kw_only=True)
class Verdict:
    """What one rule says of one subject of one function.

    `subject` is None when the rule could not even list its subjects: then it speaks of all of them; one that ends in
    `/*` speaks of all that begin like it. `severity` is the rule's unless this case is better or worse.
    """

    rule_id: str
    function_arn: str
    subject: str | None
    outcome: Outcome
    reason: str
    title: str = ""
    impact: str = ""
    evidence: Mapping[str, JSON] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()
    severity: Severity | None = None

    @property
    def finding_id(self) -> str:
        """The id of the finding that this is, or would be, about."""
        return finding_id(self.rule_id, self.function_arn, self.subject or "")


def finding_id(rule_id: str, function_arn: str, subject: str) -> str:
    """Return the stable fingerprint of a finding: 32 hexadecimal digits.

    `function_arn` carries the qualifier where the subject belongs to a version or an alias.
    """
    return hashlib.sha256(f"{rule_id}\n{function_arn}\n{subject}".encode()).hexdigest()[:32]
