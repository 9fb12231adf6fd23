"""The configuration document: who reads it, who validates it, and what rolls a deployment of it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.template.sam_template import Template, listed, referred
from tests.template.test_template_functions import CONFIGURED, WITH_BATCHES
from tests.template.test_template_roles import READ_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable

IN_ACCOUNT = "arn:${AWS::Partition}:appconfig:${AWS::Region}:${AWS::AccountId}"
DOCUMENT = (
    f"{IN_ACCOUNT}:application/${{ConfigurationApplication}}/environment/${{ConfigurationEnvironment}}"
    "/configuration/${ConfigurationProfile}"
)


def properties(template: Template, name: str) -> dict[str, Any]:
    """Return the properties of a resource."""
    found: dict[str, Any] = template.resources[name]["Properties"]
    return found


@pytest.mark.parametrize("function", CONFIGURED)
def test_a_function_reads_this_document_and_no_other(template: Template, function: str) -> None:
    """Both actions, on the one resource that AWS authorizes them on."""
    statements = [
        statement
        for statement in template.statements(template.role_of(function))
        if READ_CONFIGURATION & set(listed(statement["Action"]))
    ]
    (statement,) = statements
    assert set(statement["Action"]) == READ_CONFIGURATION
    assert statement["Resource"] == {"Fn::Sub": DOCUMENT}
    assert "Condition" not in statement


def test_other_functions_do_not_read_the_document(template: Template) -> None:
    """Nor does any function write it."""
    readers = {template.role_of(function) for function in CONFIGURED}
    for role in template.of_type("AWS::IAM::Role"):
        allowed = {action for action in template.allowed(role) if action.startswith("appconfig:")}
        assert allowed == (READ_CONFIGURATION if role in readers else set()), role


def test_the_document_is_hosted_by_appconfig_and_validated_by_the_function(template: Template) -> None:
    """What the validator refuses is never deployed."""
    profile = properties(template, "ConfigurationProfile")
    assert (profile["LocationUri"], profile["Type"]) == ("hosted", "AWS.Freeform")
    assert profile["Validators"] == [{"Type": "LAMBDA", "Content": {"Fn::GetAtt": ["ValidateConfigFunction", "Arn"]}}]


def test_only_appconfig_invokes_the_validator_for_this_application(template: Template) -> None:
    """The permission names account and application."""
    permission = properties(template, "ValidateConfigPermission")
    assert permission == {
        "FunctionName": {"Fn::GetAtt": ["ValidateConfigFunction", "Arn"]},
        "Action": "lambda:InvokeFunction",
        "Principal": "appconfig.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"},
        "SourceArn": {"Fn::Sub": f"{IN_ACCOUNT}:application/${{ConfigurationApplication}}*"},
    }


def test_a_deployment_reaches_everyone_at_once_and_is_watched(template: Template) -> None:
    """The alarms evaluate single minutes: they go off within the time in which they roll back."""
    strategy = properties(template, "ConfigurationStrategy")
    assert (strategy["DeploymentDurationInMinutes"], strategy["GrowthFactor"]) == (0, 100)
    assert strategy["ReplicateTo"] == "NONE"
    for alarm in _monitored(template):
        own = properties(template, alarm)
        periods = [one["MetricStat"]["Period"] for one in own.get("Metrics", []) if "MetricStat" in one]
        assert max(periods or [own["Period"]]) * own["EvaluationPeriods"] < strategy["FinalBakeTimeInMinutes"] * 60


def test_what_breaks_the_bot_rolls_a_deployment_back(template: Template) -> None:
    """AppConfig takes five alarms."""
    assert _monitored(template) == [
        "ConfigurationUnreadAlarm",
        "BatchesCrashedAlarm",
        "InvokePolicyDeadLettersAlarm",
        "ExecutionRoleDeadLettersAlarm",
        "AlertDeadLettersAlarm",
    ]
    for monitor in properties(template, "ConfigurationEnvironment")["Monitors"]:
        assert monitor["AlarmRoleArn"] == {"Fn::GetAtt": ["ConfigurationMonitorRole", "Arn"]}


def test_the_monitor_only_describes_alarms(template: Template) -> None:
    """AppConfig does nothing else with its role."""
    assert template.allowed("ConfigurationMonitorRole") == {"cloudwatch:DescribeAlarms"}


@pytest.mark.parametrize(
    ("alarm", "metric", "counting"),
    [
        # The sweep reads the document once, and fails without it.
        ("ConfigurationUnreadAlarm", "ConfigurationUnread", (*WITH_BATCHES, "MaintainFindingsFunction")),
        ("BatchesCrashedAlarm", "BatchesCrashed", WITH_BATCHES),
    ],
)
def test_an_alarm_counts_in_every_function_that_reads_the_document(
    template: Template, alarm: str, metric: str, counting: tuple[str, ...]
) -> None:
    """The first one goes off."""
    own = properties(template, alarm)
    stats = [one["MetricStat"]["Metric"] for one in own["Metrics"] if "MetricStat" in one]
    folders = [template.functions[function]["CodeUri"].removeprefix("functions/") for function in counting]
    assert [stat["Dimensions"][0]["Value"] for stat in stats] == folders
    assert {stat["MetricName"] for stat in stats} == {metric}
    (total,) = [one["Expression"] for one in own["Metrics"] if "Expression" in one]
    assert all(f"FILL({one['Id']}, 0)" in total for one in own["Metrics"] if "MetricStat" in one)
    assert (own["Threshold"], own["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")


def test_the_outputs_name_what_a_push_needs(template: Template) -> None:
    """The command line reads them."""
    outputs = template.raw["Outputs"]
    for part in ("Application", "Environment", "Profile", "Strategy"):
        assert outputs[f"Configuration{part}Id"]["Value"] == {"Ref": f"Configuration{part}"}


def test_the_validator_knows_which_channels_and_ticket_systems_are_deployed(
    template: Template, deployed: Callable[..., Template]
) -> None:
    """A document that names others is refused."""
    assert template.environment_of("ValidateConfigFunction") == {
        "TICKET_SYSTEM": "opsitem",
        "IMPORT_TO_SECURITY_HUB": "true",
        "SLACK_SECRET_ARN": template.values["SlackSecretArn"],
        "CHANNEL_SECRET_ARNS": template.values["ChannelSecretArns"],
        "CHANNEL_TOPIC_ARNS": template.values["ChannelTopicArns"],
        "TICKET_SECRET_ARNS": template.values["TicketSecretArns"],
    }
    plain = deployed().environment_of("ValidateConfigFunction")
    assert (plain["TICKET_SYSTEM"], plain["IMPORT_TO_SECURITY_HUB"]) == ("none", "false")


@pytest.mark.parametrize(
    ("parameters", "state"),
    [
        ({}, "DISABLED"),
        ({"TicketSystem": "jira"}, "ENABLED"),
        ({"ImportToSecurityHub": "true"}, "ENABLED"),
        ({"TicketSecretArns": "arn:aws:secretsmanager:us-east-1:123456789012:secret:jira-AbCdEf"}, "ENABLED"),
    ],
)
def test_tickets_are_opened_with_a_ticket_system_of_the_stack_or_a_named_one(
    deployed: Callable[..., Template], parameters: dict[str, str], state: str
) -> None:
    """The rule hands over no event otherwise."""
    assert properties(deployed(**parameters), "TicketEvents")["State"] == state


def _monitored(template: Template) -> list[str]:
    monitors = properties(template, "ConfigurationEnvironment")["Monitors"]
    return [referred(monitor["AlarmArn"]) for monitor in monitors]
