"""What the tests make in the sandbox that they hold against recorded material; and the check that it is there."""

from __future__ import annotations

import importlib

from tests.e2e.conftest import code, make_role

__all__ = ["code", "make_role"]


def pytest_configure() -> None:
    """Say in one line what is missing, before any test is collected."""
    importlib.import_module("tests.conformance.material")
