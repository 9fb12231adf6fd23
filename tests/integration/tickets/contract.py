"""What every ticket system must do: a class of tests, and the other end that each system brings along."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest

from permission_guard.bus.alert_tests import AlertTest
from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.delivery.tickets.base import (
    CLOSED_SUMMARY_TOO_EARLY,
    CLOSED_TOO_EARLY,
    channel_of,
    follow,
    update_ticket,
)
from permission_guard.delivery.tickets.review import review_ticket
from permission_guard.delivery.tickets.routed import NamedSystem
from permission_guard.delivery.tickets.samples import open_samples
from permission_guard.delivery.tickets.summary import Summary, WaitingEnd, WaitingForTicket
from permission_guard.model.destinations import Destination, DestinationKind, Outcome
from permission_guard.model.findings import Finding, Status, Transition
from permission_guard.records import record
from tests.inline_pool import InlinePool
from tests.paths import FINDINGS
from tests.unit.delivery.memory_ledger import MemoryLedger, unread

if TYPE_CHECKING:
    from permission_guard.delivery.tickets.base import TicketSystem


def load(case: str) -> Finding:
    """Return the finding of a case."""
    return Finding.from_document(json.loads((FINDINGS / f"{case}.json").read_text()))


def later(finding: Finding, revision: int, **changes: object) -> Finding:
    """Return a later revision of a finding."""
    times = {"changed_at": f"2026-12-0{revision}T00:00:00.000+00:00"}
    return replace(finding, revision=revision, **{**times, **changes})  # type: ignore[arg-type]


OPENED = load("opened")
PROPOSED = later(OPENED, 2, transition=Transition.FIX_PROPOSED)
APPLIED = later(load("fix-applied"), 3)
RESOLVED = later(load("resolved"), 4)
REOPENED = later(OPENED, 5, transition=Transition.REOPENED)
SUPPRESSED = later(OPENED, 6, status=Status.SUPPRESSED, transition=Transition.SUPPRESSED)
HOSTILE = "\r\n\x00<!channel> @everyone #1 [~x] {code} --> <!-- [a](http://evil.example) ` ``` 🚀 \u202e" + "n" * 5_000


TEST = AlertTest(
    id="0" * 32,
    by="arn:aws:sts::123456789012:assumed-role/platform/<!channel>@everyone",
    at="2026-12-01T00:00:00+00:00",
    account="123456789012",
    region="us-east-1",
)

WAITING = WaitingForTicket.of(OPENED, datetime(2026, 12, 1, tzinfo=UTC))
"""A finding that waits for a ticket."""


def a_summary(second: int, *numbers: int) -> Summary:
    """Return the summary that was changed at a second: the findings with these numbers wait, or none of one."""
    at = f"2026-12-02T00:00:0{second}.000+00:00"
    waiting = [replace(WAITING, finding_id=f"{one:032x}", changed_at=at) for one in numbers]
    return Summary.of("ticket:x", waiting or [replace(WAITING, end=WaitingEnd.TICKET, changed_at=at)])


WRITES = ("open", "update", "resolve", "reopen", "comment")
"""The methods of a system that write."""


def reviewed(system: TicketSystem, ledger: MemoryLedger, finding: Finding) -> DeliveryOutcome:
    """Review the ticket of a finding; return the outcome. What was not delivered is delivered."""
    update = partial(update_ticket, finding, unread, system, ledger)
    return review_ticket(finding, system, ledger, lambda: update()[0]).outcome


@record(kw_only=True)
class Shown:
    """A ticket as a person sees it."""

    reference: str
    is_open: bool
    text: str
    comments: tuple[str, ...]


class Peer(Protocol):
    """The other end: the ticket system of the vendor, and what a person does there."""

    def shown(self) -> list[Shown]:
        """Return all tickets, the oldest first."""

    def close(self, reference: str) -> None:
        """Close a ticket as a person does."""

    def delete(self, reference: str) -> None:
        """Delete a ticket."""


class TicketSystemContract:
    """What every ticket system must do. A subclass in a test module has the fixtures `peer` and `system`."""

    def test_one_ticket_follows_the_life_of_its_finding(self, peer: Peer, system: TicketSystem) -> None:
        """It is opened, updated, closed, reopened and closed again. Nobody gets a comment for that."""
        reference, states = None, []
        for finding in (OPENED, PROPOSED, APPLIED, RESOLVED, REOPENED, SUPPRESSED):
            reference = follow(system, finding, reference)
            (ticket,) = peer.shown()
            assert ticket.reference == reference
            assert ticket.comments == ()
            states.append(ticket.is_open)
        assert states == [True, True, True, False, True, False]

    def test_a_ticket_says_what_is_wrong_and_how_to_fix_it(self, peer: Peer, system: TicketSystem) -> None:
        """Besides, it has the id of its finding."""
        follow(system, OPENED, None)
        (ticket,) = peer.shown()
        for part in ("orders", "SQS", OPENED.id, "aws iam"):
            assert part in ticket.text

    def test_a_second_run_without_a_reference_makes_no_duplicate(self, peer: Peer, system: TicketSystem) -> None:
        """The ledger is lost, or the function crashed before it recorded the reference."""
        first = follow(system, OPENED, None)
        assert follow(system, OPENED, None) == first
        assert follow(system, PROPOSED, None) == first
        assert len(peer.shown()) == 1

    def test_an_unrecorded_ticket_is_closed_with_its_finding(self, peer: Peer, system: TicketSystem) -> None:
        """It is searched by the finding's id."""
        follow(system, OPENED, None)
        follow(system, RESOLVED, None)
        assert [ticket.is_open for ticket in peer.shown()] == [False]

    def test_another_finding_has_another_ticket(self, peer: Peer, system: TicketSystem) -> None:
        """The search does not take one for the other, nor is a ticket overwritten by a wrong reference."""
        first = follow(system, OPENED, None)
        other = replace(OPENED, id="f" * len(OPENED.id), title="another problem")
        second = follow(system, other, first)
        assert second != first
        assert len(peer.shown()) == 2
        assert follow(system, replace(RESOLVED, id=other.id), first) == second
        assert [ticket.is_open for ticket in peer.shown()] == [True, False]

    def test_without_a_ticket_nothing_is_closed(self, peer: Peer, system: TicketSystem) -> None:
        """A finding that is not open gets no ticket."""
        assert follow(system, RESOLVED, None) is None
        assert peer.shown() == []

    def test_a_ticket_that_a_person_closed_gets_one_comment(self, peer: Peer, system: TicketSystem) -> None:
        """It stays closed, however many revisions follow."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.close(reference)
        for finding in (PROPOSED, APPLIED):
            assert follow(system, finding, reference) == reference
        (ticket,) = peer.shown()
        assert not ticket.is_open
        (comment,) = ticket.comments
        assert CLOSED_TOO_EARLY.partition(".")[0] in comment

    def test_a_reopened_finding_reopens_the_ticket_that_a_person_closed_once(
        self, peer: Peer, system: TicketSystem
    ) -> None:
        """If the person closes it again, it stays closed."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.close(reference)
        follow(system, RESOLVED, reference)
        assert [ticket.is_open for ticket in peer.shown()] == [False]
        follow(system, REOPENED, reference)
        assert [ticket.is_open for ticket in peer.shown()] == [True]
        peer.close(reference)
        follow(system, later(REOPENED, 7), reference)
        follow(system, later(REOPENED, 8), reference)
        (ticket,) = peer.shown()
        assert not ticket.is_open
        assert len(ticket.comments) == 1

    def test_a_ticket_that_a_person_closed_reopens_if_the_end_of_its_finding_was_skipped(
        self, peer: Peer, system: TicketSystem
    ) -> None:
        """The message about the end arrives after the one about the next opening."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.close(reference)
        follow(system, replace(REOPENED, opened_at=REOPENED.changed_at), reference)
        (ticket,) = peer.shown()
        assert (ticket.is_open, ticket.comments) == (True, ())

    def test_a_deleted_ticket_is_opened_again_as_another_one(self, peer: Peer, system: TicketSystem) -> None:
        """If the finding is still open; otherwise nothing is left to do."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.delete(reference)
        assert follow(system, RESOLVED, reference) is None
        assert peer.shown() == []
        assert follow(system, REOPENED, reference) is not None
        assert [ticket.is_open for ticket in peer.shown()] == [True]

    @pytest.mark.parametrize("status", ["open", "resolved", "suppressed"])
    def test_a_review_writes_nothing_if_nobody_changed_the_ticket(
        self, peer: Peer, system: TicketSystem, status: str
    ) -> None:
        """What the bot wrote is read back as it was written."""
        ledger = MemoryLedger()
        for finding in {"open": [OPENED], "resolved": [OPENED, RESOLVED], "suppressed": [OPENED, SUPPRESSED]}[status]:
            assert reviewed(system, ledger, finding) is DeliveryOutcome.DELIVERED
        before = peer.shown()
        for name in WRITES:
            setattr(system, name, None)
        assert reviewed(system, ledger, finding) is DeliveryOutcome.UP_TO_DATE
        assert peer.shown() == before

    def test_a_review_comments_a_ticket_that_a_person_closed_once(self, peer: Peer, system: TicketSystem) -> None:
        """It stays closed. The reviews of the next days write nothing."""
        ledger = MemoryLedger()
        reviewed(system, ledger, OPENED)
        (ticket,) = peer.shown()
        peer.close(ticket.reference)
        outcomes = [reviewed(system, ledger, OPENED) for _ in range(3)]
        assert outcomes == [DeliveryOutcome.CORRECTED, DeliveryOutcome.UP_TO_DATE, DeliveryOutcome.UP_TO_DATE]
        (ticket,) = peer.shown()
        assert not ticket.is_open
        assert len(ticket.comments) == 1

    def test_a_review_opens_a_deleted_ticket_again_once(self, peer: Peer, system: TicketSystem) -> None:
        """A person who deletes it again is not overruled."""
        ledger, outcomes = MemoryLedger(), []
        reviewed(system, ledger, OPENED)
        for _ in range(2):
            for ticket in peer.shown():
                peer.delete(ticket.reference)
            outcomes.append(reviewed(system, ledger, OPENED))
        assert outcomes == [DeliveryOutcome.OPENED_AGAIN, DeliveryOutcome.LEFT_DELETED]
        assert peer.shown() == []

    def test_findings_without_a_ticket_have_a_summary(self, peer: Peer, system: TicketSystem) -> None:
        """It is opened once, updated, closed when none waits any more, and opened again. Other tickets stay."""
        other = follow(system, OPENED, None)
        reference, states = None, []
        for summary in (a_summary(1, 1), a_summary(2, 1, 2), a_summary(3), a_summary(4, 1)):
            assert follow(system, summary, None) == (reference := follow(system, summary, reference))
            (found,) = [one for one in peer.shown() if one.reference != other]
            assert found.reference == reference
            assert found.comments == ()
            states.append((found.is_open, f"{1:032x}" in found.text, f"{2:032x}" in found.text))
        assert states == [(True, True, False), (True, True, True), (False, False, False), (True, True, False)]
        follow(system, RESOLVED, other)
        assert len(peer.shown()) == 2

    def test_a_summary_that_a_person_closed_gets_one_comment(self, peer: Peer, system: TicketSystem) -> None:
        """As the ticket of a finding."""
        reference = follow(system, a_summary(1, 1), None)
        assert reference is not None
        peer.close(reference)
        for summary in (a_summary(2, 1, 2), a_summary(3, 1, 2, 5)):
            follow(system, summary, reference)
        (ticket,) = peer.shown()
        assert not ticket.is_open
        (comment,) = ticket.comments
        assert CLOSED_SUMMARY_TOO_EARLY.partition(",")[0] in comment

    def test_a_test_ticket_is_opened_and_closed_and_is_no_other_ticket(self, peer: Peer, system: TicketSystem) -> None:
        """It is labelled. The ticket of a finding stays as it is, and the same test makes no second one."""
        follow(system, OPENED, None)
        where = Destination(name=system.name, type="x", kind=DestinationKind.TICKETS)
        for outcome in (Outcome.OPENED_AND_CLOSED, Outcome.OPENED_AND_CLOSED):
            named = [(where, NamedSystem(system.name, lambda: system))]
            (result,) = open_samples(TEST, named, MemoryLedger(), InlinePool)
            assert (result.outcome, result.reason) == (outcome, "")
            first, test = peer.shown()
            assert (first.is_open, test.is_open) == (True, False)
            assert result.reference == test.reference
            assert "[TEST] Permission Guard: test ticket" in test.text
            assert "It can be deleted." in test.text
        follow(system, RESOLVED, first.reference)
        assert [ticket.is_open for ticket in peer.shown()] == [False, False]

    def test_a_long_summary_with_hostile_names_is_accepted(self, peer: Peer, system: TicketSystem) -> None:
        """A thousand findings."""
        waiting = [replace(WAITING, finding_id=f"{number:032x}", title=HOSTILE) for number in range(1_000)]
        follow(system, Summary.of(channel_of(system), waiting), None)
        (ticket,) = peer.shown()
        assert "1,000 findings have no ticket of their own" in ticket.text
        assert "\u202e" not in ticket.text

    def test_a_stale_revision_changes_nothing(self, peer: Peer, system: TicketSystem) -> None:
        """Messages arrive in any order."""
        reference = follow(system, OPENED, None)
        follow(system, RESOLVED, reference)
        before = peer.shown()
        assert follow(system, APPLIED, reference) == reference
        assert peer.shown() == before

    def test_hostile_names_are_accepted_and_shown(self, peer: Peer, system: TicketSystem) -> None:
        """Line breaks, control characters, markup, emoji and 5,000 characters."""
        texts = ("title", "reason", "subject", "rule_name", "impact", "resolution", "changed_by")
        hostile = replace(OPENED, **dict.fromkeys(texts, HOSTILE), evidence={HOSTILE: HOSTILE})  # type: ignore[arg-type]
        reference = follow(system, hostile, None)
        follow(system, later(hostile, 2), reference)
        follow(system, later(hostile, 3, status=Status.RESOLVED, transition=Transition.RESOLVED), reference)
        (ticket,) = peer.shown()
        assert not ticket.is_open
        assert OPENED.id in ticket.text
        assert "\u202e" not in ticket.text
        assert "\x00" not in ticket.text
