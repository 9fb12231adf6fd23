"""Restore, do not grant: without an approval a fix only brings back what a role had and lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.checks.checker import Checker
from permission_guard.checks.requests import CheckRequest
from permission_guard.config.document import GuardConfig
from permission_guard.config.settings import AutoFix, FixMode
from permission_guard.fixes.decisions import DecisionKind, DecisionRequest, decide
from permission_guard.model.findings import FixResult
from permission_guard.model.role_permissions import RoleChange
from permission_guard.model.targets import Direction
from permission_guard.rules.execution_role import RULES
from tests.fakes import (
    MAPPING_UUID,
    NOW,
    QUEUE_ARN,
    ROLE_ARN,
    SQS_POLICY,
    SQS_POLICY_ARN,
    TARGET,
    THROTTLED,
    Clock,
    InMemoryFindings,
    InMemoryState,
    InMemoryStop,
    a_function,
    a_mapping,
    a_policy,
    a_role,
    allow,
    polling,
    statement,
)
from tests.unit.fixes.test_fixer import RULE_OBJECTS, TRUST, Setup

if TYPE_CHECKING:
    from permission_guard.fixes.recorder import FixOutcome
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Snapshot

WITH_POLICY = polling(a_role(attached={SQS_POLICY_ARN: a_policy(SQS_POLICY)}))
WITHOUT = polling(a_role())
ADMITTED_BY_QUEUE = replace(
    WITHOUT, source_policies={QUEUE_ARN: a_policy(allow("sqs:*", resource=QUEUE_ARN, Principal={"AWS": ROLE_ARN}))}
)
JANE = "arn:aws:iam::123456789012:user/jane"
DETACHED = RoleChange("e-1", "DetachRolePolicy", NOW, JANE, role_name="orders-role")
READING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
MALLORY = "arn:aws:iam::123456789012:user/mallory"


class Story:
    """A function that is checked in each state of its account, and then fixed."""

    def __init__(self, *, auto_fix: AutoFix = AutoFix.RESTORE) -> None:
        self.clock = Clock()
        self.state = InMemoryState(WITHOUT)
        self.store = InMemoryFindings()
        self.setup = Setup(FixMode.AUTO, auto_fix=auto_fix, state=self.state, store=self.store, is_open=False)
        rules = tuple(rule(TRUST) for rule in RULES)
        self.checker = Checker(
            Direction.EXECUTION_ROLE, rules, self.state, self.store, self.clock, users=self.store, grace_period=False
        )

    def check(self, state: Snapshot, *changes: RoleChange, changed_by: str = "") -> None:
        """Check the function in a state of its account, after some changes of its role."""
        self.state.state = state
        request = CheckRequest(role_changes=changes, changed_by=changed_by, after_grace_period=True)
        self.checker.check(TARGET, self.checker.start(TARGET), request)

    @property
    def finding(self) -> Finding:
        """Return the finding of PG201."""
        (finding,) = [one for one in self.store.findings_of(TARGET).findings if one.rule_id == "PG201"]
        return finding

    def reject(self) -> None:
        """Reject the proposed fix."""
        finding = self.finding
        assert finding.fix is not None
        request = DecisionRequest(
            kind=DecisionKind.REJECT,
            finding_id=finding.id,
            function_arn=finding.function_arn,
            revision=finding.revision,
            plan_hash=finding.fix.plan_hash,
            nonce="0" * 32,
        )
        stores: dict[str, Any] = {"findings": self.store, "decisions": self.store, "stop": InMemoryStop()}
        decide(request, caller=JANE, mode=FixMode.AUTO, config=GuardConfig(), now=self.clock(), **stores)

    def fix(self) -> FixOutcome:
        """Handle the finding."""
        finding = self.finding
        return self.setup.fixer(clock=self.clock).handle(TARGET, finding.id)


def test_a_policy_that_was_detached_is_attached_again() -> None:
    """All three conditions hold. The summary says who detached it."""
    story = Story()
    story.check(WITH_POLICY)
    story.check(WITHOUT, DETACHED)
    outcome = story.fix()
    assert outcome.result is FixResult.APPLIED
    assert (
        "It restores what was removed by arn:aws:iam::123456789012:user/jane with DetachRolePolicy." in outcome.summary
    )
    assert story.state.attached == [("orders-role", SQS_POLICY_ARN)]


def test_what_a_role_lost_is_restored_after_any_number_of_checks() -> None:
    """Checks without an event come between: the sweep, a change of something else."""
    story = Story()
    for state in (WITH_POLICY, WITH_POLICY):
        story.check(state)
    story.check(WITHOUT, DETACHED)
    for _ in range(3):
        story.check(WITHOUT)
    assert story.fix().result is FixResult.APPLIED


@pytest.mark.parametrize("api", ["DeleteRolePolicy", "PutRolePolicy", "DetachRolePolicy"])
def test_each_call_that_changes_what_a_role_allows_counts(api: str) -> None:
    """The event may also arrive after the check that saw the loss."""
    story = Story()
    story.check(WITH_POLICY)
    story.check(WITHOUT)
    assert "no event names a change of the role" in story.fix().summary
    story = Story()
    story.check(WITH_POLICY)
    story.check(WITHOUT)
    story.check(WITHOUT, replace(DETACHED, api=api))
    assert story.fix().result is FixResult.APPLIED


def test_a_new_version_of_an_attached_policy_counts() -> None:
    """The policy is still attached, and allows less."""
    own = "arn:aws:iam::123456789012:policy/orders"
    story = Story()
    story.check(polling(a_role(attached={own: a_policy(SQS_POLICY)})))
    change = RoleChange("e-2", "CreatePolicyVersion", NOW, MALLORY, policy_arn=own)
    story.check(polling(a_role(attached={own: a_policy(allow("logs:*"))})), change)
    assert story.fix().result is FixResult.APPLIED


def refused(story: Story, *reasons: str) -> None:
    """Check that the fix waits for an approval, however often it is handled, and says why."""
    outcome = story.fix()
    assert outcome.result is FixResult.PROPOSED
    for reason in reasons:
        assert reason in outcome.summary
    assert story.fix().summary == "the proposal waits for an approval"
    assert story.state.attached == []


def test_the_attack_with_a_queue_policy_that_admits_the_role() -> None:
    """A stranger's queue admits the role, they map it, and remove the policy: the role never had the permission."""
    story = Story()
    story.check(polling(a_role(), mappings=()))
    story.check(ADMITTED_BY_QUEUE, changed_by=MALLORY)
    for _ in range(3):
        story.check(WITHOUT, changed_by=MALLORY)
    refused(
        story,
        f"no check of the last day saw the role's own policies allow {', '.join(READING)} on {QUEUE_ARN}",
        "the change would also allow",
        f"The change was made by {MALLORY}.",
    )


