"""`python -m tests.simulation`."""

import os
import sys

# Processes that `run` starts import this module, too, and are no command line.
if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets of strings must be the same in every process
        arguments = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 - it needs no shell

    from tests.simulation.cli import app

    app()
