"""What the command line shows: progress, failures, the smallest stories, a summary, and a replay in words."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from tests.simulation.pool import CORES, MOST_CPU_SECONDS, MOST_DELIVERIES, Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from rich.console import Console

    from tests.simulation.fix_stories import Ending
    from tests.simulation.pool import Ran
    from tests.simulation.run import Outcome
    from tests.simulation.shrink import Shrunk

SECONDS_BETWEEN_LINES: Final = 10.0
_SHOWN_NAMES: Final = 12
_FAULT: Final = re.compile(r"crash|throttled|: 500$|lost|timeout|failed|dead letter|twice|again")


@dataclass(slots=True)
class Run:
    """A run of many seeds: how many were requested, what became of them, and the smallest stories of some failures."""

    requested: int
    jobs: int
    totals: Totals = field(default_factory=Totals)
    shrunk: list[Shrunk] = field(default_factory=list)
    interrupted: str = ""
    """Why not all of them ran."""
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """The seconds since its start."""
        return time.monotonic() - self.started

    @property
    def rate(self) -> float:
        """Seeds a second."""
        return self.totals.seeds / max(self.seconds, 0.001)


@contextmanager
def progress(console: Console, run: Run) -> Iterator[Callable[[], None]]:
    """Show how far a run is whenever the yielded function is called: a bar on a terminal, else a line now and then."""
    if not console.is_terminal:
        yield _Lines(console, run).show
        return
    done = TextColumn("{task.completed:,.0f} of {task.total:,.0f} seeds, {task.fields[found]}")
    with Progress(BarColumn(), done, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("", total=run.requested, found="")
        yield lambda: bar.update(task, completed=run.totals.seeds, found=_found(run))


@dataclass(slots=True)
class _Lines:
    console: Console
    run: Run
    first: float = 0.0
    """When the first seed had run: before, the processes start and prepare."""
    last: float = 0.0

    def show(self) -> None:
        now, seeds = time.monotonic(), self.run.totals.seeds
        self.first = self.first or now
        self.last = self.last or now
        if now - self.last >= SECONDS_BETWEEN_LINES:
            self.last = now
            left = (self.run.requested - seeds) * (now - self.first) / seeds
            _print(self.console, f"{seeds:,} of {self.run.requested:,} seeds, {_found(self.run)}, {left:.0f} s left")


def print_failure(console: Console, ran: Ran) -> None:
    """Print a line with what a seed breaks."""
    more = f" (and {len(ran.broken) - 1} more)" if len(ran.broken) > 1 else ""
    _print(console, f"seed {ran.seed}: {ran.broken[0]}{more}", "red")


def print_shrunk(console: Console, shrunk: Shrunk) -> None:
    """Print the smallest story of a seed, and how to replay it."""
    _print(console, f"\nThe smallest story of seed {shrunk.seed} ({_size(shrunk)}):", "bold")
    print_story(console, shrunk)
    for broken in shrunk.broken:
        _print(console, f"  {broken}", "red")
    _print(console, f"  Replay it in words: make simulate SEED={shrunk.seed}")


def print_story(console: Console, shrunk: Shrunk) -> None:
    """Print the steps and the unusual decisions that are left."""
    for number, words in enumerate(shrunk.steps, start=1):
        _print(console, f"  {number}. {words}")
    names = ", ".join(shrunk.unusual[:_SHOWN_NAMES]) + (", ..." if len(shrunk.unusual) > _SHOWN_NAMES else "")
    _print(console, f"  {_count(len(shrunk.unusual), 'unusual decision')}{': ' if names else ''}{names}")


def print_summary(console: Console, run: Run) -> None:
    """Print the totals of a run."""
    totals = run.totals
    if run.interrupted:
        _print(console, f"\nInterrupted after {totals.seeds:,} of {run.requested:,} seeds: {run.interrupted}", "bold")
    _print(console, f"\n{_count(totals.seeds, 'seed')}, {_found(run)}, {run.seconds:.1f} s", "bold")
    _print(console, f"{_count(run.jobs, 'process', 'processes')} on {_count(CORES, 'core')}")
    if totals.seeds:
        _print(
            console,
            f"deliveries: {totals.deliveries / totals.seeds:.1f} a seed, at most {totals.most_deliveries}; "
            f"more than {MOST_DELIVERIES}: {_count(totals.seeds_with_more_deliveries, 'seed')}",
        )
        _print(
            console,
            f"CPU: {totals.cpu_seconds / totals.seeds:.3f} s a seed, at most {totals.most_cpu_seconds:.3f} s; "
            f"more than {MOST_CPU_SECONDS} s: {_count(totals.seeds_with_more_cpu_seconds, 'seed')}",
        )


def summary(run: Run) -> str:
    """Return a run as JSON."""
    totals, shrunk = run.totals, {one.seed: one for one in run.shrunk}
    seeds = max(totals.seeds, 1)
    document = {
        "requested": run.requested,
        "seeds": totals.seeds,
        "interrupted": run.interrupted,
        "failures": [
            {"seed": ran.seed, "broken": list(ran.broken), "smallest": _smallest(shrunk.get(ran.seed))}
            for ran in totals.failures
        ],
        "seconds": round(run.seconds, 1),
        "seeds_a_second": round(run.rate, 1),
        "jobs": run.jobs,
        "cores": CORES,
        "deliveries": {
            "mean": round(totals.deliveries / seeds, 1),
            "most": totals.most_deliveries,
            "limit": MOST_DELIVERIES,
            "seeds_with_more": totals.seeds_with_more_deliveries,
        },
        "cpu_seconds": {
            "mean": round(totals.cpu_seconds / seeds, 3),
            "most": round(totals.most_cpu_seconds, 3),
            "limit": MOST_CPU_SECONDS,
            "seeds_with_more": totals.seeds_with_more_cpu_seconds,
        },
    }
    return json.dumps(document, indent=2)


def print_replay(console: Console, outcome: Outcome, shrunk: Shrunk | None) -> None:
    """Print what happens in a seed, step by step, and what does not hold in the end."""
    if shrunk is not None:
        _print(console, f"The smallest story of seed {outcome.seed} ({_size(shrunk)}):", "bold")
        print_story(console, shrunk)
        _print(console, "")
    steps = {step.words for step in outcome.steps}
    for words in outcome.words:
        _print(console, words, _style(words, steps))
    _print(console, "")
    for broken in outcome.broken:
        _print(console, broken, "bold red")
    if not outcome.broken:
        _print(console, "Every invariant holds.", "bold green")


def print_interrupted(console: Console, path: Sequence[str], ending: Ending | None) -> None:
    """Print the story of a fix that was interrupted in some way, and what does not hold."""
    _print(console, "; ".join(path) or "without an interruption", "bold")
    for words in ending.words if ending else ():
        _print(console, words, _style(words, ()))
    for broken in ending.broken if ending else ("The process of this story ended early.",):
        _print(console, broken, "bold red")
    if ending is not None and not ending.is_done:
        _print(console, "The role and the mappings are not as the story should end.", "bold red")


def _style(words: str, steps: Collection[str]) -> str:
    if words.partition(" s  ")[2] in steps:
        return "bold cyan"
    return "red" if _FAULT.search(words) else ""


def _smallest(shrunk: Shrunk | None) -> dict[str, Any] | None:
    if shrunk is None:
        return None
    return {
        "broken": list(shrunk.broken),
        "steps": list(shrunk.steps),
        "unusual": list(shrunk.unusual),
        "runs": shrunk.runs,
    }


def _size(shrunk: Shrunk) -> str:
    steps = f"{len(shrunk.steps)} of {_count(shrunk.all_steps, 'step')}"
    return f"{steps}, {len(shrunk.unusual)} of {shrunk.all_unusual} unusual decisions, after {shrunk.runs} runs"


def _found(run: Run) -> str:
    return f"{_count(len(run.totals.failures), 'failure')}, {run.rate:.1f} seeds a second"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _print(console: Console, words: str, style: str = "") -> None:
    """Print words as they are: without markup, and without line breaks of the console's own."""
    console.print(Text(words, style=style), soft_wrap=True)
