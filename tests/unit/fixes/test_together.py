"""Findings that one attachment resolves are one plan: the others wait for it, and get their turn if it is rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.config.document import GuardConfig, RuleConfig
from permission_guard.config.settings import AutoFix, FixMode
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.plain import text
from permission_guard.fixes.decisions import DecisionKind, DecisionRequest, decide
from permission_guard.model.findings import Finding, FixResult
from permission_guard.model.verdicts import finding_id
from tests.fakes import (
    FINDING_ID,
    FUNCTION_ARN,
    NOW,
    SQS_POLICY,
    SQS_POLICY_ARN,
    TARGET,
    InMemoryFindings,
    InMemoryState,
    a_finding,
    a_policy,
    a_role,
    allow,
    polling,
)
from tests.unit.fixes.test_fixer import JANE, Setup, fix_of

if TYPE_CHECKING:
    from permission_guard.iam import Policy
    from permission_guard.model.state import Unread

NOTHING = polling(a_role())
"""The role may neither read the queue nor write logs: AWS's policy for SQS allows both."""
LOGS = finding_id("PG204", FUNCTION_ARN, "logging")

MANAGED: dict[str, Policy | Unread] = {
    SQS_POLICY_ARN: a_policy(SQS_POLICY),
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole": a_policy(
        allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
    ),
}


def logging(**more: Any) -> Finding:
    """Return an open finding: the role may not write logs."""
    values: dict[str, Any] = {"id": LOGS, "rule_id": "PG204", "rule_name": "logging-missing", "subject": "logging"}
    return a_finding(**{**values, **more})


def a_setup(mode: FixMode = FixMode.APPROVE, config: GuardConfig | None = None, **more: Any) -> Setup:
    """Return a fixer with both findings."""
    store = InMemoryFindings()
    store.put(a_finding())
    store.put(logging(**more))
    return Setup(
        mode=mode,
        auto_fix=AutoFix.GRANT,
        config=config or GuardConfig(),
        store=store,
        state=InMemoryState(NOTHING, managed=MANAGED),
    )


def stored(setup: Setup, key: str = FINDING_ID) -> Finding:
    """Return a finding of the function."""
    found = setup.store.finding(TARGET, key)
    assert found is not None
    return found


def test_the_plan_of_one_finding_lists_the_others_that_it_resolves() -> None:
    """The alert and `fixes show` have them. They are not part of the hash: the calls are."""
    setup = a_setup()
    assert setup.handle().result is FixResult.PROPOSED
    finding = stored(setup)
    assert fix_of(finding).resolves == (LOGS,)
    assert f"What it also resolves:\nfinding {LOGS}" in text(compose(finding))
    assert "resolves" not in fix_of(finding).plan
    assert Finding.from_document(finding.to_document()) == finding


def test_what_a_waiting_plan_resolves_is_not_proposed_again() -> None:
    """One proposal, one approval. Nothing is recorded, so that the sweep hands it over again."""
    setup = a_setup()
    setup.handle()
    outcome = setup.handle(finding_id=LOGS)
    assert (outcome.result, outcome.summary) == (None, f"the plan of finding {FINDING_ID} resolves it")
    assert stored(setup, LOGS).fix is None


def test_once_the_plan_is_applied_the_other_problem_no_longer_exists() -> None:
    """The next check resolves both findings."""
    setup = a_setup(FixMode.AUTO)
    assert setup.handle().result is FixResult.APPLIED
    outcome = setup.handle(finding_id=LOGS)
    assert (outcome.result, outcome.summary) == (None, "the problem no longer exists")
    assert len(setup.state.attached) == 1


def rejected(setup: Setup) -> Setup:
    """Propose the fix of the first finding, and reject it."""
    setup.handle()
    finding = stored(setup)
    request = DecisionRequest(
        kind=DecisionKind.REJECT,
        finding_id=finding.id,
        function_arn=finding.function_arn,
        revision=finding.revision,
        plan_hash=fix_of(finding).plan_hash,
        nonce="0" * 32,
    )
    decide(
        request,
        caller=JANE,
        mode=setup.mode,
        config=setup.config,
        findings=setup.store,
        decisions=setup.store,
        stop=setup.stop,
        now=NOW,
    )
    return setup


def test_after_a_rejection_the_others_get_their_turn_and_wait_for_an_approval() -> None:
    """Who rejected the plan rejected the same policy. In the mode `auto`, too, a person decides."""
    setup = rejected(a_setup())
    setup.mode = FixMode.AUTO
    outcome = setup.handle(finding_id=LOGS)
    assert outcome.result is FixResult.PROPOSED
    assert outcome.summary.endswith(f"{JANE} rejected the plan of finding {FINDING_ID} before.")
    assert fix_of(stored(setup, LOGS)).resolves == ()
    assert not setup.state.attached


def test_a_rule_in_another_mode_has_a_plan_of_its_own() -> None:
    """Whoever set the rule apart wants to decide about it by itself."""
    setup = a_setup(config=GuardConfig(rules={"PG204": RuleConfig(fix=FixMode.PLAN)}))
    setup.handle()
    assert fix_of(stored(setup)).resolves == ()
    assert setup.handle(finding_id=LOGS).result is FixResult.PROPOSED
