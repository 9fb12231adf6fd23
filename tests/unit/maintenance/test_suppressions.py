"""Suppressions end by their time or with the configuration, and new exceptions suppress open findings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from permission_guard.config.document import FunctionTags, GuardConfig
from permission_guard.maintenance.maintainer import Outcome
from permission_guard.model.findings import Finding, Status, Transition
from permission_guard.model.suppressions import SuppressedBy, Suppression
from tests.fakes import ACCOUNT, OTHER, ROLE_ARN, TARGET, a_finding
from tests.unit.maintenance.account import START, Account, an_exception, at

if TYPE_CHECKING:
    from permission_guard.config.document import ExceptionEntry

TAGGED = {"team": "orders"}


def suppressed(by: SuppressedBy, exception: str = "", until: str = at(days=30), **more: object) -> Finding:
    """Return a suppressed finding."""
    suppression = Suppression(by=by, reason="Migration", owner="team-orders", until=until, exception=exception)
    values = {"status": Status.SUPPRESSED, "transition": Transition.SUPPRESSED, "revision": 2, **more}
    return a_finding(suppression=suppression, resolution="Suppressed by team-orders", **values)


def after(finding: Finding, config: GuardConfig | None = None, **later: float) -> Finding:
    """Return a finding after a run of maintenance."""
    account = Account(config or GuardConfig())
    account.add(finding)
    assert account.run(**later).outcome is Outcome.COMPLETE
    return account.findings[finding.id]


@pytest.mark.parametrize("by", SuppressedBy)
def test_a_finding_is_reopened_when_its_time_has_passed(by: SuppressedBy) -> None:
    """Whatever suppressed it; the reopened finding no longer names it."""
    config = GuardConfig(exceptions=(an_exception(tags=TAGGED),), function_tags=FunctionTags(enabled=True))
    finding = suppressed(by, "uploads", until=at(minutes=10))
    assert after(finding, config, minutes=9) == finding
    reopened = after(finding, config, minutes=10)
    assert (reopened.status, reopened.transition, reopened.revision) == (Status.OPEN, Transition.REOPENED, 3)
    assert (reopened.suppression, reopened.resolution, reopened.opened_at) == (None, "", at(minutes=10))


@pytest.mark.parametrize(
    ("entry", "is_open"),
    [
        (an_exception(), False),
        (an_exception(tags=TAGGED), False),
        (an_exception(tags=TAGGED, functions=("ord*",), accounts=(ACCOUNT,), qualifiers=("$LATEST",)), False),
        (an_exception(tags=TAGGED, rules=("PG202",)), True),
        (an_exception(tags=TAGGED, functions=("invoices",)), True),
        (an_exception(tags=TAGGED, accounts=("111122223333",)), True),
        (an_exception(tags=TAGGED, qualifiers=("live",)), True),
        (an_exception(tags=TAGGED, subject="other/*"), True),
        (an_exception(tags=TAGGED, roles=("orders-role",)), True),
        (an_exception(id="other", tags=TAGGED), True),
        (an_exception(rules=("PG202",)), True),
        (an_exception(expires=START), True),
        (an_exception(expires=START, tags=TAGGED), True),
        (None, True),
    ],
    ids=[
        "matches",
        "judged by checks",
        "narrowed, and matches",
        *(f"with other {name}" for name in ("rules", "functions", "accounts", "qualifiers", "subject", "roles")),
        "another with tags",
        "no match",
        "expired",
        "expired, with tags",
        "removed",
    ],
)
def test_a_finding_is_reopened_when_its_exception_no_longer_matches(
    entry: ExceptionEntry | None, *, is_open: bool
) -> None:
    """Checks read the tags of functions: an exception with tags stays until the next one, if it fits otherwise."""
    config = GuardConfig(exceptions=(entry,) if entry else ())
    finding = after(suppressed(SuppressedBy.EXCEPTION, "uploads"), config)
    assert (finding.status is Status.OPEN) is is_open


def test_a_finding_about_a_role_is_reopened_when_its_exception_got_tags() -> None:
    """The tags are those of functions: no check would find them."""
    of_role = suppressed(
        SuppressedBy.EXCEPTION, "uploads", function_arn="", role_arn=ROLE_ARN, functions=(TARGET.arn,), function_count=1
    )
    assert after(of_role, GuardConfig(exceptions=(an_exception(),))).status is Status.SUPPRESSED
    assert after(of_role, GuardConfig(exceptions=(an_exception(tags=TAGGED),))).status is Status.OPEN


@pytest.mark.parametrize(
    ("allowed", "is_open"),
    [
        (FunctionTags(), True),
        (FunctionTags(enabled=True), False),
        (FunctionTags(enabled=True, rules=("PG201",)), False),
        (FunctionTags(enabled=True, rules=("PG107",)), True),
    ],
)
def test_a_tag_suppresses_only_while_the_configuration_allows_it(allowed: FunctionTags, *, is_open: bool) -> None:
    """Whoever can tag a function could hide its findings."""
    finding = after(suppressed(SuppressedBy.FUNCTION_TAG), GuardConfig(function_tags=allowed))
    assert (finding.status is Status.OPEN) is is_open


def test_another_exception_takes_over_without_a_transition() -> None:
    """The finding was suppressed all the time: nobody is notified."""
    config = GuardConfig(exceptions=(an_exception(id="longer", owner="team-b"),))
    finding = after(suppressed(SuppressedBy.PERSON, until=at(minutes=10)), config, minutes=10)
    assert (finding.status, finding.revision, finding.transition) == (Status.SUPPRESSED, 2, Transition.SUPPRESSED)
    assert finding.suppression is not None
    assert (finding.suppression.exception, finding.suppression.owner) == ("longer", "team-b")
    assert finding.resolution == "Suppressed by team-b until 2027-05-19: Migration"


def test_what_a_person_suppressed_needs_no_exception() -> None:
    """A new configuration does not end it."""
    finding = suppressed(SuppressedBy.PERSON)
    assert after(finding, GuardConfig()) == finding


def test_a_suppressed_finding_without_a_suppression_is_reopened() -> None:
    """An item that another version damaged hides nothing."""
    assert after(replace(suppressed(SuppressedBy.PERSON), suppression=None)).status is Status.OPEN


def test_a_new_exception_suppresses_open_findings() -> None:
    """In the run after it was deployed, and once more, since a check may have used the configuration before."""
    account = Account()
    account.add(a_finding())
    account.run()
    account.config = GuardConfig(exceptions=(an_exception(),))
    assert account.run(minutes=10).suppressed == 1
    (finding,) = account.findings.values()
    assert (finding.status, finding.transition) == (Status.SUPPRESSED, Transition.SUPPRESSED)
    account.add(a_finding(id="late"))
    assert account.run(minutes=10).suppressed == 1
    account.add(a_finding(id="later"))
    account.reads.clear()
    assert account.run(minutes=10).suppressed == 0
    assert account.reads == [TARGET.arn]  # only for the suppressed ones


def test_an_exception_with_tags_is_left_to_the_checks() -> None:
    """They read the tags."""
    assert after(a_finding(), GuardConfig(exceptions=(an_exception(tags=TAGGED),))).status is Status.OPEN


def test_a_finding_that_changes_meanwhile_is_read_again() -> None:
    """A check resolved it: there is nothing to reopen."""
    finding = suppressed(SuppressedBy.PERSON, until=at(minutes=1))
    account = Account()
    account.add(finding)

    def resolve() -> None:
        account.findings[finding.id] = replace(finding, status=Status.RESOLVED, revision=3)

    account.before_write = resolve
    done = account.run(minutes=1)
    assert (done.reopened, done.failures, account.findings[finding.id].status) == (0, (), Status.RESOLVED)


def test_what_cannot_be_read_is_counted_and_keeps_nothing_else_back() -> None:
    """A damaged item, and a function whose findings cannot be read at all."""
    account = Account(broken={OTHER.arn}, unreadable={TARGET.arn: {"future"}})
    ended = suppressed(SuppressedBy.PERSON, until=at())
    account.add(ended, replace(ended, id="other", function_arn=OTHER.arn))
    done = account.run()
    assert (done.outcome, done.reopened, done.unreadable) == (Outcome.COMPLETE, 1, ("future",))
    assert done.failures == (f"{OTHER.arn}: ConnectionError: no answer",)


def test_a_run_that_is_short_of_time_is_continued_with_the_next_target() -> None:
    """Each target is read once."""
    account = Account()
    names = [f"function-{number}" for number in range(5)]
    for name in names:
        arn = replace(TARGET, name=name).arn
        account.add(suppressed(SuppressedBy.PERSON, until=at(), id=name, function_arn=arn))
    left = iter([900_000, 900_000, 900_000, 0, *[0] * 9])
    account.remaining = lambda: next(left)
    assert account.run().outcome is Outcome.STOPPED
    assert (len(account.reads), account.held.suppressed_after) == (2, replace(TARGET, name=names[1]).arn)
    account.remaining = lambda: 900_000
    assert (account.run().reopened, account.held.suppressed_after) == (3, "")
    assert len(set(account.reads[:5])) == 5


def test_of_two_runs_at_the_same_time_one_goes_on() -> None:
    """The other one stops, and reports so."""
    account = Account()
    account.add(suppressed(SuppressedBy.PERSON, until=at()))

    def other_run() -> None:
        account.held = replace(account.held, revision=account.held.revision + 1)

    account.before_write = other_run
    assert account.run().outcome is Outcome.OVERTAKEN


def test_a_suppression_is_ended_within_ten_minutes_of_its_time() -> None:
    """Not a minute before."""
    account = Account()
    account.add(suppressed(SuppressedBy.PERSON, until=(START + timedelta(minutes=25)).isoformat()))
    assert [account.run(minutes=10).reopened for _ in range(4)] == [0, 0, 1, 0]
