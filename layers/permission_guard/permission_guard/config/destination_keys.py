"""The keys of `channels`, `owners`, `routes` and `tickets.systems` in `guard.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from permission_guard.config.destinations import (
    STACK_CHANNELS,
    STACK_TICKET_SYSTEMS,
    Channel,
    ChannelType,
    NamedTicketSystem,
    Route,
    TicketType,
)
from permission_guard.config.forms import Choice, Flag, Key, ListOf, MapOf, ObjectOf, Text
from permission_guard.config.narrowing import (
    ACCOUNTS,
    ACCOUNTS_DESCRIPTION,
    FUNCTIONS,
    FUNCTIONS_DESCRIPTION,
    MAX_ITEMS,
    TAGS,
    TAGS_DESCRIPTION,
    narrows,
)
from permission_guard.config.nodes import quoted
from permission_guard.config.rule_names import ROLE_RULES
from permission_guard.config.special_forms import RuleReference
from permission_guard.config.texts import ID
from permission_guard.model.verdicts import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CHANNELS: Final = 50
MAX_TICKET_SYSTEMS: Final = 20
MAX_OWNERS: Final = 1_000
MAX_ROUTES: Final = 200
MAX_DESTINATIONS: Final = 10
"""So many channels or ticket systems a route may name."""

ROUTE_NARROWING: Final = ("severities", "rules", "accounts", "functions", "tags")
"""The keys that narrow a route to some of the findings."""

NEEDED: Final[Mapping[ChannelType, tuple[str, ...]]] = {
    ChannelType.SLACK: ("secret", "channel"),
    ChannelType.SLACK_WEBHOOK: ("secret",),
    ChannelType.APPRISE: ("secret",),
    ChannelType.AMAZON_Q: ("topic",),
    ChannelType.SNS: ("topic",),
}
"""The keys that a channel of each type has, besides `type`: no more and no fewer."""
_OF_A_TYPE: Final = ("secret", "topic", "channel")


def _name(example: str, reserved: tuple[str, ...], whose: str) -> Text:
    """Return the form of a name that the stack's own destinations do not have."""

    def mistake(text: str) -> str | None:
        if text not in reserved:
            return None
        return f"{quoted(text)} is {whose}. Write another name, such as team-{text}."

    return Text(
        shape=f"a name of lowercase letters, digits and hyphens, such as {example}",
        longest=32,
        pattern="[a-z0-9-]{1,32}",
        mistake=mistake,
    )


SECRET: Final = Text(
    shape="the full ARN of a secret, with the six characters that Secrets Manager adds to its name",
    longest=600,
    pattern=r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@!-]{1,500}-[A-Za-z0-9]{6}",
)
TOPIC: Final = Text(
    shape="the ARN of an SNS topic, such as arn:aws:sns:us-east-1:123456789012:alerts",
    longest=400,
    pattern=r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?",
)


def _slack_mistake(text: str) -> str | None:
    if not text.startswith(("#", "@")):
        return None
    example = "C0123ABCD" if text.startswith("#") else "U0123ABCD"
    return f"{quoted(text)} is a name. Write the ID, which Slack shows in its details, such as {example}."


SLACK_CHANNEL: Final = Text(
    shape="the ID of a Slack channel, such as C0123ABCD",
    longest=31,
    pattern="[CGD][A-Z0-9]+",
    mistake=_slack_mistake,
)
SLACK_MEMBER: Final = Text(
    shape="the ID of a Slack user or user group, such as U0123ABCD or S0123ABCD",
    longest=32,
    pattern="[UWS][A-Z0-9]+",
    mistake=_slack_mistake,
)
OWNER_TAG: Final = Text(
    shape="the value of the tag owner or team, such as team-payments", longest=256, takes_numbers=True
)
CHANNEL_NAME: Final = _name("payments", STACK_CHANNELS, "the stack's own channel")
TICKET_SYSTEM_NAME: Final = _name("shop", (*STACK_TICKET_SYSTEMS, "none"), "a value of the parameter TicketSystem")
DESTINATION: Final = Text(
    shape="a name of lowercase letters, digits and hyphens", longest=32, pattern="[a-z0-9-]{1,32}"
)


def _channel_mistake(given: Mapping[str, Any]) -> str | None:
    kind = given.get("type")
    if kind is None:
        return None
    if missing := [name for name in NEEDED[kind] if name not in given]:
        return f"a channel of the type {kind} needs {' and '.join(missing)}. Add what is missing."
    if unused := [name for name in _OF_A_TYPE if name in given and name not in NEEDED[kind]]:
        return f"a channel of the type {kind} has no {' and no '.join(unused)}. Remove it, or write another type."
    return None


