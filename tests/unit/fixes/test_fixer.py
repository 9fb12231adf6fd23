"""The fixer: it changes what the mode allows, once, verified and remembered; in doubt it refuses and says why."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from permission_guard.config import FixMode
from permission_guard.errors import ConflictError, FixNotVisibleError, RetryableError, WriteFailedError
from permission_guard.fixes.fixer import MAX_TRIES, Fixer, FixOutcome
from permission_guard.iam import TrustSet
from permission_guard.model.findings import Finding, FixRecord, FixResult, Status, Transition
from permission_guard.model.state import Snapshot
from permission_guard.rules import RULES
from tests.fakes import (
    DENIED,
    FINDING_ID,
    FUNCTION_ARN,
    NOW,
    ROLE_ARN,
    SQS_POLICY,
    SQS_POLICY_ARN,
    TARGET,
    THROTTLED,
    Clock,
    InMemoryFindings,
    InMemoryState,
    a_finding,
    a_mapping,
    a_policy,
    a_role,
    allow,
    polling,
    statement,
)

BROKEN = polling(a_role(allow("logs:*")))
STREAM_ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
RULE_OBJECTS = {rule.id: rule(TrustSet(frozenset())) for rule in RULES}


@dataclass
class Desk:
    """A fixer with everything around it: an open finding, and a role that may not read its queue."""

    mode: FixMode = FixMode.AUTO
    limit: int = 20
    state: InMemoryState = field(default_factory=lambda: InMemoryState(BROKEN))
    store: InMemoryFindings = field(default_factory=InMemoryFindings)
    waited: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.store.documents:
            self.store.put(a_finding())

    def handle(self, *, approved: bool = False, finding_id: str = FINDING_ID, **more: Any) -> FixOutcome:
        """Handle the finding; an approval is of what is proposed now."""
        revision = self.store.one().revision if approved else None
        return self.fixer(**more).handle(TARGET, finding_id, approved_revision=revision)

    def fixer(self, **more: Any) -> Fixer:
        """Return the fixer."""
        values: dict[str, Any] = {
            "mode": self.mode,
            "max_fixes_an_hour": self.limit,
            "rules": RULE_OBJECTS,
            "source": self.state,
            "fix_state": self.state,
            "store": self.store,
            "quota": self.store,
            "writer": self.state,
            "clock": Clock(),
            "wait": self.waited.append,
        }
        return Fixer(**{**values, **more})

    @property
    def transitions(self) -> list[tuple[str, int]]:
        """Return what people were told: each transition with its revision, once."""
        return list(dict.fromkeys((str(finding.transition), finding.revision) for finding in self.store.history))


def fix_of(finding: Finding) -> FixRecord:
    """Return what is recorded of a fix."""
    assert finding.fix is not None
    return finding.fix


# ── What is done ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_in_auto_mode_the_policy_is_attached_verified_and_remembered() -> None:
    """The record has what was there before, what is there now, and the command that takes it back."""
    desk = Desk()
    outcome = desk.handle()
    assert outcome.result is FixResult.APPLIED
    assert desk.state.attached == [("orders-role", SQS_POLICY_ARN)]
    finding = desk.store.one()
    assert finding.fix == outcome.record
    assert fix_of(finding).name == "attach-managed-policy"
    assert fix_of(finding).summary == f"attach {SQS_POLICY_ARN} to {ROLE_ARN}"
    assert fix_of(finding).before == {"role_arn": ROLE_ARN, "attached_policies": []}
    assert fix_of(finding).after == {"role_arn": ROLE_ARN, "attached_policies": [SQS_POLICY_ARN]}
    assert fix_of(finding).undo == (f"aws iam detach-role-policy --role-name orders-role --policy-arn {SQS_POLICY_ARN}")
    assert fix_of(finding).attempts == 1
    assert fix_of(finding).at > NOW
    assert desk.transitions == [("Finding Opened", 1), ("Fix Applied", 2)]


def test_the_status_is_left_to_the_checker() -> None:
    """A fix does not resolve: looking does."""
    desk = Desk()
    desk.handle()
    assert desk.store.one().status is Status.OPEN


def test_the_change_is_remembered_before_it_is_made() -> None:
    """Whatever happens while it is made, the state to go back to is known."""
    desk = Desk()
    seen: list[FixRecord] = []
    attach = desk.state.attach_role_policy

    def attach_role_policy(role_name: str, policy_arn: str) -> None:
        seen.append(fix_of(desk.store.one()))
        attach(role_name, policy_arn)

    desk.state.attach_role_policy = attach_role_policy  # type: ignore[method-assign]
    desk.handle()
    (intent,) = seen
    assert intent.result is FixResult.APPLYING
    assert intent.before == {"role_arn": ROLE_ARN, "attached_policies": []}
    assert intent.undo.startswith("aws iam detach-role-policy")


def test_the_intent_is_told_to_nobody() -> None:
    """The revision stays, so that no event goes out before something is so."""
    desk = Desk()
    desk.handle()
    assert [finding.revision for finding in desk.store.history] == [1, 1, 2]


def test_policies_that_were_attached_before_are_in_the_record() -> None:
    """Before and after differ in one policy."""
    held = "arn:aws:iam::123456789012:policy/orders"
    desk = Desk(state=InMemoryState(polling(a_role(attached={held: a_policy(allow("logs:*"))}))))
    desk.handle()
    fix = fix_of(desk.store.one())
    assert fix.before["attached_policies"] == [held]
    assert fix.after["attached_policies"] == [held, SQS_POLICY_ARN]


def test_the_policy_is_of_the_roles_own_partition() -> None:
    """In China and GovCloud the same policy has another ARN; the finding's text is not trusted for it."""
    arn = "arn:aws-cn:iam::123456789012:role/orders-role"
    china = BROKEN.function
    assert china is not None
    function = replace(BROKEN.versions[FUNCTION_ARN], role_arn=arn)  # type: ignore[type-var]
    state = InMemoryState(replace(BROKEN, versions={FUNCTION_ARN: function}, roles={arn: a_role(arn=arn)}))
    attached = SQS_POLICY_ARN.replace("arn:aws:", "arn:aws-cn:")
    state.managed[attached] = a_policy(SQS_POLICY)
    desk = Desk(FixMode.PLAN, state=state)
    desk.store.put(a_finding(evidence={**a_finding().evidence, "role_arn": arn}))
    assert desk.handle().summary == f"attach {attached} to {arn}"


