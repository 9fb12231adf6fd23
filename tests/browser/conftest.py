"""The check that Chromium and its fonts are there."""

from __future__ import annotations

import pytest

from tools.pictures.chromium import ChromiumError, installed


def pytest_configure() -> None:
    """Say in one line what is missing, before any test is collected."""
    try:
        installed()
    except ChromiumError as error:
        raise pytest.UsageError(str(error)) from None