def _route_mistake(given: Mapping[str, Any]) -> str | None:
    named = [given[key] for key in ("channels", "tickets") if key in given]
    if not named:
        return "this route names no destination. Add channels or tickets."
    if "tags" in given and given.get("rules") and ROLE_RULES.issuperset(given["rules"]):
        return f"tags never matches findings about roles ({', '.join(given['rules'])}). Remove tags, or add rules."
    if not given.get("only"):
        return None
    if not any(_narrows(key, given[key]) for key in ROUTE_NARROWING if key in given):
        return (
            "with only, this route would replace the default destinations for every finding. "
            f"Remove only, or add one of {', '.join(ROUTE_NARROWING)}, narrower than *."
        )
    severities = given.get("severities", tuple(Severity))
    is_high = severities is not None and any(Severity(one) in (Severity.HIGH, Severity.CRITICAL) for one in severities)
    if "tags" in given and is_high:
        return (
            "whoever may tag a function could take its high and critical findings from the default destinations. "
            "Remove only, remove tags, or add severities: [low, medium]."
        )
    return None


def _narrows(key: str, value: object) -> bool:
    """Return whether a value leaves any finding out; all severities together do not."""
    if key == "severities" and isinstance(value, tuple):
        return not set(Severity) <= set(value)
    return narrows(value)


CHANNEL: Final = ObjectOf(
    record=Channel,
    mistake=_channel_mistake,
    keys=(
        Key(
            name="type",
            form=Choice(ChannelType),
            is_required=True,
            description="What the channel is: slack, by a bot token; slack-webhook, by an incoming webhook; apprise, "
            "by Apprise URLs; amazon-q, Amazon Q Developer in chat applications, by an SNS topic; sns, an SNS topic.",
        ),
        Key(
            name="secret",
            form=SECRET,
            description="The full ARN of the secret with the credentials and the address, for slack, slack-webhook "
            "and apprise. The stack's parameter ChannelSecretArns must have it.",
        ),
        Key(
            name="topic",
            form=TOPIC,
            description="The ARN of the SNS topic, for amazon-q and sns. The stack's parameter ChannelTopicArns must "
            "have it.",
        ),
        Key(name="channel", form=SLACK_CHANNEL, description="The ID of the Slack channel, for slack."),
    ),
)

TICKET_SYSTEM: Final = ObjectOf(
    record=NamedTicketSystem,
    keys=(
        Key(
            name="type",
            form=Choice(TicketType),
            is_required=True,
            description="What the ticket system is: jira, github or servicenow.",
        ),
        Key(
            name="secret",
            form=SECRET,
            is_required=True,
            description="The full ARN of the secret with the URL and the credentials. The stack's parameter "
            "TicketSecretArns must have it.",
        ),
    ),
)

ROUTE: Final = ObjectOf(
    record=Route,
    mistake=_route_mistake,
    keys=(
        Key(
            name="id",
            form=ID,
            is_required=True,
            description="The name of the route, once in the document: lowercase letters, digits and hyphens.",
        ),
        Key(
            name="severities",
            form=ListOf(Choice(Severity), "severities", len(Severity), least=1),
            description="Only findings of these severities.",
        ),
        Key(
            name="rules",
            form=ListOf(RuleReference(), "rules", MAX_ITEMS, least=1),
            description="Only findings of these rules: ids or names.",
        ),
        Key(name="accounts", form=ACCOUNTS, description=ACCOUNTS_DESCRIPTION),
        Key(name="functions", form=FUNCTIONS, description=FUNCTIONS_DESCRIPTION),
        Key(name="tags", form=TAGS, description=TAGS_DESCRIPTION),
        Key(
            name="channels",
            form=ListOf(DESTINATION, "channels", MAX_DESTINATIONS, least=1),
            description="The channels that alerts about these findings go to, by their names in channels; sns and "
            "slack are the stack's own.",
        ),
        Key(
            name="tickets",
            form=ListOf(DESTINATION, "ticket systems", MAX_DESTINATIONS, least=1),
            description="The ticket systems that open tickets about these findings, by their names in "
            "tickets.systems; the value of the parameter TicketSystem is the stack's own, and so is securityhub with "
            "ImportToSecurityHub.",
        ),
        Key(
            name="only",
            form=Flag(),
            description="Whether the route replaces the default channels, if it names channels, and the default "
            "ticket systems, if it names tickets. Tags cannot do that for high and critical findings.",
        ),
    ),
)

CHANNELS: Final = MapOf(CHANNEL_NAME, CHANNEL, "channels", MAX_CHANNELS)
TICKET_SYSTEMS: Final = MapOf(TICKET_SYSTEM_NAME, TICKET_SYSTEM, "ticket systems", MAX_TICKET_SYSTEMS)
OWNERS: Final = MapOf(OWNER_TAG, SLACK_MEMBER, "owners", MAX_OWNERS)
ROUTES: Final = ListOf(ROUTE, "routes", MAX_ROUTES)
