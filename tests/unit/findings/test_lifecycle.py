"""Reconciling: findings are opened, updated and resolved only by the verdicts of a report."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permission_guard.findings.lifecycle import Change, reconcile, suppressed
from permission_guard.iam import TrustSet
from permission_guard.model.findings import MAX_EVENT_IDS, Cause, Finding, FixRecord, FixResult, Status, Transition
from permission_guard.model.state import ManagedBy
from permission_guard.model.suppressions import SuppressedBy, Suppression
from permission_guard.model.verdicts import Outcome, Remedy, Severity, Verdict, finding_id
from permission_guard.rules import RULES
from permission_guard.rules.report import Report
from tests.fakes import FUNCTION_ARN, MAPPING_SUBJECT, NOW, TARGET, a_finding

LATER = "2026-11-20T10:00:00.000+00:00"
RULE_OBJECTS = {rule.id: rule(TrustSet(frozenset())) for rule in RULES}
ROLE_RULES = {"PG201": RULE_OBJECTS["PG201"]}


def verdict(outcome: Outcome, subject: str | None = MAPPING_SUBJECT, reason: str = "A reason.") -> Verdict:
    """Return a verdict of PG201 on a subject."""
    details = (
        {"title": "A title", "impact": "An impact.", "remedies": (Remedy("aws-cli", "aws"),), "evidence": {"a": [1]}}
        if outcome is Outcome.VIOLATION
        else {}
    )
    return Verdict(
        rule_id="PG201",
        function_arn=FUNCTION_ARN,
        subject=subject,
        outcome=outcome,
        reason=reason,
        **details,  # type: ignore[arg-type]
    )


def report(*verdicts: Verdict, deleted: bool = False) -> Report:
    """Return a report of PG201 only."""
    return Report(TARGET, ROLE_RULES, verdicts, deleted=deleted)


OPEN = a_finding()
RESOLVED = a_finding(status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2, resolution="Resolved.")
SUPPRESSION = Suppression(by=SuppressedBy.PERSON, reason="Known.", owner="arn", until="2026-12-01T00:00:00+00:00")
SUPPRESSED = suppressed(OPEN, SUPPRESSION, NOW).finding
ENDED = replace(SUPPRESSED, suppression=replace(SUPPRESSION, until=NOW))

V, P, U = Outcome.VIOLATION, Outcome.PASS, Outcome.UNKNOWN


@dataclass(frozen=True)
class Row:
    """The recorded finding, the verdict of the report (None: no verdict on the subject), and the expected change."""

    recorded: Finding | None
    outcome: Outcome | None
    status: Status | None
    transition: Transition | None = None
    revision: int = 0


TABLE = [
    Row(None, V, Status.OPEN, Transition.OPENED, 1),
    Row(None, P, None),
    Row(None, U, None),
    Row(None, None, None),
    Row(OPEN, P, Status.RESOLVED, Transition.RESOLVED, 2),
    Row(OPEN, U, None),
    Row(OPEN, None, Status.RESOLVED, Transition.RESOLVED, 2),
    Row(RESOLVED, V, Status.OPEN, Transition.REOPENED, 3),
    Row(RESOLVED, P, None),
    Row(RESOLVED, U, None),
    Row(RESOLVED, None, None),
    Row(SUPPRESSED, V, Status.SUPPRESSED, Transition.SUPPRESSED, 2),
    Row(ENDED, V, Status.OPEN, Transition.REOPENED, 3),
    Row(ENDED, U, None),
    Row(SUPPRESSED, P, Status.RESOLVED, Transition.RESOLVED, 3),
    Row(SUPPRESSED, U, None),
    Row(SUPPRESSED, None, Status.RESOLVED, Transition.RESOLVED, 3),
]


@pytest.mark.parametrize(
    "row", TABLE, ids=lambda row: f"{row.recorded.status if row.recorded else 'nothing'}-{row.outcome or 'no verdict'}"
)
def test_each_status_and_verdict_has_one_expected_change(row: Row) -> None:
    """Only a violation of an open finding is not in this table: it may change the details."""
    new_report = report(verdict(row.outcome)) if row.outcome else report()
    changes = reconcile([row.recorded] if row.recorded else [], new_report, now=LATER, cause=Cause(("e1",)))
    if row.status is None:
        assert changes == ()
        return
    (change,) = changes
    finding = change.finding
    assert (finding.status, finding.transition, finding.revision) == (row.status, row.transition, row.revision)
    assert change.expected_revision == (row.recorded.revision if row.recorded else None)
    if change.is_transition:
        assert finding.changed_at == LATER
        assert finding.event_ids == ("e1",)


def test_a_new_finding_has_the_details_of_the_verdict() -> None:
    """It has the rule's name and severity, the event ids, and the current time."""
    (change,) = reconcile([], report(verdict(V)), now=NOW, cause=Cause(("e1", "e2")))
    finding = change.finding
    assert change.is_transition
    assert finding.id == finding_id("PG201", FUNCTION_ARN, MAPPING_SUBJECT)
    assert (finding.rule_name, finding.severity) == ("event-source-read-missing", Severity.HIGH)
    assert (finding.partition, finding.region, finding.account) == ("aws", "us-east-1", "123456789012")
    assert (finding.title, finding.reason, finding.impact) == ("A title", "A reason.", "An impact.")
    assert (finding.opened_at, finding.changed_at) == (NOW, NOW)
    assert finding.event_ids == ("e1", "e2")


