"""Rules as the configuration sets them: disabled, or with another severity."""

from __future__ import annotations

from dataclasses import replace

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.config.document import GuardConfig, RuleConfig, Trust
from permission_guard.findings.lifecycle import reconcile
from permission_guard.iam import TrustSet
from permission_guard.model.findings import Status, Transition
from permission_guard.model.verdicts import Severity
from permission_guard.rules import RULES, Rule
from permission_guard.rules.configured import configured
from permission_guard.rules.execution_role import RULES as ROLE_RULES
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from tests.fakes import a_role, polling

NOW = "2026-11-20T10:15:30.000Z"
LATER = "2026-11-20T11:15:30.000Z"
LACKING = polling(a_role())
"""A function whose role may not read its queue: PG201."""


def with_rule(**settings: object) -> GuardConfig:
    """Return a configuration that sets PG201."""
    return GuardConfig(rules={"PG201": RuleConfig(**settings)})  # type: ignore[arg-type]


def test_without_configuration_the_rules_are_as_they_are() -> None:
    """With the trusted accounts and organizations of the document."""
    trust = Trust(accounts=("111122223333",), organizations=("o-exampleorgid",))
    rules = configured(RULES, GuardConfig(trust=trust))
    assert [type(rule) for rule in rules] == list(RULES)
    expected = TrustSet(frozenset({"111122223333"}), frozenset({"o-exampleorgid"}))
    assert {rule.trust for rule in rules} == {expected}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_disabled_rule_evaluates_nothing_and_has_a_reason(rule: type[Rule]) -> None:
    """Nor is it skipped in checks that would skip the rule: its findings have to be resolved."""
    config = GuardConfig(rules={rule.id: RuleConfig(enabled=False)})
    (disabled,) = configured([rule], config)
    assert disabled.resolution == f"The rule {rule.id} is disabled in the configuration."
    assert (disabled.id, disabled.name, disabled.direction) == (rule.id, rule.name, rule.direction)
    assert not any((disabled.full_check_only, disabled.of_denied_calls, disabled.of_function_state))
    assert evaluate(LACKING, [disabled]).verdicts == ()


def test_the_findings_of_a_disabled_rule_are_resolved_with_the_reason() -> None:
    """Those of other rules stay."""
    opened = reconcile((), evaluate(LACKING, configured(ROLE_RULES, GuardConfig())), now=NOW)
    recorded = tuple(change.finding for change in opened)
    assert "PG201" in {finding.rule_id for finding in recorded}
    report = evaluate(LACKING, configured(ROLE_RULES, with_rule(enabled=False)))
    changes = reconcile(recorded, report, now=LATER)
    assert {change.finding.rule_id for change in changes} == {"PG201"}
    for change in changes:
        assert (change.finding.status, change.finding.transition) == (Status.RESOLVED, Transition.RESOLVED)
        assert change.finding.resolution == "The rule PG201 is disabled in the configuration."


def test_a_finding_reopens_when_its_rule_is_enabled_again() -> None:
    """It was only not reported."""
    (opened,) = reconcile((), evaluate(LACKING, configured([EventSourceReadMissing], GuardConfig())), now=NOW)
    disabled = evaluate(LACKING, configured([EventSourceReadMissing], with_rule(enabled=False)))
    (resolved,) = reconcile((opened.finding,), disabled, now=LATER)
    enabled = evaluate(LACKING, configured([EventSourceReadMissing], with_rule(enabled=True)))
    (reopened,) = reconcile((resolved.finding,), enabled, now=LATER)
    assert reopened.finding.transition is Transition.REOPENED


@pytest.mark.parametrize("severity", list(Severity))
def test_a_severity_applies_to_new_and_to_existing_findings(severity: Severity) -> None:
    """Whatever severity the rule would give."""
    (opened,) = reconcile((), evaluate(LACKING, configured([EventSourceReadMissing], GuardConfig())), now=NOW)
    report = evaluate(LACKING, configured([EventSourceReadMissing], with_rule(severity=severity)))
    (new,) = reconcile((), report, now=NOW)
    assert new.finding.severity is severity
    existing = replace(opened.finding, severity=Severity.LOW if severity is not Severity.LOW else Severity.HIGH)
    (changed,) = reconcile((existing,), report, now=LATER)
    assert (changed.finding.severity, changed.is_transition) == (severity, False)
