"""The execution environments of the functions. Lambda may end them at any time; here a test says when."""

from __future__ import annotations

from sandbox.server import inside


def end_all() -> None:
    """Let the next invocation of every function be a cold start.

    One that is working finishes its invocation, and gets no other one. Its process ends with the sandbox.
    """
    with inside.environments_lock:
        idle = [worker for workers in inside.environments.values() for worker in workers if not worker.in_use]
        inside.environments.clear()
    inside.end_processes(idle)
