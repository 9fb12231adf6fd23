"""The functions of the stack, with clients of an account in memory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws import clients
from permission_guard.bootstrap import (
    alert_samples,
    alerts,
    callers,
    checks,
    configuration,
    decisions,
    findings,
    fixes,
    publisher,
    sweep,
    ticket_samples,
    tickets,
)
from tests.fuzz.aws import ENVIRONMENT
from tests.fuzz.harness import Fuzz, load
from tests.inline_pool import InlinePool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Fuzz], Any]]:
    """Return what loads the function that is fuzzed, with the environment and the account of the harness."""

    def load_with(fuzz: Fuzz) -> Any:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(clients, "_client", fuzz.aws.client)
        monkeypatch.setattr(clients, "_prompt_client", fuzz.aws.client)
        monkeypatch.setattr(clients, "_patient_client", lambda service, _seconds: fuzz.aws.client(service))
        for module in (alert_samples, findings, ticket_samples):
            monkeypatch.setattr(module, "thread_pool", InlinePool)  # so that a seed has the same run each time
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        # pytest would keep every line of every batch.
        monkeypatch.setattr(logging.getLogger(fuzz.function), "propagate", False)
        _clear_caches()
        return load(fuzz.function)

    yield load_with
    _clear_caches()


def _clear_caches() -> None:
    for module in (alerts, callers, checks, configuration, decisions, findings, fixes, publisher, sweep, tickets):
        for part in vars(module).values():
            if hasattr(part, "cache_clear"):
                part.cache_clear()
