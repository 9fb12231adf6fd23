"""What the command line of the simulation prints, and its exit codes."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from tests.simulation import cli, report
from tests.simulation.pool import Ran, Totals
from tests.simulation.run import Outcome
from tests.simulation.shrink import Shrunk
from tests.simulation.story import Step
from tests.unit.test_vocabulary import found_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def shrunk(seed: int) -> Shrunk:
    """Return a smallest story."""
    broken = (f"nothing_is_stuck: seed {seed}",)
    return Shrunk(seed, broken, ("let orders poll",), ("crash after/3",), frozenset(), frozenset(), 5, 41, 87)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run seeds of which some fail; after some of them somebody presses Ctrl-C."""

    def run_seeds(*arguments: str, failing: Sequence[int] = (), interrupted_after: int = -1) -> Result:
        def results(_executor: object, seeds: Sequence[int], _jobs: int) -> Iterator[Ran]:
            for number, seed in enumerate(seeds):
                if number == interrupted_after:
                    raise KeyboardInterrupt
                broken = ("nothing_is_stuck: 1 [message] is in A", "becomes_quiet: never") if seed in failing else ()
                yield Ran(seed, broken, 10 + seed, 0.1)

        monkeypatch.setattr(cli, "run_seeds", results)
        monkeypatch.setattr(cli, "workers", ThreadPoolExecutor)
        monkeypatch.setattr(cli, "shrink_here", shrunk)
        return CliRunner().invoke(cli.app, ["run", *arguments])

    return run_seeds


def test_without_a_failure_the_summary_is_printed(run: Any) -> None:
    """With the mean, the most, and how many seeds are over the limits."""
    done = run("--seeds", "40", "--jobs", "2")
    assert done.exit_code == 0
    lines = done.stdout.strip().splitlines()
    assert lines[0].startswith("40 seeds, 0 failures, ")
    assert lines[1].startswith("2 processes on ")
    assert lines[2] == "deliveries: 29.5 a seed, at most 49; more than 40: 9 seeds"
    assert lines[3] == "CPU: 0.100 s a seed, at most 0.100 s; more than 0.3 s: 0 seeds"


def test_each_failure_is_a_line_and_its_smallest_story_follows(run: Any) -> None:
    """As it is, without markup, with the command that replays it."""
    done = run("--seeds", "40", "--first", "7", failing=[33])
    assert done.exit_code == 1
    assert "seed 33: nothing_is_stuck: 1 [message] is in A (and 1 more)\n" in done.stdout
    story = done.stdout.partition("The smallest story of seed 33 (1 of 5 steps, 1 of 41 unusual decisions, after 87")[2]
    assert "\n  1. let orders poll\n  1 unusual decision: crash after/3\n  nothing_is_stuck: seed 33\n" in story
    assert "make simulate SEED=33\n" in story
    assert "40 seeds, 1 failure, " in story


def test_five_failures_are_shrunk(run: Any) -> None:
    """Those with the smallest seeds; the output says that there are more."""
    done = run("--seeds", "40", failing=range(10, 17))
    assert "Only the first 5 failures are shrunk." in done.stdout
    assert [f"story of seed {seed} " in done.stdout for seed in range(10, 17)] == [True] * 5 + [False] * 2
    assert "Only the first" not in run("--seeds", "40", failing=range(5)).stdout


def test_json_is_alone_on_standard_output(run: Any) -> None:
    """For programs; people read standard error."""
    done = run("--seeds", "20", "--format", "json", failing=[3])
    document = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (document["requested"], document["seeds"], document["interrupted"]) == (20, 20, "")
    (failure,) = document["failures"]
    assert (failure["seed"], len(failure["broken"])) == (3, 2)
    assert failure["smallest"]["steps"] == ["let orders poll"]
    assert document["deliveries"] == {"mean": 19.5, "most": 29, "limit": 40, "seeds_with_more": 0}
    assert document["cpu_seconds"] == {"mean": 0.1, "most": 0.1, "limit": 0.3, "seeds_with_more": 0}
    assert "seed 3: nothing_is_stuck" in done.stderr


def test_ctrl_c_ends_with_what_was_done(run: Any) -> None:
    """Failures stay failures; nothing is shrunk."""
    done = run("--seeds", "40", interrupted_after=12)
    assert done.exit_code == 130
    assert "Interrupted after 12 of 40 seeds: Ctrl-C\n" in done.stdout
    done = run("--seeds", "40", failing=[3], interrupted_after=12)
    assert done.exit_code == 1
    assert "smallest story" not in done.stdout
    done = run("--seeds", "40", "--format", "json", interrupted_after=0)
    assert json.loads(done.stdout)["deliveries"]["mean"] == 0.0


