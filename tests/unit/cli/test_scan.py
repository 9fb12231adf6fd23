"""`permission-guard scan`: what is scanned, what is shown of it, and the exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.errors import ConfigurationError
from permission_guard.offline.state_file import read_state
from permission_guard.sweep.bulk import Gap, GapKind
from tests.fake_scans import BUCKETS, PUBLIC, FakeAccounts, FakeFunction
from tests.fakes import ACCOUNT, REGION

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = FakeFunction("orders", [PUBLIC, BUCKETS], tags={"team": "shop"})
THUMBS = FakeFunction("thumbs", [BUCKETS])
FINE = FakeFunction("fine")
DENIED = FakeFunction("secret", unread=True)
MEMBERS = tuple(f"{number:012}" for number in range(1, 41))


def rules_of(document: Any) -> list[tuple[str, str, str]]:
    """Return the rule, function and status of each finding of a document."""
    return [
        (one["rule_id"], one["function_arn"].partition(":function:")[2], one["status"]) for one in document["findings"]
    ]


# ── Exit codes ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("functions", "words", "code"),
    [
        ([FINE], [], 0),
        ([], [], 0),
        ([THUMBS, FINE], [], 1),
        ([THUMBS], ["--fail-on", "high"], 1),
        ([THUMBS], ["--fail-on", "critical"], 0),
        ([THUMBS], ["--fail-on", "none"], 0),
        ([DENIED, FINE], [], 3),
        ([DENIED, THUMBS], [], 1),
        ([DENIED, THUMBS], ["--fail-on", "critical"], 3),
    ],
)
def test_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, functions: list[FakeFunction], words: list[str], code: int
) -> None:
    """1 for findings that count, else 3 for what is unknown, else 0."""
    assert FakeAccounts.with_functions(*functions).scan(monkeypatch, *words).exit_code == code


@pytest.mark.parametrize("kind", [GapKind.UNREAD, GapKind.STOPPED, GapKind.NOT_SELECTED])
def test_what_was_not_read_makes_the_scan_incomplete(monkeypatch: pytest.MonkeyPatch, kind: GapKind) -> None:
    """What the options exclude does not."""
    gap = Gap(
        kind=kind, what="the triggers of log groups", reason="AWS denied it.", remedy="Allow it.", rules=("PG112",)
    )
    accounts = FakeAccounts.with_functions(FINE, gaps=(gap,))
    done = accounts.scan(monkeypatch)
    is_incomplete = kind is not GapKind.NOT_SELECTED
    assert done.exit_code == (3 if is_incomplete else 0)
    assert ("INCOMPLETE" in done.stdout) == is_incomplete
    assert "the triggers of log groups (PG112): AWS denied it. Allow it." in " ".join(done.stdout.split())
    assert accounts.document(monkeypatch)["is_complete"] is not is_incomplete


# ── The table ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("columns", [80, 120])
def test_findings_are_grouped_by_function_the_worst_first(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """The function with the worst finding is first, and an ARN is on one line."""
    done = FakeAccounts.with_functions(THUMBS, ORDERS).scan(monkeypatch, columns=columns)
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("arn:")] == [
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:thumbs",
    ]
    assert [line.split()[:2] for line in lines if line.startswith("  ") and "PG" in line] == [
        ["CRITICAL", "PG101"],
        ["HIGH", "PG102"],
        ["HIGH", "PG102"],
    ]
    assert "3 findings (1 critical, 2 high), 0 unknown," in done.stdout


def test_lines_are_no_longer_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for words that do not fit, such as an ARN, which must be copied whole."""
    name = "a-function-with-a-name-of-sixty-four-characters-which-is-the-most"
    functions = [FakeFunction(name[:64], [PUBLIC, BUCKETS]), FakeFunction(name[1:65], unread=True)]
    monkeypatch.setattr("permission_guard.reports.findings._WIDE", 80)
    lines = FakeAccounts.with_functions(*functions).scan(monkeypatch).stdout.splitlines()
    long = [line for line in lines if len(line) > 80]
    assert all(len(max(line.split(), key=len)) > 80 - 19 for line in long)
    for function in functions:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}"
        assert any(arn in line for line in lines)


def test_details_have_the_reason_and_the_remedy_to_paste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them, the table names where they are."""
    accounts = FakeAccounts.with_functions(THUMBS)
    assert "aws lambda" not in accounts.scan(monkeypatch).stdout
    shown = accounts.scan(monkeypatch, "--details").stdout
    assert "Remedy (AWS CLI" in shown
    assert "aws lambda" in shown


def test_unknown_outcomes_are_named_with_their_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rules that depend on it, and the reason."""
    done = FakeAccounts.with_functions(DENIED, FINE).scan(monkeypatch)
    text = " ".join(done.stdout.split())
    assert "Unknown outcomes (2)" in text
    assert f"{REGION}:{ACCOUNT}:function:secret: PG101 PG102: lambda:GetPolicy failed with" in text


