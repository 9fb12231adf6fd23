"""Recorded findings as they are printed: what a developer asks first, in every format."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from permission_guard.cli.finding_filters import Filters, Statuses
from permission_guard.model.findings import FixRecord, FixResult, PastTransition, Status, Transition
from permission_guard.model.state import ManagedBy
from permission_guard.model.suppressions import SuppressedBy, Suppression
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.reports import findings as report
from permission_guard.reports.findings import Unreadable, age, print_csv, print_finding, print_table, worst_first
from tests.fakes import FUNCTION_ARN, NOW, OTHER, ROLE_ARN, a_finding

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding

LATER = datetime.fromisoformat(NOW) + timedelta(days=3)
NONE = Unreadable(())
JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
FULL = a_finding(
    first_seen="2026-10-01T00:00:00+00:00",
    last_seen="2026-11-19T00:00:00+00:00",
    changed_by=JANE,
    changed_from="203.0.113.7",
    changed_with="aws-cli/2.30",
    event_ids=("e1", "e2"),
    managed_by=ManagedBy(tool="sam", stack="shop"),
    remedies=(
        Remedy("aws-cli", "aws iam attach-role-policy \\\n  --role-name [bold]", changes="It reads every queue."),
        Remedy("terraform", 'resource "x" {}', needs_decision=True, step="step 1 of 2: see"),
    ),
    fix=FixRecord(
        name="attach-managed-policy",
        result=FixResult.PROPOSED,
        summary="attach it",
        at=NOW,
        attempts=0,
        undo="aws undo",
        approve="permission-guard fixes approve 1",
        decided_by=JANE,
    ),
    history=(
        PastTransition(
            revision=1, transition=Transition.OPENED, at=NOW, by=JANE, address="203.0.113.7", tool="aws-cli"
        ),
        PastTransition(revision=2, transition=Transition.FIX_PROPOSED, at=NOW),
    ),
    suppression=Suppression(
        by=SuppressedBy.EXCEPTION, reason="intended", owner="shop", until="2026-11-21T00:00:00+00:00", exception="api"
    ),
)


@pytest.mark.parametrize(
    ("passed", "shown"),
    [
        (timedelta(), "0 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=1), "1 d"),
        (timedelta(days=400), "400 d"),
        (timedelta(days=-1), "0 min"),
    ],
)
def test_an_age_has_one_unit(passed: timedelta, shown: str) -> None:
    """A clock that is wrong makes no negative age."""
    assert age(NOW, datetime.fromisoformat(NOW) + passed) == shown


def test_a_time_without_a_zone_is_in_utc() -> None:
    """Another version may have written it."""
    assert age("2026-11-20T09:30:00", datetime(2026, 11, 20, 10, 30, tzinfo=UTC)) == "1 h"


def test_the_worst_and_newest_findings_are_first() -> None:
    """Since when they are open or suppressed counts."""
    old = a_finding(id="a" * 32, severity=Severity.CRITICAL, opened_at="2026-01-01T00:00:00+00:00")
    new = a_finding(id="b" * 32, severity=Severity.CRITICAL)
    low = a_finding(id="c" * 32, severity=Severity.LOW)
    suppressed = a_finding(
        id="d" * 32, severity=Severity.CRITICAL, status=Status.SUPPRESSED, changed_at="2026-11-29T00:00:00+00:00"
    )
    assert worst_first([low, old, new, suppressed]) == [suppressed, new, old, low]


def test_all_that_a_developer_asks_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """What, why, since when, who, from where and how, the fix, and the history; the newest transition first."""
    print_finding(FULL, now=LATER)
    out = capsys.readouterr().out
    for text in (
        "HIGH orders cannot read its SQS queue",
        FULL.id,
        "PG201 event-source-read-missing: permission-guard rules show PG201",
        FUNCTION_ARN,
        "open, for 3 d (since 2026-11-20T09:30:00.000+00:00)",
        "2026-10-01T00:00:00+00:00",
        "2026-11-19T00:00:00+00:00",
        "203.0.113.7",
        "aws-cli/2.30",
        "e1, e2",
        "sam shop",
        FULL.reason,
        FULL.impact,
        "By the exception api, owner shop, until 2026-11-21T00:00:00+00:00 (ended):",
        "intended",
        "Remedy (aws-cli)",
        "  aws iam attach-role-policy \\\n    --role-name [bold]\n",
        "What else changes: It reads every queue.",
        "Remedy (terraform, step 1 of 2: see, after a decision)",
        "proposed at 2026-11-20T09:30:00.000+00:00: attach it",
        f"Decided by {JANE}",
        "permission-guard fixes approve 1",
        "aws undo",
    ):
        assert text in out
    history = out[out.index("History") :]
    assert history.index("Fix Proposed") < history.index("Finding Opened")
    assert "\x1b" not in out


def test_what_is_not_known_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty line would look like an answer."""
    print_finding(a_finding(), now=LATER)
    out = capsys.readouterr().out
    assert "not known: no event names it" in out
    for absent in ("Suppression", "Fix ", "History", "Remedy", "Resolution"):
        assert absent not in out


