"""The machine that a benchmark runs on, in words."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final

_CPU: Final = Path("/proc/cpuinfo")
_MEMORY: Final = Path("/proc/meminfo")
_LOAD: Final = "load before the first run"


def machine() -> dict[str, str]:
    """Return the processor, its cores, memory, operating system and Python, and the load of the last minute."""
    found = {
        "processor": _field(_CPU, "model name") or platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "operating system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        _LOAD: f"{os.getloadavg()[0]:.1f}",
    }
    memory = _field(_MEMORY, "MemTotal").partition(" ")[0]
    return found | ({"memory": f"{int(memory) / 2**20:.0f} GiB"} if memory else {})


def _field(path: Path, name: str) -> str:
    """Return a field of a file in /proc, or nothing on another system."""
    if not path.exists():
        return ""
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")
