"""`make test`: runs the tiers of tests one after the other and counts them. A tier without tests is a failure.

With `--coverage` it also measures the branch coverage, as CI does; this takes about twice as long.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

TIERS = ("unit", "integration", "template", "e2e")

# The tiers that run the package in their own process.
_COVERED = frozenset({"unit", "integration"})

# How pytest-xdist distributes the tests to a process for each core: `worksteal` is fastest; `loadfile` keeps the tests
# of a file in one process, which shares what is expensive to create, such as a sandbox with the deployed stack.
_DISTRIBUTION = {"unit": "worksteal", "integration": "loadfile", "template": "worksteal", "e2e": "loadfile"}


@dataclass(frozen=True, slots=True)
class Tier:
    """What came of one tier."""

    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    exit_code: int


def run_tier(name: str, results: Path, *, coverage: bool) -> Tier:
    """Run one tier's tests and return their counts."""
    report = results / f"{name}.xml"
    covered = ["--cov", "--cov-append", "--cov-report=", "--cov-fail-under=0"] if coverage and name in _COVERED else []
    print(f"── {name} ".ljust(100, "─"), flush=True)
    began = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"tests/{name}",
        "-q",
        f"--junitxml={report}",
        "-n",
        "auto",
        f"--dist={_DISTRIBUTION[name]}",
        *covered,
    ]
    exit_code = subprocess.run(command, check=False).returncode
    suite = ET.parse(report).getroot().find("testsuite") if report.exists() else None  # noqa: S314 - as above
    counts = suite.attrib if suite is not None else {}
    failed = int(counts.get("failures", 0)) + int(counts.get("errors", 0))
    skipped = int(counts.get("skipped", 0))
    passed = int(counts.get("tests", 0)) - failed - skipped
    return Tier(name, passed, failed, skipped, time.monotonic() - began, exit_code)


def main() -> int:
    """Run all tiers, print the counts, and the coverage if it is measured; return the exit code."""
    coverage = sys.argv[1:] == ["--coverage"]
    if coverage:
        _coverage("erase")
    with tempfile.TemporaryDirectory() as results:
        tiers = [run_tier(name, Path(results), coverage=coverage) for name in TIERS]
    covered = True
    if coverage:
        print("── coverage ".ljust(100, "─"), flush=True)
        covered = _coverage("report") == 0
    print("── tiers ".ljust(100, "─"))
    for tier in tiers:
        counts = f"{tier.passed:5} passed {tier.failed:4} failed {tier.skipped:4} skipped"
        print(f"{tier.name:<12} {counts} {tier.seconds:7.1f} s")
    passed, failed, skipped = (sum(getattr(tier, what) for tier in tiers) for what in ("passed", "failed", "skipped"))
    seconds = sum(tier.seconds for tier in tiers)
    print(f"{'total':<12} {passed:5} passed {failed:4} failed {skipped:4} skipped {seconds:7.1f} s")
    return int(any(tier.exit_code for tier in tiers) or not covered)


def _coverage(command: str) -> int:
    return subprocess.run([sys.executable, "-m", "coverage", command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