# ── What the modes allow ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("approved", [False, True])
def test_in_mode_off_nothing_is_done(approved: bool) -> None:
    """Nothing is read either."""
    desk = Desk(FixMode.OFF)
    assert desk.handle(approved=approved).summary == "FixMode is off"
    assert desk.state.reads == 0
    assert desk.transitions == [("Finding Opened", 1)]


def test_in_mode_plan_it_is_said_what_would_be_done() -> None:
    """The proposal has the state to change; nothing is attached, and nobody is asked."""
    desk = Desk(FixMode.PLAN)
    outcome = desk.handle()
    assert outcome.result is FixResult.PROPOSED
    assert outcome.summary == f"attach {SQS_POLICY_ARN} to {ROLE_ARN}"
    assert desk.state.attached == []
    fix = fix_of(desk.store.one())
    assert (fix.result, fix.attempts, fix.approve) == (FixResult.PROPOSED, 0, "")
    assert fix.before["attached_policies"] == []
    assert desk.transitions == [("Finding Opened", 1), ("Fix Proposed", 2)]


def test_in_mode_approve_the_proposal_says_how_to_agree() -> None:
    """The command can be pasted as it is: it puts the event that the fixer waits for."""
    desk = Desk(FixMode.APPROVE)
    desk.handle()
    command = shlex.split(fix_of(desk.store.one()).approve)
    assert command[:3] == ["aws", "events", "put-events"]
    assert command[command.index("--region") + 1] == "us-east-1"
    (entry,) = json.loads(command[command.index("--entries") + 1])
    assert entry["DetailType"] == "Fix Approved"
    assert entry["EventBusName"] == "permission-guard"
    assert json.loads(entry["Detail"]) == {"id": FINDING_ID, "function_arn": FUNCTION_ARN, "revision": 2}
    assert desk.store.one().revision == 2
    assert desk.state.attached == []


