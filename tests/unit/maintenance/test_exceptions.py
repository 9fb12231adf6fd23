"""The owner of an exception is named a week before its end, and an exception that matches nothing is reported."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from permission_guard.config.document import GuardConfig
from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.alerts.sns.message import publication
from permission_guard.delivery.digests import compose_digest
from permission_guard.maintenance.state import ExceptionMemory, MaintenanceState
from permission_guard.model.suppressions import SuppressedBy
from tests.fakes import ACCOUNT
from tests.unit.maintenance.account import START, Account, an_exception, at
from tests.unit.maintenance.test_suppressions import suppressed

if TYPE_CHECKING:
    from permission_guard.model.digests import Digest

SOON = an_exception(id="soon", expires=START + timedelta(days=10))
USED = an_exception(id="used")
UNUSED = an_exception(id="unused", rules=("PG107",))


def lines(account: Account) -> list[list[str]]:
    """Return the lines of each digest that was sent."""
    return [[line for part in account.digests[one].parts for line in part.lines] for one in account.sent]


def mailed(digest: Digest) -> str:
    """Return a digest as SNS sends it."""
    return publication(compose_digest(digest)).text


def shown_in_slack(digest: Digest) -> str:
    """Return a digest as Slack gets it."""
    return str(payload(compose_digest(digest)))


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
    account.held = MaintenanceState()  # the state of the first run was not stored
    assert account.run(minutes=10).digests == first


def test_every_owner_is_named_however_many_exceptions_end_on_one_day() -> None:
    """Each run names as many as every channel shows, and the next one names others."""
    owners = {f"team-{number:03}-" + "x" * 180 for number in range(120)}
    reason = "Migration " * 100
    entries = [an_exception(id=owner[:8], owner=owner, reason=reason, expires=SOON.expires) for owner in owners]
    account = Account(GuardConfig(exceptions=tuple(entries)))
    account.run(days=4)
    assert sum(bool(one.warned_of) for one in account.held.exceptions.values()) == 24
    for _ in range(5):
        account.run(minutes=10)
    assert len(account.sent) == len(set(account.sent)) == 5
    for shown in (mailed, shown_in_slack):
        named = [{owner for owner in owners if owner in shown(one)} for one in account.digests.values()]
        assert [len(one) for one in named] == [24] * 5
        assert set().union(*named) == owners


def test_what_expires_is_reported_before_what_is_stale() -> None:
    """The soonest end comes first."""
    stale = [an_exception(id=f"stale-{number:02}") for number in range(30)]
    soon = [an_exception(id=f"soon-{days}", expires=START + timedelta(days=days)) for days in (36, 35)]
    account = Account(GuardConfig(exceptions=(*stale, *soon)))
    account.held = MaintenanceState(exceptions={one.id: ExceptionMemory(first_seen=at()) for one in (*stale, *soon)})
    account.run(days=30)
    account.run(minutes=10)
    first, second = ([line.partition(":")[0] for line in one] for one in lines(account))
    names = [one.id for one in (*stale, *soon)]
    assert first == ["soon-35", "soon-36", *names[:22]]
    assert second == names[22:]


def test_an_end_that_is_moved_there_and_back_is_reported_each_time() -> None:
    """A digest has the id of its run: what it reports was reported before."""
    account = Account(GuardConfig(exceptions=(SOON,)))
    account.run(days=4)
    for expires in (START + timedelta(days=9), SOON.expires):
        account.config = GuardConfig(exceptions=(an_exception(id="soon", expires=expires),))
        account.run(minutes=10)
    assert len(account.digests) == len(account.sent) == 3


def test_an_exception_of_another_account_is_not_reported() -> None:
    """All accounts have one configuration: there it may match, and its owner is warned there."""
    elsewhere = {"accounts": ("111122223333",)}
    entries = (an_exception(id="unused", **elsewhere), an_exception(id="soon", expires=SOON.expires, **elsewhere))
    account = Account(GuardConfig(exceptions=entries))
    assert [account.run(days=days).digests for days in (0, 5, 30)] == [()] * 3
    account.config = GuardConfig(exceptions=(an_exception(id="unused", accounts=("111122223333", ACCOUNT)),))
    assert [len(account.run(days=days).digests) for days in (0, 31)] == [0, 1]
