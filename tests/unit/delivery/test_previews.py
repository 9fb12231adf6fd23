"""A preview is what the channel or the ticket system really gets."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.delivery.alerts.amazon_q.channel import AmazonQChannel
from permission_guard.delivery.alerts.sns.channel import SnsChannel
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.http.session import HttpResponse
from permission_guard.delivery.previews import PREVIEWS, preview
from permission_guard.delivery.tickets.github.system import GitHubIssues
from permission_guard.delivery.tickets.jira.system import JiraIssues
from permission_guard.delivery.tickets.ops_item.system import OpsItems
from permission_guard.delivery.tickets.security_hub.system import SecurityHubFindings
from permission_guard.delivery.tickets.servicenow.system import ServiceNowIncidents
from permission_guard.model.names import REGION
from permission_guard.offline.sample_findings import sample_finding
from permission_guard.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

FINDING = sample_finding("PG201")
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
OWNERS: dict[str, str] = {}


class Aws:
    """A client of SNS, Systems Manager or Security Hub that accepts everything and keeps it."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def publish(self, **request: Any) -> dict[str, str]:
        self.sent.append(request)
        return {"MessageId": "1"}

    def create_ops_item(self, **request: Any) -> dict[str, str]:
        self.sent.append(request)
        return {"OpsItemId": "oi-1"}

    def batch_import_findings(self, **request: Any) -> dict[str, Any]:
        self.sent.append(request)
        return {"FailedCount": 0, "SuccessCount": 1}


class Web:
    """A server that accepts everything, and has one type of issues. It keeps the last request's content."""

    def __init__(self) -> None:
        self.sent: dict[str, Any] = {}

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        if method == "GET":
            return HttpResponse(200, {}, b'{"issueTypes": [{"id": "1", "name": "Task", "subtask": false}]}')
        self.sent = json.loads(body or b"")
        created = {**self.sent, "number": 1, "key": "OPS-1", "sys_id": "0" * 32}
        return HttpResponse(201, {}, json.dumps({**created, "result": created}).encode())


class Secret(dict[str, str]):
    """Credentials of every system."""

    def get(self) -> Mapping[str, str]:  # type: ignore[override]
        return dict.fromkeys(("token", "email", "username", "user", "password", "api_token"), "secret")

    def forget(self) -> None:
        """Keep them."""


def test_sns_gets_the_previewed_texts_and_attributes() -> None:
    """The mail, the document for programs, and what filters can name."""
    shown, client = preview(FINDING, "sns", OWNERS), Aws()
    SnsChannel(client, TOPIC).send(compose(FINDING), None)  # type: ignore[arg-type]
    (sent,) = client.sent
    texts = json.loads(sent["Message"])
    assert sent["Subject"] == shown["subject"]
    assert (texts["email"], json.loads(texts["default"])) == (shown["email"], shown["document"])
    assert sent["MessageAttributes"].keys() == shown["attributes"].keys()


def test_amazon_q_gets_the_previewed_notification() -> None:
    """Also its thread."""
    client = Aws()
    AmazonQChannel(client, TOPIC, name="chat").send(compose(FINDING), None)  # type: ignore[arg-type]
    assert json.loads(client.sent[0]["Message"]) == preview(FINDING, "amazon-q", OWNERS)


def test_opscenter_gets_the_previewed_ops_item() -> None:
    """Title, description, urgency, operational data and tags."""
    shown, client = preview(FINDING, "opsitem", OWNERS), Aws()
    OpsItems(client).open(FINDING)  # type: ignore[arg-type]
    (sent,) = client.sent
    assert (sent["Title"], sent["Description"]) == (shown["title"], shown["description"])
    assert (sent["Severity"], sent["Priority"]) == (shown["severity"], shown["priority"])
    assert {name: value["Value"] for name, value in sent["OperationalData"].items()} == shown["operational_data"]
    assert {tag["Key"]: tag["Value"] for tag in sent["Tags"]} == shown["tags"]


def test_security_hub_gets_the_previewed_finding() -> None:
    """In ASFF; only the time of the import is another one."""
    client = Aws()
    SecurityHubFindings(client, lambda: datetime(2026, 11, 30, tzinfo=UTC)).open(FINDING)
    (sent,) = client.sent[0]["Findings"]
    shown = preview(FINDING, "securityhub", OWNERS)
    assert {name for name in sent if sent[name] != shown.get(name)} <= {"UpdatedAt"}
    assert sent.keys() == shown.keys()


def test_github_gets_the_previewed_issue() -> None:
    """Title, labels and body."""
    web = Web()
    GitHubIssues("https://github.com/acme/platform", Secret(), web).open(FINDING)
    assert web.sent == preview(FINDING, "github", OWNERS)


def test_jira_gets_the_previewed_fields() -> None:
    """The project and the type come from the system."""
    web = Web()
    JiraIssues("https://acme.atlassian.net/projects/OPS", Secret(), web).open(FINDING)
    assert preview(FINDING, "jira", OWNERS).items() <= web.sent["fields"].items()


def test_servicenow_gets_the_previewed_incident() -> None:
    """All of it."""
    web = Web()
    ServiceNowIncidents("https://acme.service-now.com/incident", Secret(), web).open(FINDING)
    assert web.sent == preview(FINDING, "servicenow", OWNERS)


def test_slack_mentions_the_owner_in_a_preview() -> None:
    """By the map of the configuration."""
    owned = replace(FINDING, tags={"owner": "payments"})
    assert "S0123ABCD" in json.dumps(preview(owned, "slack", {"payments": "S0123ABCD"}))
    assert "S0123ABCD" not in json.dumps(preview(FINDING, "slack", {"payments": "S0123ABCD"}))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_has_a_sample_that_every_type_shows(rule: Any) -> None:
    """It is of the rule, and names it."""
    sample = sample_finding(rule.id)
    assert (sample.rule_id, sample.rule_name) == (rule.id, rule.name)
    assert REGION.match(sample.region)
    for type_ in PREVIEWS:
        assert rule.id in json.dumps(dict(preview(sample, type_, OWNERS)), default=str)
