"""Watching narrowed functions: what maintenance requests, what it reports, each once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from permission_guard.config.document import Fixes, GuardConfig
from permission_guard.findings.watch import BOT, NARROWING
from permission_guard.maintenance.maintainer import Outcome
from permission_guard.model.digests import Digest, DigestKind
from permission_guard.model.findings import Finding, FixRecord, FixResult, PlannedCall, Status, Transition, UndoRecord
from permission_guard.model.state import Unread
from permission_guard.model.suppressions import SuppressedBy, Suppression
from tests.fakes import FINDING_ID, FUNCTION_ARN, OTHER, a_finding
from tests.unit.maintenance.account import START, Account, at

TOPIC, BUCKET = "arn:aws:sns:us-east-1:123456789012:orders", "arn:aws:s3:::uploads"
OWN = (("FunctionName", "orders"),)
FAILED = ("NumberOfNotificationsFailed", (("TopicName", "orders"),))
SILENT = "orders: no invocation since its policy was narrowed"
UNREADABLE = "orders: not watched after its policy was narrowed"
DENIED = Unread("cloudwatch:GetMetricData", "AccessDenied", "no", denied=True)


def a_narrowing(name: str = NARROWING, **more: Any) -> Finding:
    """Return a resolved finding with a fix that was applied at the start."""
    fix = FixRecord(
        name=name,
        result=FixResult.APPLIED,
        summary="replace the statement news by 1",
        at=at(),
        attempts=1,
        change={"resource_arn": more.pop("arn", FUNCTION_ARN)},
        calls=(PlannedCall(operation="lambda:AddPermission", parameters={}),),
        rests_on={"sources": [TOPIC, BUCKET]},
    )
    values = {"status": Status.RESOLVED, "transition": Transition.RESOLVED, "revision": 3, "resolution": "", **more}
    return a_finding(fix=replace(fix, **values.pop("fix", {})), **values)


def watching(*findings: Finding, is_active: bool = True, **fixes: Any) -> Account:
    """Return an account with a narrowed function that was invoked every five minutes before."""
    account = Account(config=GuardConfig(fixes=Fixes(**fixes)))
    account.add(*(findings or (a_narrowing(),)))
    for number in range(1, 100) if is_active else ():
        account.metrics.put("Invocations", OWN, START - timedelta(minutes=5 * number))
    return account


def titles(account: Account) -> list[str]:
    """Return the titles of the digests that were sent, in their order."""
    return [account.digests[one].title for one in account.sent]


def test_failing_deliveries_request_an_undo_once() -> None:
    """As a transition of the finding, which is published and alerted. Nothing else is written."""
    account = watching()
    account.metrics.put(*FAILED, START + timedelta(minutes=3), 2)
    assert account.run(minutes=10).undos == 1
    finding = account.findings[FINDING_ID]
    assert (finding.transition, finding.revision, finding.status) == (Transition.FIX_UNDO_REQUESTED, 4, Status.RESOLVED)
    assert finding.fix is not None
    reason = f"In the 10 minutes after the fix, NumberOfNotificationsFailed of {TOPIC} rose from 0 to 2."
    assert finding.fix.undo_record == UndoRecord(revision=3, by=BOT, at=at(minutes=10), reason=reason)
    assert finding.fix.result is FixResult.APPLIED
    assert account.run(minutes=10).undos == 0
    assert account.findings[FINDING_ID] == finding


def test_a_request_that_was_refused_is_not_repeated() -> None:
    """The refusal is alerted; a person decides. One that a person requested keeps nothing back."""
    ended = UndoRecord(revision=3, by=BOT, at=at(minutes=5), ended_at=at(minutes=6), summary="Refused.")
    account = watching(a_narrowing(fix={"undo_record": ended}))
    account.metrics.put(*FAILED, START + timedelta(minutes=3), 2)
    assert account.run(minutes=10).undos == 0
    account = watching(a_narrowing(fix={"undo_record": replace(ended, by="arn:aws:iam::123456789012:user/jane")}))
    account.metrics.put(*FAILED, START + timedelta(minutes=3), 2)
    assert account.run(minutes=10).undos == 1


@pytest.mark.parametrize(
    "finding",
    [
        a_narrowing("remove-statement"),
        a_narrowing(fix={"result": FixResult.UNDONE}),
        a_narrowing(fix={"result": FixResult.APPLYING}),
        a_narrowing(fix={"undo_record": UndoRecord(revision=3, by="arn:aws:iam::1:user/jane", at=at())}),
        a_finding(),
    ],
)
def test_only_a_narrowing_that_is_in_effect_is_watched(finding: Finding) -> None:
    """No metric is read for anything else."""
    account = watching(finding)
    account.metrics.put(*FAILED, START + timedelta(minutes=3), 2)
    assert (account.run(hours=2).undos, account.sent, account.metrics.asked) == (0, [], [])


def test_a_silent_function_is_reported_once() -> None:
    """And nothing is undone. The message names the function, the sources and the command that undoes the fix."""
    account = watching()
    for _ in range(6):
        account.run(minutes=10)
    assert account.sent == []
    for _ in range(20):
        account.run(minutes=10)
    assert titles(account) == [SILENT]
    (digest,) = account.digests.values()
    assert digest.kind is DigestKind.WATCH
    assert Digest.from_document(digest.to_document()) == digest
    assert {part.title: part.lines for part in digest.parts} == {
        "The fix": (f"replace the statement news by 1 ({at()})",),
        "Sources that are allowed": (TOPIC, BUCKET),
        "Undo it": (f"permission-guard fixes undo {FINDING_ID}",),
    }
    assert account.findings[FINDING_ID] == a_narrowing()
    assert account.held.watches == (digest.id,)


@pytest.mark.parametrize("is_active", [True, False])
def test_a_function_that_is_invoked_or_never_was_is_not_reported(is_active: bool) -> None:
    """During the whole watch."""
    account = watching(is_active=is_active)
    if is_active:
        account.metrics.put("Invocations", OWN, START + timedelta(minutes=30))
    for _ in range(24):
        account.run(hours=1)
    assert account.sent == []


def test_a_function_that_is_seldom_invoked_is_reported_at_the_end_of_its_watch() -> None:
    """The watch is as long as the configuration says; after it, nothing is read and nothing is remembered."""
    account = watching(is_active=False, watch_hours=3)
    for hours in (1, 6):
        account.metrics.put("Invocations", OWN, START - timedelta(hours=hours))
    account.run(hours=2)
    assert account.sent == []
    account.run(minutes=50)
    assert titles(account) == [SILENT]
    account.run(minutes=20)
    asked = len(account.metrics.asked)
    account.run(minutes=10)
    assert (len(account.metrics.asked), account.held.watches) == (asked, ())


def test_unreadable_metrics_undo_nothing_and_are_reported_once() -> None:
    """Each run counts it besides."""
    account = watching()
    account.metrics.put(*FAILED, START + timedelta(minutes=3), 2)
    account.metrics.unread = DENIED
    first, second = account.run(minutes=10), account.run(minutes=10)
    assert (first.undos, first.failures) == (0, (f"{FUNCTION_ARN}: {DENIED}",))
    assert second.failures == first.failures
    assert titles(account) == [UNREADABLE]
    assert account.findings[FINDING_ID] == a_narrowing()
    account.metrics.unread = None
    assert account.run(minutes=10).undos == 1


def test_a_function_that_fails_keeps_no_other_from_being_watched() -> None:
    """Its findings cannot be read."""
    account = watching(a_narrowing(), a_narrowing(id="other", function_arn=OTHER.arn, arn=OTHER.arn))
    account.metrics.put(*FAILED, START + timedelta(minutes=3), 2)
    account.broken.add(OTHER.arn)
    done = account.run(minutes=10)
    assert done.undos == 1
    assert done.failures[0] == f"{OTHER.arn}: ConnectionError: no answer"


def test_a_run_without_time_watches_nothing_and_forgets_nothing() -> None:
    """What was reported before is not reported again by the next run."""
    account = watching()
    account.run(hours=2)
    account.remaining = lambda: 0
    account.run(minutes=10)
    account.remaining = lambda: 900_000
    account.run(minutes=10)
    assert titles(account) == [SILENT]


def slow(account: Account, seconds: int = 300) -> Account:
    """Have CloudWatch take so long for each of the two calls of a watch that a run watches one fix."""
    account.remaining = lambda: 900_000 - 1_000 * seconds * len(account.metrics.asked)
    return account


def test_watching_takes_half_of_a_run_and_the_next_one_continues_it() -> None:
    """However many fixes are watched: the rest of maintenance is done as well."""
    ended = Suppression(by=SuppressedBy.PERSON, reason="Migration", owner="jane", until=at(hours=1))
    arns = [FUNCTION_ARN.replace("orders", name) for name in ("a", "b", "c")]
    findings = [a_narrowing(id=f"{number}", arn=arn, function_arn=arn) for number, arn in enumerate(arns)]
    account = slow(watching(*findings, a_finding(id="d", status=Status.SUPPRESSED, suppression=ended)))
    watched = []
    for _ in range(4):
        account.metrics.asked.clear()
        assert account.run(hours=2).outcome is Outcome.STOPPED
        watched.append([dict(metric.dimensions).get("FunctionName") for (metric,) in account.metrics.asked])
    assert watched == [["a", None], ["b", None], ["c", None], ["a", None]]
    assert account.findings["d"].status is Status.OPEN


def test_what_was_reported_is_remembered_once_however_often_a_run_is_cut_short() -> None:
    """The state has one item, which must not grow with each run."""
    account = slow(watching(a_narrowing(), a_narrowing(id="other", function_arn=OTHER.arn, arn=OTHER.arn)), 450)
    for _ in range(6):
        account.metrics.asked.clear()
        account.run(hours=2)
    assert len(account.held.watches) == len(set(account.held.watches)) == 1
