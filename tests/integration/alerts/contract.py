"""What every alert channel must do: a class of tests, and the other end that each channel brings along.

A channel that posts to a server over HTTP passes `HttpAlertChannelContract`, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import pytest

from permission_guard.bus.alert_tests import AlertTest
from permission_guard.delivery.alert_tests import compose_test
from permission_guard.delivery.digests import compose_digest
from permission_guard.delivery.finding_messages import compose
from permission_guard.model.digests import Digest, DigestKind, DigestPart, digest_id
from permission_guard.model.findings import Transition
from permission_guard.records import record
from tests.unit.delivery.examples import APPLIED, EXAMPLES, HOSTILE, HOSTILE_FINDING, OPENED, PROPOSED, RESOLVED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.message import Message

CONSOLE: Final = "https://us-east-1.console.aws.amazon.com/"
"""How every address in a message about the examples begins."""

INVISIBLE: Final = "\x00\x1b\r\u202e"
"""Characters of the hostile examples that hide or change what is shown."""

OTHER: Final = replace(OPENED, id="f" * len(OPENED.id), title="orders cannot write its log group", rule_id="PG204")
"""Another finding of the same event."""

DIGEST: Final = Digest(
    id=digest_id(DigestKind.BASELINE, "123456789012", "us-east-1"),
    kind=DigestKind.BASELINE,
    account="123456789012",
    region="us-east-1",
    created_at="2026-11-20T09:00:00.000+00:00",
    title=f"First sweep: 2 findings {HOSTILE}",
    summary=f"These findings existed when the bot started. {HOSTILE}",
    parts=(DigestPart("Findings by rule", ("2 high: PG102 source-missing",)), DigestPart(HOSTILE, (HOSTILE,) * 500)),
    command="permission-guard findings list --region us-east-1",
)
TEST: Final = AlertTest(
    id="0" * 32,
    by=f"arn:aws:sts::123456789012:assumed-role/platform/{HOSTILE}",
    at="2026-11-20T09:30:00+00:00",
    account="123456789012",
    region="us-east-1",
)
MESSAGES: Final[Mapping[str, Message]] = {
    **{case: compose(finding) for case, finding in EXAMPLES.items()},
    "group": compose(OPENED, OTHER),
    "digest": compose_digest(DIGEST),
    "test": compose_test(TEST),
}
"""One message of each kind, and with what others may write into it."""


@record(kw_only=True)
class Shown:
    """A message as its readers see it: its text, whom it notifies by a mention, and the addresses of its links."""

    text: str
    mentions: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


class Peer(Protocol):
    """The other end. It rejects what the vendor rejects: a message that is too long, or invalid."""

    def shown(self) -> list[Shown]:
        """Return every message as it was accepted, the oldest first; each version of one that is updated."""


class AlertChannelContract:
    """What every alert channel must do. A subclass in a test module has the fixtures `peer` and `channel`."""

    def test_a_message_is_delivered_once(self, peer: Peer, channel: AlertChannel) -> None:
        """It says what is wrong with which function, how to fix it, and which finding it is."""
        channel.send(compose(OPENED), None)
        (message,) = peer.shown()
        for part in (OPENED.title, OPENED.id, OPENED.rule_id, "123456789012", "aws iam"):
            assert part in message.text

    @pytest.mark.parametrize("case", MESSAGES)
    def test_every_kind_of_message_is_accepted(self, peer: Peer, channel: AlertChannel, case: str) -> None:
        """An opened, a resolved and a huge finding, several together, a digest and a test message."""
        channel.send(MESSAGES[case], None)
        assert len(peer.shown()) == 1

    @pytest.mark.parametrize("case", ["hostile", "digest", "test"])
    def test_text_of_others_is_shown_and_does_nothing(self, peer: Peer, channel: AlertChannel, case: str) -> None:
        """It notifies nobody, it is no link, and what is invisible is not in it."""
        channel.send(MESSAGES[case], None)
        (message,) = peer.shown()
        assert message.mentions == ()
        assert all(link.startswith(CONSOLE) for link in message.links)
        assert not set(message.text) & set(INVISIBLE)
        assert "boom" in message.text

    def test_a_hostile_name_hides_nothing(self, peer: Peer, channel: AlertChannel) -> None:
        """What identifies the finding is there."""
        channel.send(compose(HOSTILE_FINDING), None)
        assert OPENED.id in peer.shown()[0].text

    def test_the_life_of_a_finding_is_shown(self, peer: Peer, channel: AlertChannel) -> None:
        """Each revision gets the reference of the last delivery."""
        reference = None
        for revision, finding in enumerate((OPENED, PROPOSED, APPLIED, RESOLVED), 1):
            sent = channel.send(compose(replace(finding, id=OPENED.id, revision=revision)), reference)
            reference = reference if sent is None else sent
        text = "\n".join(message.text for message in peer.shown())
        for state in ("Opened", "Fix proposed", "Fix applied", "Resolved"):
            assert state in text

    @pytest.mark.parametrize(
        "reference",
        ["", "x" * 5_000, "../../x", "C0123ABCD/1700000000.000100/0", "\x00\r\n", "https://evil.example/", "é"],
    )
    def test_an_invalid_reference_does_not_keep_a_message_from_being_sent(
        self, peer: Peer, channel: AlertChannel, reference: str
    ) -> None:
        """The reference is a text in a table."""
        channel.send(compose(replace(OPENED, revision=2, transition=Transition.REOPENED)), reference)
        assert "Reopened" in peer.shown()[-1].text

    def test_the_name_in_the_ledger_stays_the_same(self, channel: AlertChannel) -> None:
        """Sending does not change it."""
        name = channel.name
        assert name
        channel.send(compose(OPENED), None)
        assert channel.name == name
