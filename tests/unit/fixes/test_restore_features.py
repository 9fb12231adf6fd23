"""Restoring what the features of a function require: logs, network interfaces, traces, Insights, durable execution."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model.findings import FixResult
from permission_guard.model.state import Snapshot, SourceState
from permission_guard.needs.of_snapshot import states_to_read
from tests.fakes import FUNCTION_ARN, ROLE_ARN, TARGET, a_function, a_policy, a_role, allow
from tests.unit.fixes.test_attach_every_rule import AWS, published
from tests.unit.fixes.test_restore import DETACHED, Story

if TYPE_CHECKING:
    from permission_guard.fixes.recorder import FixOutcome
    from permission_guard.model.state import Role

LOGS = f"{AWS}service-role/AWSLambdaBasicExecutionRole"
INSIGHTS = f"{AWS}CloudWatchLambdaInsightsExecutionRolePolicy"
MOUNTING = f"{AWS}AmazonElasticFileSystemClientReadOnlyAccess"
EFS = "arn:aws:elasticfilesystem:us-east-1:123456789012"


def mounting(*points: str) -> dict[str, Any]:
    """Return the configuration of a function that mounts Amazon EFS file systems."""
    return {"FileSystemConfigs": [{"Arn": f"{EFS}:access-point/{one}", "LocalMountPath": "/mnt"} for one in points]}


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
    MOUNTING: ("PG211", mounting("fsap-1")),
}
OWN_GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orders"
EXISTING = {
    arn: SourceState(exists=True)
    for arn in (OWN_GROUP, "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda-insights")
}

FILE_SYSTEMS = EXISTING | {
    f"{EFS}:access-point/fsap-{number}": SourceState(
        exists=True, uses_iam=True, file_system=f"{EFS}:file-system/{file_system}"
    )
    for number, file_system in ((1, "fs-1"), (2, "fs-2"), (3, "fs-1"))
}
"""The access points of two file systems that require IAM authorization; the third is of the first."""


def state(role: Role, configuration: dict[str, Any]) -> Snapshot:
    """Return the state of a function with a configuration and a role."""
    function = a_function()
    function = replace(function, configuration={**function.configuration, **configuration})
    whole = Snapshot(
        TARGET,
        function,
        mappings=(),
        invoke_configs=(),
        versions={FUNCTION_ARN: function},
        roles={ROLE_ARN: role},
        sources=FILE_SYSTEMS,
        source_policies={f"{FUNCTION_ARN}:*": None, **{each.file_system or "": None for each in FILE_SYSTEMS.values()}},
        tags={},
    )
    return as_read(whole)


def as_read(whole: Snapshot) -> Snapshot:
    """Return what a check reads of a state: in rounds, only what it needs."""
    read = replace(whole, sources=EXISTING)
    while arns := states_to_read(read):
        read = replace(read, sources={**read.sources, **{arn: whole.sources[arn] for arn in arns}})
    return read


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


# ── File systems: whoever may change a function may mount any access point ──────────────────────────────────────────


def test_a_role_that_was_narrowed_to_its_own_file_system_gets_no_other() -> None:
    """A stranger has the function mount another one between the two checks, just when the role is narrowed.

    The role could mount all of them before, and its owner changed that. That it could mount any of them must not count
    as a check that saw it mount this one.
    """
    story = Story()
    story.check(state(role_with(LOGS, MOUNTING), mounting("fsap-1")))
    own = role_with(LOGS)
    own = replace(own, inline={"own": a_policy(allow("elasticfilesystem:*", resource=f"{EFS}:file-system/fs-1"))})
    story.check(state(own, mounting("fsap-1", "fsap-2")), replace(DETACHED, api="PutRolePolicy"), DETACHED)
    outcome = fixed(story, "PG211")
    assert (outcome.result, story.state.attached) == (FixResult.PROPOSED, [])
    assert f"no check of the last day saw the role's own policies allow elasticfilesystem:ClientMount on {EFS}" in (
        outcome.summary
    )


def test_a_file_system_that_is_mounted_after_the_loss_waits_for_an_approval() -> None:
    """No check saw that the role may mount it."""
    story = Story()
    story.check(state(role_with(LOGS, MOUNTING), mounting("fsap-1")))
    story.check(state(role_with(LOGS), mounting("fsap-2")), DETACHED)
    outcome = fixed(story, "PG211")
    assert (outcome.result, story.state.attached) == (FixResult.PROPOSED, [])


def test_a_role_that_could_mount_one_file_system_gets_no_policy_for_all() -> None:
    """AWS's policy allows every file system."""
    own = a_policy(allow("elasticfilesystem:ClientMount", resource=f"{EFS}:file-system/fs-1"))
    story = Story()
    story.check(state(replace(role_with(LOGS), inline={"own": own}), mounting("fsap-1")))
    story.check(state(role_with(LOGS), mounting("fsap-1")), replace(DETACHED, api="DeleteRolePolicy"))
    outcome = fixed(story, "PG211")
    assert (outcome.result, story.state.attached) == (FixResult.PROPOSED, [])
    assert "the change would also allow" in outcome.summary


def test_a_role_that_could_mount_through_one_access_point_gets_no_policy_for_another_one() -> None:
    """Both are of the same file system. The condition was part of what the owner granted."""
    condition = {"StringEquals": {"elasticfilesystem:AccessPointArn": f"{EFS}:access-point/fsap-1"}}
    own = a_policy(allow("elasticfilesystem:*", Condition=condition))
    story = Story()
    story.check(state(replace(role_with(LOGS), inline={"own": own}), mounting("fsap-1")))
    story.check(state(role_with(LOGS), mounting("fsap-3")), replace(DETACHED, api="DeleteRolePolicy"))
    outcome = fixed(story, "PG211")
    assert (outcome.result, story.state.attached) == (FixResult.PROPOSED, [])
    assert "the change would also allow" in outcome.summary