def test_in_mode_approve_the_fix_is_made_when_a_person_agrees() -> None:
    """Once, however often they say so."""
    desk = Desk(FixMode.APPROVE)
    desk.handle()
    assert desk.handle(approved=True).result is FixResult.APPLIED
    assert desk.handle(approved=True).summary == "revision 3 is not what is proposed"
    assert desk.state.attached == [("orders-role", SQS_POLICY_ARN)]
    assert desk.transitions == [("Finding Opened", 1), ("Fix Proposed", 2), ("Fix Applied", 3)]


def test_an_approval_of_what_was_never_proposed_is_not_taken() -> None:
    """The event is only a message: what it may do is decided by what is recorded."""
    desk = Desk(FixMode.APPROVE)
    assert desk.handle(approved=True).summary == "revision 1 is not what is proposed"
    assert desk.state.attached == []


@pytest.mark.parametrize("mode", [FixMode.PLAN, FixMode.AUTO])
def test_approvals_are_taken_in_mode_approve_alone(mode: FixMode) -> None:
    """A plan is a plan."""
    desk = Desk(FixMode.PLAN)
    desk.handle()
    desk.mode = mode
    assert desk.handle(approved=True).summary == f"FixMode is {mode}: approvals are not taken"
    assert desk.state.attached == []


# ── When there is nothing to do ─────────────────────────────────────────────────────────────────────────────────────


def test_a_finding_that_is_not_recorded_is_not_acted_upon() -> None:
    """An event alone moves nothing."""
    desk = Desk()
    assert desk.handle(finding_id="invented").summary == "there is no such finding"
    assert desk.state.reads == 0


def test_a_finding_without_a_fix_is_left_to_people() -> None:
    """Only some rules have one."""
    store = InMemoryFindings()
    store.put(a_finding(rule_id="PG102"))
    assert Desk(store=store).handle().summary == "no fix is known"


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.SUPPRESSED])
def test_only_open_findings_are_fixed(status: Status) -> None:
    """Suppressed: a person said to leave it."""
    store = InMemoryFindings()
    store.put(a_finding(status=status))
    desk = Desk(store=store)
    assert desk.handle().summary == f"the finding is {status}"
    assert desk.state.reads == 0


def test_the_same_event_twice_is_one_fix() -> None:
    """Queues deliver at least once."""
    desk = Desk()
    desk.handle()
    assert desk.handle().summary == "it was handled before: Fix Applied"
    assert len(desk.state.attached) == 1
    assert desk.transitions == [("Finding Opened", 1), ("Fix Applied", 2)]


@pytest.mark.parametrize(
    "now",
    [polling(a_role(SQS_POLICY)), replace(BROKEN, mappings=()), Snapshot(TARGET, None, tags={})],
    ids=["somebody mended it", "the mapping is gone", "the function is gone"],
)
def test_what_is_right_already_is_not_touched_and_not_told(now: Snapshot) -> None:
    """The checker resolves the finding; here there is nothing to say."""
    desk = Desk(state=InMemoryState(now))
    assert desk.handle() == FixOutcome(FINDING_ID, None, "it is right already")
    assert desk.state.attached == []
    assert desk.transitions == [("Finding Opened", 1)]


def test_another_mapping_that_is_right_does_not_make_this_one_right() -> None:
    """The finding is about one mapping of several, whatever their order."""
    stream = a_mapping(STREAM_ARN, uuid="1b2c3d4e-0000-4000-8000-000000000000")
    state = InMemoryState(polling(a_role(allow("kinesis:*")), mappings=(stream, a_mapping())))
    desk = Desk(state=state)
    assert desk.handle().result is FixResult.APPLIED
    assert desk.state.attached == [("orders-role", SQS_POLICY_ARN)]


# ── Limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_finding_that_keeps_coming_back_is_handed_to_a_person() -> None:
    """Somebody or something undoes the fix: it is made three times and no more."""
    desk = Desk()
    results = []
    for _ in range(MAX_TRIES + 1):
        results.append(desk.handle().result)
        desk.state.state = BROKEN
        again = desk.store.one()
        desk.store.put(replace(again, transition=Transition.REOPENED, revision=again.revision + 1))
    assert results == [FixResult.APPLIED] * MAX_TRIES + [FixResult.REFUSED]
    assert len(desk.state.attached) == MAX_TRIES
    refused = desk.store.history[-2]
    assert fix_of(refused).summary == "It came back after 3 fixes: a person has to find out what undoes them."
    assert fix_of(refused).attempts == MAX_TRIES


