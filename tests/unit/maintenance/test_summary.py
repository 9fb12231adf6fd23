"""The periodic digest says what is open, once a period, and that the bot is running."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from permission_guard.config.document import Alerts, GuardConfig, Period
from permission_guard.maintenance.state import ExceptionMemory
from permission_guard.maintenance.summary import period_of
from permission_guard.model.digests import Digest, DigestKind
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity
from tests.fakes import TARGET, a_finding
from tests.unit.maintenance.account import COMMAND, START, Account, an_exception, at


def an_account(digest: Period = Period.DAILY, **more: Any) -> Account:
    """Return an account whose first period has begun."""
    account = Account(config=GuardConfig(alerts=Alerts(digest=digest)), summaries=True, **more)
    account.run()
    return account


def digests(account: Account) -> list[Digest]:
    """Return the periodic digests that were sent."""
    return [account.digests[one] for one in account.sent if account.digests[one].kind is DigestKind.SUMMARY]


def lines(digest: Digest) -> dict[str, tuple[str, ...]]:
    """Return the lists of a digest."""
    return {part.title: part.lines for part in digest.parts}


@pytest.mark.parametrize(
    ("period", "hour", "now", "began"),
    [
        (Period.DAILY, 7, "2026-11-30T07:00:00+00:00", "2026-11-30"),
        (Period.DAILY, 7, "2026-11-30T06:59:59+00:00", "2026-11-29"),
        (Period.DAILY, 7, "2026-11-30T08:30:00+02:00", "2026-11-29"),
        (Period.WEEKLY, 7, "2026-11-30T07:00:00+00:00", "2026-11-30"),
        (Period.WEEKLY, 7, "2026-11-30T06:00:00+00:00", "2026-11-23"),
        (Period.WEEKLY, 0, "2026-12-06T23:59:00+00:00", "2026-11-30"),
        (Period.OFF, 7, "2026-11-30T07:00:00+00:00", ""),
    ],
)
def test_a_day_begins_at_its_hour_and_a_week_on_monday(period: Period, hour: int, now: str, began: str) -> None:
    """In UTC, whatever the zone of the time is."""
    assert period_of(Alerts(digest=period, digest_hour=hour), now) == began


def test_each_period_has_one_digest() -> None:
    """The first one ends without: the digest of the first sweep is about the same."""
    account = an_account()
    for _ in range(6 * 24 * 3):
        account.run(minutes=10)
    assert [one.created_at[:13] for one in digests(account)] == [
        f"{START.date() + timedelta(days=day)}T07" for day in (1, 2, 3)
    ]


def test_a_weekly_digest_is_sent_on_monday() -> None:
    """The start is a Friday."""
    account = an_account(Period.WEEKLY)
    for _ in range(24 * 15):
        account.run(hours=1)
    assert [datetime.fromisoformat(one.created_at).strftime("%A") for one in digests(account)] == ["Monday", "Monday"]


def test_none_is_sent_if_it_is_off() -> None:
    """Nor is a period remembered."""
    account = an_account(Period.OFF)
    account.run(days=30)
    assert digests(account) == []
    assert account.held.summarized == ""


def test_a_run_that_fails_after_sending_sends_no_second_one() -> None:
    """The id is that of the period."""
    account = an_account()
    account.run(days=1)
    account.held = replace(account.held, summarized="2026-11-19")
    account.run(minutes=10)
    assert len(account.sent) == 2
    assert len(set(account.sent)) == 1


def test_it_counts_what_is_open() -> None:
    """By severity, rule, account and owner, with the oldest ones."""
    account = an_account()
    high = {"severity": Severity.HIGH, "tags": {"owner": "payments-team"}}
    account.add(
        a_finding(id="1" * 32, first_seen=at(days=-9), **high),
        a_finding(id="2" * 32, first_seen=at(days=-2), **high),
        a_finding(id="3" * 32, first_seen=at(), severity=Severity.LOW, rule_id="PG204", rule_name="logging-missing"),
        a_finding(id="4" * 32, first_seen=at(), account="111122223333", **high),
        a_finding(id="5" * 32, first_seen=at(), status=Status.RESOLVED, **high),
    )
    account.run(days=1)
    (digest,) = digests(account)
    assert digest.title == "4 open findings in 123456789012, us-east-1"
    assert digest.summary == "Open: 3 high, 1 low. Suppressed: 0. The bot is running."
    assert digest.command == COMMAND
    shown = lines(digest)
    assert shown["By rule"] == ("3 high: PG201 event-source-read-missing", "1 low: PG204 logging-missing")
    assert shown["By account"] == ("3: 123456789012", "1: 111122223333")
    assert shown["By owner"] == ("3: payments-team", "1: no owner tag")
    assert shown["Open for longest"][0].startswith("since 2026-11-11 [HIGH] PG201 ")
    assert [line[6:16] for line in shown["Open for longest"]] == [
        "2026-11-11",
        "2026-11-18",
        "2026-11-20",
        "2026-11-20",
    ]


def test_nothing_to_report_is_a_short_digest() -> None:
    """Silence could also mean that the bot does not run."""
    account = an_account()
    account.run(days=1)
    (digest,) = digests(account)
    assert digest.title == "No open findings in 123456789012, us-east-1"
    assert digest.summary == "Open: none. Suppressed: 0. The bot is running."
    assert (digest.parts, digest.command) == ((), "")


def test_it_names_exceptions_that_need_attention_also_if_they_were_reported() -> None:
    """Each is reported by itself once; the digest repeats it until somebody acts."""
    soon = an_exception(id="soon", expires=START + timedelta(days=5))
    unused = an_exception(id="unused")
    account = an_account()
    account.config = replace(account.config, exceptions=(soon, unused, an_exception(id="used")))
    memory = {name: ExceptionMemory(first_seen=at(days=-90), last_matched=at()) for name in ("soon", "used")}
    account.held = replace(account.held, exceptions={**memory, "unused": ExceptionMemory(first_seen=at(days=-90))})
    account.run(days=1)
    (digest,) = digests(account)
    shown = lines(digest)
    assert shown["Exceptions that expire within a week"] == ("soon: team-orders, until 2026-11-25",)
    assert [line.split(":")[0] for line in shown["Exceptions that matched nothing for 30 days"]] == ["unused"]


def test_it_counts_what_could_not_be_evaluated_by_cause() -> None:
    """The same cause at two resources is one."""
    denied = "PG202: access denied for arn:aws:secretsmanager:us-east-1:123456789012:secret:{}"
    account = an_account(listed=[TARGET])
    account.not_evaluated = [denied.format("a"), denied.format("b"), "PG103: the account of the bucket is not known"]
    account.run(days=1)
    (digest,) = digests(account)
    assert lines(digest)["Could not be evaluated, by cause"] == (
        "2: PG202: access denied for (ARN)",
        "1: PG103: the account of the bucket is not known",
    )


def test_it_counts_the_messages_in_dead_letter_queues() -> None:
    """Empty ones are not listed."""
    account = an_account()
    account.dead = {"AlertDeadLetterQueue": 3, "FixDeadLetterQueue": 0}
    account.run(days=1)
    (digest,) = digests(account)
    assert lines(digest)["Messages in dead-letter queues"] == ("AlertDeadLetterQueue: 3",)


def test_what_cannot_be_read_keeps_nothing_else_back() -> None:
    """The digest says so as far as it is about findings, and the run reports each failure."""
    account = an_account()
    account.add(a_finding(id="1" * 32), a_finding(id="2" * 32, function_arn=f"{TARGET.arn}-2"))
    account.broken = {f"{TARGET.arn}-2"}
    account.dead = {"broken": 1}
    done = account.run(days=1)
    (digest,) = digests(account)
    assert digest.title.startswith("1 open finding in")
    assert lines(digest)["Not complete"] == ("Functions and roles that could not be read: 1.",)
    assert sum("ConnectionError" in one for one in done.failures) >= 2


def test_without_time_the_next_run_sends_it() -> None:
    """The period is not over by then."""
    account = an_account()
    account.remaining = lambda: 1
    account.run(days=1)
    assert digests(account) == []
    account.remaining = lambda: 900_000
    account.run(minutes=10)
    assert len(digests(account)) == 1


def test_long_lists_say_how_many_more_there_are() -> None:
    """Each line is bounded, too."""
    account = an_account()
    account.not_evaluated = [f"PG201: reason {number} {'x' * 900}" for number in range(40)]
    account.run(days=1)
    (digest,) = digests(account)
    shown = lines(digest)["Could not be evaluated, by cause"]
    assert shown[-1] == "28 more"
    assert max(map(len, shown)) <= 180
