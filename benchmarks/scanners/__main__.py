"""`make bench`: run everything and write docs/benchmarks.md, its pictures and docs/benchmarks.json.

`python -m benchmarks.scanners --page` writes the page and the pictures again, from docs/benchmarks.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.scanners.environments import REPOSITORY, programs
from benchmarks.scanners.machine import machine
from benchmarks.scanners.page import PICTURES, page
from benchmarks.scanners.results import Results, Run
from benchmarks.scanners.runs import run_all
from benchmarks.scanners.targets import targets
from benchmarks.scanners.templates import run_templates

SIZES: Final = (100, 1000, 5000)
DOCS: Final = REPOSITORY / "docs"
_PLOTS: Final = Path(__file__).with_name("plots.py")


def main() -> int:
    """Run the benchmark. Return 1 if a target is not reached."""
    options = _options()
    docs: Path = options.docs
    results_file = docs / "benchmarks.json"
    if not options.page:
        _measured(options).write(results_file)
    results = Results.read(results_file)
    (docs / "benchmarks.md").write_text(page(results))
    if options.pictures:
        _draw(results_file, docs / "pictures")
    found = list(targets(results))
    for target in found:
        if target.measured is not None:
            reached = "reached" if target.is_reached else "NOT REACHED"
            print(f"{reached:<12}{target.what}: {target.measured:.2f} {target.unit}, at most {target.most:g}")
    return int(any(target.is_reached is False for target in found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scanners", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of functions")
    parser.add_argument("--no-others", dest="others", action="store_false", help="only Permission Guard")
    parser.add_argument("--no-limits", dest="limits", action="store_false", help="no runs at AWS's limits")
    parser.add_argument("--no-pictures", dest="pictures", action="store_false", help="only the page")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where to write")
    parser.add_argument("--page", action="store_true", help="measure nothing")
    return parser.parse_args()


def _measured(options: argparse.Namespace) -> Results:
    of_machine, started, runs = machine(), time.monotonic(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.others:
            for tool in ("prowler", "custodian", "checkov"):
                programs(tool)
        for run in run_all(options.sizes, folder, others=options.others, limits=options.limits):
            _print(run)
            runs.append(run)
        templates = tuple(run_templates(folder, others=options.others))
    sizes = " ".join(map(str, options.sizes))
    command = "make bench" if options.sizes == list(SIZES) else f'make bench SIZES="{sizes}"'
    return Results(of_machine, command, time.monotonic() - started, tuple(runs), templates)


def _print(run: Run) -> None:
    found, used = run.verdicts, run.measurement
    print(
        f"{run.size:>5}  {'at limits' if run.limits else 'no limits'}  {run.tool:<44}{used.seconds:>8.1f} s"
        f"{run.lambda_calls:>8} calls {run.refusals:>5} throttled  {found.right} right, {found.missed} missed, "
        f"{found.false} false",
        flush=True,
    )


def _draw(results_file: Path, pictures: Path) -> None:
    pictures.mkdir(exist_ok=True)
    python = programs("plots") / "python"
    subprocess.run([str(python), str(_PLOTS), str(results_file), str(pictures), *PICTURES], check=True)


if __name__ == "__main__":
    sys.exit(main())