def test_no_more_fixes_are_made_in_an_hour_than_the_limit() -> None:
    """The limit is the account's. It is no refusal: the finding is told of again by the sweep, and then it goes."""
    store = InMemoryFindings(fixes={"2026-11-20T09": 2})
    desk = Desk(store=store, limit=2)
    outcome = desk.handle()
    assert (outcome.result, outcome.summary) == (None, "2 fixes were made in this hour: it waits")
    assert desk.state.attached == []
    assert desk.transitions == [("Finding Opened", 1)]
    store.fixes.clear()
    assert desk.handle().result is FixResult.APPLIED


def test_the_next_hour_has_its_own_fixes_and_proposals_take_none() -> None:
    """Only changes count."""
    desk = Desk(store=InMemoryFindings(fixes={"2026-11-20T08": 2}), limit=2)
    assert desk.handle().result is FixResult.APPLIED
    assert desk.store.fixes == {"2026-11-20T08": 2, "2026-11-20T09": 1}
    planning = Desk(FixMode.PLAN)
    planning.handle()
    assert planning.store.fixes == {}


# ── Guards ──────────────────────────────────────────────────────────────────────────────────────────────────────────

DENY = {"Version": "2012-10-17", "Statement": [statement("sqs:ReceiveMessage", effect="Deny", Sid="NoReceiving")]}
STACK = {"aws:cloudformation:stack-name": "shop"}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (replace(BROKEN, tags={"permission-guard:fix": "never"}), "is tagged permission-guard:fix=never"),
        (replace(BROKEN, tags={"permission-guard:fix": " Never "}), "is tagged permission-guard:fix=never"),
        (replace(BROKEN, tags=STACK), "belongs to the CloudFormation stack shop: change its template"),
        (replace(BROKEN, tags=DENIED), "The tags of arn:aws:lambda:us-east-1:123456789012:function:orders could not"),
        (replace(BROKEN, tags=None), "could not be read"),
        (polling(a_role(tags={"permission-guard:fix": "never"})), "orders-role is tagged permission-guard:fix=never"),
        (polling(a_role(tags=STACK)), "orders-role belongs to the CloudFormation stack shop"),
        (polling(a_role(DENY)), "would not help: Explicitly denied by statement 'NoReceiving'"),
        (
            polling(a_role(boundary=a_policy(allow("logs:*")))),
            "would not help: Implicitly denied: the permissions boundary does not allow it",
        ),
        (polling(DENIED), "It cannot be told whether this is still so: iam:GetRole failed with AccessDenied"),
        (polling(a_role(attached={"arn:aws:iam::123456789012:policy/orders": DENIED})), "It cannot be told whether"),
        (replace(BROKEN, mappings=DENIED), "It cannot be told whether"),
        (replace(BROKEN, function=DENIED), "It cannot be told whether"),
        (polling(None), "does not exist"),
    ],
)
def test_the_fixer_refuses_what_it_must_not_touch_and_says_why(now: Snapshot, reason: str) -> None:
    """Nothing is attached; the finding carries the reason, and people are told once."""
    desk = Desk(state=InMemoryState(now))
    outcome = desk.handle()
    assert outcome.result is FixResult.REFUSED
    assert reason in outcome.summary
    assert fix_of(desk.store.one()).summary == outcome.summary
    assert desk.state.attached == []
    assert desk.store.fixes == {}
    assert desk.transitions == [("Finding Opened", 1), ("Fix Refused", 2)]
    assert desk.handle().summary == "it was handled before: Fix Refused"


def test_a_refusal_is_no_attempt() -> None:
    """When the tag is taken away and the finding reopens, all tries are left."""
    desk = Desk(state=InMemoryState(replace(BROKEN, tags=STACK)))
    desk.handle()
    assert fix_of(desk.store.one()).attempts == 0


def test_a_deny_that_comes_with_the_boundary_unread_is_refused() -> None:
    """What could not be read may make the fix useless."""
    desk = Desk(state=InMemoryState(polling(a_role(allow("logs:*"), boundary=DENIED))))
    assert desk.handle().result is FixResult.REFUSED
    assert desk.state.attached == []


