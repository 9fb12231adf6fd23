"""Run a program and measure it: `python -I measured.py RESULT COMMAND...`.

It is a process between the benchmark and the program, and imports nothing else: the kernel counts the memory of the
process that starts a program as the program's own, so the starting process must be small.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

_UNIT = 1 if sys.platform == "darwin" else 1024


def main() -> int:
    """Write seconds, CPU seconds and peak memory in bytes into a file; return the exit code of the program."""
    result, *command = sys.argv[1:]
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    measured = {
        "exit_code": process.returncode,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * _UNIT,
    }
    with open(result, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs memory
        json.dump(measured, file)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
