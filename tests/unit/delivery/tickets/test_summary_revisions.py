"""The revision of a summary does not go back, although what ended is not shown for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.delivery.tickets.summary import MOST_SHOWN, Summary, WaitingEnd
from permission_guard.model.findings import Status
from tests.unit.delivery.tickets.test_summary import CHANNEL, a_flood, numbered, resolved, waiting


@pytest.mark.parametrize("is_review", [False, True])
def test_a_summary_is_kept_after_its_last_change_is_not_shown_any_more(*, is_review: bool) -> None:
    """Its revision does not go back: what people do with it, and the next change, are still written."""
    world = a_flood(5)
    world.deliver(resolved(2))
    assert world.summarize() == [DeliveryOutcome.DELIVERED]
    del world.store.held[numbered(2).id]  # a week later
    assert world.summarize(is_review=is_review) == [
        DeliveryOutcome.UP_TO_DATE if is_review else DeliveryOutcome.ALREADY_DELIVERED
    ]
    reference = next(key for key, one in world.tickets.held.items() if one.data["id"] == world.summary.id)
    world.tickets.close(reference)
    assert world.summarize(is_review=True) == [DeliveryOutcome.CORRECTED]
    assert len(world.tickets.comments) == 1
    world.deliver(resolved(3))
    assert world.summarize() == [DeliveryOutcome.DELIVERED]


def test_a_summary_of_findings_that_changed_meanwhile_is_read_again() -> None:
    """Another invocation has written their end."""
    world = a_flood(3)
    early = world.store.findings(CHANNEL, world.now)
    world.deliver(resolved(2))
    world.summarize()
    assert world.ticket_of_summary() == "resolved"
    assert world.update(early, is_review=True).outcome is DeliveryOutcome.UP_TO_DATE
    assert world.ticket_of_summary() == "resolved"
    world.store.held.clear()
    assert world.update(early).outcome is DeliveryOutcome.SUPERSEDED


@pytest.mark.parametrize("revision", [10**30, 10**15])
def test_a_revision_that_no_change_had_is_forgotten(revision: int) -> None:
    """Somebody else wrote it, and it would keep every summary from being written."""
    world = a_flood(3)
    key = world.summary.id, CHANNEL
    world.ledger.held[key] = replace(world.ledger.held[key], revision=revision)
    world.deliver(numbered(9))
    result = world.update(world.store.findings(CHANNEL, world.now))
    assert (result.outcome, result.repaired) == (DeliveryOutcome.DELIVERED, True)


def test_findings_that_ended_do_not_hide_those_that_wait() -> None:
    """They come first, so that the summary is not closed too early."""
    ended = [waiting(number, end=WaitingEnd.TICKET) for number in range(MOST_SHOWN + 1)]
    summary = Summary.of(CHANNEL, [*ended, waiting(MOST_SHOWN + 1)])
    assert (summary.status, summary.more, len(summary.findings)) == (Status.OPEN, False, MOST_SHOWN)
    assert summary.title == "1 finding has no ticket of its own: a limit is reached"
