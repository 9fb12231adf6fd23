"""`make test`: runs the tiers of tests one after the other and counts them; a tier without tests is a failure."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

TIERS = ("unit", "integration", "template", "e2e")

# The pure package is measured where it is tested without a server.
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


def run_tier(name: str, results: Path) -> Tier:
    """Run one tier's tests and return their counts."""
    report = results / f"{name}.xml"
    covered = ["--cov", "--cov-append", "--cov-report=", "--cov-fail-under=0"] if name in _COVERED else []
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
        *sys.argv[1:],
    ]
    exit_code = subprocess.run(command, check=False).returncode
    suite = ET.parse(report).getroot().find("testsuite") if report.exists() else None  # noqa: S314 - as above
    counts = suite.attrib if suite is not None else {}
    failed = int(counts.get("failures", 0)) + int(counts.get("errors", 0))
    skipped = int(counts.get("skipped", 0))
    passed = int(counts.get("tests", 0)) - failed - skipped
    return Tier(name, passed, failed, skipped, time.monotonic() - began, exit_code)


def main() -> int:
    """Run all tiers, print the counts and the coverage, and return the exit code."""
    subprocess.run([sys.executable, "-m", "coverage", "erase"], check=True)
    with tempfile.TemporaryDirectory() as results:
        tiers = [run_tier(name, Path(results)) for name in TIERS]
    print("── coverage ".ljust(100, "─"), flush=True)
    coverage = subprocess.run([sys.executable, "-m", "coverage", "report"], check=False).returncode
    print("── tiers ".ljust(100, "─"))
    for tier in tiers:
        counts = f"{tier.passed:5} passed {tier.failed:4} failed {tier.skipped:4} skipped"
        print(f"{tier.name:<12} {counts} {tier.seconds:7.1f} s")
    passed, failed, skipped = (sum(getattr(tier, what) for tier in tiers) for what in ("passed", "failed", "skipped"))
    seconds = sum(tier.seconds for tier in tiers)
    print(f"{'total':<12} {passed:5} passed {failed:4} failed {skipped:4} skipped {seconds:7.1f} s")
    return int(any(tier.exit_code for tier in tiers) or coverage != 0)


if __name__ == "__main__":
    sys.exit(main())
