"""`permission-guard fixes approve ID`: a person decides about exactly the plan that the command has shown."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from permission_guard.bootstrap import deployment
from permission_guard.cli import fixes
from permission_guard.cli.app import app
from permission_guard.errors import ConfigurationError, RequestRefusedError
from permission_guard.findings.lifecycle import advanced
from permission_guard.findings.listed import FINDING_PREFIX, ItemKey, ListedFindings
from permission_guard.model.findings import Finding, FixResult, Transition, UndoRecord
from tests.paths import FINDINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.fixes.decisions import DecisionRequest

PROPOSED = Finding.from_document(json.loads((FINDINGS / "fix-proposed.json").read_text()))
assert PROPOSED.fix is not None
FIX = PROPOSED.fix
JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
SHORT = PROPOSED.id[:8]
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()


@dataclass
class Stack:
    """Stands for a deployed stack: its findings, and what takes decisions."""

    found: list[Finding] = field(default_factory=lambda: [PROPOSED])
    past: list[Finding] = field(default_factory=list)
    error: Exception | None = None
    sent: list[DecisionRequest] = field(default_factory=list)
    opened: list[Any] = field(default_factory=list)

    def __call__(self, name: str, **options: Any) -> Stack:
        self.opened.append((name, options))
        return self

    @property
    def findings(self) -> Stack:
        return self

    def keys(self, statuses: Iterable[object]) -> Iterator[ItemKey]:
        if Transition.FIX_APPLIED in statuses:
            return (ItemKey("FUNCTION#x", f"HISTORY#{one.id}#{one.revision}") for one in self.past)
        return (ItemKey("FUNCTION#x", f"{FINDING_PREFIX}{one.id}") for one in self.found)

    def read(self, keys: Iterable[ItemKey], progress: object = None) -> ListedFindings:
        sorts = {key.sort for key in keys}
        current = [one for one in self.found if f"{FINDING_PREFIX}{one.id}" in sorts]
        return ListedFindings((*current, *(one for one in self.past if f"HISTORY#{one.id}#{one.revision}" in sorts)))

    def decide(self, request: DecisionRequest) -> Any:
        if self.error:
            raise self.error
        self.sent.append(request)
        return {"recorded": True, "decision": request.kind, "decided_by": JANE}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Return the stack that the command opens."""
    opened = Stack()
    monkeypatch.setattr(deployment, "deployment", opened)
    return opened


