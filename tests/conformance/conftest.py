"""The sandbox, for the tests that hold it against recorded material; and the check that the material is there."""

from __future__ import annotations

import importlib

from tests.e2e.conftest import code, make_role, sandbox

__all__ = ["code", "make_role", "sandbox"]


def pytest_configure() -> None:
    """Say in one line what is missing, before any test is collected."""
    importlib.import_module("tests.conformance.material")
