"""The baseline ends when every function was checked, or after three hours, and sends one digest."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.findings.baseline import Baseline, BaselineStatus
from permission_guard.model import limits
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity
from tests.fakes import OTHER, TARGET, a_finding
from tests.unit.maintenance.account import COMMAND, Account, at

if TYPE_CHECKING:
    from permission_guard.model.digests import Digest

OPEN = Baseline(status=BaselineStatus.OPEN, opened_at=at(), revision=1)
MANY = [replace(TARGET, name=f"function-{number:03}") for number in range(120)]


def status(account: Account) -> BaselineStatus:
    """Return the state of the baseline."""
    assert account.first is not None
    return account.first.status


def digest_of(account: Account) -> Digest:
    """Return the only digest, after the baseline has ended."""
    while status(account) is not BaselineStatus.CLOSED:
        account.run(minutes=10)
    (digest,) = account.digests.values()
    assert account.sent == [digest.id]
    return digest


def test_it_is_open_until_every_function_was_checked() -> None:
    """The digest follows a run later: checks write what they found before the end."""
    account = Account(first=OPEN, listed=MANY, not_checked={"function-070"})
    assert account.run(minutes=10).digests == ()
    assert account.first == replace(OPEN, after=MANY[49].arn, revision=2)
    account.not_checked.clear()
    account.run(minutes=10)
    assert account.first == replace(
        OPEN, status=BaselineStatus.CLOSING, closed_at=at(minutes=20), after=MANY[-1].arn, revision=3
    )
    assert account.run(seconds=59).digests == ()
    (sent,) = account.run(seconds=1).digests
    assert (status(account), account.first.digest_id) == (BaselineStatus.CLOSED, sent)
    assert account.run(minutes=10).digests == ()


def test_it_is_open_while_the_first_list_is_not_complete() -> None:
    """The sweep is still listing the functions."""
    account = Account(first=OPEN, listed=None)
    account.run(minutes=10)
    assert status(account) is BaselineStatus.OPEN


def test_it_ends_after_three_hours_and_says_how_many_functions_were_not_checked() -> None:
    """Their findings send alerts as always."""
    account = Account(first=OPEN, listed=MANY, not_checked={"function-001", "function-110"})
    account.run(minutes=179)
    assert status(account) is BaselineStatus.OPEN
    account.run(minutes=1)
    assert account.first is not None
    assert (status(account), account.first.unchecked) == (BaselineStatus.CLOSING, 2)
    (part,) = digest_of(account).parts
    assert part.lines == ("Functions not checked within three hours: 2. Their findings send alerts as always.",)


def test_the_digest_counts_by_rule_and_severity_and_names_the_ten_worst() -> None:
    """With the command that lists all of them."""
    account = Account(first=OPEN, listed=[TARGET, OTHER])
    for number in range(30):
        account.add(a_finding(id=f"m{number:02}", severity=Severity.MEDIUM, baseline=True, first_seen=at()))
    worst = {"severity": Severity.CRITICAL, "rule_id": "PG101", "rule_name": "public-invoke", "baseline": True}
    account.add(a_finding(id="worst", function_arn=OTHER.arn, title="anyone may invoke", first_seen=at(), **worst))
    digest = digest_of(account)
    assert digest.title == "First sweep: 31 findings in 123456789012, us-east-1"
    counts, named = digest.parts
    rule = f"PG201 {a_finding().rule_name}"
    assert counts.lines == ("1 critical: PG101 public-invoke", f"30 medium: {rule}")
    assert named.title == "The 10 worst"
    assert named.lines[0] == f"[CRITICAL] PG101 {OTHER.arn}: anyone may invoke"
    assert len(named.lines) == 10
    assert digest.command == COMMAND


def test_a_digest_of_very_long_texts_fits_an_item() -> None:
    """Others choose the names in a title, and a digest that cannot be stored would stop maintenance."""
    account = Account(first=OPEN, listed=[TARGET])
    for number in range(20):
        name = f"rule-{number % 2}-" + "n" * 50_000
        account.add(a_finding(id=f"f{number}", title="t" * 50_000, rule_name=name, baseline=True, first_seen=at()))
    digest = digest_of(account)
    counts, named = digest.parts
    assert [len(part.lines) for part in digest.parts] == [2, 10]
    assert {len(line) for line in (*counts.lines, *named.lines)} == {300}
    assert all(line.endswith("…") for line in named.lines)
    assert named.lines[0].startswith(f"[HIGH] PG201 {TARGET.arn}: ttt")
    assert len(json.dumps(digest.to_document())) < limits.TABLE_ITEM


def test_it_reports_only_open_findings_that_the_baseline_opened() -> None:
    """The others sent an alert, or are resolved."""
    account = Account(first=OPEN, listed=[TARGET])
    account.add(
        a_finding(id="event", first_seen=at()),
        a_finding(id="resolved", status=Status.RESOLVED, baseline=True, first_seen=at()),
        a_finding(id="late", baseline=True, first_seen=at(minutes=11)),
    )
    digest = digest_of(account)
    assert digest.title == "First sweep: no findings in 123456789012, us-east-1"
    assert (digest.summary, digest.parts, digest.command) == ("No problem was found.", (), "")


def test_findings_that_cannot_be_read_do_not_keep_the_digest_back() -> None:
    """It says that it is not complete."""
    account = Account(first=OPEN, listed=[TARGET], broken={OTHER.arn})
    account.add(
        a_finding(baseline=True, first_seen=at()),
        a_finding(id="other", function_arn=OTHER.arn, baseline=True, first_seen=at()),
    )
    digest = digest_of(account)
    assert digest.title == "First sweep: 1 finding in 123456789012, us-east-1"
    assert digest.parts[-1].lines == ("Functions and roles whose findings could not be read: 1.",)


def test_a_run_that_fails_after_sending_sends_the_same_digest() -> None:
    """It has the id of its baseline: the ledger of the channels skips it."""
    account = Account(first=OPEN, listed=[TARGET])
    digest = digest_of(account)
    account.first = replace(OPEN, status=BaselineStatus.CLOSING, closed_at=at(minutes=10))
    assert account.run(minutes=10).digests == (digest.id,)
    assert account.digests == {digest.id: digest}


def test_a_stack_without_a_baseline_sends_no_digest() -> None:
    """It was upgraded, wants an alert for each finding, or has not swept yet."""
    for first in (None, replace(OPEN, status=BaselineStatus.CLOSED)):
        assert Account(first=first, listed=[TARGET]).run(hours=4).digests == ()