def test_the_attack_does_not_profit_from_a_change_of_the_role() -> None:
    """Someone changes the role for another reason at the same time."""
    story = Story()
    story.check(ADMITTED_BY_QUEUE, changed_by=MALLORY)
    story.check(WITHOUT, DETACHED)
    refused(story, "no check of the last day saw the role's own policies allow")


def test_a_role_that_had_only_its_own_queue_gets_no_more() -> None:
    """AWS's policy allows every queue of the account."""
    story = Story()
    own = allow(*READING, resource=QUEUE_ARN)
    story.check(polling(a_role(own, allow("logs:*"))))
    story.check(polling(a_role(allow("logs:*"))), replace(DETACHED, api="DeleteRolePolicy"))
    refused(
        story,
        "the change would also allow sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes on every resource",
    )


SECRET_QUEUE = "arn:aws:sqs:*:*:secret"


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.mark.parametrize(
    "narrow",
    [
        allow(
            *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
            Condition={"Bool": {"aws:SecureTransport": "true"}},
        ),
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sqs:*", "NotResource": "arn:aws:sqs:*:*:secret"}],
        },
        {
            "Version": "2012-10-17",
            "Statement": [statement("sqs:*"), statement("sqs:*", effect="Deny", resource="arn:aws:sqs:*:*:secret")],
        },
        allow("sqs:*", resource="arn:aws:sqs:*"),
    ],
    ids=["condition", "NotResource", "deny", "pattern"],
)
def test_a_role_that_was_allowed_less_than_everything_gets_no_more(narrow: dict[str, Any]) -> None:
    """Conditions, exceptions and denies were part of what its owner granted."""
    story = Story()
    story.check(polling(a_role(narrow, allow("logs:*"))))
    story.check(polling(a_role(allow("logs:*"))), DETACHED)
    refused(story, "the change would also allow")


