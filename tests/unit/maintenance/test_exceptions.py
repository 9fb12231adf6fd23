"""The owner of an exception is named a week before its end, and an exception that matches nothing is reported."""

from __future__ import annotations

from datetime import timedelta

from permission_guard.config.document import GuardConfig
from permission_guard.maintenance.exceptions import Review, exceptions_digest
from permission_guard.maintenance.state import ExceptionMemory, MaintenanceState
from permission_guard.model.findings import SuppressedBy
from tests.fakes import ACCOUNT, REGION
from tests.unit.maintenance.account import START, Account, an_exception, at
from tests.unit.maintenance.test_suppressions import suppressed

SOON = an_exception(id="soon", expires=START + timedelta(days=10))
USED = an_exception(id="used")
UNUSED = an_exception(id="unused", rules=("PG107",))


def lines(account: Account) -> list[list[str]]:
    """Return the lines of each digest that was sent."""
    return [[line for part in account.digests[one].parts for line in part.lines] for one in account.sent]


def test_the_owner_is_named_once_a_week_before_the_end() -> None:
    """And once more if the end is moved."""
    account = Account(GuardConfig(exceptions=(SOON,)))
    assert [len(account.run(days=1).digests) for _ in range(6)] == [0, 0, 1, 0, 0, 0]
    assert lines(account) == [["soon: team-orders, until 2026-11-30. Migration"]]
    (digest,) = account.digests.values()
    assert digest.title == "Exceptions: 1 expire soon, 0 match nothing"
    assert digest.summary.startswith("When an exception expires, its findings are open again.")
    account.config = GuardConfig(exceptions=(an_exception(id="soon", expires=START + timedelta(days=12)),))
    assert len(account.run(hours=1).digests) == 1
    assert len(set(account.sent)) == 2


def test_an_exception_that_has_expired_is_not_reported() -> None:
    """Its findings are open again, and send alerts."""
    account = Account(GuardConfig(exceptions=(an_exception(expires=START),)))
    assert [account.run(days=20).digests for _ in range(4)] == [()] * 4


def test_an_exception_without_a_finding_is_stale_after_30_days_and_again_after_30_more() -> None:
    """One that suppresses a finding is not."""
    account = Account(GuardConfig(exceptions=(USED, UNUSED)))
    account.add(suppressed(SuppressedBy.EXCEPTION, "used", until=at(days=180)))
    reported = [day for day in range(1, 71) if account.run(days=1).digests]
    assert reported == [31, 61]  # it was first seen on the first day
    assert lines(account) == [["unused: team-orders, never matched. Migration"]] * 2


def test_an_exception_whose_last_finding_was_resolved_is_stale_30_days_later() -> None:
    """The report names the last day with a finding."""
    account = Account(GuardConfig(exceptions=(USED,)))
    account.add(suppressed(SuppressedBy.EXCEPTION, "used", until=at(days=180)))
    account.run(days=5)
    account.findings.clear()
    assert [day for day in range(6, 40) if account.run(days=1).digests] == [35]
    assert lines(account) == [["used: team-orders, last matched 2026-11-25. Migration"]]


def test_what_left_the_configuration_is_forgotten() -> None:
    """When it comes back, it is new."""
    account = Account(GuardConfig(exceptions=(UNUSED,)))
    account.run()
    account.config = GuardConfig()
    account.run(days=20)
    assert account.held.exceptions == {}
    account.config = GuardConfig(exceptions=(UNUSED,))
    assert [account.run(days=20).digests for _ in range(2)] == [(), ()]


def test_a_run_that_fails_after_sending_sends_the_same_digest() -> None:
    """The ledger of the channels skips it: the id is that of what it reports."""
    account = Account(GuardConfig(exceptions=(SOON,)))
    first = account.run(days=4).digests
    account.held = MaintenanceState(revision=account.held.revision)
    assert account.run(minutes=10).digests == first


def test_a_digest_of_very_many_exceptions_is_bounded() -> None:
    """It says how many more there are."""
    entries = tuple(an_exception(id=f"e{number}") for number in range(60))
    found = Review({one.id: ExceptionMemory(first_seen=at()) for one in entries}, stale=entries, about=("e",))
    digest = exceptions_digest(found, account=ACCOUNT, region=REGION, now=at())
    assert digest is not None
    assert [len(part.lines) for part in digest.parts] == [51]
    assert digest.parts[0].lines[-1] == "and 10 more"
    assert digest.summary == "Remove an exception that is no longer needed from the configuration document."
