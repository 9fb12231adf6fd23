"""What is deployed is what differs from the defaults, and what the stack can do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from permission_guard.config.deployed import to_deploy, validate_for
from permission_guard.config.destinations import Channel, ChannelType, NamedTicketSystem, Route, TicketType
from permission_guard.config.document import GuardConfig, RuleConfig, Tickets, Trust
from permission_guard.config.read import read_config
from permission_guard.config.settings import ValidationSettings
from permission_guard.errors import ConfigurationDocumentError
from permission_guard.model.verdicts import Severity

NOW = datetime(2026, 11, 20, 10, 15, 30, tzinfo=UTC)
WITH_TICKETS, WITHOUT = ValidationSettings("opsitem"), ValidationSettings("none")
CONFIG = GuardConfig(
    trust=Trust(accounts=("111122223333",)),
    rules={"PG113": RuleConfig(enabled=False)},
    tickets=Tickets(min_severity=Severity.HIGH),
)


def test_only_what_differs_from_the_defaults_is_deployed() -> None:
    """Reading it gives the same configuration."""
    document = json.loads(to_deploy(CONFIG))
    assert document.keys() == {"version", "trust", "rules", "tickets"}
    assert read_config(to_deploy(CONFIG), now=NOW) == CONFIG
    assert json.loads(to_deploy(GuardConfig())) == {"version": 1}


def test_tickets_need_a_ticket_system() -> None:
    """Otherwise the key would have no effect."""
    assert validate_for(to_deploy(CONFIG), WITH_TICKETS, now=NOW) == CONFIG
    with pytest.raises(ConfigurationDocumentError) as refused:
        validate_for(to_deploy(CONFIG), WITHOUT, now=NOW)
    assert str(refused.value) == (
        "tickets: no ticket system is deployed. Set TicketSystem or ImportToSecurityHub, or remove this key."
    )
    assert validate_for(to_deploy(GuardConfig()), WITHOUT, now=NOW) == GuardConfig()


def test_an_invalid_document_is_refused_with_every_problem() -> None:
    """As `config validate` refuses it."""
    with pytest.raises(ConfigurationDocumentError) as refused:
        validate_for('{"version": 2, "rulez": {}}', WITH_TICKETS, now=NOW)
    assert {problem.path for problem in refused.value.problems} == {"version", "rulez"}


@pytest.mark.parametrize("settings", [WITH_TICKETS, WITHOUT])
def test_an_empty_document_is_accepted_by_every_stack(settings: ValidationSettings) -> None:
    """It is what people deploy when nothing else is accepted."""
    assert validate_for("{}", settings, now=NOW) == GuardConfig()


SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:payments-AbCdEf"
TOPIC = "arn:aws:sns:us-east-1:123456789012:chat"
ROUTED = GuardConfig(
    channels={
        "chat": Channel(type=ChannelType.AMAZON_Q, topic=TOPIC),
        "payments": Channel(type=ChannelType.SLACK, secret=SECRET, channel="C0123ABCD"),
    },
    tickets=Tickets(systems={"shop": NamedTicketSystem(type=TicketType.JIRA, secret=SECRET)}),
    routes=(Route(id="all", channels=("slack", "payments"), tickets=("shop", "opsitem")),),
)


def test_what_the_senders_may_not_use_is_refused_before_they_fail() -> None:
    """Each problem names the parameter of the stack."""
    with pytest.raises(ConfigurationDocumentError) as refused:
        validate_for(to_deploy(ROUTED), ValidationSettings("jira"), now=NOW)
    add = "does not have this ARN. Add it there, and deploy."
    assert [str(problem) for problem in refused.value.problems] == [
        f"tickets.systems.shop.secret: the stack's parameter TicketSecretArns {add}",
        f"channels.chat.topic: the stack's parameter ChannelTopicArns {add}",
        f"channels.payments.secret: the stack's parameter ChannelSecretArns {add}",
        "routes[0].channels: the stack has no Slack channel of its own. Set SlackSecretArn, or remove slack.",
        "routes[0].tickets: opsitem is not deployed: TicketSystem is jira. Remove it, or deploy it.",
    ]


def test_a_route_names_security_hub_if_the_stack_imports_findings() -> None:
    """Besides the ticket system of the stack, or without one."""
    routed = GuardConfig(
        routes=(Route(id="all", tickets=("securityhub",)),), tickets=Tickets(min_severity=Severity.LOW)
    )
    for system in ("none", "opsitem", "securityhub"):
        settings = ValidationSettings.from_environment({"TICKET_SYSTEM": system, "IMPORT_TO_SECURITY_HUB": "true"})
        assert validate_for(to_deploy(routed), settings, now=NOW) == routed
    with pytest.raises(ConfigurationDocumentError) as refused:
        validate_for(to_deploy(routed), ValidationSettings("opsitem"), now=NOW)
    assert str(refused.value) == (
        "routes[0].tickets: securityhub is not deployed: TicketSystem is opsitem, and ImportToSecurityHub is false. "
        "Remove it, or deploy it."
    )


def test_tickets_are_accepted_if_the_stack_only_imports_findings() -> None:
    """Security Hub is a ticket system."""
    settings = ValidationSettings("none", imports_to_security_hub=True)
    assert validate_for(to_deploy(CONFIG), settings, now=NOW) == CONFIG


def test_what_the_parameters_of_the_stack_have_is_accepted() -> None:
    """Named ticket systems need no ticket system of the stack itself."""
    given = {
        "SLACK_SECRET_ARN": SECRET,
        "CHANNEL_SECRET_ARNS": f"{TOPIC},{SECRET}",
        "CHANNEL_TOPIC_ARNS": TOPIC,
        "TICKET_SECRET_ARNS": SECRET,
    }
    settings = ValidationSettings.from_environment({"TICKET_SYSTEM": "opsitem", **given})
    assert validate_for(to_deploy(ROUTED), settings, now=NOW) == ROUTED
    only_named = replace(ROUTED, routes=(Route(id="shop", tickets=("shop",)),))
    settings = ValidationSettings.from_environment({"TICKET_SYSTEM": "none", **given})
    assert validate_for(to_deploy(only_named), settings, now=NOW) == only_named
