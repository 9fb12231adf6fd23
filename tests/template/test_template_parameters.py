"""Parameters accept only valid values, and their defaults deploy nothing dangerous."""

from __future__ import annotations

import re

import pytest

from permission_guard.bootstrap.tickets import TICKET_SYSTEMS
from permission_guard.config.settings import AutoFix, FixMode
from tests.template.sam_template import EVERYTHING, Template

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:slack-AbCdEf"
TOPIC = "arn:aws:sns:us-east-1:123456789012:chat"

OPERATOR = "arn:aws:iam::123456789012:role/operators"
KEY = "arn:aws:kms:us-east-1:123456789012:key/0e6f4d9c-7c5b-4c5b-9a53-3f1f6f0f5a11"

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:aws-cloudtrail-logs"
ACCEPTED = {
    "AlertEmail": ["", "ops@example.com", "first.last+tag@mail.example.co.uk"],
    "AlertEmailSeverities": ["low", "medium", "high", "critical"],
    "SlackSecretArn": [
        "",
        SECRET,
        SECRET.replace("aws:", "aws-cn:", 1).replace("us-east-1", "cn-north-1"),
        SECRET.replace("aws:", "aws-us-gov:", 1).replace("us-east-1", "us-gov-west-1"),
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/chat/slack_web.hook+=@-AbCdEf",
    ],
    "TicketUrl": ["", "https://github.com/acme/platform", "https://acme-1.example/projects/OPS"],
    "TicketSecretArn": ["", SECRET],
    "ChannelSecretArns": ["", SECRET, SECRET.replace("slack", "rds!db/x+=.@")],
    "ChannelTopicArns": ["", TOPIC, f"{TOPIC}.fifo", TOPIC.replace("aws:", "aws-cn:", 1)],
    "TicketSecretArns": ["", SECRET],
    "OperatorRoleArns": [
        "",
        OPERATOR,
        "arn:aws-us-gov:iam::123456789012:role/operators",
        "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Operators_*",
    ],
    "KmsKeyArn": ["", KEY, KEY.replace("0e6f4d9c-", "mrk-"), KEY.replace("aws:", "aws-cn:", 1)],
    "InvokeEventsLogGroupArn": ["", GROUP, GROUP.replace("aws:", "aws-cn:", 1), GROUP + "/a_b.c#1"],
    "FixResourceTag": ["", "team=orders", "cost-center=4711", "aws:cloudformation:stack-name=orders", "a/b.c:d+e@f_=1"],
    "FixNamePrefix": ["", "orders-", "Orders_", "4th.team-", "a" * 63],
    "HomeRegion": ["eu-west-1", "ap-southeast-7", "mx-central-1", "us-gov-east-1", "cn-northwest-1"],
}

REFUSED = {
    "AlertEmail": ["ops", "ops@", "@example.com", "ops@example", "a b@example.com", "a@b@example.com", " "],
    "AlertEmailSeverities": ["", "HIGH", "high ", "*", "none", 'high", "low', "high|low"],
    "SlackSecretArn": [
        "slack",
        "https://hooks.slack.com/services/T/B/x",
        SECRET.replace("secretsmanager", "ssm"),
        SECRET.replace("123456789012", "12345678901"),
        SECRET.replace("123456789012", ""),
        SECRET.replace("arn:aws:", "arn:evil:"),
        SECRET + "*",
        SECRET + ",arn",
        "*",
    ],
    "TicketUrl": [
        "acme/platform",
        "http://github.com/acme/platform",
        "https://github.com",
        "https://user@github.com/acme/platform",
        "https://github.com:8443/acme/platform",
        "https://github.com/acme/platform?x=1",
        "https://github.com/acme/platform#x",
        "https://github.com/acme platform",
    ],
    "TicketSecretArn": ["github_pat_x", SECRET.replace("secretsmanager", "ssm"), SECRET + "*", "*"],
    "ChannelSecretArns": ["xoxb-1", SECRET.replace("-AbCdEf", ""), SECRET.replace("slack", "*"), SECRET + " ", "*"],
    "ChannelTopicArns": ["alerts", TOPIC + "*", TOPIC + ":0e6f4d9c", TOPIC.replace("sns", "sqs"), "*"],
    "TicketSecretArns": ["token", SECRET.replace("-AbCdEf", ""), SECRET.replace("123456789012", "*"), "*"],
    "OperatorRoleArns": [
        "*",
        "arn:aws:iam::*:role/operators",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:user/mallory",
        "arn:aws:iam::123456789012:root",
        "operators",
        OPERATOR + " ",
    ],
    "KmsKeyArn": ["alias/aws/sns", KEY.replace("key/", "alias/"), "0e6f4d9c", KEY.replace("123456789012", "*"), "*"],
    "InvokeEventsLogGroupArn": [
        "aws-cloudtrail-logs",
        GROUP + ":*",
        GROUP.replace("trail", "*"),
        GROUP.replace("123456789012", "*"),
        GROUP.replace(":logs:", ":s3:"),
        GROUP + " ",
        "*",
    ],
    "FixResourceTag": [
        "team",
        "team=",
        "=orders",
        "team=a=b",
        "team=*",
        "team=order?",
        "team=${aws:PrincipalTag/team}",
        'team": "a", "x=y',
        "team = orders",
        "te\\am=orders",
        " ",
    ],
    "FixNamePrefix": [
        "o",
        "or",
        "*",
        "orders-*",
        "order?",
        "-orders",
        "${x}",
        'orders"',
        "orders/",
        "a:b",
        "a" * 64,
        "   ",
    ],
    "HomeRegion": ["", "us", "europe", "eu-west", "eu-west-1a", "EU-WEST-1", "eu_west_1", "eu-west-1/..", "*"],
}


