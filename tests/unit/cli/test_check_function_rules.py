"""`permission-guard check` judges what the functions of a template take of their roles, where something is polled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.iam import PolicySet, Principal, Request, evaluate, parse_policy
from permission_guard.needs.event_sources import EVENT_SOURCES
from permission_guard.needs.features import FEATURES
from permission_guard.offline.managed_policies import managed_policy
from tests.fakes import ROLE_ARN
from tests.unit.cli.test_check_roles import allow, attached, inline, template
from tests.unit.cli.test_check_sam import event
from tests.unit.cli.test_check_sam import template as sam

if TYPE_CHECKING:
    from collections.abc import Callable

SQS = "service-role/AWSLambdaSQSQueueExecutionRole"
READ = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
STREAMS = ["logs:CreateLogStream", "logs:PutLogEvents"]
FOR_SOURCES = {source.managed_policy for source in EVENT_SOURCES}
VPC = {"SubnetIds": ["subnet-0a1b2c3d"], "SecurityGroupIds": ["sg-0a1b2c3d"]}


@pytest.fixture
def check(check: Callable[..., Any]) -> Callable[..., Any]:
    """Ask the rules on what the configuration takes."""
    options = [part for rule in ("PG204", "PG205", "PG206", "PG211") for part in ("--rule", rule)]
    return lambda content: check(content, *options)


def function(role: dict[str, Any], resources: Any = None, **configuration: Any) -> dict[str, Any]:
    """Return a template with a function that polls a queue and is configured in some way."""
    body = template(role, resources=resources)
    body["Resources"]["Orders"]["Properties"] |= configuration
    return body


def test_the_managed_policy_of_a_queue_writes_logs(check: Any) -> None:
    """And nothing more is asked of a function that turns nothing on."""
    assert check(function(attached(SQS))).code == 0


def test_a_role_that_only_reads_the_queue_writes_no_logs(check: Any) -> None:
    """The statement to paste has the log group of the function."""
    said = check(function(inline(allow(*READ))))
    assert said.findings == [("PG204", "logging")]
    assert [need["action"] for need in said.document["findings"][0]["evidence"]["missing"]] == STREAMS
    assert said.document["findings"][0]["remedies"][0]["kind"] == "policy-statement"


def test_whether_a_log_group_exists_is_not_made_a_question(check: Any) -> None:
    """No file tells: a role that may not make it is all right."""
    group = {"Fn::Sub": "arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/Orders:*"}
    assert check(function(inline(allow(*STREAMS, resource=group)))).code == 0
    layers = ["arn:aws:lambda:us-east-1:580247275435:layer:LambdaInsightsExtension:60"]
    assert check(function(inline(allow(*STREAMS)), Layers=layers)).code == 0


def test_the_log_group_may_be_made_by_the_template(check: Any) -> None:
    """And be named by a reference, in the function and in the policy."""
    made = {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 30}}}
    logging = {"LoggingConfig": {"LogGroup": {"Ref": "Logs"}}}
    own = inline(allow(*STREAMS, resource={"Fn::GetAtt": ["Logs", "Arn"]}))
    assert check(function(own, made, **logging)).findings == []
    other = inline(allow(*STREAMS, resource="arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/*"))
    assert check(function(other, made, **logging)).findings == [("PG204", "logging")]


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
def test_what_is_turned_on_takes_a_policy(check: Any, configuration: Any, subject: Any, policy: str) -> None:
    """AWS's own for it is known without asking AWS."""
    assert check(function(attached(SQS), **configuration)).findings == [subject]
    assert check(function(attached(SQS, policy), **configuration)).code == 0
    assert check(function(attached(SQS, "AdministratorAccess"), **configuration)).code == 0


def test_the_role_that_sam_makes_carries_what_sam_turns_on(check: Any) -> None:
    """Logs, traces and network interfaces."""
    queue = {"Queue": {"Type": "AWS::SQS::Queue"}}
    on_queue = event("SQS", Queue={"Fn::GetAtt": ["Queue", "Arn"]})
    assert check(sam(on_queue, resources=queue, Tracing="Active", VpcConfig=VPC)).code == 0


def test_a_version_is_asked_where_an_alias_is_polled_for(check: Any) -> None:
    """The function of the template says what it is like."""
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Orders"}, "Name": "live"}}
    body = template(inline(allow(*READ)), {"FunctionName": {"Ref": "Live"}}, {"Live": alias})
    assert check(body).findings == [("PG204", "logging")]


def test_a_policy_that_is_not_known_may_carry_it(check: Any) -> None:
    """It is named."""
    said = check(function(attached("CloudWatchFullAccessV2")))
    assert said.unknowns == [("PG204", "It hangs on the policy CloudWatchFullAccessV2, which the file does not say.")]


def test_each_managed_policy_grants_what_the_file_says_and_no_more() -> None:
    """Of everything that any feature asks for, on resources like the real ones."""
    real = {
        f"{policy['Path'].strip('/')}/{name}".lstrip("/"): policy["Document"]
        for name, policy in json.loads(aws_managed_policies_data).items()
    }
    logs = "arn:aws:logs:us-east-1:123456789012:log-group"
    asked = [
        (action, f"{logs}:{group}:log-stream:one")
        for action in ("logs:CreateLogGroup", *STREAMS)
        for group in ("/aws/lambda/orders", "/aws/lambda-insights", "/aws/application-signals/data")
    ]
    asked += [(f"ec2:{name}", "*") for name in ("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeSubnets")]
    asked += [("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*"), ("iam:PassRole", "*")]
    asked += [("s3:GetObject", "arn:aws:s3:::orders/one"), ("s3:DeleteObject", "arn:aws:s3:::orders/one")]
    asked += [
        (f"{service}:{name}", f"arn:aws:{service}:us-east-1:123456789012:file-system/fs-1")
        for service in ("elasticfilesystem", "s3files")
        for name in ("ClientMount", "ClientWrite", "ClientRootAccess")
    ]
    asked += [
        (f"lambda:{name}", "arn:aws:lambda:us-east-1:123456789012:function:orders:1")
        for name in ("InvokeFunction", "CheckpointDurableExecution", "GetDurableExecutionState")
    ]
    known = {name: managed_policy(f"arn:aws:iam::aws:policy/{name}", ()) for name in real}
    ours = {name: policy for name, policy in known.items() if policy and name not in FOR_SOURCES}
    assert {feature.managed_policy for feature in FEATURES if feature.managed_policy} <= ours.keys()
    for name, policy in ours.items():
        theirs = parse_policy(without_conditions(real[name]))
        for action, resource in asked:
            request = Request(principal=Principal.role(ROLE_ARN), action=action, resource=resource)
            decisions = {evaluate(request, PolicySet(identity=(one,))).decision for one in (policy, theirs)}
            assert len(decisions) == 1, (name, action, resource)


def without_conditions(document: dict[str, Any]) -> dict[str, Any]:
    """Return a policy that grants whatever its conditions may."""
    statements = [{key: value for key, value in one.items() if key != "Condition"} for one in document["Statement"]]
    return {**document, "Statement": statements}
