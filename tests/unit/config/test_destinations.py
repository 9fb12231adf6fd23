"""Channels, owners, ticket systems and routes of a document become records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from permission_guard.config.canonical import canonical
from permission_guard.config.destination_keys import MAX_CHANNELS, MAX_DESTINATIONS, MAX_ROUTES, NEEDED
from permission_guard.config.destinations import Channel, ChannelType, NamedTicketSystem, Route, TicketType
from permission_guard.config.document import GuardConfig, Tickets
from permission_guard.config.read import read_config
from permission_guard.errors import ConfigurationDocumentError
from permission_guard.model.verdicts import Severity

NOW: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)
SECRET: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:alerts/pay-AbCdEf"
TOPIC: Final = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:events.fifo"
VALUES: Final = {"secret": SECRET, "topic": TOPIC, "channel": "C0123ABCD"}


def read(document: dict[str, Any]) -> GuardConfig:
    """Read a document."""
    return read_config(json.dumps(document), now=NOW)


def test_every_key_has_its_value() -> None:
    """Names of rules become ids; what is not given is empty."""
    config = read(
        {
            "channels": {"payments": {"type": "slack", "secret": SECRET, "channel": "C0123ABCD"}},
            "tickets": {"systems": {"shop": {"type": "jira", "secret": SECRET}}},
            "owners": {"alice@example.com": "U0123ABCD"},
            "routes": [
                {
                    "id": "payments",
                    "severities": ["high"],
                    "rules": ["public-function-url"],
                    "accounts": ["123456789012"],
                    "functions": ["pay-*"],
                    "tags": {"team": "payments"},
                    "channels": ["payments", "slack"],
                    "tickets": ["shop"],
                },
                {"id": "low", "severities": ["low"], "channels": ["sns"], "only": True},
            ],
        }
    )
    assert config == GuardConfig(
        channels={"payments": Channel(type=ChannelType.SLACK, secret=SECRET, channel="C0123ABCD")},
        tickets=Tickets(systems={"shop": NamedTicketSystem(type=TicketType.JIRA, secret=SECRET)}),
        owners={"alice@example.com": "U0123ABCD"},
        routes=(
            Route(
                id="payments",
                severities=(Severity.HIGH,),
                rules=("PG107",),
                accounts=("123456789012",),
                functions=("pay-*",),
                tags={"team": "payments"},
                channels=("payments", "slack"),
                tickets=("shop",),
            ),
            Route(id="low", severities=(Severity.LOW,), channels=("sns",), only=True),
        ),
    )
    assert canonical(config)["routes"][1] == {"id": "low", "severities": ["low"], "channels": ["sns"], "only": True}
    assert read(canonical(config)) == config


@pytest.mark.parametrize("kind", ChannelType)
def test_a_channel_has_exactly_what_its_type_needs(kind: ChannelType) -> None:
    """One key less or more is a mistake: it would have no effect, or the channel could not be made."""
    needed = {name: VALUES[name] for name in NEEDED[kind]}
    assert read({"channels": {"a": {"type": kind, **needed}}}).channels["a"] == Channel(type=kind, **needed)
    for name in VALUES:
        changed = {key: value for key, value in VALUES.items() if (key in needed) != (key == name)}
        with pytest.raises(ConfigurationDocumentError, match=rf"channels\.a: a channel of the type {kind} "):
            read({"channels": {"a": {"type": kind, **changed}}})


def test_tags_may_replace_the_default_destinations_of_low_and_medium_findings() -> None:
    """Not those of others: `mistakes.yaml` has these."""
    route = {"id": "team", "tags": {"team": "*"}, "severities": ["low", "medium"], "channels": ["sns"], "only": True}
    assert read({"routes": [route]}).routes[0].only


def test_the_numbers_of_entries_are_bounded() -> None:
    """A document cannot make a function send a finding a thousand times."""
    channel = {"type": "sns", "topic": TOPIC}
    for key, most, entries in (
        ("channels", MAX_CHANNELS, {f"c{index}": channel for index in range(MAX_CHANNELS + 1)}),
        ("routes", MAX_ROUTES, [{"id": f"r{index}", "channels": ["sns"]} for index in range(MAX_ROUTES + 1)]),
        ("routes", MAX_DESTINATIONS, [{"id": "r", "channels": ["sns"] * (MAX_DESTINATIONS + 1)}]),
    ):
        with pytest.raises(ConfigurationDocumentError, match=f"Write at most {most}"):
            read({key: entries})