@pytest.mark.parametrize(
    "arguments", [["--seeds", "0"], ["--jobs", "0"], ["--first", "-1"], ["--file", "absent.txt"], ["more"]]
)
def test_invalid_usage_is_2(run: Any, arguments: list[str]) -> None:
    """And nothing runs."""
    assert run(*arguments).exit_code == 2


def test_seeds_of_a_file_run_once_and_beside_the_others(run: Any, tmp_path: Path) -> None:
    """One a line, then a comment."""
    file = tmp_path / "seeds.txt"
    file.write_text("# Seeds\n\n272 # a lost alert\n3\n   1916   # a ticket\n")
    assert cli.seeds_of(file) == [272, 3, 1916]
    assert run("--seeds", "10", "--file", str(file)).stdout.strip().startswith("12 seeds, ")
    file.write_text("1\nx1 # what\n")
    refused = run("--file", str(file))
    assert refused.exit_code == 2
    assert "line 2: 'x1' is not a seed" in " ".join(refused.stderr.replace("│", "").split())


@pytest.mark.parametrize("command", [[], ["run"], ["replay"]])
def test_help_uses_the_words_of_the_field(command: list[str]) -> None:
    """Of the program and of its commands."""
    shown = CliRunner().invoke(cli.app, [*command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert found_in(shown.output) == []


def test_progress_is_a_bar_on_a_terminal() -> None:
    """With failures, seeds a second and the time that is left."""
    shown, run = io.StringIO(), report.Run(1_000, 2)
    with report.progress(Console(file=shown, force_terminal=True, width=120), run) as show:
        run.totals = Totals(seeds=500, failures=[Ran(1, ("a: b",), 1, 0.1)])
        show()
    assert "500 of 1,000 seeds, 1 failure, " in shown.getvalue()
    assert "\x1b[" in shown.getvalue()


def test_progress_is_a_line_now_and_then_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that is left counts from the first seed: the start takes some seconds."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(report, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    shown, run = io.StringIO(), report.Run(1_000, 2, started=90.0)
    with report.progress(Console(file=shown), run) as show:
        for seconds, seeds in ((100.0, 1), (105.0, 50), (110.0, 100), (119.0, 190), (120.0, 200)):
            now.seconds, run.totals.seeds = seconds, seeds
            show()
    assert shown.getvalue().splitlines() == [
        "100 of 1,000 seeds, 0 failures, 5.0 seeds a second, 90 s left",
        "200 of 1,000 seeds, 0 failures, 6.7 seeds a second, 80 s left",
    ]


def replayed(console: Console, broken: list[str]) -> None:
    """Print the replay of a seed."""
    words = ["seed 7: FixMode off", "     0.10 s  let orders poll", "     0.20 s  sqs:SendMessage: throttled"]
    steps = [Step("let orders poll", 0.0, lambda world: None)]
    report.print_replay(console, Outcome(7, broken, steps, [], 1, 1, 0.1, words), shrunk(7) if broken else None)


def test_a_replay_is_in_words() -> None:
    """The smallest story, what happens, and what does not hold in the end."""
    shown = io.StringIO()
    replayed(Console(file=shown, width=40), ["nothing_is_stuck: 1 message"])
    lines = shown.getvalue().splitlines()
    assert lines[0] == "The smallest story of seed 7 (1 of 5 steps, 1 of 41 unusual decisions, after 87 runs):"
    assert lines[4:8] == [
        "seed 7: FixMode off",
        "     0.10 s  let orders poll",
        "     0.20 s  sqs:SendMessage: throttled",
        "",
    ]
    assert lines[-1] == "nothing_is_stuck: 1 message"
    shown.truncate(0)
    replayed(Console(file=shown), [])
    assert shown.getvalue().endswith("\nEvery invariant holds.\n")


def test_a_replay_has_colours_on_a_terminal() -> None:
    """Steps, faults and what is broken."""
    shown = io.StringIO()
    replayed(Console(file=shown, force_terminal=True, color_system="standard"), ["nothing_is_stuck: 1 message"])
    assert "\x1b[1;36m     0.10 s  let orders poll\x1b[0m" in shown.getvalue()
    assert "\x1b[31m     0.20 s  sqs:SendMessage: throttled\x1b[0m" in shown.getvalue()
