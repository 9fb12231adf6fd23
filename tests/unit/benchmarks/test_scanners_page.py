"""What `make bench` makes of its runs: verdicts against labels, targets, and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.scanners.account.builder import build
from benchmarks.scanners.measurements import Measurement
from benchmarks.scanners.page import page
from benchmarks.scanners.results import Results, Run, TemplateRun, by_second
from benchmarks.scanners.targets import targets
from benchmarks.scanners.tools import ALL_RULES, CUSTODIAN, FULL, INVOKE_RULES, PROWLER
from benchmarks.scanners.verdicts import Verdicts, compare

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.scanners.tools import Tool

ACCOUNT = build(50)
EVERYTHING = {arn: rules for arn, rules in ACCOUNT.expected.items() if rules}


def of_shape(shape: str) -> str:
    """Return the ARN of a function of a shape."""
    return next(one.arn for one in ACCOUNT.functions.values() if ACCOUNT.shapes[one.name] == shape)


def test_a_report_of_all_labels_is_right() -> None:
    """Each defect and each shared role counts once."""
    found = compare(ACCOUNT, EVERYTHING, ALL_RULES.kinds, own_rules=True)
    assert (found.right, found.missed, found.false, found.not_checked) == (len(EVERYTHING), 0, 0, 0)


def test_a_finding_of_another_rule_is_missed_and_false() -> None:
    """A right function for a wrong reason is no right verdict of ours."""
    found = compare(ACCOUNT, {of_shape("public"): frozenset({"PG102"})}, ALL_RULES.kinds, own_rules=True)
    assert (found.right, found.missed, found.false) == (0, len(EVERYTHING), 1)


def test_a_finding_besides_the_expected_one_is_false() -> None:
    """The expected one is right all the same."""
    reported = EVERYTHING | {of_shape("public"): frozenset({"PG101", "PG102"})}
    found = compare(ACCOUNT, reported, ALL_RULES.kinds, own_rules=True)
    assert (found.missed, found.false) == (0, 1)


def test_a_reported_correct_function_is_false() -> None:
    """For every tool."""
    found = compare(ACCOUNT, {of_shape("topic"): frozenset({"any"})}, PROWLER.kinds, own_rules=False)
    assert (found.right, found.false) == (0, 1)
    assert found.reported["topic"][0] == 1


def test_another_tool_misses_only_what_its_check_is_about() -> None:
    """Prowler's check is about public functions: all others are not checked, and right if they are reported."""
    nothing = compare(ACCOUNT, {}, PROWLER.kinds, own_rules=False)
    assert nothing.missed == 4
    assert nothing.not_checked == len(EVERYTHING) - 4
    more = compare(ACCOUNT, {of_shape("other account"): frozenset({"any"})}, PROWLER.kinds, own_rules=False)
    assert (more.right, more.missed, more.not_checked) == (1, 4, nothing.not_checked - 1)


def test_calls_are_counted_by_second() -> None:
    """A second without calls is there, too."""
    calls = [(0.2, "GetPolicy", True), (0.9, "GetPolicy", False), (2.0, "ListAliases", True)]
    assert by_second(calls) == [(1, 1), (0, 0), (1, 0)]


def run(
    tool: Tool, *, size: int = 1000, limits: bool = False, published: bool = True, seconds: float = 4.0, mib: int = 100
) -> Run:
    """Return a run with 1.2 calls of GetPolicy and 2 other calls to Lambda a function."""
    return Run(
        tool=tool.name,
        size=size,
        limits=limits,
        published=published,
        measurement=Measurement(1, seconds, seconds / 2, mib * 2**20),
        calls={"lambda:GetPolicy": size * 12 // 10, "lambda:ListAliases": size * 2, "iam:GetRole": 3},
        refused={"lambda:GetPolicy": 7},
        failed={},
        verdicts=Verdicts(9, 2, 1, 3, {"public": (8, 10)}),
        each_second=[(15, 2)],
    )


def results(*runs: Run) -> Results:
    """Return results with these runs."""
    return Results({"cores": "2"}, "make bench", 90.0, runs, (TemplateRun("Checkov", Measurement(0, 3.0, 2.0, 2**20)),))


def test_targets_are_compared_with_the_runs_that_they_are_about() -> None:
    """One without a run is neither reached nor missed."""
    found = {
        target.what: (target.measured, target.is_reached)
        for target in targets(
            results(
                run(ALL_RULES),
                run(ALL_RULES, limits=True, seconds=151.0),
                run(ALL_RULES, size=5000, mib=140),
                run(INVOKE_RULES, published=False),
                run(CUSTODIAN),
            )
        )
    }
    assert found["calls a function besides GetPolicy, all rules"] == (2.0, True)
    assert found["calls a function besides GetPolicy, invoke-policy rules, no versions"] == (2.0, False)
    assert found["calls a function besides GetPolicy, `--full`"] == (None, None)
    assert found["1,000 functions at AWS's limits, all rules, `--rate full`"] == (151.0, False)
    assert found["1,000 functions, 40 ms, no limits, all rules"] == (4.0, True)
    assert found["peak memory with 5,000 functions, relative to 1,000"] == (1.4, False)
    assert found["calls a function with 5,000 functions, relative to 1,000"] == (1.0, True)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    """The page can be written again from the file."""
    written = results(run(ALL_RULES, limits=True), run(PROWLER))
    written.write(tmp_path / "benchmarks.json")
    assert Results.read(tmp_path / "benchmarks.json") == written


def test_the_page_shows_every_run_and_what_is_not_reached() -> None:
    """A reader sees refusals, misses and false reports of every tool."""
    text = page(results(run(ALL_RULES), run(ALL_RULES, limits=True, seconds=151.0), run(FULL), run(PROWLER)))
    assert "| ≤ 150 s | 151 s | **not reached** |" in text
    assert f"| 1,000 | {PROWLER.name} | 4.0 s | 2.0 s | 100 MiB | 3,200 | 3.20 | 7 | 3 |" in text
    assert f"| {PROWLER.name} | 9 | 2 | 1 | 3 |" in text
    assert "| public | anyone can invoke it | 8 of 10 | 8 of 10 |" in text
    assert "| Checkov | 3.0 s | 2.0 s | 1 MiB |" in text
    assert "no run" in text


def test_a_call_without_an_answer_is_on_the_page() -> None:
    """Its run measured something else than AWS would."""
    failing = run(PROWLER)
    failing.failed["lambda:ListLayers"] = 2
    assert "The account does not answer `lambda:ListLayers`" in page(results(failing))


@pytest.mark.parametrize("published", [True, False])
def test_runs_on_functions_without_versions_are_marked(published: bool) -> None:
    """They cannot be compared with the others."""
    assert ("1,000 without versions" in page(results(run(INVOKE_RULES, published=published)))) is not published
