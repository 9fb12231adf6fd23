"""`permission-guard check` evaluates what a function's configuration requires of its role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.cli.test_check_roles import allow, attached, inline, template
from tests.unit.cli.test_check_sam import event
from tests.unit.cli.test_check_sam import template as sam

if TYPE_CHECKING:
    from collections.abc import Callable

SQS = "service-role/AWSLambdaSQSQueueExecutionRole"
READ = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
STREAMS = ["logs:CreateLogStream", "logs:PutLogEvents"]
VPC = {"SubnetIds": ["subnet-0a1b2c3d"], "SecurityGroupIds": ["sg-0a1b2c3d"]}


@pytest.fixture
def check(check: Callable[..., Any]) -> Callable[..., Any]:
    """Evaluate only the rules on the needs of the configuration."""
    options = [part for rule in ("PG204", "PG205", "PG206", "PG211") for part in ("--rule", rule)]
    return lambda content: check(content, *options)


def function(role: dict[str, Any], resources: Any = None, **configuration: Any) -> dict[str, Any]:
    """Return a template with a function that has a queue as its event source, and with a configuration."""
    body = template(role, resources=resources)
    body["Resources"]["Orders"]["Properties"] |= configuration
    return body


def test_the_managed_policy_of_a_queue_allows_logs(check: Any) -> None:
    """A function without optional features needs nothing else."""
    assert check(function(attached(SQS))).code == 0


def test_a_role_that_only_allows_reading_the_queue_lacks_logs(check: Any) -> None:
    """The remedy is a statement to paste."""
    result = check(function(inline(allow(*READ))))
    assert result.findings == [("PG204", "logging")]
    assert [need["action"] for need in result.document["findings"][0]["evidence"]["missing"]] == STREAMS
    assert result.document["findings"][0]["remedies"][0]["kind"] == "policy-statement"


def test_a_log_group_is_assumed_to_exist(check: Any) -> None:
    """A file does not show whether it exists, so a role without CreateLogGroup passes."""
    group = {"Fn::Sub": "arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/Orders:*"}
    assert check(function(inline(allow(*STREAMS, resource=group)))).code == 0
    layers = ["arn:aws:lambda:us-east-1:580247275435:layer:LambdaInsightsExtension:60"]
    assert check(function(inline(allow(*STREAMS)), Layers=layers)).code == 0


def test_the_template_can_create_the_log_group(check: Any) -> None:
    """The function and the policy name it by a reference."""
    resources = {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 30}}}
    logging = {"LoggingConfig": {"LogGroup": {"Ref": "Logs"}}}
    own = inline(allow(*STREAMS, resource={"Fn::GetAtt": ["Logs", "Arn"]}))
    assert check(function(own, resources, **logging)).findings == []
    other = inline(allow(*STREAMS, resource="arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/*"))
    assert check(function(other, resources, **logging)).findings == [("PG204", "logging")]


@pytest.mark.parametrize(
    ("configuration", "subject", "policy"),
    [
        ({"VpcConfig": VPC}, ("PG205", "vpc-access"), "service-role/AWSLambdaVPCAccessExecutionRole"),
        ({"TracingConfig": {"Mode": "Active"}}, ("PG206", "tracing"), "AWSXrayWriteOnlyAccess"),
        (
            {"DurableConfig": {"ExecutionTimeout": 60}},
            ("PG211", "feature/durable-execution"),
            "service-role/AWSLambdaBasicDurableExecutionRolePolicy",
        ),
    ],
)
def test_an_enabled_feature_needs_a_policy(check: Any, configuration: Any, subject: Any, policy: str) -> None:
    """The permissions of the AWS managed policy are known without AWS."""
    assert check(function(attached(SQS), **configuration)).findings == [subject]
    assert check(function(attached(SQS, policy), **configuration)).code == 0
    assert check(function(attached(SQS, "AdministratorAccess"), **configuration)).code == 0


def test_the_role_that_sam_creates_has_all_needs(check: Any) -> None:
    """SAM adds the policies for logs, traces and network interfaces."""
    queue = {"Queue": {"Type": "AWS::SQS::Queue"}}
    on_queue = event("SQS", Queue={"Fn::GetAtt": ["Queue", "Arn"]})
    assert check(sam(on_queue, resources=queue, Tracing="Active", VpcConfig=VPC)).code == 0


def test_a_mapping_of_an_alias_uses_the_configuration_of_the_function(check: Any) -> None:
    """The template has the configuration only for the function."""
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Orders"}, "Name": "live"}}
    body = template(inline(allow(*READ)), {"FunctionName": {"Ref": "Live"}}, {"Live": alias})
    assert check(body).findings == [("PG204", "logging")]


def test_an_unknown_managed_policy_makes_the_outcome_unknown(check: Any) -> None:
    """The reason names the policy."""
    result = check(function(attached("AmazonNewAccess")))
    assert result.unknowns == [
        ("PG204", "Unknown: it depends on the policy AmazonNewAccess, which cannot be resolved from the file.")
    ]
