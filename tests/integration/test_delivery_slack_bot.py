"""The Slack bot against a local web server that responds as Slack's Web API does, and as broken servers do."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.delivery.alerts.slack import transport
from permission_guard.delivery.alerts.slack.bot import FirstMessage, SlackBot
from permission_guard.delivery.alerts.slack.web_api import WebApi
from permission_guard.delivery.finding_messages import compose
from permission_guard.errors import ConfigurationError, DeliveryError
from permission_guard.model.findings import Status, Transition
from tests.integration.alerts.contract import OTHER
from tests.integration.alerts.http_contract import HttpAlertChannelContract, TextSecret
from tests.integration.alerts.slack import slack_clock
from tests.integration.alerts.slack_api import CONVERSATION, TOKEN, SlackWorkspace
from tests.integration.tickets.http_server import Answer
from tests.unit.delivery.examples import OPENED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.delivery.message import Message
    from permission_guard.model.findings import Finding
    from tests.integration.alerts.http_contract import Clock
    from tests.integration.tickets.http_server import Vendor

OWNERS = {"payments-team": "S0123ABCD", "alice@example.com": "U0123ABCD", "typo": "<!channel>"}


def later(finding: Finding, transition: Transition) -> Finding:
    """Return the next revision of a finding."""
    is_over = transition in (Transition.RESOLVED, Transition.SUPPRESSED)
    status = Status(transition.removeprefix("Finding ").lower()) if is_over else Status.OPEN
    return replace(finding, revision=finding.revision + 1, status=status, transition=transition)


PROPOSED = later(OPENED, Transition.FIX_PROPOSED)
RESOLVED = later(PROPOSED, Transition.RESOLVED)
REOPENED = later(RESOLVED, Transition.REOPENED)


def owned(finding: Finding, owner: str = "payments-team") -> Message:
    """Return the message about a finding whose function has an owner."""
    return replace(compose(finding), owner=owner)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the time pass as slack_sdk waits."""
    return slack_clock(monkeypatch)


@pytest.fixture
def peer() -> Iterator[SlackWorkspace]:
    """Serve a workspace."""
    workspace = SlackWorkspace()
    with workspace.vendor:
        yield workspace


@pytest.fixture
def vendor(peer: SlackWorkspace) -> Vendor:
    """Return the server."""
    return peer.vendor


@pytest.fixture
def secret() -> TextSecret:
    """Return the token."""
    return TextSecret(TOKEN, TOKEN, "Zx9QsecretZx9Qsecret")


@pytest.fixture
def channel(peer: SlackWorkspace, secret: TextSecret) -> SlackBot:
    """Return the channel under test."""
    return SlackBot(secret, CONVERSATION, name="payments", owners=OWNERS, base_url=peer.url)


def send(channel: SlackBot, message: Message, reference: str | None = None) -> str:
    """Send a message and return its reference."""
    sent = channel.send(message, reference)
    assert sent is not None
    return sent


class TestSlackBot(HttpAlertChannelContract):
    """The bot passes what every channel passes."""

    timeout = (transport, "TIMEOUT")
    accepted = '{"ok": true, "ts": "1700000000.000100"}'


def test_later_revisions_reply_in_the_thread_and_update_the_first_message(
    peer: SlackWorkspace, channel: SlackBot
) -> None:
    """The channel shows the finding as it is now, and the thread what happened."""
    reference = send(channel, compose(OPENED))
    for finding in (PROPOSED, RESOLVED):
        assert send(channel, compose(finding), reference) == reference
    (first,) = peer.top
    assert first.shown.text.startswith("Resolved: ")
    replies = peer.replies(reference.split("/")[1])
    assert [one.shown.text.partition(": ")[0] for one in replies] == ["[HIGH] Fix proposed", "Resolved"]
    assert [one.is_broadcast for one in replies] == [False, False]


def test_the_update_comes_before_the_reply(peer: SlackWorkspace, channel: SlackBot) -> None:
    """A retry after a failed reply makes no second one; one after a failed update has not replied yet."""
    reference = send(channel, compose(OPENED))
    for method in ("chat.postMessage", "chat.update"):
        peer.refusals = {method: "internal_error"}
        with pytest.raises(DeliveryError, match="HTTP 200 internal_error"):
            channel.send(compose(PROPOSED), reference)
        peer.refusals = {}
        assert peer.replies(reference.split("/")[1]) == []
    send(channel, compose(PROPOSED), reference)
    assert len(peer.replies(reference.split("/")[1])) == 1


def test_a_reopened_finding_is_shown_in_the_channel(peer: SlackWorkspace, channel: SlackBot) -> None:
    """Slack notifies nobody of an edited message, and few of a reply in an old thread."""
    reference = send(channel, compose(OPENED))
    send(channel, compose(REOPENED), reference)
    (reply,) = peer.replies(reference.split("/")[1])
    assert reply.is_broadcast
    assert peer.top[0].shown.text.startswith("[HIGH] Reopened: ")


