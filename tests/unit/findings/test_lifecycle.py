"""Reconciling: the record says what the report saw, and nothing that it did not see."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permission_guard.findings.lifecycle import Change, reconcile
from permission_guard.iam import TrustSet
from permission_guard.model.findings import MAX_EVENT_IDS, Finding, FixRecord, FixResult, Status, Transition
from permission_guard.model.state import ManagedBy
from permission_guard.model.verdicts import Outcome, Remedy, Severity, Verdict, finding_id
from permission_guard.rules import RULES
from permission_guard.rules.report import Report
from tests.fakes import FUNCTION_ARN, MAPPING_SUBJECT, NOW, TARGET, a_finding

LATER = "2026-11-20T10:00:00.000+00:00"
RULE_OBJECTS = {rule.id: rule(TrustSet(frozenset())) for rule in RULES}
ROLE_RULES = {"PG201": RULE_OBJECTS["PG201"]}


def verdict(outcome: Outcome, subject: str | None = MAPPING_SUBJECT, reason: str = "So it is.") -> Verdict:
    """Return what PG201 says of a subject."""
    logged = (
        {"title": "It is wrong", "impact": "Bad.", "remedies": (Remedy("aws-cli", "aws"),), "evidence": {"a": [1]}}
        if outcome is Outcome.VIOLATION
        else {}
    )
    return Verdict(
        rule_id="PG201",
        function_arn=FUNCTION_ARN,
        subject=subject,
        outcome=outcome,
        reason=reason,
        **logged,  # type: ignore[arg-type]
    )


def report(*verdicts: Verdict, deleted: bool = False) -> Report:
    """Return a report of PG201 alone."""
    return Report(TARGET, ROLE_RULES, verdicts, deleted=deleted)


OPEN = a_finding()
RESOLVED = a_finding(status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2, resolution="It was right.")
SUPPRESSED = a_finding(status=Status.SUPPRESSED, transition=Transition.SUPPRESSED, revision=2)

V, P, U = Outcome.VIOLATION, Outcome.PASS, Outcome.UNKNOWN


@dataclass(frozen=True)
class Row:
    """What was recorded, what the report says (None: nothing of this subject), and what is written then."""

    recorded: Finding | None
    said: Outcome | None
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
    Row(SUPPRESSED, P, Status.RESOLVED, Transition.RESOLVED, 3),
    Row(SUPPRESSED, U, None),
    Row(SUPPRESSED, None, Status.RESOLVED, Transition.RESOLVED, 3),
]


@pytest.mark.parametrize(
    "row", TABLE, ids=lambda row: f"{row.recorded.status if row.recorded else 'nothing'}-{row.said or 'not mentioned'}"
)
def test_each_status_and_each_verdict_has_one_outcome(row: Row) -> None:
    """The whole table of the lifecycle, but for open and violated, where only words may change."""
    said = report(verdict(row.said)) if row.said else report()
    changes = reconcile([row.recorded] if row.recorded else [], said, now=LATER, event_ids=["e1"])
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


def test_a_new_finding_says_all_that_the_rule_said() -> None:
    """It opens now, because of these events, under the rule's name and severity."""
    (change,) = reconcile([], report(verdict(V)), now=NOW, event_ids=["e1", "e2"])
    finding = change.finding
    assert change.is_transition
    assert finding.id == finding_id("PG201", FUNCTION_ARN, MAPPING_SUBJECT)
    assert (finding.rule_name, finding.severity) == ("event-source-read-missing", Severity.HIGH)
    assert (finding.partition, finding.region, finding.account) == ("aws", "us-east-1", "123456789012")
    assert (finding.title, finding.reason, finding.impact) == ("It is wrong", "So it is.", "Bad.")
    assert (finding.opened_at, finding.changed_at) == (NOW, NOW)
    assert finding.event_ids == ("e1", "e2")


