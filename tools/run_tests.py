"""`make test`: runs all tiers of tests and counts them. A tier without tests is a failure.

The contract tests and the end-to-end tests wait for the sandbox most of the time. The other tiers run beside them with
a lower priority, and use the time that is left.

With `--coverage` it also measures the branch coverage, as CI does; this takes about twice as long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

IN_PROCESS = ("unit", "integration", "template", "fuzz", "simulation")
IN_SANDBOX = ("contracts", "e2e")

# pytest-xdist keeps the tests of a file in one process, which shares what is expensive to create.
_OPTIONS = ("-q", "--dist=loadfile", "--durations=12", "--durations-min=4")
_COVERAGE = ("--cov", "--cov-report=", "--cov-fail-under=0")
_LOW_PRIORITY = ("nice", "-n", "19")
_CORES = os.cpu_count() or 1


def main() -> int:
    """Run all tiers, print the counts, and the coverage if it is measured; return the exit code."""
    coverage = sys.argv[1:] == ["--coverage"]
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        reports = Path(folder, "in-process.xml"), Path(folder, "in-sandbox.xml")
        in_sandbox = pool.submit(
            subprocess.run,
            _command(IN_SANDBOX, reports[1], _CORES),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        _headline(*IN_PROCESS)
        # One more than there are cores: some of these tests wait, too.
        command = [*_LOW_PRIORITY, *_command(IN_PROCESS, reports[0], _CORES + 1), *(_COVERAGE if coverage else ())]
        succeeded = [subprocess.run(command, check=False).returncode == 0]
        _headline(*IN_SANDBOX)
        done = in_sandbox.result()
        print(done.stdout, flush=True)
        succeeded.append(done.returncode == 0)
        counts = sum(map(_counts, reports), Counter[tuple[str, str]]())
    if coverage:
        _headline("coverage")
        succeeded.append(subprocess.run([sys.executable, "-m", "coverage", "report"], check=False).returncode == 0)
    _headline("tiers")
    for tier in (*IN_PROCESS, *IN_SANDBOX):
        numbers = {result: counts[tier, result] for result in ("passed", "failed", "skipped")}
        print(f"{tier:<12}", *(f"{number:6} {result}" for result, number in numbers.items()))
        succeeded.append(numbers["passed"] > 0)
    print(f"{time.monotonic() - start:.0f} s")
    return int(not all(succeeded))


def _command(tiers: tuple[str, ...], report: Path, processes: int) -> list[str]:
    folders = [f"tests/{tier}" for tier in tiers]
    return [sys.executable, "-m", "pytest", *folders, *_OPTIONS, "-n", str(processes), f"--junitxml={report}"]


def _counts(report: Path) -> Counter[tuple[str, str]]:
    """Return the number of tests by tier and result, from a report in JUnit's format."""
    counts: Counter[tuple[str, str]] = Counter()
    if report.exists():
        for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it
            tier = case.get("classname", "").split(".")[1:2]
            counts["".join(tier), _result(case)] += 1
    return counts


def _result(case: ET.Element) -> str:
    """Return the result of a test. One that fails as expected has passed: a contract from which moto differs."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    skipped = case.find("skipped")
    return "passed" if skipped is None or skipped.get("type") == "pytest.xfail" else "skipped"


def _headline(*parts: str) -> None:
    print(f"── {', '.join(parts)} ".ljust(100, "─"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
