"""Settings are typed, and errors name the variable that is missing or invalid."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.config.settings import (
    AlertSettings,
    CheckSettings,
    ConfigurationSettings,
    DecideSettings,
    FixMode,
    FixSettings,
    MaintenanceSettings,
    PublishSettings,
    SweepSettings,
    TicketSettings,
    ValidationSettings,
)
from permission_guard.errors import ConfigurationError

WHOLE: dict[Any, dict[str, str]] = {
    ConfigurationSettings: {
        "CONFIGURATION_APPLICATION": "abc1234",
        "CONFIGURATION_ENVIRONMENT": "ghi9012",
        "CONFIGURATION_PROFILE": "def5678",
    },
    ValidationSettings: {"TICKET_SYSTEM": "none"},
    CheckSettings: {"FINDINGS_TABLE": "findings", "CHECK_QUEUE_URL": "https://sqs/own"},
    SweepSettings: {
        "ALERT_QUEUE_URL": "https://sqs/alerts",
        "FINDINGS_TABLE": "findings",
        "INVOKE_POLICY_QUEUE_URL": "https://sqs/invoke",
        "EXECUTION_ROLE_QUEUE_URL": "https://sqs/role",
    },
    MaintenanceSettings: {
        "FINDINGS_TABLE": "findings",
        "DELIVERIES_TABLE": "deliveries",
        "ALERT_QUEUE_URL": "https://sqs/alerts",
        "STACK_NAME": "permission-guard",
    },
    PublishSettings: {"EVENT_BUS": "permission-guard"},
    AlertSettings: {"FINDINGS_TABLE": "findings", "DELIVERIES_TABLE": "deliveries", "STACK_NAME": "permission-guard"},
    TicketSettings: {
        "FINDINGS_TABLE": "findings",
        "DELIVERIES_TABLE": "deliveries",
        "TICKET_SYSTEM": "ops-item",
        "TICKET_QUEUE_URL": "https://sqs/tickets",
    },
    FixSettings: {
        "FINDINGS_TABLE": "findings",
        "DECISIONS_TABLE": "decisions",
        "DECIDE_FIX_ARN": "arn:aws:lambda:us-east-1:123456789012:function:decide-fix",
        "FIX_MODE": "auto",
    },
    DecideSettings: {"FINDINGS_TABLE": "findings", "DECISIONS_TABLE": "decisions", "FIX_MODE": "auto"},
}
REQUIRED = [(settings, name) for settings, environment in WHOLE.items() for name in environment]


@pytest.mark.parametrize(("settings", "name"), REQUIRED, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("value", [None, "", "  "], ids=["missing", "empty", "blank"])
def test_each_required_variable_is_named_when_it_is_not_set(settings: Any, name: str, value: str | None) -> None:
    """The message names the variable and the file that sets it."""
    environment = {**WHOLE[settings], name: value or ""}
    if value is None:
        del environment[name]
    with pytest.raises(ConfigurationError, match=rf"environment variable {name} is not set; template\.yaml sets it"):
        settings.from_environment(environment)


@pytest.mark.parametrize("settings", WHOLE, ids=lambda settings: settings.__name__)
def test_the_required_variables_are_enough(settings: Any) -> None:
    """All other variables have a default, and unknown variables are ignored."""
    assert settings.from_environment({**WHOLE[settings], "AWS_REGION": "us-east-1"})


def test_the_sweep_has_both_queues_in_the_order_of_the_directions() -> None:
    """The queue of the invoke policies is first."""
    assert SweepSettings.from_environment(WHOLE[SweepSettings]).queue_urls == ("https://sqs/invoke", "https://sqs/role")


def test_the_sweep_hands_findings_only_to_what_is_enabled() -> None:
    """The template leaves the queues of the others empty."""
    whole = {**WHOLE[SweepSettings], "TICKET_QUEUE_URL": "", "FIX_QUEUE_URL": "https://sqs/fixes"}
    settings = SweepSettings.from_environment(whole)
    assert (settings.alert_queue_url, settings.ticket_queue_url) == ("https://sqs/alerts", None)
    assert settings.fix_queue_url == "https://sqs/fixes"


def test_alert_channels_are_absent_unless_they_are_named() -> None:
    """An empty variable is what the template sets where a parameter is empty."""
    settings = AlertSettings.from_environment(
        {**WHOLE[AlertSettings], "TOPIC_ARN": "", "SLACK_SECRET_ARN": "", "SLACK_WEBHOOK_PREFIX": ""}
    )
    assert settings == AlertSettings(
        "findings", "deliveries", None, None, "https://hooks.slack.com/", "permission-guard"
    )


def test_alert_channels_that_are_named_are_used() -> None:
    """Both can be set."""
    settings = AlertSettings.from_environment(
        {
            **WHOLE[AlertSettings],
            "TOPIC_ARN": "arn:topic",
            "SLACK_SECRET_ARN": "arn:secret",
            "SLACK_WEBHOOK_PREFIX": "http://localhost/",
        }
    )
    assert settings == AlertSettings(
        "findings", "deliveries", "arn:topic", "arn:secret", "http://localhost/", "permission-guard"
    )


@pytest.mark.parametrize("mode", list(FixMode))
def test_each_fix_mode_is_accepted(mode: FixMode) -> None:
    """All four values of the template's parameter."""
    settings = FixSettings.from_environment({**WHOLE[FixSettings], "FIX_MODE": mode.value})
    assert settings.mode is mode
    assert settings.max_fixes_an_hour == 20
    assert not settings.replaces_policies


