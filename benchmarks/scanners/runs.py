"""Which tools run on which accounts, and their measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.scanners.account.builder import SEED, build
from benchmarks.scanners.measurements import measure
from benchmarks.scanners.results import Run, by_second
from benchmarks.scanners.server_process import LATENCY, running_server
from benchmarks.scanners.tools import ALL_RULES, FULL, INVOKE_RULES, OTHERS, OWN
from benchmarks.scanners.verdicts import compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.scanners.account.model import Account
    from benchmarks.scanners.measurements import Measurement
    from benchmarks.scanners.server_process import Server
    from benchmarks.scanners.tools import Reported, Tool

REFERENCE: Final = 1000
"""The size that most targets are about. Larger accounts run without limits only: with them, time is N/15 s."""

_OUTPUT_LINES: Final = 20


def run_all(sizes: list[int], folder: Path, *, others: bool, limits: bool = True, seed: int = SEED) -> Iterator[Run]:
    """Measure every tool on an account of each size.

    Without `others`, only Permission Guard. Without `limits`, no run is at AWS's limits: a dry run takes seconds then.
    """
    competitors = OTHERS if others else ()
    _compile(competitors, min(sizes), folder, seed)
    for size in sizes:
        account = build(size, seed)
        with running_server(size, seed) as server:
            _compute_answers(server, folder)
            if limits and size <= REFERENCE:
                for tool in (ALL_RULES, INVOKE_RULES, *competitors):
                    yield _run(tool, server, account, folder, limits=True)
            for tool in (*OWN, *competitors):
                yield _run(tool, server, account, folder, limits=False)
    if REFERENCE in sizes:
        yield from _run_unpublished(REFERENCE, folder, seed)


def _compile(tools: tuple[Tool, ...], size: int, folder: Path, seed: int) -> None:
    """Run each tool once, so that Python has compiled what it imports before a run is measured."""
    with running_server(size, seed) as server:
        for tool in tools:
            server.start_run(limits=False, latency=0.0)
            _measure(tool, server, folder / "first", "none")


def _run_unpublished(size: int, folder: Path, seed: int) -> Iterator[Run]:
    """Measure the invoke-policy rules on functions without versions and aliases."""
    account = build(size, seed, published=False)
    with running_server(size, seed, published=False) as server:
        _compute_answers(server, folder)
        for limits in (True, False):
            yield _run(INVOKE_RULES, server, account, folder, limits=limits, published=False)


def _compute_answers(server: Server, folder: Path) -> None:
    """Scan once without a latency, so that the proxy has computed its answers before a run is measured."""
    server.start_run(limits=False, latency=0.0)
    _measure(FULL, server, folder / "first", "none")


def _measure(tool: Tool, server: Server, folder: Path, rate: str) -> tuple[Measurement, Reported]:
    for old in folder.rglob("*") if folder.exists() else ():
        if old.is_file():
            old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    measurement = measure(tool.command(folder, rate), {**server.environment, **tool.environment}, folder)
    try:
        return measurement, tool.report(folder)
    except (OSError, ValueError, KeyError) as error:
        lines = (folder / "output.txt").read_text(errors="replace").splitlines()[-_OUTPUT_LINES:]
        output = "\n".join(lines)
        raise RuntimeError(
            f"{tool.name} ended with exit code {measurement.exit_code} and without a report: {error}\n{output}"
        ) from error


def _run(tool: Tool, server: Server, account: Account, folder: Path, *, limits: bool, published: bool = True) -> Run:
    server.start_run(limits=limits, latency=LATENCY)
    name = "".join(letter if letter.isalnum() else "-" for letter in tool.name)
    measurement, reported = _measure(tool, server, folder / name, "full" if limits else "none")
    counts = server.counts()
    return Run(
        tool=tool.name,
        size=len(account.functions),
        limits=limits,
        published=published,
        measurement=measurement,
        calls=counts["calls"],
        refused=counts["refused"],
        failed=counts["failed"],
        verdicts=compare(account, reported, tool.kinds, own_rules=tool in OWN),
        each_second=by_second(counts["lambda"]) if limits else [],
    )