def test_the_number_of_event_ids_of_a_finding_is_limited() -> None:
    """The size of the document must not depend on the number of events."""
    (change,) = reconcile([], report(verdict(V)), now=NOW, cause=Cause(tuple(f"e{number}" for number in range(20))))
    assert change.finding.event_ids == tuple(f"e{number}" for number in range(MAX_EVENT_IDS))


def test_changed_details_of_a_violation_are_written_and_not_published() -> None:
    """The revision stays, so no event is published; the opening time stays as well."""
    (change,) = reconcile([OPEN], report(verdict(V, reason="Another reason.")), now=LATER)
    assert not change.is_transition
    assert change.finding.reason == "Another reason."
    assert change.finding.opened_at == NOW
    assert change.finding.changed_at == NOW


def test_an_open_finding_gets_the_new_severity_of_its_rule() -> None:
    """An upgrade can change the severity of a rule; no alert is sent."""
    (change,) = reconcile([replace(OPEN, severity=Severity.LOW)], report(verdict(V)), now=LATER)
    assert not change.is_transition
    assert change.finding.severity is Severity.HIGH


def test_a_reopened_finding_has_a_new_opening_time_and_keeps_the_record_of_its_fix() -> None:
    """The number of fixes shows whether something reverts them."""
    fix = FixRecord(name="attach-managed-policy", result=FixResult.APPLIED, summary="done", at=NOW, attempts=2)
    (change,) = reconcile([replace(RESOLVED, fix=fix)], report(verdict(V)), now=LATER)
    assert change.finding.opened_at == LATER
    assert change.finding.resolution == ""
    assert change.finding.fix == fix


@pytest.mark.parametrize(
    ("new_report", "resolution"),
    [
        (report(verdict(P, reason="The role may read it.")), "The role may read it."),
        (report(verdict(P, "event-source-mapping/other")), f"{MAPPING_SUBJECT} no longer exists."),
        (report(deleted=True), "The function was deleted."),
    ],
)
def test_a_resolved_finding_has_the_reason(new_report: Report, resolution: str) -> None:
    """The problem was fixed, or the subject or the function was deleted."""
    (change,) = reconcile([OPEN], new_report, now=LATER)
    assert change.finding.resolution == resolution


def test_a_denied_creation_opens_a_finding_and_the_function_s_old_findings_are_resolved() -> None:
    """The old findings were about a deleted function of the same name."""
    denied = verdict(V, "denied-call/CreateFunction/role")
    opened, resolved = reconcile([OPEN], report(denied, deleted=True), now=LATER)
    assert (opened.finding.subject, opened.finding.status) == ("denied-call/CreateFunction/role", Status.OPEN)
    assert (resolved.finding.id, resolved.finding.resolution) == (OPEN.id, "The function was deleted.")


@pytest.mark.parametrize(
    ("new_verdict", "resolution"),
    [
        (verdict(P, reason="The role has it by now."), "The role has it by now."),
        (verdict(U), None),
        (verdict(U, None), None),
        (verdict(V), None),
        (verdict(P, "denied-call/CreateFunction/network-interfaces"), "The function was deleted."),
    ],
)
def test_verdicts_on_a_function_that_does_not_exist_are_applied(new_verdict: Verdict, resolution: str | None) -> None:
    """A pass gives the reason and an unknown changes nothing. Without a verdict, the reason is the deletion."""
    changes = reconcile([OPEN], report(new_verdict, deleted=True), now=LATER)
    resolved = [change.finding for change in changes if change.finding.status is Status.RESOLVED]
    assert [finding.resolution for finding in resolved] == ([resolution] if resolution else [])


