"""An environment of its own for each other tool, and for the plots: in `.venv-bench/`, with pinned versions.

The versions are in `requirements/`. To take newer ones, change a `.in` file and run
`uv pip compile --universal --python-version 3.11 --no-header --no-annotate NAME.in -o NAME.txt` there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = REPOSITORY / ".venv-bench"
REQUIREMENTS: Final = Path(__file__).with_name("requirements")


def version_of(name: str) -> str:
    """Return the pinned version of a tool, from the line of its `.in` file."""
    return (REQUIREMENTS / f"{name}.in").read_text().strip().partition("==")[2]


@cache
def programs(name: str) -> Path:
    """Return the folder of a tool's programs. Its environment is made if it is missing or of other versions."""
    pinned = REQUIREMENTS / f"{name}.txt"
    environment = FOLDER / name
    stamp = environment / "requirements.sha256"
    digest = hashlib.sha256(pinned.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(environment, ignore_errors=True)
        uv = os.environ.get("UV") or str(REPOSITORY / ".venv-tools/bin/uv")
        python = environment / "bin/python"
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
        subprocess.run([*install, "--requirement", str(pinned)], check=True)
        stamp.write_text(digest)
    return environment / "bin"