def test_a_change_long_before_the_check_is_no_cause() -> None:
    """A permission was seen after it."""
    story = Story()
    story.check(WITH_POLICY)
    story.check(WITHOUT, replace(DETACHED, at="2026-11-20T09:20:00+00:00"))
    refused(story, "no event names a change of the role that removed")


def test_a_change_of_another_role_is_no_cause() -> None:
    """Nor is one of a policy that the role does not have."""
    story = Story()
    story.check(WITH_POLICY)
    other = RoleChange("e-2", "CreatePolicyVersion", NOW, MALLORY, policy_arn="arn:aws:iam::123456789012:policy/other")
    story.check(WITHOUT, replace(DETACHED, role_name="other-role"), other)
    refused(story, "no event names a change of the role that removed")


def test_a_check_that_could_not_read_the_role_forgets_nothing() -> None:
    """Throttling between the checks."""
    story = Story()
    story.check(WITH_POLICY)
    story.check(polling(THROTTLED))
    story.check(WITHOUT, DETACHED)
    assert story.fix().result is FixResult.APPLIED


def test_what_is_not_required_any_more_is_forgotten() -> None:
    """The mapping was deleted, and someone creates it again after the role lost the permission."""
    story = Story()
    story.check(WITH_POLICY)
    story.check(polling(a_role(), mappings=()), DETACHED)
    story.check(WITHOUT)
    refused(story, "no check of the last day saw the role's own policies allow")


def test_another_role_has_another_history() -> None:
    """The function got a new role."""
    story = Story()
    story.check(WITH_POLICY)
    arn = ROLE_ARN.replace("orders-role", "other-role")
    function = a_function(role_arn=arn)
    moved = replace(WITHOUT, function=function, versions={function.arn: function}, roles={arn: a_role(arn=arn)})
    story.check(moved, replace(DETACHED, role_name="other-role"))
    refused(story, "no check of the last day saw the role's own policies allow")


# ── What an owner takes away stays away ─────────────────────────────────────────────────────────────────────────────

OWN_QUEUE = allow("sqs:*", resource=QUEUE_ARN)
STRANGERS = a_mapping("arn:aws:sqs:us-east-1:123456789012:strangers", uuid="1b2c3d4e-0000-4000-8000-000000000000")


def later(story: Story, **time: float) -> None:
    """Let time pass."""
    story.clock.now += timedelta(**time)


def at(story: Story, **changed: Any) -> RoleChange:
    """Return a change of the role that was made just now."""
    return replace(DETACHED, event_id=f"e-{story.clock.now}", at=story.clock.now.isoformat(), **changed)


@pytest.mark.parametrize("days", [0.0, 200.0])
def test_a_role_that_was_narrowed_on_purpose_is_not_widened(days: float) -> None:
    """It has what it needs. Then a stranger maps their own queue, whose policy admits the role for a moment."""
    story = Story()
    story.check(WITH_POLICY)
    narrowed = a_role(OWN_QUEUE, allow("logs:*"))
    story.check(polling(narrowed), DETACHED)
    later(story, days=days)
    story.check(polling(narrowed))
    story.check(polling(narrowed, mappings=(a_mapping(), STRANGERS)), changed_by=MALLORY)
    refused(story, "no check of the last day saw the role's own policies allow", f"made by {MALLORY}")


@pytest.mark.parametrize("days", [0.0, 200.0])
def test_a_narrow_policy_that_is_lost_is_not_replaced_by_a_broad_one(days: float) -> None:
    """The role had the broad one before the narrow one."""
    story = Story()
    story.check(WITH_POLICY)
    story.check(polling(a_role(OWN_QUEUE, allow("logs:*"))), DETACHED)
    later(story, days=days)
    story.check(polling(a_role(allow("logs:*"))), at(story, api="DeleteRolePolicy"))
    refused(story, "the change would also allow")


def test_a_loss_is_restored_within_a_day() -> None:
    """After that, whoever has not restored it has decided."""
    for hours, result in ((23.9, FixResult.APPLIED), (24.1, FixResult.PROPOSED)):
        story = Story()
        story.check(WITH_POLICY)
        story.check(WITHOUT, DETACHED)
        later(story, hours=hours)
        story.check(WITHOUT)
        assert story.fix().result is result, hours