def run(*words: str, answer: str | None = None) -> Any:
    """Run a command; raise what it did not expect."""
    result = CliRunner().invoke(app, ["fixes", *words], input=answer, env={"COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize(("command", "done"), [("approve", "Approved"), ("reject", "Rejected")])
def test_the_plan_is_shown_and_exactly_this_plan_is_decided(stack: Stack, command: str, done: str) -> None:
    """With the revision and the hash that were read. The stack is the one that the options name."""
    result = run(command, SHORT, "--yes", "--stack-name", "guard", "--region", "eu-west-1", "--profile", "platform")
    assert result.exit_code == 0
    for shown in ("iam:AttachRolePolicy", "  RoleName: orders-role", FIX.unknowns[0], FIX.plan_hash, "24 hours"):
        assert shown in result.stdout
    assert result.stdout.endswith(f"{done} by {JANE}.\n")
    (request,) = stack.sent
    assert (request.kind, request.finding_id, request.function_arn) == (command, PROPOSED.id, PROPOSED.function_arn)
    assert (request.revision, request.plan_hash) == (2, FIX.plan_hash)
    assert stack.opened == [("guard", {"profile": "platform", "region": "eu-west-1"})]


@pytest.mark.parametrize(("answer", "code", "sent"), [("y\n", 0, 1), ("n\n", 1, 0), ("", 1, 0)])
def test_on_a_terminal_a_person_is_asked(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, sent: int
) -> None:
    """After the plan."""
    monkeypatch.setattr(fixes, "is_terminal", lambda: True)
    result = run("approve", SHORT, answer=answer)
    assert (result.exit_code, len(stack.sent)) == (code, sent)
    assert result.output.index(FIX.plan_hash) < result.output.index("Approve this plan?")


def test_where_nobody_can_be_asked_the_plan_or_yes_is_needed(stack: Stack) -> None:
    """The message has the hash of the plan that was shown."""
    result = run("approve", SHORT)
    assert (result.exit_code, stack.sent) == (2, [])
    assert f"Add --plan {FIX.plan_hash} to approve this plan, or --yes." in result.stderr


def test_a_named_plan_must_be_the_current_one(stack: Stack) -> None:
    """Then nobody is asked: whoever has the hash has read the plan."""
    assert run("approve", SHORT, "--plan", FIX.plan_hash).exit_code == 0
    assert stack.sent[0].plan_hash == FIX.plan_hash
    changed = run("approve", SHORT, "--plan", "0" * 64)
    assert (changed.exit_code, len(stack.sent)) == (1, 1)
    assert f"The plan has changed: its hash is now {FIX.plan_hash}" in changed.stderr
    assert run("approve", SHORT, "--plan", "0" * 64, "--yes").exit_code == 1


@pytest.mark.parametrize(
    ("finding", "state"),
    [
        (replace(PROPOSED, fix=None), "it has no fix"),
        (replace(PROPOSED, fix=replace(FIX, approve="")), "its fix is proposed"),
        (replace(PROPOSED, fix=replace(FIX, result=FixResult.APPLIED)), "its fix is applied"),
        (replace(PROPOSED, transition=Transition.REOPENED), "its fix is ended"),
        (replace(PROPOSED, transition=Transition.FIX_APPROVED, fix=replace(FIX, approve="")), "its fix is approved"),
    ],
)
def test_what_does_not_wait_for_an_approval_is_not_decided(stack: Stack, finding: Finding, state: str) -> None:
    """The message says what it is, and where to look."""
    stack.found = [finding]
    result = run("approve", SHORT, "--yes")
    assert (result.exit_code, stack.sent) == (1, [])
    assert f"has no plan that waits for an approval: {state}. See permission-guard fixes list" in result.stderr


def test_json_is_the_answer_alone(stack: Stack) -> None:
    """The plan is on standard error."""
    result = run("approve", SHORT, "--yes", "--format", "json")
    assert json.loads(result.stdout) == {"recorded": True, "decision": "approve", "decided_by": JANE}
    assert FIX.plan_hash in result.stderr


@pytest.mark.parametrize("error", [RequestRefusedError("the proposal has changed"), ConfigurationError("no output")])
def test_what_is_not_recorded_says_why(stack: Stack, error: Exception) -> None:
    """On standard error."""
    stack.error = error
    result = run("reject", SHORT, "--yes")
    assert (result.exit_code, f"Not recorded: {error}" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("approve", "3f"), 2, "ID requires 6 to 32 characters"),
        (("approve", "0" * 8), 1, "There is no finding 00000000"),
        (("approve", SHORT, "--stack-name", "-"), 2, "--stack-name requires the name of a stack"),
        (
            ("approve", SHORT, "--revision", "2"),
            2,
            "--function-arn, --revision, --plan and --decide-fix belong together",
        ),
        (("show", "3f"), 2, "ID requires 6 to 32 characters"),
        (("list", "--rule", "nonsense"), 2, "--rule requires the id or name of a rule"),
        (("list", "--stage", "nonsense"), 2, "--stage"),
    ],
)
def test_invalid_usage_says_what_to_give(stack: Stack, words: tuple[str, ...], code: int, message: str) -> None:
    """Nothing is sent."""
    result = run(*words)
    assert (result.exit_code, stack.sent) == (code, [])
    assert message in result.stderr


# ── list and show ───────────────────────────────────────────────────────────────────────────────────────────────────

APPLIED = replace(
    PROPOSED,
    id="b" * 32,
    transition=Transition.FIX_APPLIED,
    fix=replace(
        FIX, result=FixResult.APPLIED, approve="", attempts=1, after=FIX.expected, undo="aws undo", at=YESTERDAY
    ),
)
OLD = replace(APPLIED, id="c" * 32, fix=replace(FIX, result=FixResult.REFUSED, at="2020-01-01T00:00:00+00:00"))
NO_FIX = replace(PROPOSED, id="d" * 32, fix=None)


@pytest.fixture
def several(stack: Stack) -> Stack:
    """Return a stack with fixes in several stages."""
    stack.found = [NO_FIX, OLD, APPLIED, PROPOSED]
    return stack


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (("--days", "400"), [PROPOSED.id, APPLIED.id]),
        (("--stage", "waiting"), [PROPOSED.id]),
        (("--stage", "applied", "--stage", "refused", "--days", "400"), [APPLIED.id]),
        (("--rule", "PG204"), []),
        (("--function", "ord*", "--limit", "1"), [PROPOSED.id]),
        (("--function", "other"), []),
    ],
)
def test_what_waits_is_listed_first_and_filters_narrow_the_list(
    several: Stack, words: tuple[str, ...], ids: list[str]
) -> None:
    """What has ended long ago, and findings without a fix, are left out."""
    result = run("list", "--format", "json", *words)
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert [one["finding_id"] for one in document["fixes"]] == ids
    assert document["counts"]["shown"] == len(ids)


