"""Attaching the one managed policy: what is planned, what is refused, and what is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.fixes import FIXES, fix_for
from permission_guard.fixes.attach_managed_policy import ATTACHABLE, AttachManagedPolicy
from permission_guard.model.state import Unread
from permission_guard.needs.event_sources import EVENT_SOURCES
from permission_guard.rules import RULES
from tests.fakes import (
    DENIED,
    FUNCTION_ARN,
    ROLE_ARN,
    SQS_POLICY,
    SQS_POLICY_ARN,
    THROTTLED,
    InMemoryState,
    a_finding,
    a_mapping,
    a_policy,
    a_role,
    allow,
    polling,
)

if TYPE_CHECKING:
    from permission_guard.model.state import Snapshot

BROKEN = polling(a_role())
FIX = AttachManagedPolicy()


def refusal(snapshot: Snapshot, source: InMemoryState | None = None) -> str:
    """Return why a plan is refused."""
    with pytest.raises(FixRefusedError) as refused:
        FIX.plan(a_finding(), snapshot, source or InMemoryState(snapshot))
    return str(refused.value)


def test_a_plan_names_the_role_the_policy_and_the_way_back() -> None:
    """Everything that people are told before it is done."""
    plan = FIX.plan(a_finding(), BROKEN, InMemoryState(BROKEN))
    assert plan.change == {"action": "iam:AttachRolePolicy", "role_arn": ROLE_ARN, "policy_arn": SQS_POLICY_ARN}
    assert plan.summary == f"attach {SQS_POLICY_ARN} to {ROLE_ARN}"
    assert plan.undo == f"aws iam detach-role-policy --role-name orders-role --policy-arn {SQS_POLICY_ARN}"


def test_applying_a_plan_attaches_that_policy_and_nothing_else() -> None:
    """One call, with the role's name and the policy's ARN."""
    state = InMemoryState(BROKEN)
    FIX.apply(FIX.plan(a_finding(), BROKEN, state).change, state)
    assert state.attached == [("orders-role", SQS_POLICY_ARN)]


def test_only_the_policies_of_the_event_source_types_may_ever_be_attached() -> None:
    """The list that template.yaml repeats."""
    assert {source.managed_policy for source in EVENT_SOURCES} >= ATTACHABLE
    assert {
        "service-role/AWSLambdaDynamoDBExecutionRole",
        "service-role/AWSLambdaKinesisExecutionRole",
        "service-role/AWSLambdaSQSQueueExecutionRole",
    } == ATTACHABLE


@pytest.mark.parametrize("unread", [DENIED, Unread("iam:GetPolicy", "NoSuchEntity", "gone", denied=False)])
def test_a_policy_that_cannot_be_read_is_not_attached(unread: Unread) -> None:
    """Nobody knows what it would grant, and the next try would not know either."""
    state = InMemoryState(BROKEN, managed={SQS_POLICY_ARN: unread})
    assert refusal(BROKEN, state) == f"{SQS_POLICY_ARN} could not be read: {unread}."


def test_a_policy_that_cannot_be_read_this_time_is_asked_for_again() -> None:
    """Throttled: the message comes again, and nothing is refused."""
    state = InMemoryState(BROKEN, managed={SQS_POLICY_ARN: THROTTLED})
    with pytest.raises(RetryableError, match="Rate exceeded"):
        FIX.plan(a_finding(), BROKEN, state)


def test_a_policy_that_does_not_carry_what_is_missing_is_not_attached() -> None:
    """AWS changed it, or the table is wrong: either way it would grant and not help."""
    statement = {**SQS_POLICY["Statement"][0], "Action": ["sqs:ReceiveMessage"]}
    state = InMemoryState(BROKEN, managed={SQS_POLICY_ARN: a_policy({**SQS_POLICY, "Statement": [statement]})})
    assert refusal(BROKEN, state).startswith(f"Attaching {SQS_POLICY_ARN} would not help: Implicitly denied")


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (replace(BROKEN, mappings=DENIED), "The event source mappings could not be read"),
        (replace(BROKEN, mappings=()), "The event source mapping no longer exists."),
        (
            replace(BROKEN, mappings=(a_mapping(function_arn=f"{FUNCTION_ARN}:live"),)),
            "The event source mapping no longer exists.",
        ),
        (
            replace(BROKEN, mappings=(a_mapping("arn:aws:mq:us-east-1:123456789012:broker:b:b-1"),)),
            "No AWS managed policy is known for this type of event source.",
        ),
        (replace(BROKEN, versions={FUNCTION_ARN: DENIED}), "The function's configuration could not be read"),
        (replace(BROKEN, versions={}), "The function's configuration could not be read"),
        (replace(BROKEN, roles={ROLE_ARN: None}), f"{ROLE_ARN} does not exist."),
        (replace(BROKEN, roles={ROLE_ARN: DENIED}), f"{ROLE_ARN} could not be read"),
    ],
)
def test_a_plan_is_refused_when_what_it_rests_on_is_not_there(now: Snapshot, reason: str) -> None:
    """Each piece that is missing has its own words."""
    assert reason in refusal(now)


def test_the_state_is_what_the_role_has_attached() -> None:
    """The record of after; None where the role is gone."""
    mended = polling(a_role(attached={SQS_POLICY_ARN: a_policy(SQS_POLICY), "arn:aws:iam::aws:policy/A": DENIED}))
    change = {"role_arn": ROLE_ARN, "policy_arn": SQS_POLICY_ARN}
    assert FIX.state(change, InMemoryState(mended)) == {
        "role_arn": ROLE_ARN,
        "attached_policies": ["arn:aws:iam::aws:policy/A", SQS_POLICY_ARN],
    }
    assert FIX.state(change, InMemoryState(polling(None)))["attached_policies"] is None


def test_the_change_is_made_when_the_policy_is_attached_to_that_role() -> None:
    """Not when some other policy would do as well, and not known when the role cannot be read."""
    change = {"role_arn": ROLE_ARN, "policy_arn": SQS_POLICY_ARN}
    mended = polling(a_role(attached={SQS_POLICY_ARN: a_policy(SQS_POLICY)}))
    other = polling(a_role(attached={"arn:aws:iam::aws:policy/AdministratorAccess": a_policy(allow("*"))}))
    assert FIX.is_made(change, InMemoryState(mended))
    assert not FIX.is_made(change, InMemoryState(other))
    assert not FIX.is_made(change, InMemoryState(polling(None)))
    with pytest.raises(RetryableError, match="could not be read"):
        FIX.is_made(change, InMemoryState(polling(DENIED)))


def test_a_role_that_needs_nothing_gets_nothing() -> None:
    """When the rule complains of something else, attaching a policy is no answer."""
    assert "has every permission that is needed" in refusal(polling(a_role(allow("sqs:*"))))


def test_a_role_that_a_stack_owns_is_left_to_its_template() -> None:
    """The stack is asked for by the role's name."""
    assert "CloudFormation stack shop" in refusal(BROKEN, InMemoryState(BROKEN, stack="shop"))


def test_each_fix_is_for_rules_that_exist_and_no_rule_has_two() -> None:
    """The registry is whole."""
    rules = {rule.id for rule in RULES}
    of_all = [rule for fix in FIXES for rule in fix.rule_ids]
    assert set(of_all) <= rules
    assert len(of_all) == len(set(of_all))
    assert fix_for("PG201") is FIXES[0]
    assert fix_for("PG102") is None