def test_a_role_is_shown_with_the_functions_that_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The first five, and how many more."""
    functions = tuple(f"{FUNCTION_ARN}-{number}" for number in range(8))
    print_finding(a_finding(function_arn="", role_arn=ROLE_ARN, functions=functions, function_count=120), now=LATER)
    out = capsys.readouterr().out
    assert ROLE_ARN in out
    assert "orders-0, orders-1, orders-2, orders-3, orders-4 and 115 more" in out


def test_a_table_is_coloured_only_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file or a pipe gets plain text."""
    print_table([FULL], 1, NONE, now=LATER, what="open findings")
    plain = capsys.readouterr().out
    assert "\x1b" not in plain
    assert "1 open finding. Details" in plain
    monkeypatch.setattr(Console, "is_terminal", True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    print_table([FULL], 1, NONE, now=LATER, what="open findings")
    assert "\x1b[31m" in capsys.readouterr().out


@pytest.mark.parametrize(
    "title",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n=1", " =1", "\u202e=1", "＝1", "\x00=1"],  # noqa: RUF001
)
def test_no_cell_begins_with_a_sign_of_a_formula(capsys: pytest.CaptureFixture[str], title: str) -> None:
    """Nor after spaces and invisible characters, which spreadsheets skip."""
    print_csv([replace(FULL, title=title)], NONE)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["title"].startswith("'")


def test_each_finding_is_one_line_of_the_csv_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks in texts would break tools that read lines."""
    print_csv([replace(FULL, reason='a\nb,"c"'), FULL], Unreadable(("x y",)))
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 3
    rows = list(csv.DictReader(io.StringIO(captured.out)))
    assert (rows[0]["reason"], rows[0]["target_arn"], rows[0]["suppressed_until"]) == ('a b,"c"', FUNCTION_ARN, "")
    assert "1 item of the table could not be read as a finding: x y." in captured.err


def test_few_of_many_unreadable_items_are_named() -> None:
    """Their keys are not shown as they are: others chose them."""
    text = str(Unreadable(tuple(f"key-{number}\x1b[2J" for number in range(1_200))))
    assert text.startswith("1,200 items of the table could not be read as a finding: key-0[2J, key-1[2J, key-2[2J and ")
    assert "and 1197 more" in text


@pytest.mark.parametrize(
    ("number", "what", "text"),
    [(1, "open findings", "1 open finding"), (0, "findings", "0 findings"), (1_000, "findings", "1,000 findings")],
)
def test_counts_are_words(number: int, what: str, text: str) -> None:
    """One finding is no findings."""
    assert report.counted_of(number, what) == text


# ── Filters ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def matches(finding: Finding, status: Statuses = Statuses.ALL, *rules: str, **patterns: str) -> bool:
    """Return whether filters accept a finding."""
    filters = Filters.of(status, rules, Severity.LOW, patterns.get("function"), patterns.get("role"))
    return filters.matches(finding)


def test_a_finding_of_an_alias_is_found_by_its_functions_name() -> None:
    """The qualifier is not part of the name."""
    finding = a_finding(function_arn=f"{OTHER.arn}:live")
    assert matches(finding, function="invoices")
    assert not matches(finding, function="invoices:live")
    assert not matches(finding, role="*x*")


def test_a_finding_whose_status_changed_meanwhile_is_not_listed() -> None:
    """The index may be a second old."""
    assert not matches(a_finding(status=Status.RESOLVED), Statuses.OPEN)
    assert matches(a_finding(status=Status.RESOLVED), Statuses.RESOLVED)


def test_a_rule_of_another_version_can_be_named() -> None:
    """Its findings are in the table."""
    assert matches(a_finding(rule_id="PG999"), Statuses.ALL, "pg999")
    with pytest.raises(ValueError, match="--rule requires the id or name of a rule"):
        matches(a_finding(), Statuses.ALL, "PG9999")


def test_a_pattern_of_any_length_is_matched_in_linear_time() -> None:
    """And a very long one is refused."""
    assert not matches(a_finding(), function="*a" * 100)
    with pytest.raises(ValueError, match="--function requires a name"):
        matches(a_finding(), function="*" * 201)


def test_the_document_of_a_finding_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """As the schema describes it."""
    report.print_finding_json(FULL)
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(FULL.to_document()))
