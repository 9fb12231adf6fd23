"""Attaching the one managed policy: what is planned, refused and changed."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.fixes import all_fixes, fix_for
from permission_guard.fixes.attach_managed_policy import AttachManagedPolicy
from permission_guard.iam import TrustSet
from permission_guard.rules import RULES
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from tests.fakes import (
    DENIED,
    FUNCTION_ARN,
    LOGS,
    ROLE_ARN,
    SQS_POLICY,
    SQS_POLICY_ARN,
    THROTTLED,
    InMemoryState,
    a_finding,
    a_function,
    a_mapping,
    a_policy,
    a_role,
    allow,
    polling,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.fixes.base import Plan
    from permission_guard.model.state import Snapshot
    from permission_guard.model.verdicts import Verdict

BROKEN = polling(a_role())
LOGS_POLICY_ARN = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
NO_POLICY = "No AWS managed policy on the bot's list has the missing permissions."
FIX = AttachManagedPolicy()


def check(snapshot: Snapshot) -> Sequence[Verdict]:
    """Return what the finding's rule says about a state."""
    return evaluate(snapshot, [EventSourceReadMissing(TrustSet(frozenset()))]).verdicts


def plan(snapshot: Snapshot, state: InMemoryState | None = None, **finding: Any) -> Plan:
    """Plan the fix of the finding."""
    return FIX.plan(a_finding(**finding), snapshot, state or InMemoryState(snapshot), check)


def refused_plan(snapshot: Snapshot, state: InMemoryState | None = None) -> str:
    """Return the reason why a plan is refused."""
    with pytest.raises(FixRefusedError) as error:
        plan(snapshot, state)
    return str(error.value)


def test_a_plan_names_the_role_the_policy_and_the_undo_command() -> None:
    """A proposal shows all of it before the change."""
    planned = plan(BROKEN)
    change = {"action": "iam:AttachRolePolicy", "role_arn": ROLE_ARN, "policy_arns": [SQS_POLICY_ARN]}
    assert planned.change == change
    assert planned.summary == f"attach {SQS_POLICY_ARN} to {ROLE_ARN}"
    named = f"--region us-east-1 --role-name orders-role --policy-arn {SQS_POLICY_ARN}"
    assert planned.undo == f"aws iam detach-role-policy {named}"


def test_a_role_name_is_a_value_in_the_undo_command() -> None:
    """Role names may begin with a dash, and the command is quoted whatever the name is."""
    for name in ("-orders", "o'r $(id)"):
        arn = f"arn:aws:iam::123456789012:role/{name}"
        role = a_role(arn=arn)
        function = replace(a_function(), role_arn=arn)
        state = replace(BROKEN, versions={FUNCTION_ARN: function}, roles={arn: role})
        words = shlex.split(plan(state, evidence={"role_arn": arn}).undo)
        named = [f"--role-name={name}"] if name.startswith("-") else ["--role-name", name]
        assert words[:5] == ["aws", "iam", "detach-role-policy", "--region", "us-east-1"]
        assert words[5:] == [*named, "--policy-arn", SQS_POLICY_ARN]


def test_applying_a_plan_attaches_that_policy_and_nothing_else() -> None:
    """One call, with the role's name and the policy's ARN."""
    state = InMemoryState(BROKEN)
    FIX.apply(plan(BROKEN, state).change, state, state, lambda _is_visible: True)
    assert state.attached == [("orders-role", SQS_POLICY_ARN)]


def test_a_policy_that_cannot_be_read_is_not_attached() -> None:
    """It is unknown what it grants, and a retry would not help."""
    state = InMemoryState(BROKEN, managed={SQS_POLICY_ARN: DENIED})
    assert refused_plan(BROKEN, state) == f"{SQS_POLICY_ARN} could not be read: {DENIED}."


def test_a_policy_that_aws_does_not_have_is_not_attached() -> None:
    """Not every partition has every policy."""
    assert refused_plan(BROKEN, InMemoryState(BROKEN, managed={})).startswith(NO_POLICY)


def test_a_role_that_can_have_no_more_policies_is_not_changed() -> None:
    """IAM would reject the call. The reason says how many there are."""
    full = polling(a_role(attached={f"arn:aws:iam::aws:policy/{n}": a_policy(allow(*LOGS)) for n in range(10)}))
    assert refused_plan(full, InMemoryState(full, quota=10)) == (
        f"{ROLE_ARN} has 10 managed policies, and 1 more would exceed the quota of 10: detach one that it does not "
        "need, or let AWS raise the quota."
    )
    assert plan(full, InMemoryState(full, quota=11)).change["policy_arns"] == [SQS_POLICY_ARN]