def test_only_some_of_many_events_are_kept() -> None:
    """A burst does not make the document grow without end."""
    (change,) = reconcile([], report(verdict(V)), now=NOW, event_ids=[f"e{number}" for number in range(20)])
    assert change.finding.event_ids == tuple(f"e{number}" for number in range(MAX_EVENT_IDS))


def test_other_words_for_the_same_violation_are_written_and_told_to_nobody() -> None:
    """The revision stays, so no event goes out; when it opened stays as well."""
    (change,) = reconcile([OPEN], report(verdict(V, reason="Another cause.")), now=LATER)
    assert not change.is_transition
    assert change.finding.reason == "Another cause."
    assert change.finding.opened_at == NOW
    assert change.finding.changed_at == NOW


def test_a_rule_that_takes_it_more_seriously_now_says_so_of_what_is_open() -> None:
    """After an upgrade the finding has the rule's severity, and nobody is told again."""
    (change,) = reconcile([replace(OPEN, severity=Severity.LOW)], report(verdict(V)), now=LATER)
    assert not change.is_transition
    assert change.finding.severity is Severity.HIGH


def test_a_reopened_finding_starts_anew_and_keeps_what_was_fixed_before() -> None:
    """The number of fixes tells whether it keeps coming back."""
    fix = FixRecord(name="attach-managed-policy", result=FixResult.APPLIED, summary="done", at=NOW, attempts=2)
    (change,) = reconcile([replace(RESOLVED, fix=fix)], report(verdict(V)), now=LATER)
    assert change.finding.opened_at == LATER
    assert change.finding.resolution == ""
    assert change.finding.fix == fix


@pytest.mark.parametrize(
    ("said", "resolution"),
    [
        (report(verdict(P, reason="The role may read it.")), "The role may read it."),
        (report(verdict(P, "event-source-mapping/other")), f"{MAPPING_SUBJECT} no longer exists."),
        (report(deleted=True), "The function was deleted."),
    ],
)
def test_a_resolved_finding_says_why(said: Report, resolution: str) -> None:
    """Mended, deleted with its subject, or deleted with its function."""
    (change,) = reconcile([OPEN], said, now=LATER)
    assert change.finding.resolution == resolution


def test_of_a_function_that_does_not_exist_what_was_refused_opens_and_all_else_resolves() -> None:
    """Creating it was refused, and what was found of the one before it went with that."""
    refused = verdict(V, "denied-call/CreateFunction/role")
    opened, resolved = reconcile([OPEN], report(refused, deleted=True), now=LATER)
    assert (opened.finding.subject, opened.finding.status) == ("denied-call/CreateFunction/role", Status.OPEN)
    assert (resolved.finding.id, resolved.finding.resolution) == (OPEN.id, "The function was deleted.")


@pytest.mark.parametrize(
    ("said", "resolution"),
    [
        (verdict(P, reason="The role has it by now."), "The role has it by now."),
        (verdict(U), None),
        (verdict(U, None), None),
        (verdict(V), None),
        (verdict(P, "denied-call/CreateFunction/network-interfaces"), "The function was deleted."),
    ],
)
def test_what_is_said_of_a_function_that_does_not_exist_counts(said: Verdict, resolution: str | None) -> None:
    """A pass gives the reason, unknown leaves what was there, and what is not mentioned went with the function."""
    logged = reconcile([OPEN], report(said, deleted=True), now=LATER)
    resolved = [change.finding for change in logged if change.finding.status is Status.RESOLVED]
    assert [finding.resolution for finding in resolved] == ([resolution] if resolution else [])


def test_a_rule_that_could_not_list_its_subjects_resolves_none_but_those_it_saw() -> None:
    """An unknown without a subject speaks of all that are not mentioned."""
    other = a_finding(id=finding_id("PG201", FUNCTION_ARN, "other"), subject="other")
    changes = reconcile([OPEN, other], report(verdict(U, None), verdict(P, "other")), now=LATER)
    assert [change.finding.subject for change in changes] == ["other"]


