"""The cost of importing the package."""

from __future__ import annotations

import subprocess
import sys

from tests.paths import LAYER

SLOW = {"dataclasses", "inspect", "typing", "json", "re", "ipaddress", "datetime", "decimal", "urllib.parse", "boto3"}


def test_importing_the_package_loads_nothing_slow() -> None:
    """In a fresh interpreter, without the modules that it loads itself."""
    code = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import permission_guard.iam; "
        "print(*sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(LAYER)]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert "permission_guard.iam.evaluation" in loaded
    assert loaded & SLOW == set()
