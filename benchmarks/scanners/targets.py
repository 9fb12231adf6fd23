"""The targets of the scan, and whether the runs reached them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.scanners.runs import REFERENCE
from benchmarks.scanners.tools import ALL_RULES, FULL, INVOKE_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.scanners.results import Results, Run
    from benchmarks.scanners.tools import Tool

LARGEST: Final = 5000


@dataclass(frozen=True, slots=True)
class Target:
    """One target. `measured` is None if the benchmark had no run for it."""

    what: str
    most: float
    unit: str
    measured: float | None

    @property
    def is_reached(self) -> bool | None:
        """Whether the target is reached; None without a run."""
        return None if self.measured is None else self.measured <= self.most


def targets(results: Results) -> Iterator[Target]:
    """Yield the targets, in the order of the plan."""

    def of(
        tool: Tool,
        value: Callable[[Run], float],
        *,
        size: int = REFERENCE,
        limits: bool = False,
        published: bool = True,
    ) -> float | None:
        wanted = (tool.name, size, limits, published)
        found = [run for run in results.runs if (run.tool, run.size, run.limits, run.published) == wanted]
        return value(found[0]) if found else None

    def seconds(run: Run) -> float:
        return run.measurement.seconds

    def others(run: Run) -> float:
        return run.other_lambda_calls / run.size

    calls = "calls a function besides GetPolicy"
    yield Target(f"{calls}, all rules", 2.05, "", of(ALL_RULES, others))
    yield Target(f"{calls}, invoke-policy rules, no versions", 0.1, "", of(INVOKE_RULES, others, published=False))
    yield Target(f"{calls}, `--full`", 4.05, "", of(FULL, others))
    at_limits = f"{REFERENCE:,} functions at AWS's limits"
    measured = of(INVOKE_RULES, seconds, limits=True, published=False)
    yield Target(f"{at_limits}, invoke-policy rules, no versions", 73, "s", measured)
    yield Target(f"{at_limits}, all rules, `--rate full`", 150, "s", of(ALL_RULES, seconds, limits=True))
    without = f"{REFERENCE:,} functions, 40 ms, no limits"
    yield Target(f"{without}, all rules", 8, "s", of(ALL_RULES, seconds))
    yield Target(f"{without}, invoke-policy rules", 5, "s", of(INVOKE_RULES, seconds))
    for what, value in (
        ("calls a function", lambda run: run.lambda_calls / run.size),
        ("peak memory", lambda run: float(run.measurement.peak_bytes)),
    ):
        large, small = of(ALL_RULES, value, size=LARGEST), of(ALL_RULES, value)
        most = 1.3 if what == "peak memory" else 1.05
        ratio = large / small if large and small else None
        yield Target(f"{what} with {LARGEST:,} functions, relative to {REFERENCE:,}", most, "times", ratio)
