"""Prove the certificates: `make prove` (SEEDS=2000, MATERIAL=<folder>, JOBS=<cores>). Exit code 1 on any failure."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Final

from tests.proof import agreement, faults, material, replay
from tests.proof.generated import generated_plans
from tests.proof.plans import Plan
from tests.proof.solver import prove

MOST_UNDECIDED: Final = 0.01
"""The largest share of undecided plans of the corpus and of generated policies."""
_CHUNK: Final = 25

Work = tuple[str, Callable[..., Iterator[Plan]], tuple[int, ...]]


@dataclass
class Figures:
    """What became of the plans of one group."""

    plans: Counter[str] = field(default_factory=Counter)
    proven: int = 0
    refused: int = 0
    undecided: int = 0
    replayed: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Add the figures of a part of the group."""
        self.plans += other.plans
        self.proven += other.proven
        self.refused += other.refused
        self.undecided += other.undecided
        self.replayed += other.replayed
        self.seconds += other.seconds
        self.failures += other.failures


def judged(work: tuple[str, int]) -> tuple[str, Figures]:
    """Prove the plans of a part of a group."""
    group, first = work
    started = time.process_time()
    figures = Figures()
    for plan in _plans(group, first):
        figures.plans[plan.kind] += 1
        if not plan.certificate.holds:
            figures.refused += 1
            figures.undecided += plan.is_undecided
            continue
        answer = prove(plan)
        figures.proven += answer.proven
        figures.undecided += answer.undecided
        figures.refused += answer.undecided
        if not answer.proven and not answer.undecided:
            figures.failures.append(f"{plan.name} ({plan.kind}) is refuted: {answer.about}")
        if plan.kind == "narrow":
            figures.replayed += len(plan.proven)
            figures.failures += replay.denied(plan)
    figures.seconds = time.process_time() - started
    return group, figures


def _plans(group: str, first: int) -> Iterator[Plan]:
    if group == "cases":
        yield from material.case_plans(first, CASES_PARTS)
    elif group == "corpus":
        yield from material.corpus_plans(first, CORPUS_PARTS)
    elif group == "records":
        yield from material.record_plans()
    else:
        for number in range(first, first + _CHUNK):
            yield from generated_plans(number)


CASES_PARTS: Final = 8
CORPUS_PARTS: Final = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove everything, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    started = time.monotonic()
    work = [("cases", part) for part in range(CASES_PARTS)]
    work += [("corpus", part) for part in range(CORPUS_PARTS)] if material.STATEMENTS.exists() else []
    work += [("records", 0)] if material.RECORDS.exists() else []
    work += [("generated", first) for first in range(0, options.seeds, _CHUNK)]
    groups = {name: Figures() for name, _ in work}
    with get_context("spawn").Pool(options.jobs) as pool:
        compared = pool.map_async(agreement.compared, agreement.parts(options.requests), 1)
        for name, figures in pool.imap_unordered(judged, work):
            groups[name].add(figures)
        disagreements = [text for found in compared.get() for text in found.disagreements]
        requests = sum(found.requests for found in compared.get())
        allowed = sum(found.allowed for found in compared.get())
    failures = [*disagreements, *faults.failures()]
    for name, figures in groups.items():
        print_group(name, figures)
        failures += figures.failures
        failures += undecided_too_often(name, figures)
    print(f"\nencoding and evaluate: {requests:,} requests, {allowed:,} allowed, {len(disagreements)} disagreements")
    print(f"deliberate faults refuted: {len(faults.FAULTS)}" if not faults.failures() else "a fault is not refuted")
    print(f"replayed calls: {sum(figures.replayed for figures in groups.values()):,}")
    print(f"{time.monotonic() - started:.0f} seconds")
    for failure in failures[:20]:
        print(failure, file=sys.stderr)
    if len(failures) > 20:
        print(f"{len(failures) - 20} more failures", file=sys.stderr)
    return int(bool(failures))


def print_group(name: str, figures: Figures) -> None:
    """Print the line of a group."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(figures.plans.items()))
    print(
        f"{name:<10} plans {figures.plans.total():>6}  proven {figures.proven:>6}  refused {figures.refused:>5}"
        f"  undecided {figures.undecided:>4}  seconds {figures.seconds:>6.1f}  ({kinds})"
    )


def undecided_too_often(name: str, figures: Figures) -> list[str]:
    """Return a failure if too many plans of a group are undecided: none of the cases may be."""
    most = 0 if name == "cases" else MOST_UNDECIDED * figures.plans.total()
    if not figures.plans.total():
        return [f"{name}: there are no plans"]
    return [f"{name}: {figures.undecided} plans are undecided"] if figures.undecided > most else []