@pytest.mark.parametrize(("value", "replaces"), [("true", True), ("false", False), ("", False), ("True", False)])
def test_policies_are_replaced_only_if_the_parameter_says_true(value: str, replaces: bool) -> None:
    """In doubt a fix makes single calls."""
    settings = FixSettings.from_environment({**WHOLE[FixSettings], "ATOMIC_NARROWING": value})
    assert settings.replaces_policies is replaces


def test_the_log_group_of_data_events_is_an_arn() -> None:
    """Or empty, which asks CloudTrail nothing."""
    assert FixSettings.from_environment(WHOLE[FixSettings]).invoke_events_log_group == ""
    arn = "arn:aws-cn:logs:cn-north-1:123456789012:log-group:aws/trail"
    named = {**WHOLE[FixSettings], "INVOKE_EVENTS_LOG_GROUP_ARN": arn}
    assert FixSettings.from_environment(named).invoke_events_log_group == arn
    for wrong in ("aws/trail", f"{arn}:*", arn.replace("logs", "s3")):
        with pytest.raises(ConfigurationError, match="not the ARN of a log group"):
            FixSettings.from_environment({**WHOLE[FixSettings], "INVOKE_EVENTS_LOG_GROUP_ARN": wrong})


@pytest.mark.parametrize("mode", ["Auto", "on", "yes"])
def test_an_invalid_fix_mode_is_rejected_and_the_valid_ones_are_named(mode: str) -> None:
    """The mode that allows changes is never guessed."""
    for settings in (FixSettings, DecideSettings):
        with pytest.raises(ConfigurationError, match="it must be one of off, plan, approve, auto"):
            settings.from_environment({**WHOLE[settings], "FIX_MODE": mode})


@pytest.mark.parametrize(("value", "auto_fix"), [(None, "restore"), ("", "restore"), ("grant", "grant")])
def test_the_mode_auto_only_restores_unless_it_is_told_otherwise(value: str | None, auto_fix: str) -> None:
    """The mode that grants is never guessed."""
    environment = WHOLE[FixSettings] | ({} if value is None else {"AUTO_FIX": value})
    assert FixSettings.from_environment(environment).auto_fix == auto_fix
    with pytest.raises(ConfigurationError, match="AUTO_FIX is 'all'; it must be one of restore, grant"):
        FixSettings.from_environment({**WHOLE[FixSettings], "AUTO_FIX": "all"})


@pytest.mark.parametrize(
    ("system", "imports", "own"),
    [
        ("none", "false", ()),
        ("none", "true", ("securityhub",)),
        ("opsitem", "", ("opsitem",)),
        ("opsitem", "true", ("opsitem", "securityhub")),
        ("securityhub", "false", ("securityhub",)),
        ("securityhub", "true", ("securityhub",)),
    ],
)
def test_security_hub_is_a_ticket_system_besides_the_other(system: str, imports: str, own: tuple[str, ...]) -> None:
    """The validator of documents knows the same names. Each is there once."""
    environment = {"TICKET_SYSTEM": system, "IMPORT_TO_SECURITY_HUB": imports}
    assert TicketSettings.from_environment({**WHOLE[TicketSettings], **environment}).own_systems == own
    assert ValidationSettings.from_environment(environment).own_ticket_systems == own


@pytest.mark.parametrize("limit", ["0", "-1", "many", "10000", "1.5", "0x10", ""])
def test_an_invalid_limit_is_rejected(limit: str) -> None:
    """So is 0: FixMode off disables fixes."""
    environment = {**WHOLE[FixSettings], "MAX_FIXES_AN_HOUR": limit}
    with pytest.raises(ConfigurationError, match="it must be a number from 1 to 9999"):
        FixSettings.from_environment(environment)


@pytest.mark.parametrize(("limit", "number"), [("1", 1), ("9999", 9999)])
def test_the_limit_goes_from_one_to_9999(limit: str, number: int) -> None:
    """Both values are valid."""
    environment = {**WHOLE[FixSettings], "MAX_FIXES_AN_HOUR": limit}
    assert FixSettings.from_environment(environment).max_fixes_an_hour == number


def test_a_long_invalid_value_does_not_fill_the_log() -> None:
    """The message contains only its beginning."""
    with pytest.raises(ConfigurationError) as error:
        FixSettings.from_environment({**WHOLE[FixSettings], "FIX_MODE": "x" * 10_000})
    assert len(str(error.value)) < 200