def test_hostile_names_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Sid cannot change what a terminal shows, nor is it markup."""
    statement = {**PUBLIC, "Sid": "x[bold]\x1b[2J\u202e"}
    shown = FakeAccounts.with_functions(FakeFunction("orders", [statement])).scan(monkeypatch, "--details").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "x[bold]" in shown


# ── JSON and CSV ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_json_has_the_documents_of_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what was scanned, and counts."""
    document = FakeAccounts.with_functions(THUMBS, DENIED, FINE).document(monkeypatch)
    assert rules_of(document) == [("PG102", "thumbs", "open")]
    assert {one["rule_id"] for one in document["unknowns"]} == {"PG101", "PG102"}
    assert document["places"] == [{"account": ACCOUNT, "region": REGION, "functions": 3, "is_complete": True}]
    assert document["counts"]["functions"] == 3
    assert (document["counts"]["findings"], document["counts"]["unknowns"]) == (1, 2)


def test_no_cell_of_the_csv_is_a_formula(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever writes a text that a spreadsheet would calculate. Each kind of row is there."""
    path = tmp_path / "guard.yaml"
    entry = (
        "  - {id: web, rules: [PG101], functions: [orders], reason: '=cmd|A0', owner: '@web', expires: 2027-11-01}\n"
    )
    path.write_text(f"version: 1\nexceptions:\n{entry}")
    accounts = FakeAccounts.with_functions(ORDERS, DENIED)
    text = accounts.scan(monkeypatch, "--format", "csv", "--config", str(path)).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["outcome"] for row in rows] == ["suppressed", "open", "unknown", "unknown"]
    assert (rows[0]["suppression_reason"], rows[0]["suppressed_by"]) == ("'=cmd|A0", "'@web")


def test_formats_and_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each file has the format of its ending, or the one that is given for it."""
    accounts = FakeAccounts.with_functions(THUMBS)
    files = [tmp_path / name for name in ("a.json", "b.csv", "c.txt", "d")]
    words = [word for file in files[:3] for word in ("--output", str(file))]
    assert "PG102" in accounts.scan(monkeypatch, *words).stdout
    assert json.loads(files[0].read_text())["counts"]["findings"] == 1
    assert files[1].read_text().startswith("outcome,severity,rule_id")
    assert "1 finding (1 high)" in files[2].read_text()
    assert accounts.scan(
        monkeypatch, "--format", "csv", "--format", "json", "--output", str(files[3])
    ).stdout.startswith("outcome,")
    assert json.loads(files[3].read_text())["version"] == 1
    assert "PG102" in accounts.scan(monkeypatch, "--format", "json", "--output", str(files[3])).stdout


# ── What is left out ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_baseline_leaves_out_what_was_found_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is counted, and the next baseline has it too."""
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    FakeAccounts.with_functions(THUMBS).scan(monkeypatch, "--output", str(first))
    accounts = FakeAccounts.with_functions(THUMBS, ORDERS)
    done = accounts.scan(monkeypatch, "--baseline", str(first), "--output", str(second))
    assert "2 findings (1 critical, 1 high), 0 unknown," in done.stdout
    assert "1 in the baseline" in done.stdout
    assert "thumbs" not in done.stdout
    assert accounts.scan(monkeypatch, "--baseline", str(second)).exit_code == 0


@pytest.mark.parametrize(
    "content", ["", "[]", '{"version": 1}', '{"version": 2, "findings": [], "counts": {}, "known": []}']
)
def test_a_baseline_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str) -> None:
    """Else every finding would be new."""
    path = tmp_path / "baseline.json"
    path.write_text(content)
    accounts = FakeAccounts.with_functions(THUMBS)
    done = accounts.scan(monkeypatch, "--baseline", str(path))
    assert done.exit_code == 2
    assert "not the JSON output of a scan" in done.stderr
    assert accounts.scanned == []


