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

SAME_WORDS: Final = """
from tests.simulation.run import simulate

first = simulate(8, with_words=True).words
simulate(9)
assert simulate(8, with_words=True).words == first
print("\\n".join(first))
"""
AN_ERROR: Final = """
from tests.simulation import run

def fail(*_arguments):
    raise KeyError("unexpected")

real, run._live = run._live, fail
outcome = run.simulate(8, with_words=True)
assert outcome.broken == ["raises_nothing: KeyError('unexpected')"], outcome.broken
assert "in fail" in outcome.words[-1]
run._live = real
assert run.simulate(8).broken == []
"""


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


def test_a_seed_gives_the_same_words_each_time_and_in_each_process() -> None:
    """After other seeds, too, and whatever the order of sets would be."""
    words = python("-c", SAME_WORDS)
    assert (words.code, words.errors) == (0, "")
    assert len(words.output.splitlines()) > 10
    for hash_seed in ("1", "random"):
        replayed = python(*COMMAND, "replay", "8", "--whole", hash_seed=hash_seed)
        assert replayed.output == f"{words.output}\nEvery invariant holds.\n"
        assert (replayed.code, replayed.errors) == (0, "")


def test_a_seed_with_an_unexpected_error_fails_and_stops_nothing() -> None:
    """Its words end with the traceback."""
    done = python("-c", AN_ERROR)
    assert (done.code, done.errors) == (0, "")
