"""The account in memory of the integration tests."""

from __future__ import annotations

from tests.integration.conftest import account

__all__ = ["account"]