@pytest.mark.parametrize(
    "now", [polling(THROTTLED), replace(BROKEN, tags=THROTTLED)], ids=["the role", "the function's tags"]
)
def test_what_was_throttled_is_asked_again_later_and_not_refused(now: Snapshot) -> None:
    """A refusal is the last word, and a passing fault must not have it: the message comes again."""
    desk = Desk(state=InMemoryState(now))
    with pytest.raises(RetryableError, match="Rate exceeded"):
        desk.handle()
    assert desk.transitions == [("Finding Opened", 1)]
    desk.state.state = BROKEN
    assert desk.handle().result is FixResult.APPLIED


# ── When something goes wrong ───────────────────────────────────────────────────────────────────────────────────────


def test_a_write_that_aws_refuses_is_recorded_in_its_words() -> None:
    """A person reads what the bot was told; the state before stays in the record."""
    desk = Desk()
    desk.state.refusal = WriteFailedError("iam:AttachRolePolicy failed with LimitExceeded: Cannot exceed quota")
    outcome = desk.handle()
    assert outcome.result is FixResult.FAILED
    fix = fix_of(desk.store.one())
    assert fix.summary == "iam:AttachRolePolicy failed with LimitExceeded: Cannot exceed quota"
    assert fix.before == {"role_arn": ROLE_ARN, "attached_policies": []}
    assert fix.attempts == 1
    assert desk.transitions == [("Finding Opened", 1), ("Fix Failed", 2)]


def test_a_change_that_shows_late_is_waited_for() -> None:
    """IAM takes a moment."""
    desk = Desk()
    desk.state.visible_after = 2
    assert desk.handle(verify_after=(0.0, 1.0, 2.0)).result is FixResult.APPLIED
    assert desk.waited == [0.0, 1.0, 2.0]


def test_a_change_that_does_not_show_is_tried_again_and_then_told_once() -> None:
    """The message comes again, finds it begun, and only has to read it back."""
    desk = Desk()
    desk.state.visible_after = 2
    with pytest.raises(FixNotVisibleError, match=f"Undo: aws iam detach-role-policy .*{SQS_POLICY_ARN}"):
        desk.handle(verify_after=(0.0, 1.0))
    assert fix_of(desk.store.one()).result is FixResult.APPLYING
    assert desk.transitions == [("Finding Opened", 1)]
    assert desk.handle().result is FixResult.APPLIED
    assert len(desk.state.attached) == 1
    assert fix_of(desk.store.one()).attempts == 1
    assert desk.transitions == [("Finding Opened", 1), ("Fix Applied", 2)]


class Killed(BaseException):
    """Lambda ends the process."""


def test_a_crash_between_remembering_and_attaching_is_made_good() -> None:
    """The next try finds that nothing was made, and begins again; both count as tries."""
    desk = Desk()
    desk.state.refusal = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        desk.handle()
    assert desk.state.attached == []
    desk.state.refusal = None
    assert desk.handle().result is FixResult.APPLIED
    assert len(desk.state.attached) == 1
    assert fix_of(desk.store.one()).attempts == 2
    assert fix_of(desk.store.one()).before["attached_policies"] == []


def test_a_crash_between_attaching_and_recording_is_made_good() -> None:
    """The next try sees that it is right, attaches nothing, and keeps what was there before."""
    desk = Desk()

    def killed(delay: float) -> None:
        raise Killed

    with pytest.raises(Killed):
        desk.handle(wait=killed)
    assert len(desk.state.attached) == 1
    outcome = desk.handle()
    assert outcome.result is FixResult.APPLIED
    assert len(desk.state.attached) == 1
    fix = fix_of(desk.store.one())
    assert fix.before["attached_policies"] == []
    assert fix.after["attached_policies"] == [SQS_POLICY_ARN]


def test_a_fix_that_was_begun_is_finished_even_when_the_finding_is_resolved_meanwhile() -> None:
    """The checker saw the change first: what was done is still told, and the finding stays resolved."""
    desk = Desk()
    desk.state.visible_after = 5
    with pytest.raises(FixNotVisibleError):
        desk.handle()
    seen = desk.store.one()
    desk.store.put(replace(seen, status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2))
    desk.state.visible_after = 0
    assert desk.handle().result is FixResult.APPLIED
    assert desk.store.one().status is Status.RESOLVED
    assert desk.transitions == [("Finding Opened", 1), ("Finding Resolved", 2), ("Fix Applied", 3)]


