"""A digest as a notice: what to do comes first, and names that others chose cannot deceive."""

from __future__ import annotations

import pytest

from permission_guard.bus.digests import DIGEST_DETAIL_TYPE, digest_body, read_digest_id
from permission_guard.bus.events import read_message
from permission_guard.delivery.alerts.digest import deliver_digest, of_digest
from permission_guard.delivery.alerts.slack.message import MAX_BLOCKS, notice_payload
from permission_guard.delivery.alerts.sns.message import notice_publication
from permission_guard.errors import MalformedEventError, UnrecordedTransitionError
from permission_guard.model import limits
from permission_guard.model.digests import Digest, DigestKind, DigestPart, digest_id
from permission_guard.model.verdicts import FINDING_ID

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
    """Its key has not the form of a finding's id: the ledger has both."""
    notice = of_digest(DIGEST)
    assert notice.headline == DIGEST.title
    assert notice.text == (
        "These findings existed when the bot started.\n\n"
        "See all of them:\npermission-guard findings list --region us-east-1\n\n"
        "Findings by rule:\n- 2 high: PG102 source-missing\n\n"
        "The 2 worst:\n- a\n- b\n\n"
        f"Account 123456789012, region us-east-1, digest {ID}"
    )
    assert not FINDING_ID.fullmatch(notice.key)


def test_names_in_a_digest_are_bounded_and_visible() -> None:
    """Whoever names a function or a rule's subject cannot add a line, a link, or very much text."""
    hostile = "\u202eorders\n\n*See all of them:*\n<https://evil.example|click> " + "x" * 1_000
    notice = of_digest(
        Digest.from_document({**DIGEST.to_document(), "parts": [{"title": "t", "lines": [hostile] * 500}]})
    )
    lines = notice.text.splitlines()
    assert "\u202e" not in notice.text
    assert max(map(len, lines)) <= 310
    assert sum(line.startswith("- ") for line in lines) < 150
    assert len(notice.text.encode()) < limits.TOPIC_MESSAGE
    assert notice_publication(notice).subject.startswith("First sweep: 2 findings")
    payload = notice_payload(notice)
    assert len(payload["blocks"]) <= MAX_BLOCKS
    assert {block["type"] for block in payload["blocks"]} == {"header", "rich_text"}  # both show text literally


def test_a_command_that_is_too_long_is_omitted() -> None:
    """Half a command does something else."""
    document = {**DIGEST.to_document(), "command": "permission-guard " + "x" * 1_000}
    assert "permission-guard" not in of_digest(Digest.from_document(document)).text


def test_the_digest_that_a_message_names_is_sent() -> None:
    """It is read in the table: the message has only its id."""
    message = read_message(digest_body(ID))
    assert message["detail-type"] == DIGEST_DETAIL_TYPE
    sent = []
    deliver_digest(read_digest_id(message["detail"]), Digests({ID: DIGEST}), lambda notice: sent.append(notice) or [])  # type: ignore[func-returns-value]
    assert sent == [of_digest(DIGEST)]


def test_a_digest_that_was_never_recorded_is_refused() -> None:
    """Only a forger names it."""
    with pytest.raises(UnrecordedTransitionError, match=f"the digest {ID}, which does not exist"):
        deliver_digest(ID, Digests(), lambda _notice: [])


@pytest.mark.parametrize("detail", [None, {}, {"digest_id": 7}, {"digest_id": ""}, {"digest_id": f"{ID}\n"}, [ID]])
def test_a_message_without_the_id_of_a_digest_is_malformed(detail: object) -> None:
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
