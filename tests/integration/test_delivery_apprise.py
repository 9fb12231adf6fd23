"""Messages through Apprise: what each service gets, and what happens when it fails."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from permission_guard.config.document import AlertLimit
from permission_guard.delivery.alerts.apprise import transport
from permission_guard.delivery.alerts.apprise.channel import AppriseChannel
from permission_guard.delivery.alerts.apprise.targets import FORMS, targets
from permission_guard.delivery.alerts.base import send
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.previews import preview
from permission_guard.delivery.waiting import WaitingItem, waiting_finding
from permission_guard.delivery.waiting_digests import WaitingDigest, waiting_digest
from permission_guard.errors import ConfigurationError, DeliveryError
from permission_guard.model.verdicts import Severity
from tests.integration.alerts.apprise import HOSTS, SECRET, URLS, AppriseServices
from tests.integration.alerts.contract import CONSOLE, MESSAGES, OTHER
from tests.integration.alerts.http_contract import Clock, HttpAlertChannelContract, TextSecret
from tests.integration.tickets.http_server import Answer, Vendor
from tests.unit.delivery.alerts.test_together import Groups
from tests.unit.delivery.examples import APPLIED, HUGE_FINDING, OPENED, RESOLVED
from tests.unit.delivery.memory_ledger import MemoryLedger, unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.message import Message
    from permission_guard.model.findings import Finding

CHATS = ["workflows", "discord", "gchat", "tgram"]


class Urls(TextSecret):
    """A secret with URLs."""

    def __init__(self, *urls: str) -> None:
        super().__init__("", SECRET)
        self.urls = urls

    def get(self) -> tuple[str, ...]:  # type: ignore[override] # of the channel's protocol
        return self.urls


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppriseServices]:
    """Serve what the services send to."""
    with AppriseServices() as services:
        services.lead_here(monkeypatch)
        yield services


class TestContract(HttpAlertChannelContract):
    """What every channel does that posts over HTTP."""

    timeout: ClassVar = (transport, "TIMEOUT")
    error: ClassVar[str] = r"discord \(URL 1\): HTTP {status}"
    stale: ClassVar[frozenset[int]] = frozenset({401, 403, 404})

    @pytest.fixture
    def vendor(self, peer: AppriseServices) -> Vendor:
        """Return the server."""
        return peer.vendor

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        """Let the time of the transport pass only while it waits."""
        clock = Clock()
        monkeypatch.setattr(transport, "time", clock)
        return clock

    @pytest.fixture
    def secret(self) -> Urls:
        """Return a secret with one URL."""
        return Urls(URLS["discord"])

    @pytest.fixture
    def channel(self, secret: Urls, peer: AppriseServices) -> AppriseChannel:
        """Return the channel under test, whose requests reach the server."""
        return AppriseChannel(secret, name="others")

    @pytest.mark.parametrize("page", ["<html>Sign in</html>", "", "{"])
    def test_the_page_of_a_proxy_is_not_a_delivery(self, channel: AlertChannel, vendor: Vendor, page: str) -> None:
        """Apprise's services look at the status alone: here it is one. The documentation says so."""
        vendor.failures = [Answer(200, page)]
        channel.send(compose(OPENED), None)

    @pytest.mark.parametrize("status", [302, 401, 422, 429, 500])
    @pytest.mark.usefixtures("clock")
    def test_credentials_are_in_no_error_and_no_log(
        self,
        channel: AlertChannel,
        vendor: Vendor,
        secret: TextSecret,
        caplog: pytest.LogCaptureFixture,
        *,
        status: int,
    ) -> None:
        """Not even if the other side repeats the request's headers."""
        super().test_credentials_are_in_no_error_and_no_log(channel, vendor, secret, caplog, status=status)


def test_every_service_that_may_be_used_is_tested() -> None:
    """A new one needs a URL, a host, and what its vendor accepts."""
    assert FORMS.keys() == URLS.keys() == HOSTS.keys()


@pytest.mark.parametrize("scheme", URLS)
@pytest.mark.parametrize("case", MESSAGES)
def test_a_service_gets_one_message_that_it_accepts(peer: AppriseServices, scheme: str, case: str) -> None:
    """At its own address, also if it is huge. Incidents are one for each finding."""
    AppriseChannel(Urls(URLS[scheme]), name="others").send(MESSAGES[case], None)
    expected = 2 if case == "group" and scheme in ("pagerduty", "opsgenie") else 1
    assert peer.hosts == [HOSTS[scheme]] * expected
    assert len(peer.shown()) == expected


