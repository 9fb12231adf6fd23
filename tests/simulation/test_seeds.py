"""The fixed seeds break no invariant, and a seed is the same run each time.

The simulation replaces the clock and the clients of its whole process: each test starts processes of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.paths import REPOSITORY
from tests.simulation.cli import seeds_of

SEEDS: Final = 200
REGRESSION_SEEDS: Final = REPOSITORY / "tests" / "simulation" / "regression_seeds.txt"
COMMAND: Final = ("-m", "tests.simulation")

A_FEW_RUNS: Final = """
import json
from tests.simulation import run

def fail(*_arguments):
    raise KeyError("unexpected")

def outcome(seed):
    found = run.simulate(seed, with_words=True)
    return {"broken": found.broken, "words": found.words}

first, _other, again = outcome(8), outcome(9), outcome(8)
live, run._live = run._live, fail
failed = outcome(8)
run._live = live
print(json.dumps({"first": first, "again": again, "failed": failed, "after": outcome(8)}))
"""
"""Prints what became of seed 8: at first, after another seed, with an error, and after that."""


@dataclass(frozen=True)
class Done:
    """What a process printed, and its exit code."""

    code: int
    output: str
    errors: str


def python(*arguments: str, hash_seed: str = "0") -> Done:
    """Run Python with some arguments in the repository."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def fixed() -> Done:
    """Run the fixed seeds and those that once failed, on every core."""
    return python(*COMMAND, "run", "--seeds", str(SEEDS), "--file", str(REGRESSION_SEEDS), "--format", "json")


def test_the_fixed_seeds_break_no_invariant(fixed: Done) -> None:
    """`make simulate SEED=...` replays one that does."""
    report: dict[str, Any] = json.loads(fixed.output)
    assert (report["failures"], fixed.code) == ([], 0), fixed.errors
    assert report["seeds"] == len({*range(SEEDS), *seeds_of(REGRESSION_SEEDS)}) >= SEEDS


def test_the_simulation_prints_nothing_of_its_own(fixed: Done) -> None:
    """No metrics, logs or warnings of the functions: standard output is JSON, and standard error the summary."""
    assert json.loads(fixed.output)
    assert [line for line in fixed.errors.splitlines() if "Warning" in line or line.startswith("{")] == []


def test_each_regression_seed_says_what_it_found() -> None:
    """In a comment on its line."""
    lines = [line for line in REGRESSION_SEEDS.read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not line.partition("#")[2].strip()] == []


@pytest.fixture(scope="module")
def runs() -> dict[str, dict[str, list[str]]]:
    """Run a seed a few times in one process."""
    done = python("-c", A_FEW_RUNS)
    assert (done.code, done.errors) == (0, "")
    found: dict[str, dict[str, list[str]]] = json.loads(done.output)
    return found


def test_a_seed_gives_the_same_words_each_time_and_in_each_process(runs: dict[str, dict[str, list[str]]]) -> None:
    """After other seeds, too, and whatever the order of sets would be."""
    words = runs["first"]["words"]
    assert len(words) > 10
    assert runs["again"] == runs["after"] == runs["first"]
    replayed = python(*COMMAND, "replay", "8", "--whole", hash_seed="1")
    assert replayed.output.splitlines() == [*"\n".join(words).splitlines(), "", "Every invariant holds."]
    assert (replayed.code, replayed.errors) == (0, "")


def test_a_seed_with_an_unexpected_error_fails_and_stops_nothing(runs: dict[str, dict[str, list[str]]]) -> None:
    """Its words end with the traceback."""
    assert runs["failed"]["broken"] == ["raises_nothing: KeyError('unexpected')"]
    assert "in fail" in runs["failed"]["words"][-1]
    assert runs["after"]["broken"] == []
