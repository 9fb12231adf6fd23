"""What the benchmark measures, and how it starts what it measures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MEASURED: Final = Path(__file__).with_name("measured.py")
MAX_SECONDS: Final = 3600.0

# A program that reads these and connects to anything but the loopback interface fails at once.
_CLOSED: Final = "http://127.0.0.1:9"
LOOPBACK_ONLY: Final = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), _CLOSED),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one program took: wall time, CPU time of all its threads and children, and its peak memory."""

    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def measure(command: list[str], environment: Mapping[str, str], folder: Path) -> Measurement:
    """Run a program in a folder, with this environment and no other. Its output goes to `output.txt` in the folder.

    Raises RuntimeError if it cannot be started, or takes over an hour.
    """
    folder.mkdir(parents=True, exist_ok=True)
    result = folder / "measured.json"
    result.unlink(missing_ok=True)
    wrapped = [sys.executable, "-I", str(MEASURED), str(result), *command]
    path = os.pathsep.join((str(Path(command[0]).parent), os.defpath))
    with (folder / "output.txt").open("w") as output:
        try:
            subprocess.run(
                wrapped,
                env={"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", **LOOPBACK_ONLY, **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=MAX_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{command[0]} took over {MAX_SECONDS:g} seconds. See {output.name}") from error
    if not result.exists():
        raise RuntimeError(f"{command[0]} could not be started. See {output.name}")
    return Measurement(**json.loads(result.read_text()))
