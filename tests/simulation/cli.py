"""The command line of the simulation: run many seeds, or replay one in words."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from tests.simulation.pool import CORES, run_seeds, shrink_here, stop, workers
from tests.simulation.report import (
    Run,
    print_failure,
    print_interrupted,
    print_replay,
    print_shrunk,
    print_summary,
    progress,
    summary,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor

FAILED: Final = 1
INTERRUPTED: Final = 130
SHRUNK_FAILURES: Final = 5
_SEEDS: Final = 2_000

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Simulate the whole stack: what people do in an account, with faults, crashes and any order of deliveries. "
    "A seed decides all of it, so the same seed always gives the same run. docs/simulation.md describes it.",
)


class Format(StrEnum):
    """The output format of a run."""

    TEXT = "text"
    JSON = "json"


@app.command()
def run(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to run.")] = _SEEDS,
    first: Annotated[int, typer.Option(min=0, help="The first of them.")] = 0,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file of more seeds: one a line, then a comment.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="The number of processes.", show_default="one a core")] = CORES,
    output: Annotated[
        Format, typer.Option("--format", help="JSON comes last, alone on standard output.")
    ] = Format.TEXT,
) -> None:
    """Run many seeds in parallel. Exit code 1 if one fails, else 130 if not all ran (Ctrl-C), else 0.

    Each failure is one line. In the end the first five are shrunk: to fewer steps, then to fewer unusual decisions, as
    long as they fail.
    """
    console = Console(stderr=output is Format.JSON)
    chosen = list(dict.fromkeys([*range(first, first + seeds), *(seeds_of(file) if file else ())]))
    done = Run(len(chosen), jobs)
    with workers(jobs, len(chosen)) as executor:
        try:
            _run(executor, chosen, done, console)
            _shrink(executor, done, console)
        except (KeyboardInterrupt, BrokenProcessPool) as error:
            done.interrupted = str(error) or "Ctrl-C"
            stop(executor)
    print_summary(console, done)
    if output is Format.JSON:
        typer.echo(summary(done))
    raise typer.Exit(FAILED if done.totals.failures else INTERRUPTED if done.interrupted else 0)


@app.command()
def replay(
    seed: Annotated[int, typer.Argument(min=0, help="The seed.")],
    whole: Annotated[bool, typer.Option("--whole", help="Do not shrink a seed that fails.")] = False,
) -> None:
    """Replay a seed step by step in words: one that fails as its smallest story. Exit code 1 if it fails."""
    from tests.simulation.run import simulate  # noqa: PLC0415 - the processes of `run` need it, and this one does not

    console = Console()
    shrunk = None if whole else shrink_here(seed)
    outcome = (
        simulate(seed, without_steps=shrunk.without_steps, left_out=shrunk.left_out, with_words=True)
        if shrunk
        else simulate(seed, with_words=True)
    )
    print_replay(console, outcome, shrunk)
    raise typer.Exit(FAILED if outcome.broken else 0)


@app.command()
def fixes(
    every: Annotated[bool, typer.Option("--every", help="Also after crashes that leave the same state.")] = False,
) -> None:
    """Interrupt each fix at every call: by a crash, by another worker; then replay every event.

    Exit code 1 if a story fails; it is printed line by line. Nothing is left to chance, so there are no seeds.
    """
    from tests.simulation.interruptions import interruptions  # noqa: PLC0415 - it replaces the clock of the process

    console = Console()
    failed = False
    for one in interruptions(every=every):
        console.print(one.words, highlight=False, markup=False, soft_wrap=True)
        for path, ending in one.failures:
            failed = True
            print_interrupted(console, path, ending)
    raise typer.Exit(FAILED if failed else 0)


def seeds_of(path: Path) -> list[int]:
    """Return the seeds of a file: one a line, with a comment after `#`. BadParameter for anything else."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        seed = line.partition("#")[0].strip()
        if seed and not (seed.isascii() and seed.isdecimal()):
            raise typer.BadParameter(f"{path}, line {number}: {seed!r} is not a seed", param_hint="--file")
        if seed:
            found.append(int(seed))
    return found


def _run(executor: Executor, seeds: Sequence[int], done: Run, console: Console) -> None:
    with progress(console, done) as show:
        for ran in run_seeds(executor, seeds, done.jobs):
            done.totals.add(ran)
            if ran.broken:
                print_failure(console, ran)
            show()


def _shrink(executor: Executor, done: Run, console: Console) -> None:
    failures = done.totals.failures[:SHRUNK_FAILURES]
    if len(failures) < len(done.totals.failures):
        console.print(f"\nOnly the first {len(failures)} failures are shrunk.", highlight=False)
    for shrunk in executor.map(shrink_here, [ran.seed for ran in failures]):
        if shrunk is not None:
            done.shrunk.append(shrunk)
            print_shrunk(console, shrunk)
