"""Compile one finding of each rule, for previews of messages, from the rules' own failing cases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.checks.engine import evaluate
from permission_guard.findings.lifecycle import reconcile
from permission_guard.model.findings import Cause
from permission_guard.rules import RULES
from tests.rule_cases import RULE_CASES, kind_of, snapshot_of, trust_of

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from permission_guard.rules.base import Rule

_NOW: Final = "2026-11-20T10:15:30.000+00:00"
_CAUSE: Final = Cause(
    event_ids=("6d1f0f5e-3c5b-4f0e-8c39-1d7b1f0e2a44",),
    by="arn:aws:sts::123456789012:assumed-role/deploy/jane",
    address="203.0.113.7",
    tool="aws-cli/2.31",
    event_id="6d1f0f5e-3c5b-4f0e-8c39-1d7b1f0e2a44",
    region="us-east-1",
)
"""Who made the change: placeholders, as in AWS's documentation."""


def compiled() -> str:
    """Return the findings, by rule."""
    return json.dumps({rule.id: sample(rule).to_document() for rule in RULES}, separators=(",", ":"), sort_keys=True)


def sample(rule: type[Rule]) -> Finding:
    """Return the finding of a rule's simplest failing case: few findings, of the function itself, little state."""
    failing = [path for path in RULE_CASES if path.parent.name == rule.id and kind_of(path) == "fail"]
    found = {path: _findings(rule, json.loads(path.read_text())) for path in failing}
    simplest = min(found, key=lambda path: (len(found[path]), found[path][0].target_arn, path.stat().st_size))
    return found[simplest][0]


def _findings(rule: type[Rule], case: dict[str, object]) -> list[Finding]:
    report = evaluate(snapshot_of(case), [rule(trust_of(case))])
    return [change.finding for change in reconcile((), report, now=_NOW, cause=_CAUSE)]