def test_without_the_quota_nothing_is_attached() -> None:
    """A guard that cannot be evaluated refuses; after a throttled read the message is delivered again."""
    assert "quota of managed policies of a role could not be read" in refused_plan(
        BROKEN, InMemoryState(BROKEN, quota=DENIED)
    )
    with pytest.raises(RetryableError, match="Rate exceeded"):
        plan(BROKEN, InMemoryState(BROKEN, quota=THROTTLED))


def test_a_throttled_read_of_a_policy_is_retried() -> None:
    """The message is delivered again, and nothing is refused."""
    state = InMemoryState(BROKEN, managed={SQS_POLICY_ARN: THROTTLED})
    with pytest.raises(RetryableError, match="Rate exceeded"):
        plan(BROKEN, state)


def test_a_policy_without_the_missing_permission_is_not_attached() -> None:
    """AWS changed the policy, or the table is wrong: attaching it would grant permissions and not help."""
    statement = {**SQS_POLICY["Statement"][0], "Action": ["sqs:ReceiveMessage"]}
    state = InMemoryState(BROKEN, managed={SQS_POLICY_ARN: a_policy({**SQS_POLICY, "Statement": [statement]})})
    assert refused_plan(BROKEN, state).startswith(f"Attaching {SQS_POLICY_ARN} would not help: {ROLE_ARN} is not")


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (replace(BROKEN, mappings=()), "The problem no longer exists."),
        (
            replace(BROKEN, mappings=(a_mapping("arn:aws:mq:us-east-1:123456789012:broker:b:b-1"),)),
            NO_POLICY,
        ),
        (replace(BROKEN, tags=DENIED), f"The tags of {FUNCTION_ARN} could not be read"),
    ],
)
def test_a_plan_is_refused_if_state_that_it_needs_is_missing(now: Snapshot, reason: str) -> None:
    """Each missing part has its own reason."""
    assert reason in refused_plan(now)


def test_the_state_is_the_roles_attached_policies() -> None:
    """The record has it as `before` and `after`; it is None for a deleted role."""
    fixed = polling(a_role(attached={SQS_POLICY_ARN: a_policy(SQS_POLICY), "arn:aws:iam::aws:policy/A": DENIED}))
    change = {"role_arn": ROLE_ARN, "policy_arns": [SQS_POLICY_ARN]}
    assert FIX.state(change, InMemoryState(fixed)) == {
        "role_arn": ROLE_ARN,
        "attached_policies": ["arn:aws:iam::aws:policy/A", SQS_POLICY_ARN],
    }
    assert FIX.state(change, InMemoryState(polling(None)))["attached_policies"] is None


def test_the_change_is_applied_if_the_policy_is_attached_to_that_role() -> None:
    """Another policy with the permission does not count; it is unknown if the role cannot be read."""
    change = {"role_arn": ROLE_ARN, "policy_arns": [SQS_POLICY_ARN]}
    fixed = polling(a_role(attached={SQS_POLICY_ARN: a_policy(SQS_POLICY)}))
    other = polling(a_role(attached={"arn:aws:iam::aws:policy/AdministratorAccess": a_policy(allow("*"))}))
    assert FIX.is_applied(change, InMemoryState(fixed))
    assert FIX.is_applied({"role_arn": ROLE_ARN, "policy_arn": SQS_POLICY_ARN}, InMemoryState(fixed))  # version 1
    assert not FIX.is_applied({**change, "policy_arns": [SQS_POLICY_ARN, LOGS_POLICY_ARN]}, InMemoryState(fixed))
    assert not FIX.is_applied(change, InMemoryState(other))
    assert not FIX.is_applied(change, InMemoryState(polling(None)))
    with pytest.raises(RetryableError, match="could not be read"):
        FIX.is_applied(change, InMemoryState(polling(DENIED)))


def test_a_role_with_every_required_permission_is_not_changed() -> None:
    """If the finding has another cause, attaching a policy does not help."""
    by_aws = a_mapping(state="Disabled", state_transition_reason="Disabled by Lambda")
    disabled = polling(a_role(allow("sqs:*")), mappings=(by_aws,))
    assert "has every required permission" in refused_plan(disabled)


def test_a_role_that_a_stack_owns_is_not_changed() -> None:
    """CloudFormation returns the stack for the role's name."""
    assert "CloudFormation stack shop" in refused_plan(BROKEN, InMemoryState(BROKEN, stack="shop"))


def test_each_fix_is_for_existing_rules_and_no_rule_has_two() -> None:
    """The registry is consistent."""
    rules = {rule.id for rule in RULES}
    of_all = [rule for fix in all_fixes() for rule in fix.rule_ids]
    assert set(of_all) <= rules
    assert len(of_all) == len(set(of_all))
    assert fix_for("PG201") is all_fixes()[0]
    assert fix_for("PG106") is None
