"""Every finding that waited is in a digest: the worst first, grouped, and within the limits of each channel."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.config.document import AlertLimit
from permission_guard.delivery.alerts.amazon_q.channel import AmazonQChannel
from permission_guard.delivery.alerts.amazon_q.message import notification
from permission_guard.delivery.alerts.channel import shows_all
from permission_guard.delivery.alerts.lazy import LazyChannel
from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.alerts.sns.message import publication
from permission_guard.delivery.waiting import WaitingItem, waiting_finding
from permission_guard.delivery.waiting_digests import MOST_FINDINGS, WaitingDigest, waiting_digest
from permission_guard.model.digests import Digest
from permission_guard.model.findings import Status, Transition
from permission_guard.model.verdicts import Severity
from tests.unit.delivery.examples import OPENED
from tests.unit.delivery.memory_limits import COMMAND

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = AlertLimit(messages=20, minutes=10)
WIDE = "\N{OK HAND SIGN}"


def waits(number: int, **more: Any) -> WaitingItem:
    """Return a finding that waits."""
    finding = replace(OPENED, id=f"{number:032x}", **more)
    return WaitingItem(id=finding.id, stored=str(number), finding=waiting_finding(finding, None))


def digest_of(items: Sequence[WaitingItem], limit: AlertLimit = LIMIT, **more: Any) -> WaitingDigest:
    """Return the next digest."""
    return waiting_digest(
        items,
        "sns",
        limit,
        account="123456789012",
        region="us-east-1",
        now="2026-11-20T09:00:00+00:00",
        command=COMMAND,
        **more,
    )


def digests_of(items: Sequence[WaitingItem]) -> list[WaitingDigest]:
    """Return every digest until nothing waits."""
    made: list[WaitingDigest] = []
    while items:
        made.append(digest_of(items))
        assert made[-1].items
        items = [one for one in items if one not in made[-1].items]
    return made


def test_a_digest_says_what_waited_and_why() -> None:
    """How many findings, for which limit, and how to list them."""
    made = digest_of([waits(number) for number in range(34)])
    digest = made.digest
    assert digest.title == "34 findings waited: more than 20 messages in 10 minutes"
    assert digest.command == COMMAND
    assert digest.severity is Severity.HIGH
    group = f"{OPENED.rule_id} {OPENED.rule_name} in {OPENED.account}"
    assert [part.title for part in digest.parts] == [f"{group}: 34", f"{group}, continued"]
    assert sum(len(part.lines) for part in digest.parts) == 34
    assert digest.parts[0].lines[0] == f"[HIGH] {OPENED.title} (opened; {0:032x})"
    message = made.message
    assert message.headline == f"[HIGH] {digest.title}"
    assert message.attributes["severity"] == ("high",)
    assert message.findings == tuple(f"{number:032x}" for number in range(34))
    assert Digest.from_document(json.loads(json.dumps(digest.to_document()))) == digest


def test_the_worst_come_first_and_what_is_over_last() -> None:
    """In groups of one account, rule and owner."""
    over = waits(1, severity=Severity.CRITICAL, status=Status.RESOLVED, transition=Transition.RESOLVED)
    low, critical = waits(2, severity=Severity.LOW), waits(3, severity=Severity.CRITICAL)
    other, elsewhere = waits(4, rule_id="PG101", severity=Severity.MEDIUM), waits(5, account="111122223333")
    made = digest_of([over, low, other, elsewhere, critical])
    assert [part.title.split()[-1] for part in made.digest.parts] == ["2", "1", "1", "1"]
    assert [one.id for one in made.items] == [one.id for one in (critical, low, elsewhere, other, over)]
    assert made.digest.parts[-1].title.startswith("No action needed: ")
    assert made.digest.parts[-1].lines == (f"{OPENED.title} (resolved; {over.id})",)


def test_subscribers_filter_by_the_worst_of_all_that_a_digest_reports() -> None:
    """Whoever was told of a critical finding hears that it is over. The headline has what is open."""
    over = waits(1, severity=Severity.CRITICAL, status=Status.RESOLVED, transition=Transition.RESOLVED)
    low, unread = waits(2, severity=Severity.LOW), WaitingItem(id="f" * 32, stored=None)
    mixed = digest_of([over, low]).message
    assert (mixed.severity, mixed.attributes["severity"]) == (Severity.LOW, ("critical",))
    only_over = digest_of([over]).message
    assert (only_over.severity, only_over.attributes["severity"]) == (None, ("critical",))
    assert "severity" not in digest_of([low, unread]).message.attributes


def test_owners_are_groups() -> None:
    """Each sees what is theirs."""
    items = [waits(1), waits(2, tags={"owner": "payments-team"})]
    assert [part.title for part in digest_of(items).digest.parts][1].endswith(", owner payments-team: 1")


def test_a_finding_that_opened_and_resolved_meanwhile_says_both() -> None:
    """Nobody has heard of either."""
    opened = waiting_finding(OPENED, None)
    resolved = replace(OPENED, revision=2, status=Status.RESOLVED, transition=Transition.RESOLVED)
    item = WaitingItem(id=OPENED.id, stored="", finding=waiting_finding(resolved, opened))
    made = digest_of([item]).digest
    assert made.parts[0].lines == (f"{OPENED.title} (opened, then resolved; {OPENED.id})",)
    assert made.severity is None
    assert made.title.startswith("1 finding waited")


def test_findings_that_cannot_be_read_are_named_first() -> None:
    """By what is known of them: their ids."""
    made = digest_of([waits(1), WaitingItem(id="f" * 32, stored=None)]).digest
    assert made.parts[0].lines == ("f" * 32,)


@pytest.mark.parametrize(
    "items",
    [
        [waits(number) for number in range(500)],
        [waits(number, rule_id=f"PG{number}", account=f"{number:012}") for number in range(200)],
        [waits(number, title=WIDE * 500, rule_name=WIDE * 500, rule_id=f"PG{number % 7}") for number in range(120)],
        [waits(number, title="x") for number in range(300)],
        [WaitingItem(id=f"{number:032x}", stored=None) for number in range(200)],
    ],
    ids=["alike", "each another group", "long", "short", "unreadable"],
)
def test_every_finding_is_shown_whole_by_every_channel(items: list[WaitingItem]) -> None:
    """Nothing is cut or omitted, since it is in no other message."""
    made = digests_of(items)
    reported = [item.id for one in made for item in one.items]
    assert sorted(reported) == [item.id for item in items]
    for one in made:
        assert len(one.items) <= MOST_FINDINGS
        message = one.message
        slack = json.dumps(payload(message))
        for item in one.items:
            assert f"{item.id})" in slack or f'{item.id}"' in slack or f"{item.id}\\n" in slack
            assert item.id in publication(message).message
        assert "Omitted" not in slack
        assert len(payload(message)["blocks"]) <= 50
    assert len(made) < len(items) / 10


@pytest.mark.parametrize("title", [OPENED.title, WIDE * 300, "<&*" * 100], ids=["usual", "long", "escaped"])
def test_amazon_q_shows_every_finding_of_a_digest(title: str) -> None:
    """Also through a channel that is not made before. Its text is shorter than that of Slack."""
    client: Any = None  # nothing is sent
    channel = LazyChannel("chat", lambda: AmazonQChannel(client, "arn:aws:sns:us-east-1:1:chat", name="chat"))
    items = [waits(number, title=title, rule_name=title) for number in range(90)]
    sizes: list[int] = []
    while items:
        made = digest_of(items, shows_all=partial(shows_all, channel))
        sizes.append(len(made.items))
        shown = notification(made.message, "")
        assert all(item.id in shown for item in made.items)
        items = [one for one in items if one not in made.items]
    assert len(sizes) > 1


def test_amazon_q_gets_a_full_digest_of_usual_titles() -> None:
    """Its text is full, so that a flood takes few messages: no list is longer than what it shows of one."""
    client: Any = None  # nothing is sent
    channel = AmazonQChannel(client, "arn:aws:sns:us-east-1:1:chat", name="chat")
    made = digest_of([waits(number) for number in range(500)], shows_all=partial(shows_all, channel))
    assert len(made.items) > 60


def test_a_digest_that_is_not_the_last_one_says_how_many_follow() -> None:
    """The reader knows that it is a part."""
    made = digest_of([waits(number) for number in range(500)])
    rest = 500 - len(made.items)
    assert f"The other {rest} follow" in made.digest.summary


def test_the_same_findings_are_the_same_digest() -> None:
    """A topic that knows its id drops it the second time."""
    items = [waits(number) for number in range(3)]
    assert digest_of(items).digest.id == digest_of(list(reversed(items))).digest.id
    assert digest_of(items).digest.id != digest_of(items[1:]).digest.id


def test_names_of_others_are_shown_on_one_line() -> None:
    """A title cannot add lines of its own."""
    (part,) = digest_of([waits(1, title="a\n[CRITICAL] b")]).digest.parts
    assert part.lines[0].startswith("[HIGH] a [CRITICAL] b (opened")