def test_a_fix_that_was_begun_is_not_made_once_fixing_is_off() -> None:
    """What was begun is refused, with the state and the way back kept."""
    desk = Desk()
    desk.state.refusal = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        desk.handle()
    desk.mode, desk.state.refusal = FixMode.OFF, None
    outcome = desk.handle()
    assert outcome.result is FixResult.REFUSED
    assert outcome.summary == "It was begun and does not show: FixMode is off."
    assert desk.state.attached == []
    assert fix_of(desk.store.one()).undo.startswith("aws iam detach-role-policy")


@pytest.mark.parametrize("mode", [FixMode.PLAN, FixMode.APPROVE])
def test_a_fix_that_was_begun_is_proposed_once_the_mode_wants_that(mode: FixMode) -> None:
    """Nothing is attached that nobody agreed to, whatever was under way when the mode was changed."""
    desk = Desk()
    desk.state.refusal = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        desk.handle()
    desk.mode, desk.state.refusal = mode, None
    assert desk.handle().result is FixResult.PROPOSED
    assert desk.state.attached == []


def test_a_fix_that_was_begun_and_comes_back_is_asked_for_again() -> None:
    """The finding resolved by hand, the mode became approve, the problem is back: the old intent is no approval."""
    desk = Desk()
    desk.state.refusal = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        desk.handle()
    desk.mode, desk.state.refusal = FixMode.APPROVE, None
    finding = desk.store.one()
    desk.store.put(replace(finding, revision=3, transition=Transition.REOPENED))
    assert desk.handle().result is FixResult.PROPOSED
    assert desk.state.attached == []


def test_an_approval_is_of_one_proposal() -> None:
    """An old approval that comes late, or again, does not agree to what is proposed now."""
    desk = Desk(FixMode.APPROVE)
    desk.handle()
    proposed = desk.store.one()
    desk.store.put(replace(proposed, revision=proposed.revision + 2))
    fixer = desk.fixer()
    assert fixer.handle(TARGET, FINDING_ID, approved_revision=proposed.revision).result is None
    assert desk.state.attached == []


def test_an_approval_is_of_the_very_change_that_was_proposed() -> None:
    """When the plan is another one by now, it is proposed anew."""
    desk = Desk(FixMode.APPROVE)
    desk.handle()
    proposed = desk.store.one()
    other = replace(fix_of(proposed), change={**fix_of(proposed).change, "policy_arn": "arn:aws:iam::aws:policy/Other"})
    desk.store.put(replace(proposed, fix=other))
    assert desk.handle(approved=True).result is FixResult.PROPOSED
    assert desk.state.attached == []


def test_a_role_that_the_finding_does_not_speak_of_is_not_changed() -> None:
    """The function got another role since: the next look tells of that one, and the message comes again."""
    desk = Desk()
    desk.store.put(a_finding(evidence={**a_finding().evidence, "role_arn": "arn:aws:iam::123456789012:role/former"}))
    with pytest.raises(RetryableError, match="about another role"):
        desk.handle()
    assert desk.state.attached == []


def test_what_was_proposed_under_plan_is_done_under_auto() -> None:
    """The sweep tells of it again, and the mode allows it now."""
    desk = Desk(FixMode.PLAN)
    desk.handle()
    assert desk.handle().summary == "it was handled before: Fix Proposed"
    desk.mode = FixMode.AUTO
    assert desk.handle().result is FixResult.APPLIED


def test_what_was_proposed_under_plan_is_proposed_with_the_way_to_agree_under_approve() -> None:
    """Once: after that it waits for a person."""
    desk = Desk(FixMode.PLAN)
    desk.handle()
    assert fix_of(desk.store.one()).approve == ""
    desk.mode = FixMode.APPROVE
    assert desk.handle().result is FixResult.PROPOSED
    assert "put-events" in fix_of(desk.store.one()).approve
    assert desk.handle().summary == "it was handled before: Fix Proposed"