def test_a_shared_message_keeps_the_findings_that_did_not_change(peer: SlackWorkspace, channel: SlackBot) -> None:
    """The reply says what changed, and the channel sees it."""
    reference = send(channel, compose(OPENED, OTHER))
    before = peer.top
    assert send(channel, compose(replace(OPENED, revision=2, status=Status.RESOLVED)), reference) == reference
    assert peer.top == before
    (reply,) = peer.replies(reference.split("/")[1])
    assert reply.is_broadcast


def test_a_shared_message_is_updated_if_all_its_findings_changed(peer: SlackWorkspace, channel: SlackBot) -> None:
    """In whichever order they come."""
    reference = send(channel, compose(OPENED, OTHER))
    send(channel, compose(*(later(one, Transition.RESOLVED) for one in (OTHER, OPENED))), reference)
    (first,) = peer.top
    assert first.shown.text.startswith("Resolved: ")
    assert "(and 1 more)" in first.shown.text


def test_a_message_about_more_findings_does_not_replace_the_first_one(peer: SlackWorkspace, channel: SlackBot) -> None:
    """They have messages of their own."""
    reference = send(channel, compose(OPENED))
    before = peer.top
    send(channel, compose(PROPOSED, OTHER), reference)
    assert peer.top == before


def test_a_deleted_first_message_is_posted_again(peer: SlackWorkspace, channel: SlackBot) -> None:
    """The thread continues at the new one."""
    reference = send(channel, compose(OPENED))
    peer.delete(reference.split("/")[1])
    second = send(channel, compose(PROPOSED), reference)
    assert second != reference
    send(channel, compose(RESOLVED), second)
    assert len(peer.top) == 1
    assert len(peer.replies(second.split("/")[1])) == 1


def test_a_deleted_shared_message_is_posted_again(peer: SlackWorkspace, channel: SlackBot) -> None:
    """There is no update that would notice it before."""
    reference = send(channel, compose(OPENED, OTHER))
    peer.delete(reference.split("/")[1])
    assert send(channel, compose(PROPOSED), reference) != reference
    assert peer.top[0].shown.text.startswith("[HIGH] Fix proposed: ")


@pytest.mark.parametrize("error", ["cant_update_message", "edit_window_closed"])
def test_a_first_message_that_cannot_be_edited_is_posted_again(
    peer: SlackWorkspace, channel: SlackBot, error: str
) -> None:
    """Otherwise the channel would show an old state."""
    reference = send(channel, compose(OPENED))
    peer.refusals = {"chat.update": error}
    assert send(channel, compose(PROPOSED), reference) != reference
    assert [one.shown.text.partition(":")[0] for one in peer.top] == ["[HIGH] Opened", "[HIGH] Fix proposed"]


@pytest.mark.parametrize(
    ("error", "fix", "is_forgotten"),
    [
        ("not_in_channel", r"\. Invite the app to the channel: .* \(channel C0123ABCD\)$", False),
        ("channel_not_found", r"\. Check the channel's id\. The app must be a member of a private channel", False),
        ("is_archived", r"\. Unarchive the channel", False),
        ("missing_scope", r"\. Add the scope chat:write to the Slack app", False),
        ("msg_too_long", r"\. This is a defect of Permission Guard", False),
        ("invalid_blocks", r"\. This is a defect of Permission Guard", False),
        ("restricted_action", r"\. Let the app post", False),
        ("invalid_auth", r"\. Install the Slack app again, and store its bot token in the secret", True),
        ("token_revoked", r"\. Install the Slack app again, and store its bot token in the secret", True),
        ("account_inactive", r"\. Install the Slack app again, and store its bot token in the secret", True),
        ("ratelimited", "$", False),
    ],
)
def test_the_error_has_slacks_word_and_what_to_do(
    peer: SlackWorkspace, channel: SlackBot, secret: TextSecret, error: str, fix: str, *, is_forgotten: bool
) -> None:
    """A token that may have been replaced is read again."""
    peer.refusals = {"chat.postMessage": error}
    with pytest.raises(DeliveryError, match=f"^Slack did not accept the message: HTTP 200 {error}{fix}"):
        channel.send(compose(OPENED), None)
    assert bool(secret.forgotten) is is_forgotten


@pytest.mark.parametrize("word", ["Zx9QsecretZx9Qsecret", "xoxb", "x" * 100, "see http://evil.example", 7, None, {}])
def test_what_is_not_slacks_word_is_not_shown(vendor: Vendor, channel: SlackBot, word: object) -> None:
    """A proxy could repeat the token."""
    vendor.failures = [Answer(200, {"ok": False, "error": word})]
    with pytest.raises(DeliveryError, match=r"^Slack did not accept the message: HTTP 200$"):
        channel.send(compose(OPENED), None)