def test_an_unknown_of_one_subject_does_not_keep_another_open() -> None:
    """The other one is gone, and that is known."""
    (change,) = reconcile([OPEN], report(verdict(U, "other")), now=LATER)
    assert change.finding.status is Status.RESOLVED


def test_findings_of_rules_that_were_not_asked_are_left_alone() -> None:
    """A look at one scope says nothing of the other."""
    foreign = a_finding(id="x", rule_id="PG102", subject="statement/uploads")
    assert reconcile([foreign], report(), now=LATER) == ()
    assert reconcile([foreign], report(deleted=True), now=LATER) == ()


def test_the_same_violation_listed_twice_is_one_finding() -> None:
    """A page of a list may repeat what the page before had; a transaction may not write an item twice."""
    changes = reconcile([], report(verdict(V), verdict(V)), now=NOW)
    assert len(changes) == 1


def test_a_violation_without_a_subject_is_a_mistake_of_the_rule() -> None:
    """It could never be resolved, so it is not recorded."""
    with pytest.raises(ValueError, match="without a subject"):
        reconcile([], report(verdict(V, None)), now=NOW)


# ── For any sequence of looks ───────────────────────────────────────────────────────────────────────────────────────

SUBJECTS = ["a", "b", "c"]


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any report: every subject at most once, perhaps an unknown of all, perhaps a function that is gone."""
    if draw(st.integers(0, 9)) == 0:
        return report(deleted=True)
    said = [
        verdict(outcome, subject, draw(st.sampled_from(["one", "two"])))
        for subject, outcome in draw(st.dictionaries(st.sampled_from(SUBJECTS), st.sampled_from(Outcome))).items()
    ]
    if draw(st.booleans()):
        said.append(verdict(U, None))
    return report(*said)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Finding]:
    """Any record that looks can lead to, some of it suppressed by a person."""
    recorded: dict[str, Finding] = {}
    for look in draw(st.lists(reports(), max_size=4)):
        apply(recorded, reconcile(list(recorded.values()), look, now=NOW))
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
    """Write changes as the table does."""
    for change in changes:
        held = recorded.get(change.finding.id)
        assert change.expected_revision == (held.revision if held else None)
        recorded[change.finding.id] = change.finding
    return recorded


@given(records(), reports())
def test_reconciling_again_with_the_same_report_changes_nothing(recorded: dict[str, Finding], said: Report) -> None:
    """A message that comes twice tells nobody twice."""
    apply(recorded, reconcile(list(recorded.values()), said, now=LATER))
    again = Report(said.target, said.rules, said.verdicts, deleted=said.deleted)
    assert reconcile(list(recorded.values()), again, now="2026-11-20T11:00:00.000+00:00", event_ids=["e9"]) == ()


@given(records(), reports())
def test_unknown_never_changes_a_finding(recorded: dict[str, Finding], said: Report) -> None:
    """Neither an unknown of the subject, nor one of all where the subject is not mentioned."""
    before = dict(recorded)
    after = apply(recorded, reconcile(list(before.values()), said, now=LATER))
    of_all = any(item.subject is None for item in said.verdicts)
    for key, finding in before.items():
        own = [item.outcome for item in said.verdicts if item.subject == finding.subject]
        if own == [U] or (of_all and not own):
            assert after[key] == finding


@given(records(), reports())
def test_every_violation_ends_open_or_suppressed_and_every_pass_does_not(
    recorded: dict[str, Finding], said: Report
) -> None:
    """What the rules saw last is what the record says."""
    after = apply(recorded, reconcile(list(recorded.values()), said, now=LATER))
    for item in said.violations:
        assert after[finding_id("PG201", FUNCTION_ARN, item.subject or "")].status in (Status.OPEN, Status.SUPPRESSED)
    for item in said.passes:
        found = after.get(finding_id("PG201", FUNCTION_ARN, item.subject or ""))
        assert found is None or found.status is Status.RESOLVED


@given(records(), reports())
def test_a_revision_grows_by_one_when_the_status_changes_and_never_else(
    recorded: dict[str, Finding], said: Report
) -> None:
    """So (id, revision) names one transition, and senders can tell a repetition."""
    before = dict(recorded)
    for change in reconcile(list(before.values()), said, now=LATER):
        held = before.get(change.finding.id)
        changed = held is None or held.status is not change.finding.status
        assert change.finding.revision == (held.revision if held else 0) + (1 if changed else 0)
        assert change.is_transition == changed


@given(records())
def test_a_function_that_is_gone_leaves_nothing_open(recorded: dict[str, Finding]) -> None:
    """Suppressed ones are resolved as well: what is suppressed no longer exists."""
    after = apply(recorded, reconcile(list(recorded.values()), report(deleted=True), now=LATER))
    assert {finding.status for finding in after.values()} <= {Status.RESOLVED}


CURES = (Remedy("aws-cli", "aws"), Remedy("sam", "Type: X"), Remedy("terraform", "resource"))


@pytest.mark.parametrize(
    ("managed_by", "kinds"),
    [
        (None, ["aws-cli", "sam", "terraform"]),
        (ManagedBy("cloudformation", "shop"), ["sam", "aws-cli", "terraform"]),
        (ManagedBy("terraform"), ["terraform", "aws-cli", "sam"]),
        (ManagedBy("something else"), ["aws-cli", "sam", "terraform"]),
    ],
)
def test_the_cure_for_the_code_that_owns_the_function_comes_first(
    managed_by: ManagedBy | None, kinds: list[str]
) -> None:
    """What is changed by hand there, the next deployment undoes."""
    said = replace(report(replace(verdict(V), remedies=CURES)), managed_by=managed_by)
    (change,) = reconcile([], said, now=NOW)
    assert [remedy.kind for remedy in change.finding.remedies] == kinds
    assert change.finding.managed_by == managed_by


def test_who_owns_the_function_is_remembered_by_looks_that_cannot_tell() -> None:
    """Only an event tells of Terraform; a sweep has none, and changes nothing."""
    (change,) = reconcile([], replace(report(verdict(V)), managed_by=ManagedBy("terraform")), now=NOW)
    assert reconcile([change.finding], report(verdict(V)), now=LATER) == ()


def test_a_verdict_may_be_better_or_worse_than_its_rule() -> None:
    """When it changes, the finding says so and nobody is told anew."""
    (change,) = reconcile([], report(replace(verdict(V), severity=Severity.LOW)), now=NOW)
    assert change.finding.severity is Severity.LOW
    (worse,) = reconcile([change.finding], report(verdict(V)), now=LATER)
    assert (worse.finding.severity, worse.is_transition) == (Severity.HIGH, False)


def test_an_unknown_about_a_kind_of_subjects_leaves_those_and_no_others() -> None:
    """What cannot be listed may be there; the rest is gone."""
    kept, deleted = (
        a_finding(id="1" * 32, subject="trigger/iot/a"),
        a_finding(id="2" * 32, subject="trigger/iotevents/a"),
    )
    changes = reconcile([kept, deleted], report(verdict(U, "trigger/iot/*")), now=LATER)
    assert [change.finding.id for change in changes] == [deleted.id]


def test_an_unknown_about_what_a_subject_has_leaves_the_subject_too() -> None:
    """A bucket whose notifications cannot be read may still call; the finding about it stays."""
    kept, deleted = a_finding(id="1" * 32, subject="trigger/s3/a"), a_finding(id="2" * 32, subject="trigger/s3/ab")
    changes = reconcile([kept, deleted], report(verdict(U, "trigger/s3/a/*")), now=LATER)
    assert [change.finding.id for change in changes] == [deleted.id]
