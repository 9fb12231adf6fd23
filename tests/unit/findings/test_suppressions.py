"""How findings become suppressed, stay so, and open again; and what their history says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from permission_guard.findings.lifecycle import Change, reconcile, reopened, resolved, suppressed
from permission_guard.iam import TrustSet
from permission_guard.model.findings import MAX_HISTORY, Cause, Finding, Status, Transition
from permission_guard.model.suppressions import SuppressedBy, Suppression
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.role_trust_too_broad import RoleTrustTooBroad
from permission_guard.rules.report import Report
from tests.fakes import FUNCTION_ARN, MAPPING_SUBJECT, NOW, ROLE_ARN, TARGET, a_finding

LATER = "2026-11-20T10:00:00.000+00:00"
DAYS_LATER = "2026-11-23T10:00:00.000+00:00"
AFTER = "2026-12-02T00:00:00.000+00:00"
BY_PERSON = Suppression(
    by=SuppressedBy.PERSON,
    reason="Known.",
    owner="arn:aws:iam::123456789012:user/jo",
    until="2026-12-01T00:00:00+00:00",
)
BY_EXCEPTION = replace(BY_PERSON, by=SuppressedBy.EXCEPTION, owner="team web", exception="public-site")
CAUSE = Cause(("e1", "e2"), "arn:aws:iam::123456789012:user/jo", "203.0.113.7", "aws-cli/2.31")
RULES = {rule.id: rule(TrustSet(frozenset())) for rule in (EventSourceReadMissing, RoleTrustTooBroad)}


def violation(**more: str) -> Verdict:
    """Return a violation of the finding of `a_finding`."""
    values = {"rule_id": "PG201", "function_arn": FUNCTION_ARN, "subject": MAPPING_SUBJECT, "reason": "A reason."}
    return Verdict(outcome=Outcome.VIOLATION, **{**values, **more})  # type: ignore[arg-type]


def report(*verdicts: Verdict) -> Report:
    """Return a report of two rules."""
    return Report(TARGET, RULES, verdicts)


def one(
    recorded: Finding | None, verdict: Verdict | None, suppression: Suppression | None = None, now: str = LATER
) -> Change | None:
    """Return the only change of a check."""
    changes = reconcile(
        [recorded] if recorded else [],
        report(*([verdict] if verdict else [])),
        now=now,
        cause=CAUSE,
        suppression_of=lambda _: suppression,
    )
    assert len(changes) <= 1
    return changes[0] if changes else None


def test_a_problem_with_an_exception_is_recorded_as_suppressed_from_the_start() -> None:
    """It is visible as such, with who answers for it."""
    change = one(None, violation(), BY_EXCEPTION)
    assert change
    finding = change.finding
    assert (finding.status, finding.transition, finding.revision) == (Status.SUPPRESSED, Transition.SUPPRESSED, 1)
    assert (change.expected_revision, finding.suppression) == (None, BY_EXCEPTION)
    assert finding.resolution == "Suppressed by team web until 2026-12-01: Known."


@pytest.mark.parametrize("status", [Status.OPEN, Status.RESOLVED])
def test_an_exception_suppresses_what_is_recorded(status: Status) -> None:
    """An open finding, and one whose problem returns."""
    change = one(a_finding(status=status), violation(), BY_EXCEPTION)
    assert change
    assert (change.finding.status, change.finding.revision) == (Status.SUPPRESSED, 2)
    assert change.is_transition


def test_a_suppressed_finding_stays_suppressed_without_a_transition() -> None:
    """A longer exception is written, and the same one changes nothing."""
    held = suppressed(a_finding(), BY_EXCEPTION, NOW).finding
    assert one(held, violation(reason=held.reason, title=held.title, impact=held.impact), BY_EXCEPTION) is not None
    known = one(held, violation(), BY_EXCEPTION)
    assert known
    assert not known.is_transition
    assert one(known.finding, violation(), BY_EXCEPTION) is None
    longer = one(known.finding, violation(), replace(BY_EXCEPTION, until="2027-01-01T00:00:00+00:00"))
    assert longer
    assert not longer.is_transition
    assert longer.finding.resolution == "Suppressed by team web until 2027-01-01: Known."


@pytest.mark.parametrize("now", [LATER, AFTER])
def test_a_finding_opens_again_when_its_exception_ends(now: str) -> None:
    """Whether it was removed from the configuration or has expired."""
    held = suppressed(a_finding(), BY_EXCEPTION, NOW).finding
    change = one(held, violation(), None if now == LATER else BY_EXCEPTION, now)
    assert change
    assert (change.finding.status, change.finding.transition) == (Status.OPEN, Transition.REOPENED)
    assert (change.finding.suppression, change.finding.resolution) == (None, "")


def test_what_a_person_suppressed_lasts_until_its_end_whatever_the_configuration_says() -> None:
    """Also through a resolution: the problem returns, and is still accepted."""
    held = suppressed(a_finding(), BY_PERSON, NOW).finding
    fixed = one(held, None)
    assert fixed
    assert (fixed.finding.status, fixed.finding.suppression) == (Status.RESOLVED, BY_PERSON)
    back = one(fixed.finding, violation(), now=DAYS_LATER)
    assert back
    assert (back.finding.status, back.finding.suppression) == (Status.SUPPRESSED, BY_PERSON)
    ended = one(back.finding, violation(), now=AFTER)
    assert ended
    assert (ended.finding.status, ended.finding.suppression) == (Status.OPEN, None)


def test_the_history_says_who_changed_it_when_from_where_and_with_what() -> None:
    """The last ten transitions; the finding also has the last change by itself."""
    finding = None
    for number in range(MAX_HISTORY + 3):
        change = one(finding, violation() if number % 2 == 0 else None)
        assert change
        finding = change.finding
    assert finding
    assert [past.revision for past in finding.history] == list(range(4, MAX_HISTORY + 4))
    last = finding.history[-1]
    assert (last.transition, last.at, last.event_id) == (Transition.REOPENED, LATER, "e1")
    assert (last.by, last.address, last.tool) == (CAUSE.by, "203.0.113.7", "aws-cli/2.31")
    assert (finding.changed_by, finding.changed_from, finding.changed_with) == (last.by, last.address, last.tool)


def test_a_finding_knows_when_it_was_first_and_last_seen() -> None:
    """The last time is written again after a day: an unchanged check writes no finding."""
    opened = one(None, violation(), now=NOW)
    assert opened
    assert (opened.finding.first_seen, opened.finding.last_seen) == (NOW, NOW)
    assert one(opened.finding, violation(), now=LATER) is None
    seen = one(opened.finding, violation(), now=DAYS_LATER)
    assert seen
    assert not seen.is_transition
    assert (seen.finding.first_seen, seen.finding.last_seen, seen.finding.opened_at) == (NOW, DAYS_LATER, NOW)
    back = reopened(resolved(seen.finding, "Done.", DAYS_LATER).finding, AFTER).finding
    assert (back.first_seen, back.opened_at) == (NOW, AFTER)


def test_only_new_findings_belong_to_the_baseline() -> None:
    """One that opens again was reported before."""
    (new,) = reconcile([], report(violation()), now=NOW, baseline=True)
    assert new.finding.baseline
    known = a_finding(status=Status.RESOLVED)
    (again,) = reconcile([known], report(violation()), now=NOW, baseline=True)
    assert not again.finding.baseline


def test_an_event_during_the_baseline_announces_the_finding_by_itself() -> None:
    """Once: not a later event, and not another check of the sweep."""
    (opened,) = reconcile([], report(violation()), now=NOW, baseline=True)
    known = opened.finding
    assert reconcile([known], report(violation()), now=LATER, cause=CAUSE, baseline=True) == ()
    assert reconcile([known], report(violation()), now=LATER) == ()
    assert reconcile([known], report(violation()), now=LATER, cause=Cause(("check-request/m1",))) == ()
    assert not any(
        change.is_transition for change in reconcile([known], report(violation()), now=DAYS_LATER, cause=CAUSE)
    )
    (named,) = reconcile([known], report(violation()), now=LATER, cause=CAUSE)
    finding = named.finding
    assert (finding.transition, finding.revision, finding.baseline) == (Transition.OPENED, 2, False)
    assert reconcile([finding], report(violation()), now=LATER, cause=CAUSE) == ()


def test_what_the_configuration_excludes_is_resolved_with_the_reason() -> None:
    """A rule that is not evaluated for another reason changes nothing."""
    excluded = Report(TARGET, {}, (), not_evaluated={"PG201": "The configuration excludes the function: A test."})
    (change,) = reconcile([a_finding()], excluded, now=LATER)
    assert change.finding.resolution == "The configuration excludes the function: A test."
    assert reconcile([a_finding()], Report(TARGET, {}, ()), now=LATER) == ()


def test_a_finding_about_a_role_names_the_role_and_its_functions() -> None:
    """The first hundred, and the count. Unread functions stay as they were."""
    broad = violation(rule_id="PG208", role_arn=ROLE_ARN, subject="trust/orders-role/x")
    functions = [f"{FUNCTION_ARN}-{number:03}" for number in range(150)]
    (change,) = reconcile([], report(broad), now=NOW, functions=functions)
    finding = change.finding
    assert (finding.target_arn, finding.function_arn) == (ROLE_ARN, "")
    assert (finding.functions, finding.function_count) == (tuple(functions[:100]), 150)
    assert reconcile([finding], report(broad), now=LATER, functions=None) == ()


def test_a_finding_of_a_role_that_was_recorded_for_a_function_is_resolved_there() -> None:
    """By an earlier version."""
    old = a_finding(rule_id="PG208", subject="trust/orders-role/x")
    (change,) = reconcile([old], report(), now=LATER)
    assert change.finding.resolution == "The finding is now recorded for the role."
