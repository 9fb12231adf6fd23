"""What all tests share: botocore's data files, each read once by a process, and one sandbox for the session."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import botocore.session
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client.process import Sandbox

# Tests create hundreds of sessions. What a loader returns is read only: all clients of a session share it, too.
botocore.session.create_loader = cache(botocore.session.create_loader)

# Times are measured in `benchmarks`: on a busy machine, a short example takes longer than Hypothesis allows.
settings.register_profile("permission-guard", deadline=None)
settings.load_profile("permission-guard")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """AWS on this machine, shared by the session: tests name what they make after themselves."""
    from sandbox.client.process import INTERPRETER, Sandbox  # noqa: PLC0415 - few tests need it

    if not INTERPRETER.exists():
        pytest.fail("The sandbox's environment is missing. Run `make setup`.")
    with Sandbox.start() as running:
        yield running
        assert running.health()["failures"] == 0, running.log
