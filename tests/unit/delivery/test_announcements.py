"""Nobody is notified of the end of what nobody was notified of, and the digest reports what the first sweep found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.delivery.alerts.base import send
from permission_guard.delivery.announcements import instead_of_alert
from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.delivery.tickets.base import update_ticket
from permission_guard.findings.baseline import Baseline, BaselineStatus
from permission_guard.findings.lifecycle import advanced
from permission_guard.model.findings import Finding, FixRecord, FixResult, Status, Transition
from tests.fakes import NOW, a_finding
from tests.unit.delivery.channels import Channel
from tests.unit.delivery.memory_ledger import MemoryLedger, unread
from tests.unit.delivery.tickets.test_base import Tickets

if TYPE_CHECKING:
    from collections.abc import Sequence

OPENED, RESOLVED, SUPPRESSED, REOPENED = (
    Transition.OPENED,
    Transition.RESOLVED,
    Transition.SUPPRESSED,
    Transition.REOPENED,
)
PROPOSED, REFUSED, APPLIED = Transition.FIX_PROPOSED, Transition.FIX_REFUSED, Transition.FIX_APPLIED
STATUS = {RESOLVED: Status.RESOLVED, SUPPRESSED: Status.SUPPRESSED}

OPEN = Baseline(status=BaselineStatus.OPEN, opened_at=NOW)
CLOSED = Baseline(status=BaselineStatus.CLOSED, opened_at=NOW, closed_at=NOW, digest_id="baseline-1")


def after(transitions: Sequence[Transition], **more: object) -> list[Finding]:
    """Return a finding after each of its transitions."""
    finding, found = replace(a_finding(first_seen=NOW, last_seen=NOW, **more), revision=0), []
    for transition in transitions:
        status = STATUS.get(transition, Status.OPEN)
        finding = replace(advanced(finding, transition, NOW), status=status)
        found.append(finding)
    return found


def alerted(transitions: Sequence[Transition], *, is_baseline: bool = False) -> list[Transition]:
    """Return the transitions about which an alert is sent while the baseline is open."""
    found = after(transitions, baseline=is_baseline)
    return [one.transition for one in found if instead_of_alert(one, lambda: OPEN) is None]


@pytest.mark.parametrize(
    ("transitions", "sent"),
    [
        ([OPENED, RESOLVED], [OPENED, RESOLVED]),
        ([OPENED, SUPPRESSED, RESOLVED], [OPENED, SUPPRESSED]),
        ([OPENED, SUPPRESSED, REOPENED, RESOLVED], [OPENED, SUPPRESSED, REOPENED, RESOLVED]),
        ([OPENED, SUPPRESSED, SUPPRESSED], [OPENED, SUPPRESSED]),
        ([OPENED, RESOLVED, SUPPRESSED], [OPENED, RESOLVED]),
        ([SUPPRESSED, RESOLVED], []),
        ([SUPPRESSED, REOPENED, RESOLVED], [REOPENED, RESOLVED]),
        ([OPENED, PROPOSED, RESOLVED], [OPENED, PROPOSED, RESOLVED]),
    ],
)
def test_the_end_of_an_announced_finding_is_announced(transitions: list[Transition], sent: list[Transition]) -> None:
    """A suppressed finding is quiet, also when it is resolved."""
    assert alerted(transitions) == sent


@pytest.mark.parametrize("ends", [(SUPPRESSED, RESOLVED), (RESOLVED, SUPPRESSED)])
def test_an_end_that_is_not_announced_does_not_hide_the_one_before_it(ends: tuple[Transition, Transition]) -> None:
    """It can arrive first. Without the other one, the last alert would say that the finding is open."""
    opened, first, second = after([OPENED, *ends])
    ledger, channel = MemoryLedger(), Channel("sns")
    for finding in (opened, second, second, first, second):
        send(finding, lambda: second, [channel], ledger)
    assert channel.revisions == [opened.revision, first.revision]
    assert (ledger.expires_at is not None) is (second.status is Status.RESOLVED)


@pytest.mark.parametrize(
    ("transitions", "sent"),
    [
        ([OPENED, RESOLVED], []),
        ([OPENED, SUPPRESSED, RESOLVED], []),
        ([OPENED, RESOLVED, REOPENED, RESOLVED], [REOPENED, RESOLVED]),
        ([OPENED, SUPPRESSED, REOPENED, SUPPRESSED], [REOPENED, SUPPRESSED]),
        ([OPENED, PROPOSED, REFUSED], []),
        ([OPENED, APPLIED], [APPLIED]),
        ([OPENED, *[PROPOSED] * 10, RESOLVED], [PROPOSED, RESOLVED]),
    ],
    ids=["resolved", "suppressed", "reopened", "reopened, suppressed", "refused", "applied", "history too short"],
)
def test_a_finding_of_the_baseline_is_quiet_until_it_reopens(
    transitions: list[Transition], sent: list[Transition]
) -> None:
    """The digest reports it. A change of IAM by the bot is always reported."""
    assert alerted(transitions, is_baseline=True) == sent


@pytest.mark.parametrize(
    ("baseline", "is_quiet"),
    [
        (OPEN, True),
        (CLOSED, True),
        (replace(CLOSED, status=BaselineStatus.CLOSING, digest_id=""), True),
        (replace(CLOSED, closed_at="2020-01-01T00:00:00+00:00"), False),
        (replace(CLOSED, digest_id=""), False),
        (None, False),
    ],
    ids=["open", "closed", "closing", "ended before", "no digest", "no baseline"],
)
def test_a_finding_that_no_digest_reports_is_alerted(baseline: Baseline | None, *, is_quiet: bool) -> None:
    """A check of the first sweep that came too late, or somebody wrote the finding."""
    (finding,) = after([OPENED], baseline=True)
    expected = DeliveryOutcome.IN_DIGEST if is_quiet else None
    assert instead_of_alert(finding, lambda: baseline) is expected


def test_what_a_person_decided_about_a_finding_of_the_baseline_is_reported() -> None:
    """They wait for the result."""
    *_, refused = after([OPENED, PROPOSED, REFUSED], baseline=True)
    fix = FixRecord(name="fix", result=FixResult.REFUSED, summary="", at=NOW, attempts=1, decided_by="arn:jane")
    assert instead_of_alert(replace(refused, fix=fix), lambda: OPEN) is None


def test_the_baseline_is_read_only_for_its_findings() -> None:
    """It would be a read for each alert."""
    (finding,) = after([OPENED])

    def fail() -> Baseline:
        raise AssertionError("the baseline was read")

    assert instead_of_alert(finding, fail) is None


def test_a_channel_that_is_added_later_gets_no_alert_of_the_baseline() -> None:
    """The sweep hands the finding over again; the record of each channel says that the digest has it."""
    (finding,) = after([OPENED], baseline=True)
    ledger, sns, slack = MemoryLedger(), Channel("sns"), Channel("slack")
    outcomes = [
        [one.outcome for one in send(finding, unread, channels, ledger, baseline=lambda: OPEN)]
        for channels in ([sns], [sns, slack])
    ]
    assert outcomes == [
        [DeliveryOutcome.IN_DIGEST],
        [DeliveryOutcome.ALREADY_DELIVERED, DeliveryOutcome.IN_DIGEST],
    ]
    assert sns.sent == slack.sent == []


@pytest.mark.parametrize(
    ("transitions", "baseline", "tickets"),
    [
        ([OPENED, PROPOSED, RESOLVED], True, {}),
        ([OPENED, RESOLVED, REOPENED], True, {"T-1": "open, revision 3"}),
        ([OPENED, SUPPRESSED], False, {"T-1": "resolved, revision 2"}),
        ([SUPPRESSED, RESOLVED], False, {}),
        ([SUPPRESSED, REOPENED], False, {"T-1": "open, revision 2"}),
    ],
)
def test_a_ticket_is_opened_only_for_what_is_announced(
    transitions: list[Transition], tickets: dict[str, str], *, baseline: bool
) -> None:
    """Suppressing a finding closes its ticket."""
    ledger, system = MemoryLedger(), Tickets()
    for finding in after(transitions, baseline=baseline):
        update_ticket(finding, unread, system, ledger, baseline=lambda: OPEN)
    assert system.tickets == tickets
