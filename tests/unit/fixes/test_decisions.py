"""Decisions about proposed fixes: each is about one proposal and one plan, by a proven caller of the account."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from permission_guard.config.document import Fixes, GuardConfig, RuleConfig
from permission_guard.config.settings import FixMode
from permission_guard.errors import UNREADABLE, ConflictError, RequestRefusedError
from permission_guard.fixes.decisions import VALID_FOR, Decision, DecisionKind, DecisionRequest, decide
from permission_guard.model.findings import FixRecord, FixResult, Status, Transition
from tests.fakes import (
    FINDING_ID,
    FUNCTION_ARN,
    NOW,
    ROLE_ARN,
    SQS_POLICY_ARN,
    InMemoryFindings,
    InMemoryStop,
    a_finding,
)

JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
PROPOSAL = FixRecord(
    name="attach-managed-policy",
    result=FixResult.PROPOSED,
    summary="attach it",
    at=NOW,
    attempts=0,
    change={"action": "iam:AttachRolePolicy", "role_arn": ROLE_ARN, "policy_arn": SQS_POLICY_ARN},
    approve="permission-guard fixes approve",
)
PROPOSED = a_finding(fix=PROPOSAL, revision=2, transition=Transition.FIX_PROPOSED)
DOCUMENT: dict[str, Any] = {
    "kind": "approve",
    "finding_id": FINDING_ID,
    "function_arn": FUNCTION_ARN,
    "revision": 2,
    "plan_hash": PROPOSAL.plan_hash,
    "nonce": "0123456789abcdef" * 2,
}


@pytest.fixture
def store() -> InMemoryFindings:
    """Return a table with a finding whose fix is proposed."""
    findings = InMemoryFindings()
    findings.put(PROPOSED)
    return findings


def decide_on(
    store: InMemoryFindings,
    *,
    mode: FixMode = FixMode.APPROVE,
    config: GuardConfig = GuardConfig(),  # noqa: B008 - it is immutable
    caller: str = JANE,
    stop: InMemoryStop | None = None,
    **more: Any,
) -> Decision:
    """Decide on the proposal."""
    request = DecisionRequest.from_document({**DOCUMENT, **more})
    return decide(
        request,
        caller=caller,
        mode=mode,
        config=config,
        findings=store,
        decisions=store,
        stop=stop or InMemoryStop(),
        now=NOW,
    )


@pytest.mark.parametrize(
    ("kind", "transition", "result"),
    [
        ("approve", Transition.FIX_APPROVED, FixResult.PROPOSED),
        ("reject", Transition.FIX_REJECTED, FixResult.REJECTED),
    ],
)
def test_a_decision_is_recorded_with_who_made_it(
    store: InMemoryFindings, kind: str, transition: Transition, result: FixResult
) -> None:
    """The finding has the transition, and no longer the command to approve it."""
    decision = decide_on(store, kind=kind)
    assert (decision.by, decision.at, decision.revision) == (JANE, NOW, 2)
    assert store.decision(FINDING_ID, 2) == decision
    decided = store.one()
    assert (decided.transition, decided.revision) == (transition, 3)
    assert decided.fix == replace(PROPOSAL, result=result, approve="", decided_by=JANE)


@pytest.mark.parametrize("mode", [FixMode.OFF, FixMode.PLAN])
def test_modes_without_approvals_take_no_decision(store: InMemoryFindings, mode: FixMode) -> None:
    """It would never have an effect."""
    with pytest.raises(RequestRefusedError, match=f"FixMode is {mode}"):
        decide_on(store, mode=mode)


@pytest.mark.parametrize("kind", ["approve", "reject"])
@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            GuardConfig(rules={"PG201": RuleConfig(fix=FixMode.PLAN)}),
            "rules.PG201.fix is plan: no fix of PG201 is applied",
        ),
        (GuardConfig(fixes=Fixes(mode=FixMode.OFF)), "fixes.mode is off: no fix of PG201 is applied"),
    ],
)
def test_a_rule_whose_mode_takes_no_approvals_takes_no_decision(
    store: InMemoryFindings, config: GuardConfig, reason: str, kind: str
) -> None:
    """The proposal was made before the document was changed. Nothing is recorded that would never have an effect."""
    with pytest.raises(RequestRefusedError) as refused:
        decide_on(store, mode=FixMode.AUTO, config=config, kind=kind)
    assert str(refused.value) == reason
    assert (store.decisions, store.one()) == ({}, PROPOSED)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"revision": 1}, "the proposal has changed"),
        ({"revision": 3}, "the proposal has changed"),
        ({"plan_hash": "0" * 64}, "the proposal has changed"),
        ({"finding_id": "0" * 32}, "does not exist"),
        ({"function_arn": f"{FUNCTION_ARN}-other"}, "does not exist"),
        ({"function_arn": f"{FUNCTION_ARN}:live"}, "does not exist"),
    ],
)
def test_a_decision_about_another_proposal_is_refused(
    store: InMemoryFindings, change: dict[str, Any], reason: str
) -> None:
    """A person decides on what they have read."""
    with pytest.raises(RequestRefusedError, match=reason):
        decide_on(store, **change)
    assert store.decisions == {}
    assert store.one() == PROPOSED


@pytest.mark.parametrize(
    ("finding", "reason"),
    [
        (replace(PROPOSED, status=Status.RESOLVED), "the finding is resolved"),
        (replace(PROPOSED, transition=Transition.REOPENED), "no proposed fix"),
        (replace(PROPOSED, fix=replace(PROPOSAL, approve="")), "no proposed fix"),
        (replace(PROPOSED, fix=None), "no proposed fix"),
    ],
    ids=["resolved", "reopened", "made in mode plan", "no fix"],
)
def test_only_a_proposal_that_waits_is_decided(finding: Any, reason: str) -> None:
    """Anything else has no plan that a person could have read."""
    store = InMemoryFindings()
    store.put(finding)
    with pytest.raises(RequestRefusedError, match=reason):
        decide_on(store)


def test_the_same_decision_again_changes_nothing(store: InMemoryFindings) -> None:
    """The reply was lost, or the message was sent twice. Another decision is refused."""
    first = decide_on(store)
    assert decide_on(store, nonce="f" * 32) == first
    assert store.one().revision == 3
    with pytest.raises(RequestRefusedError, match=f"{JANE} decided to approve it"):
        decide_on(store, kind="reject")


def test_of_two_decisions_at_the_same_time_one_is_recorded(store: InMemoryFindings) -> None:
    """The other one is a conflict."""
    store.before_write = lambda: store.put(replace(PROPOSED, revision=3))
    with pytest.raises(ConflictError):
        decide_on(store)
    assert store.decisions == {}


@pytest.mark.parametrize(
    "caller", ["arn:aws:iam::999999999999:user/mallory", "arn:aws:sts::999999999999:federated-user/m"]
)
def test_a_principal_of_another_account_decides_nothing(store: InMemoryFindings, caller: str) -> None:
    """Even if it may invoke the function."""
    with pytest.raises(RequestRefusedError, match="is not a principal of account 123456789012"):
        decide_on(store, caller=caller)


def test_the_account_is_that_of_the_function(store: InMemoryFindings) -> None:
    """A damaged document of the finding cannot let a principal of another account decide."""
    store.put(replace(PROPOSED, account="999999999999"))
    with pytest.raises(RequestRefusedError, match="is not a principal of account 123456789012"):
        decide_on(store, caller="arn:aws:iam::999999999999:user/mallory")
    assert decide_on(store).by == JANE


@pytest.mark.parametrize("reader", ["finding", "decision"])
@pytest.mark.parametrize("error", UNREADABLE)
def test_what_is_recorded_but_cannot_be_read_is_not_decided(
    store: InMemoryFindings, monkeypatch: pytest.MonkeyPatch, reader: str, error: type[Exception]
) -> None:
    """The caller gets the reason, and nothing is written."""

    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(store, reader, fail)
    with pytest.raises(RequestRefusedError, match="cannot be read"):
        decide_on(store)
    assert (store.decisions, store.one()) == ({}, PROPOSED)


INVALID: dict[str, tuple[Any, ...]] = {
    "kind": (None, "undone", "Approve", ["approve"], "approve\n"),
    "finding_id": (None, "", "x" * 32, FINDING_ID.upper(), FINDING_ID + "0", 7),
    "revision": (None, 0, -1, 1.0, True, "2", float("nan"), float("inf"), 10**9 + 1, 10**400),
    "plan_hash": (None, "0" * 63, "g" * 64),
    "nonce": (None, "", "0" * 31),
    "function_arn": (None, "orders", "arn:aws:s3:::bucket", f"{FUNCTION_ARN} ", {}),
}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "approve",
        {},
        *({**DOCUMENT, name: value} for name, values in INVALID.items() for value in values),
    ],
    ids=str,
)
def test_an_invalid_request_is_refused(document: Any) -> None:
    """The request comes from whoever may invoke the function."""
    with pytest.raises(RequestRefusedError):
        DecisionRequest.from_document(document)


def test_the_signed_digest_depends_on_everything_that_is_decided() -> None:
    """A signature for one decision is of no use for another one, or at another deployment."""
    others: list[dict[str, Any]] = [
        {},
        {"kind": "reject"},
        {"finding_id": "0" * 32},
        {"function_arn": f"{FUNCTION_ARN}-other"},
        {"revision": 3},
        {"plan_hash": "0" * 64},
        {"nonce": "f" * 32},
    ]
    digests = {DecisionRequest.from_document({**DOCUMENT, **other}).digest("arn:one") for other in others}
    digests.add(DecisionRequest.from_document(DOCUMENT).digest("arn:two"))
    assert len(digests) == len(others) + 1


def test_an_approval_is_of_one_plan_and_valid_for_24_hours() -> None:
    """A rejection approves nothing."""
    decision = Decision(
        kind=DecisionKind.APPROVE, finding_id=FINDING_ID, revision=2, plan_hash="a", by=JANE, at=NOW, nonce="n"
    )
    last = "2026-11-21T09:30:00.000+00:00"
    assert VALID_FOR.total_seconds() == 86_400
    assert decision.approves("a", NOW)
    assert decision.approves("a", last)
    assert not decision.approves("a", last.replace("30:00.000", "30:00.001"))
    assert not decision.approves("b", NOW)
    assert replace(decision, at="2026-11-20T09:31:00.000+00:00").approves("a", NOW), "clocks differ"
    assert not replace(decision, at="2026-11-20T09:31:00.001+00:00").approves("a", NOW)
    assert not replace(decision, at="9999-12-31T23:59:59-23:59").approves("a", NOW)
    assert not replace(decision, kind=DecisionKind.REJECT).approves("a", NOW)