def test_only_ok_is_a_delivery(vendor: Vendor, channel: SlackBot) -> None:
    """Nothing that is nearly true."""
    vendor.failures = [Answer(200, {"ok": "true", "ts": "1700000000.000100"})]
    with pytest.raises(DeliveryError):
        channel.send(compose(OPENED), None)


def test_a_message_without_a_valid_timestamp_has_no_thread(vendor: Vendor, channel: SlackBot) -> None:
    """It was posted: sending it again would make a second one."""
    vendor.failures = [Answer(200, {"ok": True, "ts": "1700000000.000100/../x"})]
    assert channel.send(compose(OPENED), None) is None


@pytest.mark.parametrize(
    "reference",
    [
        f"{CONVERSATION}/1700000001.000100",
        f"{CONVERSATION}/1700000001.000100/0123456789abcdef/x",
        f"{CONVERSATION}/1700000001.000100/0123456789ABCDEF",
        f"{CONVERSATION}/1700000001/0123456789abcdef",
        f"{CONVERSATION}/1700000001.000100\n/0123456789abcdef",
        f"{CONVERSATION}/170000000\u0661.000100/0123456789abcdef",
        "C9999ZZZZ/1700000001.000100/0123456789abcdef",
        "0a1b2c3d-message-id-of-sns",
    ],
)
def test_a_reference_to_something_else_starts_a_new_thread(
    peer: SlackWorkspace, channel: SlackBot, reference: str
) -> None:
    """The channel may have been another one, and nothing of the text is sent."""
    assert FirstMessage.parse(reference, CONVERSATION) is None
    send(channel, compose(PROPOSED), reference)
    assert len(peer.top) == 1
    assert [one.content["channel"] for one in peer.vendor.requests] == [CONVERSATION]


def test_the_owner_is_mentioned_when_a_finding_is_opened_or_reopened(peer: SlackWorkspace, channel: SlackBot) -> None:
    """Once each: neither by the update of the first message nor by what follows."""
    reference = send(channel, owned(OPENED))
    for finding in (PROPOSED, RESOLVED, REOPENED):
        send(channel, owned(finding), reference)
    mentions = [(one.text.partition(":")[0], one.mentions) for one in peer.accepted if one.mentions]
    assert mentions == [("[HIGH] Opened", ("S0123ABCD",)), ("[HIGH] Reopened", ("S0123ABCD",))]


@pytest.mark.parametrize(
    ("owner", "mentions"),
    [
        ("alice@example.com", ("U0123ABCD",)),
        ("typo", ()),
        ("someone", ()),
        ("", ()),
        ("<!channel>", ()),
        ("S0123ABCD", ()),
    ],
)
def test_only_the_configuration_says_whom_to_mention(
    peer: SlackWorkspace, channel: SlackBot, owner: str, mentions: tuple[str, ...]
) -> None:
    """The owner is a tag, which others write."""
    send(channel, owned(OPENED, owner))
    assert peer.accepted[0].mentions == mentions


def test_the_calls_of_a_delivery_share_the_time(
    vendor: Vendor, channel: SlackBot, peer: SlackWorkspace, clock: Clock
) -> None:
    """A function that times out returns neither the message nor the lock."""
    reference = send(channel, compose(OPENED))
    vendor.failures = [
        Answer(429, "", {"Retry-After": "7"}),
        Answer(200, {"ok": True}),
        Answer(429, "", {"Retry-After": "7"}),
    ]
    with pytest.raises(DeliveryError, match="HTTP 429"):
        channel.send(compose(PROPOSED), reference)
    assert len(clock.waits) == 1
    assert peer.replies(reference.split("/")[1]) == []


def test_a_response_that_comes_byte_by_byte_ends_with_the_time(
    peer: SlackWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes within the time for one try, and all of them do not."""
    monkeypatch.setattr(transport, "time", time)
    peer.vendor.failures = [Answer(200, '{"ok": true, "ts": "1700000000.000100"}', drip=0.05)]
    started = time.monotonic()
    answer = WebApi(TOKEN, peer.url, max_seconds=0.3).call("chat.postMessage", channel=CONVERSATION)
    assert answer.error == "TimeoutError"
    assert time.monotonic() - started < 1.5


def test_a_call_after_the_time_is_not_made(peer: SlackWorkspace, clock: Clock) -> None:
    """Not even one try."""
    api = WebApi(TOKEN, peer.url)
    clock.now += transport.MAX_SECONDS
    assert api.call("chat.postMessage", channel=CONVERSATION).error == "TimeoutError"
    assert peer.vendor.requests == []


@pytest.mark.parametrize(
    "conversation", ["", "#alerts", "alerts", "U0123ABCD", "C0123ABCD/x", "c0123abcd", "C0123ABCD\n"]
)
def test_the_channel_needs_an_id(conversation: str) -> None:
    """A message is updated by the id of its channel, and not by a name."""
    with pytest.raises(ConfigurationError, match="payments needs the id of a Slack channel"):
        SlackBot(TextSecret(TOKEN), conversation, name="payments", owners={})