def test_a_fix_that_does_not_make_it_right_says_so() -> None:
    """The policy is attached, and something else is wrong besides: that is told, not hidden behind `Applied`."""
    desk = Desk()
    attach = desk.state.attach_role_policy

    def attach_and_deny(role_name: str, policy_arn: str) -> None:
        attach(role_name, policy_arn)
        role = desk.state.state.roles[ROLE_ARN]
        deny = a_policy(statement("sqs:ReceiveMessage", effect="Deny"))
        mended = replace(role, inline={"deny": deny})  # type: ignore[type-var]
        desk.state.state = replace(desk.state.state, roles={ROLE_ARN: mended})

    desk.state.attach_role_policy = attach_and_deny  # type: ignore[method-assign]
    outcome = desk.handle()
    assert outcome.result is FixResult.APPLIED
    assert "This alone does not make it right: " in outcome.summary


def test_a_fix_that_was_begun_for_what_is_gone_is_not_said_to_be_made() -> None:
    """The mapping was deleted before anything was attached."""
    desk = Desk()
    desk.state.refusal = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        desk.handle()
    desk.state.refusal = None
    desk.state.state = replace(BROKEN, mappings=())
    outcome = desk.handle()
    assert outcome.result is FixResult.REFUSED
    assert outcome.summary == "It was begun and does not show: it is right already."
    assert desk.state.attached == []


def test_a_fix_that_was_made_for_what_is_gone_is_said_to_be_made() -> None:
    """The mapping was deleted after the policy was attached: the record says how to detach it."""
    desk = Desk()
    desk.state.visible_after = 5
    with pytest.raises(FixNotVisibleError):
        desk.handle()
    desk.state.visible_after = 0
    desk.state.state = replace(desk.state.state, mappings=())
    assert desk.handle().result is FixResult.APPLIED
    assert fix_of(desk.store.one()).after["attached_policies"] == [SQS_POLICY_ARN]


def test_a_fix_that_was_begun_is_refused_when_a_guard_says_no_now() -> None:
    """Somebody tagged the role in between; what had been done stays in the record."""
    desk = Desk()
    desk.state.refusal = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        desk.handle()
    desk.state.refusal = None
    desk.state.state = polling(a_role(tags={"permission-guard:fix": "never"}))
    assert desk.handle().result is FixResult.REFUSED
    fix = fix_of(desk.store.one())
    assert "is tagged permission-guard:fix=never" in fix.summary
    assert fix.before["attached_policies"] == []
    assert fix.attempts == 1


def test_a_finding_that_was_changed_before_anything_was_done_comes_again() -> None:
    """The intent could not be written: nothing is attached."""
    desk = Desk()

    def somebody_first() -> None:
        found = desk.store.one()
        desk.store.put(replace(found, revision=found.revision + 1))

    desk.store.before_write = somebody_first
    with pytest.raises(ConflictError):
        desk.handle()
    assert desk.state.attached == []


def test_a_finding_that_is_resolved_while_it_is_fixed_stays_resolved() -> None:
    """The checker heard of the attachment and was quicker: the record of the fix is added to what it wrote."""
    desk = Desk()
    writes: list[int] = []

    def resolve_before_the_last() -> None:
        writes.append(1)
        if len(writes) == 2:
            found = desk.store.one()
            desk.store.put(replace(found, status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2))

    desk.store.before_write = resolve_before_the_last
    assert desk.handle().result is FixResult.APPLIED
    finding = desk.store.one()
    assert (finding.status, finding.transition, finding.revision) == (Status.RESOLVED, Transition.FIX_APPLIED, 3)
    assert fix_of(finding).after["attached_policies"] == [SQS_POLICY_ARN]


def test_when_others_keep_writing_the_end_of_a_fix_comes_again_and_is_not_lost() -> None:
    """The intent is on record, so that the next try tells of it."""
    desk = Desk()
    writes: list[int] = []

    def always_first() -> None:
        writes.append(1)
        if len(writes) > 1:
            found = desk.store.one()
            desk.store.put(replace(found, revision=found.revision + 1))

    desk.store.before_write = always_first
    with pytest.raises(ConflictError):
        desk.handle()
    assert len(writes) == 6
    desk.store.before_write = lambda: None
    assert desk.handle().result is FixResult.APPLIED
    assert len(desk.state.attached) == 1