def test_a_fix_whose_undo_was_refused_lately_is_listed(stack: Stack) -> None:
    """It was applied long ago, and something happened to it since."""
    undo = UndoRecord(revision=3, by=JANE, at=YESTERDAY, ended_at=YESTERDAY, summary="The tags could not be read.")
    assert APPLIED.fix is not None
    stack.found = [replace(APPLIED, fix=replace(APPLIED.fix, at="2020-01-01T00:00:00+00:00", undo_record=undo))]
    assert json.loads(run("list", "--format", "json").stdout)["counts"]["shown"] == 1


def test_the_table_has_a_line_for_each_fix(several: Stack) -> None:
    """With the short id that the other commands take."""
    result = run("list", "--days", "400")
    rows = [[cell.strip() for cell in line.split("│")] for line in result.stdout.splitlines() if "│" in line]
    assert [(row[1], row[2], row[3], row[6]) for row in rows] == [
        ("waiting", "PG201", "orders", SHORT),
        ("applied", "PG201", "orders", "b" * 8),
    ]
    assert "2 fixes. Details: permission-guard fixes show ID" in result.stdout
    assert "There are no fixes that match." in run("list", "--rule", "PG204").stdout


@pytest.mark.parametrize(
    ("others", "text"),
    [((), ""), (("a",), "It resolves 1 other finding too."), (("a", "b"), "It resolves 2 other findings too.")],
)
def test_the_table_says_how_many_other_findings_a_plan_resolves(
    stack: Stack, others: tuple[str, ...], text: str
) -> None:
    """One approval does: nobody waits for the proposals of the others."""
    stack.found = [replace(PROPOSED, fix=replace(FIX, resolves=others))]
    rows = (line.split("│") for line in run("list").output.splitlines() if line.startswith("│"))
    shown = " ".join(row[4].strip() for row in rows)
    assert text in shown
    assert text or "It resolves" not in shown


def test_a_fix_is_shown_with_its_plan_decision_result_and_history(several: Stack) -> None:
    """As text for people and as JSON for programs."""
    text = run("show", SHORT).stdout
    for shown in ("waiting since", "iam:AttachRolePolicy", "What the plan rests on", FIX.unknowns[1], FIX.approve):
        assert shown in text
    applied = run("show", "b" * 8).stdout
    assert "aws undo" in applied
    assert "Approve it with" not in applied
    document = json.loads(run("show", SHORT, "--format", "json").stdout)
    assert (document["stage"], document["plan_hash"]) == ("waiting", FIX.plan_hash)
    assert document["fix"]["calls"] == [
        {"operation": call.operation, "parameters": dict(call.parameters)} for call in FIX.calls
    ]
    missing = run("show", "d" * 8)
    assert (missing.exit_code, "has no fix: see permission-guard findings show" in missing.stderr) == (1, True)


def test_a_fix_that_was_stopped_halfway_says_what_was_done(stack: Stack) -> None:
    """In the list as well. A person may have to decide what to do with it."""
    progress = "Fixing was stopped in between. Done: one. Not done until it is resumed: two."
    stack.found = [replace(APPLIED, fix=replace(FIX, result=FixResult.APPLYING, progress=progress))]
    assert f"So far {progress}" in " ".join(run("show", "b" * 8).stdout.split())
    assert "Fixing was stopped" in " ".join(run("list", "--days", "400").stdout.split())
    assert "So far" not in run("show", "b" * 8, "--format", "json").stdout


def test_the_history_of_a_fix_has_its_own_transitions_only(stack: Stack) -> None:
    """The others are the finding's."""
    opened = advanced(replace(PROPOSED, revision=0), Transition.OPENED, "2026-11-20T10:15:30+00:00")
    stack.found = [advanced(opened, Transition.FIX_PROPOSED, "2026-11-20T10:45:00+00:00")]
    document = json.loads(run("show", SHORT, "--format", "json").stdout)
    assert [one["transition"] for one in document["history"]] == ["Fix Proposed"]
    assert "Finding Opened" not in run("show", SHORT).stdout
