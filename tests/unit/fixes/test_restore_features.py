"""Restoring what the features of a function require: logs, network interfaces, traces, Insights, durable execution."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model.findings import FixResult
from permission_guard.model.state import Snapshot, SourceState
from tests.fakes import FUNCTION_ARN, ROLE_ARN, TARGET, a_function, a_role, allow
from tests.unit.fixes.test_attach_every_rule import AWS, published
from tests.unit.fixes.test_restore import DETACHED, Story

if TYPE_CHECKING:
    from permission_guard.fixes.recorder import FixOutcome
    from permission_guard.model.state import Role

LOGS = f"{AWS}service-role/AWSLambdaBasicExecutionRole"
INSIGHTS = f"{AWS}CloudWatchLambdaInsightsExecutionRolePolicy"
FEATURES: dict[str, tuple[str, dict[str, Any]]] = {
    LOGS: ("PG204", {}),
    f"{AWS}service-role/AWSLambdaENIManagementAccess": ("PG205", {"VpcConfig": {"SubnetIds": ["subnet-1"]}}),
    f"{AWS}AWSXRayDaemonWriteAccess": ("PG206", {"TracingConfig": {"Mode": "Active"}}),
    INSIGHTS: (
        "PG211",
        {"Layers": [{"Arn": "arn:aws:lambda:us-east-1:580247275435:layer:LambdaInsightsExtension:53"}]},
    ),
    f"{AWS}service-role/AWSLambdaBasicDurableExecutionRolePolicy": (
        "PG211",
        {"DurableConfig": {"ExecutionTimeout": 3600}},
    ),
}
OWN_GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orders"
EXISTING = {
    arn: SourceState(exists=True)
    for arn in (OWN_GROUP, "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda-insights")
}


def state(role: Role, configuration: dict[str, Any]) -> Snapshot:
    """Return the state of a function with a configuration and a role."""
    function = a_function()
    function = replace(function, configuration={**function.configuration, **configuration})
    return Snapshot(
        TARGET,
        function,
        mappings=(),
        invoke_configs=(),
        versions={FUNCTION_ARN: function},
        roles={ROLE_ARN: role},
        sources=EXISTING,
        source_policies={f"{FUNCTION_ARN}:*": None},
        tags={},
    )


def role_with(*policies: str, **more: Any) -> Role:
    """Return a role with some of AWS's policies."""
    return a_role(attached={arn: published()[arn] for arn in policies}, **more)


def others_of(policy: str) -> set[str]:
    """Return the policies that a role has besides; the one for logs allows what Lambda Insights needs."""
    return set() if policy in {LOGS, INSIGHTS} else {LOGS}


def fixed(story: Story, rule: str) -> FixOutcome:
    """Fix the only finding of a rule."""
    (finding,) = [one for one in story.store.findings_of(TARGET).findings if one.rule_id == rule]
    story.state.managed = dict(published())
    return story.setup.fixer(clock=story.clock).handle(TARGET, finding.id)


@pytest.mark.parametrize("policy", FEATURES)
def test_a_detached_policy_is_attached_again(policy: str) -> None:
    """Whatever it is for: a check saw all that it allows, and an event names who detached it."""
    rule, configuration = FEATURES[policy]
    story, others = Story(), others_of(policy)
    story.check(state(role_with(*others, policy), configuration))
    story.check(state(role_with(*others), configuration), DETACHED)
    outcome = fixed(story, rule)
    assert outcome.result is FixResult.APPLIED
    assert story.state.attached == [("orders-role", policy)]


@pytest.mark.parametrize("policy", FEATURES)
def test_what_a_role_never_had_waits_for_an_approval(policy: str) -> None:
    """Whoever may change a function's configuration cannot have a policy attached by that."""
    rule, configuration = FEATURES[policy]
    story, others = Story(), others_of(policy)
    story.check(state(role_with(*others), {}))
    story.check(state(role_with(*others), configuration), DETACHED)
    outcome = fixed(story, rule)
    assert outcome.result is FixResult.PROPOSED
    assert "It would grant more than it restores" in outcome.summary
    assert story.state.attached == []


def test_a_role_that_wrote_to_its_own_log_group_gets_no_other() -> None:
    """AWS's policy allows every log group."""
    own = allow("logs:CreateLogStream", "logs:PutLogEvents", resource=f"{OWN_GROUP}:*")
    story = Story()
    story.check(state(a_role(own), {}))
    story.check(state(a_role(), {}), DETACHED)
    outcome = fixed(story, "PG204")
    assert outcome.result is FixResult.PROPOSED
    assert "the change would also allow" in outcome.summary