def test_a_rule_that_cannot_list_its_subjects_resolves_only_subjects_that_pass() -> None:
    """An unknown without a subject applies to every subject without a verdict."""
    other = a_finding(id=finding_id("PG201", FUNCTION_ARN, "other"), subject="other")
    changes = reconcile([OPEN, other], report(verdict(U, None), verdict(P, "other")), now=LATER)
    assert [change.finding.subject for change in changes] == ["other"]


def test_an_unknown_of_one_subject_does_not_keep_a_deleted_one_open() -> None:
    """The report shows that the other subject does not exist."""
    (change,) = reconcile([OPEN], report(verdict(U, "other")), now=LATER)
    assert change.finding.status is Status.RESOLVED


def test_findings_of_other_rules_are_not_changed() -> None:
    """A check of one scope has no verdicts of the other."""
    foreign = a_finding(id="x", rule_id="PG102", subject="statement/uploads")
    assert reconcile([foreign], report(), now=LATER) == ()
    assert reconcile([foreign], report(deleted=True), now=LATER) == ()


def test_a_repeated_violation_is_one_finding() -> None:
    """Pages of a list can overlap, and a transaction must not write an item twice."""
    changes = reconcile([], report(verdict(V), verdict(V)), now=NOW)
    assert len(changes) == 1


def test_a_violation_without_a_subject_is_an_error() -> None:
    """It could never be resolved, so it is not recorded."""
    with pytest.raises(ValueError, match="without a subject"):
        reconcile([], report(verdict(V, None)), now=NOW)


# ── For any sequence of checks ──────────────────────────────────────────────────────────────────────────────────────

SUBJECTS = ["a", "b", "c"]


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any report: at most one verdict per subject, perhaps an unknown of all subjects, perhaps a deleted function."""
    if draw(st.integers(0, 9)) == 0:
        return report(deleted=True)
    verdicts = [
        verdict(outcome, subject, draw(st.sampled_from(["one", "two"])))
        for subject, outcome in draw(st.dictionaries(st.sampled_from(SUBJECTS), st.sampled_from(Outcome))).items()
    ]
    if draw(st.booleans()):
        verdicts.append(verdict(U, None))
    return report(*verdicts)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Finding]:
    """Any findings that a series of checks can record; a person has suppressed some of them."""
    recorded: dict[str, Finding] = {}
    for new_report in draw(st.lists(reports(), max_size=4)):
        apply(recorded, reconcile(list(recorded.values()), new_report, now=NOW))
        for finding in list(recorded.values()):
            if finding.status is Status.OPEN and draw(st.integers(0, 4)) == 0:
                recorded[finding.id] = replace(
                    finding,
                    status=Status.SUPPRESSED,
                    transition=Transition.SUPPRESSED,
                    revision=finding.revision + 1,
                )
    return recorded


def apply(recorded: dict[str, Finding], changes: tuple[Change, ...]) -> dict[str, Finding]:
    """Write changes like the table."""
    for change in changes:
        old = recorded.get(change.finding.id)
        assert change.expected_revision == (old.revision if old else None)
        recorded[change.finding.id] = change.finding
    return recorded


@given(records(), reports())
def test_the_same_report_changes_nothing_the_second_time(recorded: dict[str, Finding], new_report: Report) -> None:
    """A message that is delivered twice sends one alert."""
    apply(recorded, reconcile(list(recorded.values()), new_report, now=LATER))
    repeated = Report(new_report.target, new_report.rules, new_report.verdicts, deleted=new_report.deleted)
    assert reconcile(list(recorded.values()), repeated, now="2026-11-20T11:00:00.000+00:00", cause=Cause(("e9",))) == ()


@given(records(), reports())
def test_an_unknown_never_changes_a_finding(recorded: dict[str, Finding], new_report: Report) -> None:
    """Neither an unknown of its subject nor one of all subjects."""
    before = dict(recorded)
    after = apply(recorded, reconcile(list(before.values()), new_report, now=LATER))
    of_all = any(item.subject is None for item in new_report.verdicts)
    for key, finding in before.items():
        own = [item.outcome for item in new_report.verdicts if item.subject == finding.subject]
        if own == [U] or (of_all and not own):
            assert after[key] == finding


@given(records(), reports())
def test_violations_are_open_or_suppressed_and_passes_are_resolved(
    recorded: dict[str, Finding], new_report: Report
) -> None:
    """The findings always match the last report."""
    after = apply(recorded, reconcile(list(recorded.values()), new_report, now=LATER))
    for item in new_report.violations:
        assert after[finding_id("PG201", FUNCTION_ARN, item.subject or "")].status in (Status.OPEN, Status.SUPPRESSED)
    for item in new_report.passes:
        found = after.get(finding_id("PG201", FUNCTION_ARN, item.subject or ""))
        assert found is None or found.status is Status.RESOLVED


@given(records(), reports())
def test_the_revision_increases_by_one_if_and_only_if_the_status_changes(
    recorded: dict[str, Finding], new_report: Report
) -> None:
    """Id and revision then identify one transition, and senders can recognize a repeated event."""
    before = dict(recorded)
    for change in reconcile(list(before.values()), new_report, now=LATER):
        old = before.get(change.finding.id)
        changed = old is None or old.status is not change.finding.status
        assert change.finding.revision == (old.revision if old else 0) + (1 if changed else 0)
        assert change.is_transition == changed


@given(records())
def test_a_deleted_function_has_no_open_findings(recorded: dict[str, Finding]) -> None:
    """Suppressed findings are resolved as well, because their subject no longer exists."""
    after = apply(recorded, reconcile(list(recorded.values()), report(deleted=True), now=LATER))
    assert {finding.status for finding in after.values()} <= {Status.RESOLVED}


REMEDIES = (Remedy("aws-cli", "aws"), Remedy("sam", "Type: X"), Remedy("terraform", "resource"))


@pytest.mark.parametrize(
    ("managed_by", "kinds"),
    [
        (None, ["aws-cli", "sam", "terraform"]),
        (ManagedBy("cloudformation", "shop"), ["sam", "aws-cli", "terraform"]),
        (ManagedBy("terraform"), ["terraform", "aws-cli", "sam"]),
        (ManagedBy("something else"), ["aws-cli", "sam", "terraform"]),
    ],
)
def test_the_remedy_for_the_function_s_owner_comes_first(managed_by: ManagedBy | None, kinds: list[str]) -> None:
    """The owner's next deployment overwrites manual changes."""
    new_report = replace(report(replace(verdict(V), remedies=REMEDIES)), managed_by=managed_by)
    (change,) = reconcile([], new_report, now=NOW)
    assert [remedy.kind for remedy in change.finding.remedies] == kinds
    assert change.finding.managed_by == managed_by


