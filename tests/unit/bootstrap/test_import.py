"""What importing the composition roots changes in the process."""

from __future__ import annotations

import subprocess
import sys

from tests.paths import LAYER


def test_importing_a_composition_root_makes_collections_of_garbage_rare() -> None:
    """An import creates some ten thousand objects that are no garbage. By default they are visited every 700."""
    code = (
        "import gc, sys; sys.path.insert(0, sys.argv[1]); import permission_guard.bootstrap; "
        "print(gc.isenabled(), gc.get_threshold()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(LAYER)], check=True, capture_output=True, text=True)
    is_enabled, threshold = done.stdout.split()
    assert is_enabled == "True"
    assert int(threshold) >= 10_000