def test_a_severity_leaves_out_what_is_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And counts it."""
    done = FakeAccounts.with_functions(ORDERS).scan(monkeypatch, "--severity", "critical")
    assert "PG102" not in done.stdout
    assert "1 finding (1 critical), 0 unknown" in done.stdout
    assert "1 below --severity" in done.stdout


def test_the_configuration_suppresses_excludes_and_sets_severities(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is suppressed or excluded is named."""
    path = tmp_path / "guard.yaml"
    path.write_text(
        "version: 1\n"
        "rules:\n  PG102: {severity: low}\n"
        "exceptions:\n"
        "  - {id: web, rules: [PG101], tags: {team: shop}, reason: a public site, owner: web-team,\n"
        "     expires: 2027-11-01}\n"
        "exclusions:\n  - {functions: [thumbs], reason: a test}\n"
    )
    accounts = FakeAccounts.with_functions(ORDERS, THUMBS)
    done = accounts.scan(monkeypatch, "--config", str(path))
    text = " ".join(done.stdout.split())
    assert "LOW PG102" in text
    assert "Suppressed (1) - PG101" in text
    assert "until 2027-11-01, by web-team: a public site" in text
    assert "function:thumbs (4 rules): The configuration excludes the function: a test" in text
    assert "1 finding (1 low), 0 unknown, 0 passed, 1 suppressed" in text or "1 suppressed" in text
    document = accounts.document(monkeypatch, "--config", str(path))
    assert rules_of(document) == [("PG101", "orders", "suppressed"), ("PG102", "orders", "open")]
    assert accounts.scan(monkeypatch, "--config", str(path), "--fail-on", "medium").exit_code == 0


def test_mistakes_of_the_configuration_have_their_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As `config validate` reports them."""
    path = tmp_path / "guard.yaml"
    path.write_text("version: 1\nrules:\n  PG999: {enabled: no}\n")
    accounts = FakeAccounts.with_functions(ORDERS)
    done = accounts.scan(monkeypatch, "--config", str(path))
    assert done.exit_code == 2
    assert f"{path}:3:" in done.stderr
    assert accounts.scanned == []


def test_a_disabled_rule_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The selected rules decide what is read."""
    path = tmp_path / "guard.yaml"
    path.write_text("version: 1\nrules:\n  PG101: {enabled: false}\n")
    accounts = FakeAccounts.with_functions(ORDERS)
    document = accounts.document(monkeypatch, "--config", str(path), "--rule", "public-invoke", "--rule", "PG102")
    assert document["rules"] == ["PG102"]
    assert accounts.scanned[0][2].rules == frozenset({"PG102"})


# ── Accounts and regions ────────────────────────────────────────────────────────────────────────────────────────────


def test_all_enabled_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is scanned, and named."""
    accounts = FakeAccounts({(ACCOUNT, "eu-west-1"): [THUMBS], (ACCOUNT, REGION): [ORDERS]})
    document = accounts.document(monkeypatch, "--region", "all")
    assert [place["region"] for place in document["places"]] == ["eu-west-1", REGION]
    assert len(document["findings"]) == 3


def test_the_rest_goes_on_where_a_role_cannot_be_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 3 of 40 accounts: a line each, and the scan is incomplete."""
    accounts = FakeAccounts(
        {(member, REGION): [FINE] for member in MEMBERS}, members=MEMBERS, no_role=frozenset(MEMBERS[5:8])
    )
    done = accounts.scan(monkeypatch, "--organization", "--role-name", "audit", "--quiet")
    assert done.exit_code == 3
    assert done.stderr.splitlines() == [
        f"{member}: AWS denied sts:AssumeRole on arn:aws:iam::{member}:role/audit" for member in MEMBERS[5:8]
    ]
    assert "in 37 functions (37 accounts, 1 region)" in done.stdout
    assert "INCOMPLETE" in done.stdout


