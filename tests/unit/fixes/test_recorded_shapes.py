"""The fixes of what the sandbox does not have, with recorded shapes: the cases of the rules have AWS's replies.

The table in `sandbox/README.md` says what is proven where. Nothing is attached for a source without a policy on the
list, and nothing for what no check can decide.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from permission_guard.config.document import GuardConfig
from permission_guard.config.settings import FixMode
from permission_guard.fixes.decisions import DecisionKind, DecisionRequest, decide
from permission_guard.model.findings import FixResult
from permission_guard.model.state import Role
from tests.fakes import TARGET, InMemoryStop
from tests.paths import CASES
from tests.unit.fixes.test_attach_every_rule import AWS, case_of, published, with_policies
from tests.unit.fixes.test_restore import DETACHED, JANE, Story

if TYPE_CHECKING:
    from permission_guard.fixes.recorder import FixOutcome
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Snapshot

ROLE: Final = "arn:aws:iam::123456789012:role/orders-role"
MSK: Final = f"{AWS}service-role/AWSLambdaMSKExecutionRole"
KINESIS: Final = f"{AWS}service-role/AWSLambdaKinesisExecutionRole"

ATTACHED: Final = {
    "an MSK cluster": ("PG201/msk-nothing", MSK),
    "a serverless MSK cluster": ("PG201/msk-older-action-serverless", MSK),
    "an MSK cluster that the role may only describe": ("PG201/msk-without-brokers", MSK),
    "a consumer of a stream": ("PG201/consumer-without-subscription", KINESIS),
}
"""The case of a rule in which a role lacks a policy of the list, and that policy."""

REFUSED: Final = {
    "an MQ broker": "PG201/mq-without-describe",
    "a DocumentDB cluster": "PG201/documentdb-cluster-alone",
}
"""Cases for which AWS has no policy, or none on the list."""

NOT_REPORTED: Final = {
    "a self-managed Kafka cluster": "PG201/self-managed-kafka.pass",
    "a file system of S3": "PG211/s3-files-nothing.unknown",
    "Application Signals": "PG211/signals-nothing.unknown",
}
"""Cases in which the role lacks nothing, or nobody knows whether it does."""


def state_of(case: str) -> Snapshot:
    """Return the state of a case of a rule."""
    path = CASES / f"{case}.json"
    return case_of(path if path.exists() else CASES / f"{case}.fail.json")[0]


def found(story: Story, case: str) -> Finding:
    """Return the only finding of the case's rule."""
    rule = case.partition("/")[0]
    (finding,) = [one for one in story.store.findings_of(TARGET).findings if one.rule_id == rule]
    return finding


def fix(story: Story, case: str) -> FixOutcome:
    """Handle the finding."""
    story.state.managed = dict(published())
    return story.setup.fixer(clock=story.clock).handle(TARGET, found(story, case).id)


def approve(story: Story, case: str) -> None:
    """Approve the proposed fix as a person."""
    finding = found(story, case)
    assert finding.fix is not None
    request = DecisionRequest(
        kind=DecisionKind.APPROVE,
        finding_id=finding.id,
        function_arn=finding.function_arn,
        revision=finding.revision,
        plan_hash=finding.fix.plan_hash,
        nonce="0" * 32,
    )
    decide(
        request,
        caller=JANE,
        mode=FixMode.AUTO,
        config=GuardConfig(),
        findings=story.store,
        decisions=story.store,
        stop=InMemoryStop(),
        now=story.clock(),
    )


def lacking(state: Snapshot, policy: str) -> Snapshot:
    """Return the state without everything that a policy allows: its role has no policy of its own."""
    role = state.roles[ROLE]
    assert isinstance(role, Role)
    assert policy not in role.attached
    return replace(state, roles={**state.roles, ROLE: replace(role, inline={}, attached={})})


@pytest.mark.parametrize(("case", "policy"), ATTACHED.values(), ids=ATTACHED)
def test_a_detached_policy_is_attached_again(case: str, policy: str) -> None:
    """A check saw the role with it, and an event names who detached it."""
    story, without = Story(), lacking(state_of(case), policy)
    story.check(with_policies(without, ROLE, [policy]))
    story.check(without, DETACHED)
    assert fix(story, case).result is FixResult.APPLIED
    assert story.state.attached == [("orders-role", policy)]


@pytest.mark.parametrize(("case", "policy"), ATTACHED.values(), ids=ATTACHED)
def test_what_a_role_never_had_is_attached_after_an_approval(case: str, policy: str) -> None:
    """It is proposed first, and nothing is attached then."""
    story = Story()
    story.check(state_of(case), DETACHED)
    assert fix(story, case).result is FixResult.PROPOSED
    assert story.state.attached == []
    approve(story, case)
    assert fix(story, case).result is FixResult.APPLIED
    assert story.state.attached == [("orders-role", policy)]
    fixed = found(story, case).fix
    assert fixed is not None
    assert fixed.decided_by == JANE


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_without_a_policy_on_the_list_nothing_is_attached(case: str) -> None:
    """The fix is refused, and says so."""
    story = Story()
    story.check(state_of(case), DETACHED)
    outcome = fix(story, case)
    assert outcome.result is FixResult.REFUSED
    assert "No AWS managed policy on the bot's list" in outcome.summary
    assert story.state.attached == []


@pytest.mark.parametrize("case", NOT_REPORTED.values(), ids=NOT_REPORTED)
def test_what_is_unknown_or_not_required_is_no_finding(case: str) -> None:
    """So there is nothing to fix."""
    story = Story()
    story.check(state_of(case), DETACHED)
    assert [one for one in story.store.findings_of(TARGET).findings if one.rule_id == case.partition("/")[0]] == []