@pytest.mark.parametrize("scheme", [one for one in URLS if one not in ("pagerduty", "opsgenie")])
def test_a_service_shows_what_is_wrong_and_how_to_fix_it(peer: AppriseServices, scheme: str) -> None:
    """Also the one with the least room."""
    AppriseChannel(Urls(URLS[scheme]), name="others").send(compose(OPENED), None)
    (message,) = peer.shown()
    for part in ("[HIGH] Opened: orders cannot read its SQS queue", "123456789012", "aws iam attach", OPENED.id):
        assert part in message.text


@pytest.mark.parametrize("finding", [OPENED, HUGE_FINDING], ids=["opened", "huge"])
def test_a_preview_is_what_google_chat_gets(peer: AppriseServices, finding: Finding) -> None:
    """Of the chats it has the most room."""
    AppriseChannel(Urls(URLS["gchat"]), name="others").send(compose(finding), None)
    assert [message.text for message in peer.shown()] == [preview(finding, "apprise", {})["body"]]


@pytest.mark.parametrize("scheme", CHATS)
@pytest.mark.parametrize("case", ["hostile", "digest", "test"])
def test_text_of_others_does_nothing_in_a_chat(peer: AppriseServices, scheme: str, case: str) -> None:
    """It notifies nobody, and is no link."""
    AppriseChannel(Urls(URLS[scheme]), name="others").send(MESSAGES[case], None)
    (message,) = peer.shown()
    assert message.mentions == ()
    assert all(link.startswith(CONSOLE) for link in message.links)


@pytest.mark.parametrize(
    ("severity", "word", "priority"),
    [
        (Severity.CRITICAL, "critical", "P1"),
        (Severity.HIGH, "error", "P2"),
        (Severity.MEDIUM, "warning", "P3"),
        (Severity.LOW, "info", "P4"),
    ],
)
def test_an_incident_has_the_severity_and_the_findings_id(
    peer: AppriseServices, severity: Severity, word: str, priority: str
) -> None:
    """So that what follows belongs to the same incident."""
    channel = AppriseChannel(Urls(URLS["pagerduty"], URLS["opsgenie"]), name="oncall")
    channel.send(compose(replace(OPENED, severity=severity)), None)
    event, alert = (request.content for request in peer.vendor.requests)
    assert (event["event_action"], event["dedup_key"]) == ("trigger", OPENED.id)
    assert event["payload"]["severity"] == word
    assert event["payload"]["summary"].endswith("Opened: orders cannot read its SQS queue")
    assert event["payload"]["custom_details"]["How to fix it (AWS CLI)"].startswith("aws iam attach-role-policy")
    assert (alert["alias"], alert["priority"]) == (OPENED.id, priority)


@pytest.mark.parametrize("finding", [RESOLVED, APPLIED])
def test_an_incident_is_resolved_with_its_finding(peer: AppriseServices, finding: type) -> None:
    """Also by an environment that did not open it: the key is the finding's id."""
    message = compose(finding)  # type: ignore[arg-type] # the parameters are findings
    AppriseChannel(Urls(URLS["pagerduty"], URLS["opsgenie"]), name="oncall").send(message, None)
    event, close = peer.vendor.requests
    assert (event.content["event_action"], event.content["dedup_key"]) == ("resolve", message.findings[0])
    assert (close.path, close.query) == (f"/v2/alerts/{message.findings[0]}/close", {"identifierType": "alias"})


def test_each_finding_of_a_message_has_an_incident_of_its_own(peer: AppriseServices) -> None:
    """It is resolved when its own problem is, and not with the others."""
    AppriseChannel(Urls(URLS["pagerduty"]), name="oncall").send(compose(OPENED, OTHER), None)
    assert [one.content["dedup_key"] for one in peer.vendor.requests] == [OPENED.id, OTHER.id]


LONG: Final = "\N{OK HAND SIGN}" * 300


