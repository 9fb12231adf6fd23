"""What a channel or a ticket system would get about a finding. Pure: nothing is sent, and no credentials are needed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.alerts.amazon_q.message import notification
from permission_guard.delivery.alerts.apprise.content import content as apprise_content
from permission_guard.delivery.alerts.apprise.targets import Form
from permission_guard.delivery.alerts.slack.mentions import mention
from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.alerts.sns.message import publication
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.github import content as github
from permission_guard.delivery.tickets.jira import content as jira
from permission_guard.delivery.tickets.ops_item.content import content as ops_item
from permission_guard.delivery.tickets.security_hub.content import document as asff
from permission_guard.delivery.tickets.servicenow.content import new_incident

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

    Preview = Callable[[Finding, Mapping[str, str]], Mapping[str, JSON]]

_GOOGLE_CHAT: Final = 4_000
"""The room in Google Chat, the most of the chats that Apprise sends Markdown to. It shows no title of its own."""


def preview(finding: Finding, type_: str, owners: Mapping[str, str]) -> Mapping[str, JSON]:
    """Return the parts of what is sent about a finding, by their names.

    `type_` is one of `PREVIEWS`. `owners` has the Slack user or user group of each owner.
    """
    return PREVIEWS[type_](finding, owners)


def _sns(finding: Finding, _owners: Mapping[str, str]) -> Mapping[str, JSON]:
    """Return the mail, the JSON document that queues and functions get, and the attributes for filter policies."""
    sent = publication(compose(finding))
    attributes = {name: list(values) for name, values in sent.attributes.items()}
    return {
        "subject": sent.subject,
        "email": sent.text,
        "document": json.loads(sent.document),
        "attributes": attributes,
    }


def _slack(finding: Finding, owners: Mapping[str, str]) -> Mapping[str, JSON]:
    message = compose(finding)
    return payload(message, mention(message, owners))


def _amazon_q(finding: Finding, _owners: Mapping[str, str]) -> Mapping[str, JSON]:
    sent: Mapping[str, JSON] = json.loads(notification(compose(finding), finding.id))
    return sent


def _apprise(finding: Finding, _owners: Mapping[str, str]) -> Mapping[str, JSON]:
    """Return what Google Chat gets. Chats with less room get less, and incidents have fields."""
    return {"body": apprise_content(compose(finding), Form.CHAT, 0, _GOOGLE_CHAT).body}


def _ops_item(finding: Finding, _owners: Mapping[str, str]) -> Mapping[str, JSON]:
    sent = ops_item(finding)
    return {
        "title": sent.title,
        "description": sent.description,
        "severity": sent.severity,
        "priority": sent.priority,
        "operational_data": dict(sent.data),
        "tags": dict(sent.tags),
    }


def _github(finding: Finding, _owners: Mapping[str, str]) -> Mapping[str, JSON]:
    return {
        "title": github.title(finding),
        "labels": github.labels(finding),
        "body": github.body(finding, Mark.of(finding)),
    }


def _jira(finding: Finding, _owners: Mapping[str, str]) -> Mapping[str, JSON]:
    return {
        "summary": jira.summary(finding),
        "labels": [jira.LABEL, jira.finding_label(finding)],
        "description": jira.description(finding),
    }


def _servicenow(finding: Finding, _owners: Mapping[str, str]) -> Mapping[str, JSON]:
    return new_incident(finding)


def _security_hub(finding: Finding, _owners: Mapping[str, str]) -> Mapping[str, JSON]:
    return asff(finding, Mark.of(finding), datetime.fromisoformat(finding.changed_at))


PREVIEWS: Final[Mapping[str, Preview]] = {
    "sns": _sns,
    "slack": _slack,
    "slack-webhook": _slack,
    "amazon-q": _amazon_q,
    "apprise": _apprise,
    "opsitem": _ops_item,
    "github": _github,
    "jira": _jira,
    "servicenow": _servicenow,
    "securityhub": _security_hub,
}
"""Every type of channel and ticket system, with what makes its preview."""