def test_an_error_in_one_region_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours neither."""
    accounts = FakeAccounts(
        {(ACCOUNT, REGION): [THUMBS], (ACCOUNT, "eu-west-1"): [ORDERS]},
        errors={
            (ACCOUNT, "ap-east-1"): ConfigurationError("the region is not enabled"),
            (ACCOUNT, "eu-west-1"): KeyError(),
        },
    )
    words = [word for region in ("ap-east-1", "eu-west-1", REGION) for word in ("--region", region)]
    done = accounts.scan(monkeypatch, *words, "--quiet")
    assert done.exit_code == 1
    assert f"{ACCOUNT} ap-east-1: the region is not enabled" in done.stderr
    assert f"{ACCOUNT} eu-west-1: the scan failed, please report it: KeyError" in done.stderr
    assert "thumbs" in done.stdout
    assert "CRITICAL" in done.stdout, "what was found before the error is shown"


def test_without_credentials_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no functions."""
    problem = ConfigurationError("there are no AWS credentials: run `aws configure`")
    done = FakeAccounts(problem=problem).scan(monkeypatch, "--quiet")
    assert (done.exit_code, done.stderr) == (3, f"{problem}\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--profile", "absent"], "there is no AWS profile 'absent'. The profiles are: default"),
        (["--region", "us-esat-1"], "--region requires a region such as us-east-1; got 'us-esat-1'"),
        (["--region", "all", "--region", REGION], "--region all excludes other regions"),
        (["--account", "123"], "--account requires an account ID of twelve digits; got '123'"),
        (["--organization"], "--organization requires --role-name"),
        (["--organization", "--account", ACCOUNT, "--role-name", "audit"], "--organization and --account exclude"),
        (["--role-name", "audit"], "--role-name requires --account or --organization"),
        (["--role-name", "au dit", "--account", ACCOUNT], "--role-name requires the name of a role"),
        (["--rule", "PG999"], "--rule requires the id or name of a rule; got 'PG999'"),
        (["--exclude-rule", "nope"], "--exclude-rule requires the id or name of a rule; got 'nope'"),
        (["--rule", "PG101", "--exclude-rule", "public-invoke"], "no rule is left to evaluate"),
        (["--function", ""], "--function requires a name or an ARN"),
        (["--tag", "team"], "--tag requires KEY=VALUE"),
        (["--tag", "team=a", "--tag", "team=b"], "--tag team is given with two values"),
        (["--rate", "fast"], "--rate requires default (10), full (15) or a number from 0.1 to 15"),
        (["--rate", "nan"], "--rate requires default (10)"),
        (["--rate", "16"], "--rate requires default (10)"),
        (["--output", "findings"], "--output findings: the ending names no format"),
        (["--output", "/absent/a.json"], "--output /absent/a.json: the folder /absent does not exist"),
        (["--output", "/"], "--output /: the ending names no format"),
        (["--save", "/"], "--save /: this is a folder"),
        (["--format", "json", "--format", "csv"], "--format is given 2 times for standard output and 0 files"),
        (["--output", "a.json", "--output", "a.json"], "--output a.json is given twice"),
        (["--show-policy", "--check-access"], "exclude each other"),
        (["--config", "/absent.yaml"], "/absent.yaml: the file cannot be read"),
        (["--baseline", "/absent.json"], "/absent.json: the file cannot be read"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_called(
    monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    """With what to write instead."""
    accounts = FakeAccounts.with_functions(ORDERS)
    done = accounts.scan(monkeypatch, *words)
    assert (done.exit_code, accounts.scanned) == (2, [])
    assert message in done.stderr


def test_a_region_must_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No region is guessed."""
    done = FakeAccounts(region="").scan(monkeypatch)
    assert done.exit_code == 2
    assert "no region is known: name one with --region" in done.stderr


def test_what_is_selected_reaches_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules by name, functions, tags, and the rate."""
    accounts = FakeAccounts.with_functions(ORDERS)
    words = ["--function", "orders-*", "--tag", "team=shop*", "--rate", "full", "--full", "--exclude-rule", "PG102"]
    accounts.scan(monkeypatch, *words)
    (_, _, options), *_ = accounts.scanned
    assert (options.functions, dict(options.tags), options.rate) == (("orders-*",), {"team": "shop*"}, 15.0)
    assert options.full
    assert options.rules is not None
    assert "PG102" not in options.rules
    assert "PG101" in options.rules


# ── Progress, stopping, plans and state ─────────────────────────────────────────────────────────────────────────────


def test_each_account_and_region_is_a_line_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error; --quiet prints none."""
    accounts = FakeAccounts.with_functions(ORDERS, FINE)
    assert accounts.scan(monkeypatch).stderr == f"{ACCOUNT} {REGION}: 2 functions, 2 findings\n"
    assert accounts.scan(monkeypatch, "--quiet").stderr == ""


def interrupt() -> None:
    """Press Ctrl-C, and wait until the program has seen it."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.5)


def test_ctrl_c_gives_what_was_found_and_marks_it_as_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first function was evaluated, the second was not."""
    before = signal.getsignal(signal.SIGINT)
    accounts = FakeAccounts.with_functions(ORDERS, THUMBS, after_each=interrupt)
    done = accounts.scan(monkeypatch, "--fail-on", "none")
    assert done.exit_code == 3
    assert "Stopping: what was found is printed." in done.stderr
    assert "the scan was stopped" in done.stderr
    assert "INCOMPLETE" in done.stdout
    assert "orders" in done.stdout
    assert signal.getsignal(signal.SIGINT) is before


def test_plans_have_their_calls_and_their_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the table and in JSON."""
    accounts = FakeAccounts.with_functions(ORDERS)
    shown = accounts.scan(monkeypatch, "--plan").stdout
    assert "lambda:RemovePermission" in shown
    assert "Nothing is allowed that was not before." in shown
    fixes = [one["fix"] for one in accounts.document(monkeypatch, "--plan")["findings"]]
    assert {fix["result"] for fix in fixes} == {"proposed"}
    assert all(one["fix"] is None for one in accounts.document(monkeypatch)["findings"])


def test_the_state_is_kept_for_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of every function, with its tags."""
    path = tmp_path / "state.json.gz"
    FakeAccounts.with_functions(THUMBS, ORDERS).scan(monkeypatch, "--save", str(path))
    state = read_state(path)
    assert [one.target.name for one in state.functions] == ["orders", "thumbs"]
    assert state.functions[0].tags == {"team": "shop"}
    assert state.is_complete