def test_a_check_without_an_owner_keeps_the_recorded_owner() -> None:
    """Only events show that Terraform owns a function, and a sweep has no event."""
    (change,) = reconcile([], replace(report(verdict(V)), managed_by=ManagedBy("terraform")), now=NOW)
    assert reconcile([change.finding], report(verdict(V)), now=LATER) == ()


def test_a_verdict_can_have_another_severity_than_its_rule() -> None:
    """The finding's severity changes with the verdict, and no alert is sent."""
    (change,) = reconcile([], report(replace(verdict(V), severity=Severity.LOW)), now=NOW)
    assert change.finding.severity is Severity.LOW
    (worse,) = reconcile([change.finding], report(verdict(V)), now=LATER)
    assert (worse.finding.severity, worse.is_transition) == (Severity.HIGH, False)


def test_an_unknown_of_one_kind_of_subjects_keeps_only_findings_of_that_kind() -> None:
    """Subjects of that kind may exist, because they cannot be listed."""
    kept, deleted = (
        a_finding(id="1" * 32, subject="trigger/iot/a"),
        a_finding(id="2" * 32, subject="trigger/iotevents/a"),
    )
    changes = reconcile([kept, deleted], report(verdict(U, "trigger/iot/*")), now=LATER)
    assert [change.finding.id for change in changes] == [deleted.id]


def test_an_unknown_of_the_parts_of_a_subject_keeps_the_finding_of_the_subject() -> None:
    """If a bucket's notifications cannot be read, the bucket may still invoke the function."""
    kept, deleted = a_finding(id="1" * 32, subject="trigger/s3/a"), a_finding(id="2" * 32, subject="trigger/s3/ab")
    changes = reconcile([kept, deleted], report(verdict(U, "trigger/s3/a/*")), now=LATER)
    assert [change.finding.id for change in changes] == [deleted.id]