@pytest.mark.parametrize("scheme", URLS)
@pytest.mark.parametrize("title", [OPENED.title, LONG, "<&*" * 100], ids=["usual", "long", "escaped"])
def test_a_digest_of_what_waited_has_no_more_findings_than_the_service_shows(
    peer: AppriseServices, scheme: str, title: str
) -> None:
    """What it reports waits no longer. The others are in the next one."""
    channel = AppriseChannel(Urls(URLS[scheme]), name="others")
    findings = [replace(OPENED, id=f"{number:032x}", title=title, rule_name=title) for number in range(24)]
    items = [WaitingItem(id=one.id, stored=one.id, finding=waiting_finding(one, None)) for one in findings]
    while items:
        made = digest_of(items, shows_all=channel.shows_all)
        before = len(peer.vendor.requests)
        channel.send(made.message, None)
        sent = json.dumps([one.content for one in peer.vendor.requests[before:]])
        assert made.items
        assert all(item.id in sent for item in made.items)
        assert len(peer.vendor.requests) - before <= 20
        items = [item for item in items if item not in made.items]


@pytest.mark.parametrize("scheme", URLS)
def test_a_message_about_a_group_has_no_more_findings_than_the_service_shows(
    peer: AppriseServices, scheme: str
) -> None:
    """The events of the others send them."""
    channel, ledger = AppriseChannel(Urls(URLS[scheme]), name="others"), MemoryLedger()
    findings = [replace(OPENED, id=f"{number:032x}") for number in range(12)]
    for one in findings:
        send(one, unread, [channel], ledger, groups=Groups(*findings))
    sent = json.dumps([request.content for request in peer.vendor.requests])
    assert all(one.id in sent for one in findings)


def digest_of(items: Sequence[WaitingItem], **more: Any) -> WaitingDigest:
    """Return the next digest."""
    return waiting_digest(
        items,
        "oncall",
        AlertLimit(),
        account="123456789012",
        region="us-east-1",
        now="2026-11-20T09:00:00+00:00",
        command="permission-guard findings list",
        **more,
    )


def waiting(*findings: Finding, unreadable: int = 0) -> Message:
    """Return the digest of findings that waited, some of them unreadable."""
    unreadable_ones = [WaitingItem(id=f"{number:032x}", stored=None) for number in range(unreadable)]
    items = [WaitingItem(id=one.id, stored=one.id, finding=waiting_finding(one, None)) for one in findings]
    return digest_of([*items, *unreadable_ones]).message


def test_a_digest_changes_each_incident_by_the_state_of_its_own_finding(peer: AppriseServices) -> None:
    """What is over is resolved, and what cannot be read is not."""
    over = [replace(one, id=name * 32) for one, name in ((RESOLVED, "a"), (APPLIED, "b"))]
    channel = AppriseChannel(Urls(URLS["pagerduty"], URLS["opsgenie"]), name="oncall")
    channel.send(waiting(OPENED, *over, unreadable=1), None)
    events, alerts = peer.vendor.requests[:4], peer.vendor.requests[4:]
    expected = {OPENED.id: "trigger", "0" * 32: "trigger", "a" * 32: "resolve", "b" * 32: "resolve"}
    assert {one.content["dedup_key"]: one.content["event_action"] for one in events} == expected
    closed = {one.path.split("/")[3] for one in alerts if one.path.endswith("/close")}
    assert closed == {"a" * 32, "b" * 32}
    assert {one.content["alias"] for one in alerts if not one.path.endswith("/close")} == {OPENED.id, "0" * 32}


def test_a_digest_of_what_cannot_be_read_resolves_nothing(peer: AppriseServices) -> None:
    """Nobody knows whether it is over."""
    AppriseChannel(Urls(URLS["pagerduty"]), name="oncall").send(waiting(unreadable=1), None)
    (event,) = peer.vendor.requests
    assert event.content["event_action"] == "trigger"


@pytest.mark.parametrize("scheme", ["pagerduty", "opsgenie"])
def test_a_retry_leaves_out_the_incidents_that_were_sent(peer: AppriseServices, scheme: str) -> None:
    """Otherwise a delivery that takes too long would begin again at the first one, each time."""
    findings = [replace(OPENED, id=f"{number:032x}") for number in range(5)]
    channel, seen = AppriseChannel(Urls(URLS[scheme]), name="oncall"), len(findings) - 2
    peer.vendor.fails = lambda _request: len(peer.vendor.requests) > seen
    peer.vendor.failures = [Answer(400)]
    with pytest.raises(DeliveryError, match="HTTP 400"):
        channel.send(compose(*findings), None)
    channel.send(compose(*findings), None)
    key = "dedup_key" if scheme == "pagerduty" else "alias"
    assert sorted(one.content[key] for one in peer.vendor.requests) == sorted(
        [*(one.id for one in findings), findings[seen].id]
    )