@pytest.fixture
def patterns(template: Template, iam_events_stack: Template) -> dict[str, str]:
    """Return every pattern of a parameter, of both templates."""
    return {
        name: parameter["AllowedPattern"]
        for stack in (template, iam_events_stack)
        for name, parameter in stack.parameters.items()
        if "AllowedPattern" in parameter
    }


def test_every_pattern_is_tested_with_valid_and_invalid_values(patterns: dict[str, str]) -> None:
    """A new pattern needs both lists."""
    assert ACCEPTED.keys() == REFUSED.keys() == patterns.keys()


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ACCEPTED.items() for value in values])
def test_a_parameter_accepts_valid_values(patterns: dict[str, str], name: str, value: str) -> None:
    """The values are typical ones."""
    assert re.search(patterns[name], value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_a_parameter_rejects_invalid_values(patterns: dict[str, str], name: str, value: str) -> None:
    """CloudFormation validates them before it deploys anything."""
    assert not re.search(patterns[name], value)


def test_patterns_match_the_whole_value(patterns: dict[str, str]) -> None:
    """Each alternative is anchored at both ends."""
    for name, pattern in patterns.items():
        for alternative in pattern.split("|"):
            assert alternative.startswith("^"), name
            assert alternative.endswith("$"), name


def test_every_parameter_is_explained_and_limited(template: Template, iam_events_stack: Template) -> None:
    """It has a description, and a pattern with an explanation, a list of values or bounds."""
    for stack in (template, iam_events_stack):
        for name, parameter in stack.parameters.items():
            assert len(parameter["Description"]) > 20, name
            if parameter["Type"] == "Number":
                assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"], name
                continue
            assert parameter["Type"] in ("String", "CommaDelimitedList"), name
            assert ("AllowedPattern" in parameter) != ("AllowedValues" in parameter), name
            assert ("AllowedPattern" in parameter) == ("ConstraintDescription" in parameter), name


def test_every_parameter_has_a_label_in_a_group(template: Template, iam_events_stack: Template) -> None:
    """The console shows them in the order of the groups."""
    for stack in (template, iam_events_stack):
        interface = stack.raw["Metadata"]["AWS::CloudFormation::Interface"]
        grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
        assert sorted(grouped) == sorted(stack.parameters)
        assert interface["ParameterLabels"].keys() == stack.parameters.keys()
        assert all(group["Label"]["default"] for group in interface["ParameterGroups"])
        assert all(label["default"] for label in interface["ParameterLabels"].values())


def test_the_modes_are_those_of_the_code(template: Template) -> None:
    """They are sorted by how much they change."""
    assert template.parameters["FixMode"]["AllowedValues"] == list(FixMode)
    assert template.parameters["AutoFix"]["AllowedValues"] == list(AutoFix)


def test_the_ticket_systems_are_those_of_the_code(template: Template) -> None:
    """Each of them can be chosen."""
    assert template.parameters["TicketSystem"]["AllowedValues"] == list(TICKET_SYSTEMS)


def test_the_defaults_report_and_do_nothing_else(template: Template) -> None:
    """There are no fixes, no tickets and no secrets."""
    defaults = {name: parameter["Default"] for name, parameter in template.parameters.items()}
    assert defaults.pop("FixMode") == "off"
    assert defaults.pop("AutoFix") == "restore"
    assert defaults.pop("TicketSystem") == "none"
    assert defaults.pop("ImportToSecurityHub") == "false"
    assert defaults.pop("AtomicNarrowing") == "false"
    assert defaults.pop("AlertEmailSeverities") == "high,critical"
    assert set(defaults.values()) == {""}


def test_the_home_region_has_to_be_chosen(iam_events_stack: Template) -> None:
    """No default would be right for most users."""
    assert "Default" not in iam_events_stack.parameters["HomeRegion"]


def test_the_parameters_of_the_tests_are_valid(template: Template, patterns: dict[str, str]) -> None:
    """Otherwise the tests would check a stack that cannot be deployed."""
    assert EVERYTHING.keys() == template.parameters.keys()
    for name, value in EVERYTHING.items():
        parameter = template.parameters[name]
        if parameter["Type"] == "Number":
            assert parameter["MinValue"] <= int(value) <= parameter["MaxValue"], name
        elif "AllowedValues" in parameter:
            assert value in parameter["AllowedValues"], name
        else:
            values = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
            assert all(re.search(patterns[name], one) for one in values), name
