"""A plan is data: its record is whole or not made, equal for the same state, and its calls are those that are made."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from permission_guard.aws.writers.roles import RoleWriter
from permission_guard.errors import FixRefusedError
from permission_guard.findings.fit import document_size, fit
from permission_guard.fixes import all_fixes
from permission_guard.fixes.attach_managed_policy import AttachManagedPolicy
from permission_guard.fixes.decisions import Decision, DecisionKind
from permission_guard.fixes.plans import MAX_PLAN, digest_of_policy, proposal, unknowns_of_role, why_not_approved
from permission_guard.iam import parse_policy
from permission_guard.model import limits
from permission_guard.model.findings import Finding, FixRecord, PlannedCall
from permission_guard.model.state import Role
from tests.fakes import (
    DENIED,
    FINDING_ID,
    FUNCTION_ARN,
    MAPPING_SUBJECT,
    MAPPING_UUID,
    NOW,
    QUEUE_ARN,
    ROLE_ARN,
    SQS_POLICY,
    SQS_POLICY_ARN,
    InMemoryState,
    a_finding,
    a_policy,
    a_role,
    allow,
    polling,
)
from tests.unit.fixes.test_attach_managed_policy import check

if TYPE_CHECKING:
    from permission_guard.fixes.base import Plan
    from permission_guard.model.state import Snapshot

JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
FIX = AttachManagedPolicy()
BROKEN = polling(a_role(allow("logs:*")), source_policies={QUEUE_ARN: None})


def plan_of(state: Snapshot = BROKEN, managed: object = SQS_POLICY) -> Plan:
    """Plan the fix of the finding in a state."""
    return FIX.plan(a_finding(), state, InMemoryState(state, managed={SQS_POLICY_ARN: a_policy(managed)}), check)


def recorded(state: Snapshot = BROKEN, managed: object = SQS_POLICY, at: str = NOW) -> FixRecord:
    """Return the record of that plan."""
    return proposal(FIX, plan_of(state, managed), at=at, attempts=0)


class Iam:
    """Stands for the client, and keeps the calls as AWS names them."""

    def __init__(self) -> None:
        self.calls: list[PlannedCall] = []
        self.meta = boto3.client("iam", region_name="us-east-1").meta

    def attach_role_policy(self, **parameters: str) -> None:
        self.calls.append(PlannedCall(operation="iam:AttachRolePolicy", parameters=parameters))


def test_the_calls_of_a_plan_are_exactly_those_that_are_made() -> None:
    """Nothing else is called, and with no other parameters."""
    plan, iam = plan_of(), Iam()
    FIX.apply(plan.change, RoleWriter(iam), InMemoryState(BROKEN), lambda _is_visible: True)  # type: ignore[arg-type]
    assert plan.calls == tuple(iam.calls)
    assert {call.operation for call in plan.calls} <= set().union(*(fix.writes for fix in all_fixes()))


def test_a_plan_has_the_state_before_and_after_and_what_it_rests_on() -> None:
    """The state after it is what the fix then finds."""
    state = InMemoryState(BROKEN)
    plan = FIX.plan(a_finding(), BROKEN, state, check)
    assert plan.before == {"role_arn": ROLE_ARN, "attached_policies": []}
    FIX.apply(plan.change, state, state, lambda _is_visible: True)
    assert plan.expected == FIX.state(plan.change, state)
    assert plan.rests_on == {
        "function_arn": FUNCTION_ARN,
        "subject": MAPPING_SUBJECT,
        "event_source_mapping": MAPPING_UUID,
        "event_source_arn": QUEUE_ARN,
        "missing": [f"sqs:{name} on {QUEUE_ARN}" for name in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")],
        "policy_sha256": {SQS_POLICY_ARN: digest_of_policy(a_policy(SQS_POLICY))},
    }


def test_the_same_state_gives_the_same_plan_at_any_time() -> None:
    """Otherwise no approval would ever fit."""
    first, second = recorded(), recorded(at="2026-11-21T00:00:00.000+00:00")
    assert first.plan_hash == second.plan_hash
    assert (first.planned_at, second.planned_at) == (NOW, "2026-11-21T00:00:00.000+00:00")


WIDER = {**SQS_POLICY, "Statement": [*SQS_POLICY["Statement"], *allow("s3:GetObject")["Statement"]]}
HELD = "arn:aws:iam::123456789012:policy/orders"


@pytest.mark.parametrize(
    ("state", "managed", "changed"),
    [
        (BROKEN, WIDER, f"rests_on.policy_sha256.{SQS_POLICY_ARN}"),
        (
            polling(a_role(allow("sqs:ReceiveMessage")), source_policies={QUEUE_ARN: None}),
            SQS_POLICY,
            "rests_on.missing",
        ),
        (
            polling(a_role(attached={HELD: a_policy(allow("logs:*"))}), source_policies={QUEUE_ARN: None}),
            SQS_POLICY,
            "before.attached_policies, expected.attached_policies",
        ),
    ],
    ids=["AWS changed its policy", "a permission was added", "another policy was attached"],
)
def test_another_state_gives_another_plan_that_says_what_has_changed(
    state: Snapshot, managed: object, changed: str
) -> None:
    """Who approved the first one did not approve the second one."""
    approved, current = recorded(), recorded(state, managed)
    decision = a_decision(approved)
    assert not decision.approves(current.plan_hash, NOW)
    assert why_not_approved(decision, approved, current) == (
        f"{JANE} approved another plan. Since then has changed: {changed}."
    )


def a_decision(approved: FixRecord, at: str = NOW) -> Decision:
    """Return the approval of a plan."""
    values: dict[str, Any] = {"finding_id": FINDING_ID, "revision": 2, "by": JANE, "nonce": "0" * 32}
    return Decision(kind=DecisionKind.APPROVE, plan_hash=approved.plan_hash, at=at, **values)


def test_an_approval_that_has_expired_says_so() -> None:
    """The plan is the same."""
    decision = a_decision(recorded(), "2026-11-18T00:00:00+00:00")
    reason = why_not_approved(decision, recorded(), recorded())
    assert reason == f"The approval by {JANE} of 2026-11-18T00:00:00+00:00 has expired."


@pytest.mark.parametrize("known", [None, replace(recorded(), name="another"), replace(recorded(), calls=())])
def test_an_approval_of_a_plan_that_is_not_known_is_of_another_one(known: FixRecord | None) -> None:
    """Such as one of an earlier version."""
    decision = a_decision(known) if known and not known.calls else a_decision(replace(recorded(), change={}))
    assert why_not_approved(decision, known, recorded()) == f"{JANE} approved another plan."


def test_a_record_of_an_earlier_version_is_read_and_has_its_own_hash() -> None:
    """Its approval is of what was known then, and so never one of a whole plan."""
    finding = a_finding(fix=recorded())
    document = json.loads(json.dumps(finding.to_document()))
    for name in ("calls", "expected", "rests_on", "unknowns", "planned_at"):
        del document["fix"][name]
    old = Finding.from_document(document).fix
    assert old is not None
    assert (old.calls, old.change) == ((), recorded().change)
    assert old.plan_hash != recorded().plan_hash
    assert old.plan == {"fix": FIX.name, "change": recorded().change}


def test_a_record_is_the_same_after_it_was_stored() -> None:
    """The hash, too: an approval is compared with it."""
    finding = a_finding(fix=recorded())
    read = Finding.from_document(json.loads(json.dumps(finding.to_document())))
    assert read == finding
    assert read.fix is not None
    assert read.fix.plan_hash == recorded().plan_hash


# ── What is unknown ─────────────────────────────────────────────────────────────────────────────────────────────────


def unknowns(state: Snapshot) -> tuple[str, ...]:
    """Return what is unknown about the role and its queue."""
    role = state.roles[ROLE_ARN]
    assert isinstance(role, Role)
    return tuple(unknowns_of_role(role, (QUEUE_ARN, QUEUE_ARN), state))


def test_a_plan_says_what_the_bot_cannot_read() -> None:
    """Policies of the organization, whatever else was read."""
    assert (
        plan_of().unknowns
        == unknowns(BROKEN)
        == (
            "Whether a service control policy denies a call that AWS has not denied yet.",
            f"Whether a resource control policy denies the role access to {QUEUE_ARN}: the bot cannot read it.",
        )
    )


def test_a_plan_says_what_could_not_be_read() -> None:
    """The policies of the organization and of the queue."""
    role = replace(a_role(), denied_by_organization=DENIED)
    found = unknowns(polling(role, source_policies={QUEUE_ARN: DENIED}))
    assert found[0] == f"Whether a service control policy denies the calls: {DENIED}."
    assert found[2] == f"What the resource-based policy of {QUEUE_ARN} denies: {DENIED}."
    assert unknowns(polling(role))[2] == f"What the resource-based policy of {QUEUE_ARN} denies: it was not read."


def test_an_action_on_every_resource_has_no_resource_whose_policies_are_unknown() -> None:
    """Such as creating network interfaces: AWS has no policy of `*`."""
    assert tuple(unknowns_of_role(a_role(), ("*",), BROKEN)) == unknowns(BROKEN)[:1]


def test_what_is_unknown_does_not_change_the_plan() -> None:
    """A read that fails for now must not make another plan: nothing else is called."""
    role = replace(a_role(allow("logs:*")), denied_by_organization=DENIED)
    other = recorded(polling(role, source_policies={QUEUE_ARN: None}))
    assert other.unknowns != recorded().unknowns
    assert other.plan_hash == recorded().plan_hash


# ── Sizes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_unknowns_are_bounded_and_say_how_many_are_left_out() -> None:
    """Error messages of AWS have any length."""
    plan = replace(plan_of(), unknowns=tuple("x" * 5_000 for _ in range(30)))
    found = proposal(FIX, plan, at=NOW, attempts=0).unknowns
    assert (len(found), max(map(len, found)), found[-1]) == (11, 500, "20 more.")


def test_a_plan_that_cannot_be_shown_whole_is_refused() -> None:
    """Who approves it could not have read it. The longest one fits a finding, with the longest texts."""
    longest = replace(plan_of(), rests_on={"text": ""})
    room = MAX_PLAN - len(json.dumps(proposal(FIX, longest, at=NOW, attempts=0).plan))
    fits = proposal(FIX, replace(longest, rests_on={"text": "x" * room}), at=NOW, attempts=0)
    finding = a_finding(fix=replace(fits, after=fits.rests_on), reason="\u00fc" * 100_000)
    assert document_size(fit(finding)) <= limits.FINDING_DOCUMENT
    assert fit(finding).fix == finding.fix
    with pytest.raises(FixRefusedError, match="The plan has 50,001 bytes"):
        proposal(FIX, replace(longest, rests_on={"text": "x" * (room + 1)}), at=NOW, attempts=0)


def test_a_policy_has_the_digest_of_what_it_says() -> None:
    """The order of its keys says nothing."""
    one, other = '{"Version": "2012-10-17", "Statement": []}', '{"Statement": [], "Version": "2012-10-17"}'
    assert digest_of_policy(parse_policy(one)) == digest_of_policy(parse_policy(other))
    assert digest_of_policy(parse_policy(one)) != digest_of_policy(a_policy(SQS_POLICY))
