"""What a rule reports: a violation, a pass, or unknown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping  # noqa: TC003 - `make generate` resolves the annotations
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from permission_guard.records import field, record

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON


class Severity(StrEnum):
    """The severity of a finding."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    def is_below(self, other: Severity) -> bool:
        """Return whether the other severity is the more serious one."""
        ranks = list(Severity)
        return ranks.index(self) < ranks.index(other)


class Outcome(StrEnum):
    """The outcome of a rule for one subject. Unknown is not a pass."""

    VIOLATION = "violation"
    PASS = "pass"  # noqa: S105 - a verdict
    UNKNOWN = "unknown"


REMEDY_NAMES: Final = {
    "aws-cli": "AWS CLI",
    "sam": "SAM and CloudFormation",
    "cdk": "AWS CDK",
    "terraform": "Terraform",
    "policy-statement": "policy statement",
}
"""The kinds of remedies, as people call them."""


@record
class Remedy:
    """How to correct a finding.

    `kind` is `aws-cli`, `sam`, `cdk`, `terraform` or `policy-statement`. `text` is ready to paste. If it
    `needs_decision`, it changes nothing when it is pasted as it is: it says what a person must decide, and what to fill
    in is between angle brackets. `changes` says what else changes. `step` says which of several steps this is, such as
    `step 1 of 2: see who may call`: the steps of one kind are pasted one after the other.
    """

    kind: str
    text: str
    needs_decision: bool = False
    changes: str = ""
    step: str = ""


@record(kw_only=True)
class Verdict:
    """The result of one rule for one subject of one function.

    `subject` is None if the rule could not list its subjects: then the verdict applies to all of them. A subject that
    ends in `/*` applies to all subjects that start with it. `severity` is None if it is the rule's own. `role_arn` is
    set if the verdict is about a role: whichever function it was found with, it is the same finding.
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
    role_arn: str = ""

    @property
    def finding_id(self) -> str:
        """The id of the finding of this verdict, whether or not the finding exists."""
        return finding_id(self.rule_id, self.role_arn or self.function_arn, self.subject or "")


FINDING_ID: Final = re.compile(r"[0-9a-f]{32}")


def finding_id(rule_id: str, target_arn: str, subject: str) -> str:
    """Return the stable id of a finding, as `FINDING_ID` matches it.

    `target_arn` is the ARN of the function, with the qualifier if the subject belongs to a version or an alias, or that
    of the role.
    """
    return hashlib.sha256(f"{rule_id}\n{target_arn}\n{subject}".encode()).hexdigest()[:32]