def test_a_change_after_the_loss_is_no_cause() -> None:
    """Somebody edits the role for another reason, hours after a check saw the loss."""
    story = Story()
    story.check(WITH_POLICY)
    story.check(WITHOUT)
    later(story, hours=3)
    story.check(WITHOUT, at(story, api="PutRolePolicy", by=MALLORY))
    refused(story, "no event names a change of the role that removed")


def test_an_event_that_arrives_late_is_a_cause() -> None:
    """Its time is before the loss."""
    story = Story()
    story.check(WITH_POLICY)
    story.check(WITHOUT)
    later(story, hours=3)
    story.check(WITHOUT, DETACHED)
    assert story.fix().result is FixResult.APPLIED


def test_a_change_in_the_future_is_no_cause_and_keeps_no_other_back() -> None:
    """The time comes from an event, and could be anything."""
    future = [replace(DETACHED, event_id=f"f-{number}", at="2099-01-01T00:00:00+00:00") for number in range(12)]
    story = Story()
    story.check(WITH_POLICY, *future)
    story.check(WITHOUT)
    refused(story, "no event names a change of the role that removed")
    story = Story()
    story.check(WITH_POLICY, *future, *(replace(one, at=NOW, role_name=f"role-{one.event_id}") for one in future))
    story.check(WITHOUT, DETACHED)
    assert story.fix().result is FixResult.APPLIED


def test_a_role_within_a_boundary_gets_no_more_than_the_boundary_allowed() -> None:
    """Policy and boundary were removed together."""
    boundary = a_policy(
        {"Version": "2012-10-17", "Statement": [statement("sqs:*", resource=QUEUE_ARN), statement("logs:*")]}
    )
    story = Story()
    story.check(polling(a_role(attached={SQS_POLICY_ARN: a_policy(SQS_POLICY)}, boundary=boundary)))
    story.check(WITHOUT, DETACHED)
    refused(story, "the change would also allow")


def test_a_check_that_could_not_read_the_role_is_not_the_last_that_saw_it() -> None:
    """Its message is retried later than IAM's delay."""
    story = Story()
    story.check(WITH_POLICY)
    detached = at(story)
    later(story, minutes=6)
    story.check(polling(THROTTLED), detached)
    later(story, minutes=18)
    story.check(WITHOUT, detached)
    assert story.fix().result is FixResult.APPLIED


def test_a_rejected_fix_is_not_applied_when_the_problem_comes_back() -> None:
    """Also if the event that explains the loss arrives after the rejection."""
    story = Story()
    story.check(WITH_POLICY)
    story.check(WITHOUT)
    assert story.fix().result is FixResult.PROPOSED
    story.reject()
    story.check(ADMITTED_BY_QUEUE, DETACHED)
    story.check(WITHOUT)
    outcome = story.fix()
    assert (outcome.result, story.state.attached) == (FixResult.PROPOSED, [])
    assert "rejected it before" in outcome.summary


def test_a_function_with_many_mappings_is_restored_too() -> None:
    """What every resource is about is remembered first."""
    arn = QUEUE_ARN.rsplit(":", 1)[0]
    many = tuple(a_mapping(f"{arn}:queue-{number:03}", uuid=f"{number:08}{MAPPING_UUID[8:]}") for number in range(300))
    story = Story()
    story.check(polling(a_role(attached={SQS_POLICY_ARN: a_policy(SQS_POLICY)}), mappings=many))
    story.check(polling(a_role(), mappings=many), DETACHED)
    first = story.store.findings_of(TARGET).findings[0]
    outcome = story.setup.fixer(clock=story.clock).handle(TARGET, first.id)
    assert outcome.result is FixResult.APPLIED


def test_with_autofix_grant_the_role_gets_what_it_never_had() -> None:
    """The threat model says what that accepts."""
    story = Story(auto_fix=AutoFix.GRANT)
    story.check(WITHOUT, changed_by=MALLORY)
    assert story.fix().result is FixResult.APPLIED


def test_the_rules_of_the_fixer_are_those_of_the_checker() -> None:
    """The story uses the same rules."""
    assert {rule.id for rule in RULES} <= RULE_OBJECTS.keys()
