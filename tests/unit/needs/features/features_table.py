"""The needs of each feature of a function, copied independently from AWS's documentation.

A test fails if the code or this table loses an action.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from permission_guard.iam import LambdaCall
from permission_guard.model.state import Function, SourceState
from tests.fakes import FUNCTION_ARN, ROLE_ARN

if TYPE_CHECKING:
    from permission_guard.model.state import Sources

LOGS: Final = "arn:aws:logs:us-east-1:123456789012:log-group"
OWN_GROUP: Final = f"{LOGS}:/aws/lambda/orders"
AUDIT_GROUP: Final = f"{LOGS}:/audit/orders"
INSIGHTS_GROUP: Final = f"{LOGS}:/aws/lambda-insights"
SIGNALS_GROUP: Final = f"{LOGS}:/aws/application-signals/data"
ACCESS_POINT: Final = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0"
FILE_SYSTEM: Final = "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0123456789abcdef0"
S3_FILE_SYSTEM: Final = "arn:aws:s3files:us-east-1:123456789012:file-system/fs-0123456789abcdef0"
S3_ACCESS_POINT: Final = f"{S3_FILE_SYSTEM}/access-point/fsap-0123456789abcdef0"
EXECUTIONS: Final = f"{FUNCTION_ARN}:*"
LAYERS: Final = "arn:aws:lambda:us-east-1:580247275435:layer"

HERE: Final = SourceState(exists=True)
MISSING: Final = SourceState(exists=False)
ASKS_FOR_IAM: Final = SourceState(uses_iam=True, file_system=FILE_SYSTEM)

Pair = tuple[str, str]


@dataclass(frozen=True)
class Case:
    """A configuration with what was read, the feature that it enables, and the needs of that feature."""

    feature: str
    configuration: dict[str, Any]
    needed: list[Pair]
    call: LambdaCall
    recommended: list[str] = field(default_factory=list)
    sources: Sources = field(default_factory=dict)
    doubtful: bool = False


def on(resource: str, prefix: str, *names: str) -> list[Pair]:
    """Return actions of one service on one resource."""
    return [(f"{prefix}:{name}", resource) for name in names]


def streams(group: str) -> list[Pair]:
    """Return the needs for writing to the streams of a log group."""
    return on(f"{group}:log-stream:*", "logs", "CreateLogStream", "PutLogEvents")


def group(arn: str) -> list[Pair]:
    """Return the needs for writing to a log group, and for creating it."""
    return [*streams(arn), ("logs:CreateLogGroup", f"{arn}:*")]


CASES: Final = {
    "logs": Case("logging", {}, streams(OWN_GROUP), LambdaCall.LOGS, sources={OWN_GROUP: HERE}),
    "logs-first-time": Case("logging", {}, group(OWN_GROUP), LambdaCall.LOGS, sources={OWN_GROUP: MISSING}),
    "logs-elsewhere": Case(
        "logging",
        {"LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/audit/orders"}},
        group(AUDIT_GROUP),
        LambdaCall.LOGS,
        sources={OWN_GROUP: HERE, AUDIT_GROUP: MISSING},
    ),
    "vpc": Case(
        "VPC access",
        {"VpcConfig": {"SubnetIds": ["subnet-0a1b2c3d"], "SecurityGroupIds": ["sg-0a1b2c3d"]}},
        on("*", "ec2", "CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface"),
        LambdaCall.NETWORK_INTERFACE,
        ["ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"],
    ),
    "tracing": Case(
        "X-Ray tracing",
        {"TracingConfig": {"Mode": "Active"}},
        [("xray:PutTraceSegments", "*")],
        LambdaCall.TRACING,
        ["xray:PutTelemetryRecords"],
    ),
    "insights": Case(
        "Lambda Insights",
        {"Layers": [{"Arn": f"{LAYERS}:LambdaInsightsExtension:60", "CodeSize": 1}]},
        streams(INSIGHTS_GROUP),
        LambdaCall.CODE,
        sources={INSIGHTS_GROUP: HERE},
    ),
    "insights-first-time": Case(
        "Lambda Insights",
        {"Layers": [f"{LAYERS}:Own:1", f"{LAYERS}:LambdaInsightsExtension-Arm64:27"]},
        group(INSIGHTS_GROUP),
        LambdaCall.CODE,
        sources={INSIGHTS_GROUP: MISSING},
    ),
    "application-signals": Case(
        "Application Signals",
        {"Layers": [{"Arn": f"{LAYERS}:AWSOpenTelemetryDistroJs:9"}]},
        [("xray:PutTraceSegments", "*"), *group(SIGNALS_GROUP)],
        LambdaCall.CODE,
        doubtful=True,
    ),
    "durable": Case(
        "durable execution",
        {"DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 7}},
        on(EXECUTIONS, "lambda", "CheckpointDurableExecution", "GetDurableExecutionState"),
        LambdaCall.CODE,
    ),
    "efs": Case(
        "Amazon EFS",
        {"FileSystemConfigs": [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/files"}]},
        on(FILE_SYSTEM, "elasticfilesystem", "ClientMount"),
        LambdaCall.FILE_SYSTEM,
        ["elasticfilesystem:ClientWrite"],
        {ACCESS_POINT: ASKS_FOR_IAM},
    ),
    "s3-files": Case(
        "Amazon S3 Files",
        {"FileSystemConfigs": [{"Arn": S3_ACCESS_POINT, "LocalMountPath": "/mnt/objects"}]},
        on(S3_FILE_SYSTEM, "s3files", "ClientMount"),
        LambdaCall.FILE_SYSTEM,
        ["s3files:ClientWrite", "s3:GetObject", "s3:GetObjectVersion"],
    ),
}


def a_function(configuration: dict[str, Any]) -> Function:
    """Return a function with a configuration."""
    return Function(FUNCTION_ARN, "orders", ROLE_ARN, configuration)
