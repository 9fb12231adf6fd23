"""Maintenance has sent what waits for the alert channels, in each run, until nothing waits."""

from __future__ import annotations

from tests.unit.maintenance.account import Account


def test_each_run_requests_what_waits() -> None:
    """Once for each channel. What found no place is requested by the next run."""
    account = Account(waiting=["sns", "slack"])
    assert account.run().waiting == ("sns", "slack")
    account.waiting = ["slack"]
    account.run(minutes=10)
    account.waiting = []
    account.run(minutes=10)
    assert account.sent_to == ["sns", "slack", "slack"]


def test_what_waits_and_cannot_be_read_keeps_nothing_else_back() -> None:
    """The failure is reported, and the run goes on."""
    account = Account(waiting=["broken"])
    done = account.run()
    assert done.failures == ("waiting messages: ConnectionError: no answer",)
    assert account.held.revision == 1