def test_a_retry_leaves_out_the_urls_that_succeeded(peer: AppriseServices) -> None:
    """The error names the others by scheme and position."""
    secret = Urls(URLS["discord"], URLS["workflows"], URLS["jsons"])
    channel = AppriseChannel(secret, name="others")
    peer.vendor.fails = lambda _request: peer.hosts[-1] == HOSTS["workflows"]
    peer.vendor.failures = [Answer(404)]
    with pytest.raises(DeliveryError) as raised:
        channel.send(compose(OPENED), None)
    assert str(raised.value) == "Apprise could not send the message: workflows (URL 2): HTTP 404"
    assert secret.forgotten == 1
    channel.send(compose(OPENED), None)
    assert peer.hosts == [HOSTS[one] for one in ("discord", "workflows", "jsons", "workflows")]
    channel.send(compose(OPENED), None)
    assert len(peer.shown()) == 6


@pytest.mark.parametrize(
    "url",
    [
        "json://hooks.example.com",
        "ntfy://ntfy.example.com/x",
        "file:///tmp/x",
        "syslog://",
        "dbus://",
        "exec://rm",
        "windows://",
        "mailto://user:pw@example.com",
        "slack://T/A/B/c",
        "sns://key/secret/us-east-1/x",
        f"https://discord.com/api/webhooks/1/{SECRET}",
        SECRET,
        "://",
        f"discord://1/{SECRET}?template=/etc/passwd",
        f"workflows://h/w/{SECRET}?wrap=no&Template=https%3A%2F%2Fevil.example%2Fx",
        f"jsons://h/{SECRET}?attach-as=x",
        f"{URLS['tgram']}?format=markdown",
        f"{URLS['tgram']}?mdv=2",
        f"{URLS['ntfys']}?%20Format=markdown",
    ],
)
def test_other_urls_are_a_wrong_configuration(peer: AppriseServices, url: str) -> None:
    """Without TLS, acting in the function, reading a file or changing the form. The error has no secret."""
    with pytest.raises(ConfigurationError, match="URL 2 of the channel others") as raised:
        AppriseChannel(Urls(URLS["discord"], url), name="others").send(compose(OPENED), None)
    assert SECRET not in str(raised.value)
    assert peer.hosts == []


def test_a_url_cannot_turn_off_what_protects_it(peer: AppriseServices) -> None:
    """Certificates are verified, redirects are not followed, and there is one message, whatever the parameters are."""
    url = f"{URLS['jsons']}?verify=no&redirect=yes&overflow=split&rto=900&cto=900&retry=5&wait=60&emojis=yes"
    AppriseChannel(Urls(url), name="others").send(MESSAGES["huge"], None)
    assert len(peer.hosts) == 1
    peer.vendor.failures = [Answer(302, None, {"Location": "https://evil.example/"})]
    with pytest.raises(DeliveryError, match="HTTP 302"):
        AppriseChannel(Urls(url), name="others").send(compose(OPENED), None)
    assert peer.hosts == [HOSTS["jsons"]] * 2


@pytest.mark.parametrize("url", ["pagerduty://", "tgram://nothing", "discord://"])
def test_a_url_that_apprise_cannot_read_is_a_failed_delivery(
    peer: AppriseServices, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Apprise would log it."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(DeliveryError, match=r"URL 1\)|URL 1 of"):
        AppriseChannel(Urls(f"{url}{SECRET}!"), name="others").send(compose(OPENED), None)
    assert SECRET not in caplog.text


def test_the_environment_gives_no_proxy_and_no_password(peer: AppriseServices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets a variable of the function does not get its messages."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    AppriseChannel(Urls(URLS["discord"]), name="others").send(compose(OPENED), None)
    assert len(peer.shown()) == 1


def test_the_libraries_are_as_before_after_a_delivery(peer: AppriseServices) -> None:
    """What else uses `requests`, or logs, is not changed."""
    import requests  # noqa: PLC0415 - the channel imports it as late

    before = (requests.request, requests.api.request, logging.getLogger("urllib3.connectionpool").disabled)
    AppriseChannel(Urls(URLS["discord"]), name="others").send(compose(OPENED), None)
    after = (requests.request, requests.api.request, logging.getLogger("urllib3.connectionpool").disabled)
    assert before == after


def test_a_target_does_not_show_its_url() -> None:
    """Not in a log of a record either."""
    assert SECRET not in repr(targets(tuple(URLS.values()), "others"))
