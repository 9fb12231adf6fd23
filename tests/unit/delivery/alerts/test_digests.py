"""A digest: what to do comes first, names that others chose cannot deceive, and each channel sends it once."""

from __future__ import annotations

import pytest

from permission_guard.bus.digests import DIGEST_DETAIL_TYPE, digest_body, read_digest_id
from permission_guard.bus.events import read_message
from permission_guard.delivery.alerts.digests import send_digest
from permission_guard.delivery.alerts.slack.message import MAX_BLOCKS, payload
from permission_guard.delivery.alerts.sns.message import publication
from permission_guard.delivery.digests import compose_digest
from permission_guard.delivery.formats.plain import text
from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.errors import DeliveryError, MalformedEventError, UnrecordedTransitionError
from permission_guard.model import limits
from permission_guard.model.digests import Digest, DigestKind, DigestPart, digest_id
from permission_guard.model.verdicts import FINDING_ID
from tests.unit.delivery.channels import Channel
from tests.unit.delivery.memory_ledger import MemoryLedger

ID = digest_id(DigestKind.BASELINE, "123456789012", "us-east-1")
DIGEST = Digest(
    id=ID,
    kind=DigestKind.BASELINE,
    account="123456789012",
    region="us-east-1",
    created_at="2026-11-20T09:00:00.000+00:00",
    title="First sweep: 2 findings in 123456789012, us-east-1",
    summary="These findings existed when the bot started.",
    parts=(DigestPart("Findings by rule", ("2 high: PG102 source-missing",)), DigestPart("The 2 worst", ("a", "b"))),
    command="permission-guard findings list --region us-east-1",
)


class Digests(dict[str, Digest]):
    """Recorded digests."""

    def digest(self, digest_id: str) -> Digest | None:
        return self.get(digest_id)


def test_a_digest_says_what_to_do_and_then_what_was_found() -> None:
    """Its id has not the form of a finding's: the ledger has both."""
    assert text(compose_digest(DIGEST)) == (
        "First sweep: 2 findings in 123456789012, us-east-1\n\n"
        "These findings existed when the bot started.\n\n"
        "See all of them:\npermission-guard findings list --region us-east-1\n\n"
        "Findings by rule:\n2 high: PG102 source-missing\n\n"
        "The 2 worst:\na\nb\n\n"
        f"Account:   123456789012, us-east-1\nDigest id: {ID}\n"
    )
    assert not FINDING_ID.fullmatch(ID)


def test_names_in_a_digest_are_bounded_and_visible() -> None:
    """Whoever names a function cannot add a line, a link, or very much text."""
    hostile = "\u202eorders\n\n*See all of them:*\n<https://evil.example|click> " + "x" * 1_000
    parts = [{"title": hostile, "lines": [hostile] * 500}]
    digest = Digest.from_document({**DIGEST.to_document(), "title": hostile, "parts": parts})
    sent, posted = publication(compose_digest(digest)), payload(compose_digest(digest))
    assert "\u202e" not in sent.text
    assert max(map(len, sent.text.splitlines())) <= 310
    assert len(sent.text) < 12_000
    assert len(sent.subject) <= limits.TOPIC_SUBJECT_CHARACTERS
    assert len(posted["blocks"]) <= MAX_BLOCKS
    listed = [block for block in posted["blocks"] if "evil.example" in str(block)]
    assert {block["type"] for block in listed} == {"header", "rich_text"}  # both show text literally


def test_a_subscription_can_filter_digests() -> None:
    """Not everybody wants them."""
    assert compose_digest(DIGEST).attributes == {
        "digest": ("baseline",),
        "account": ("123456789012",),
        "region": ("us-east-1",),
    }


def test_a_command_that_is_too_long_is_omitted() -> None:
    """Half a command does something else."""
    document = {**DIGEST.to_document(), "command": "permission-guard " + "x" * 1_000}
    assert "permission-guard" not in text(compose_digest(Digest.from_document(document)))


def test_the_digest_that_a_message_names_is_sent_once_by_every_channel() -> None:
    """It is read in the table: the message has only its id. One channel that fails is tried again alone."""
    detail_type, detail = read_message(digest_body(ID))
    assert detail_type == DIGEST_DETAIL_TYPE
    digest_id = read_digest_id(detail)
    ledger, sns, slack = MemoryLedger(), Channel("sns"), Channel("slack", DeliveryError("HTTP 500"))
    with pytest.raises(DeliveryError, match=f"digest {ID} was not delivered: slack: HTTP 500"):
        send_digest(digest_id, Digests({ID: DIGEST}), [slack, sns], ledger)
    outcomes = [one.outcome for one in send_digest(digest_id, Digests({ID: DIGEST}), [slack, sns], ledger)]
    assert outcomes == [DeliveryOutcome.DELIVERED, DeliveryOutcome.ALREADY_DELIVERED]
    assert sns.sent == slack.sent == [ID]


def test_a_digest_that_was_never_recorded_is_refused() -> None:
    """Only a forger names it."""
    with pytest.raises(UnrecordedTransitionError, match=f"the digest {ID}, which does not exist"):
        send_digest(ID, Digests(), [], MemoryLedger())


@pytest.mark.parametrize(
    "detail", [{}, {"digest_id": 7}, {"digest_id": ""}, {"digest_id": f"{ID}\n"}, {"digest_id": [ID]}]
)
def test_a_message_without_the_id_of_a_digest_is_malformed(detail: dict[str, object]) -> None:
    """It moves to the dead-letter queue."""
    with pytest.raises(MalformedEventError, match="no valid `digest_id`"):
        read_digest_id(detail)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "0" * 32},
        {"kind": "other"},
        {"created_at": "now"},
        {"title": 7},
        {"parts": [{"title": "t", "lines": "ab"}]},
    ],
)
def test_a_damaged_digest_cannot_be_read(change: dict[str, object]) -> None:
    """It is never sent."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        Digest.from_document({**DIGEST.to_document(), **change})
