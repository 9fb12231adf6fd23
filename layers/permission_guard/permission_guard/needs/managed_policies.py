"""The AWS managed policies for what execution roles need: what each allows, and which needs it is for.

A test compares them with the documents that AWS publishes.
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERYWHERE: Final = "*"


@record
class Grant:
    """Actions that a policy allows on a resource, without conditions; `*` stands for every resource."""

    actions: tuple[str, ...]
    resource: str = EVERYWHERE


@record
class ManagedPolicy:
    """An AWS managed policy, by its path and name.

    `services` are all those that it is for: the logs that many policies allow besides do not count. `grants` is empty
    if it allows everything under conditions.
    """

    path: str
    services: frozenset[str]
    grants: tuple[Grant, ...]

    def permissions(self) -> Iterator[tuple[str, str]]:
        """Yield each action with its resource."""
        for grant in self.grants:
            for action in grant.actions:
                yield action, grant.resource


_LOGS: Final = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_ADDRESSES: Final = ("ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses")
_INTERFACES: Final = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")


def _policy(path: str, service: str, *actions: str) -> ManagedPolicy:
    return ManagedPolicy(path, frozenset({service}), (Grant(actions),))


MANAGED_POLICIES: Final = (
    _policy(
        "service-role/AWSLambdaSQSQueueExecutionRole",
        "sqs",
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        *_LOGS,
    ),
    _policy(
        "service-role/AWSLambdaKinesisExecutionRole",
        "kinesis",
        *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator"),
        *("kinesis:ListShards", "kinesis:ListStreams", "kinesis:SubscribeToShard"),
        *_LOGS,
    ),
    _policy(
        "service-role/AWSLambdaDynamoDBExecutionRole",
        "dynamodb",
        *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
        *_LOGS,
    ),
    _policy(
        "service-role/AWSLambdaMSKExecutionRole",
        "kafka",
        *("kafka:DescribeCluster", "kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers"),
        *_INTERFACES,
        *("ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"),
        *_LOGS,
    ),
    _policy("service-role/AWSLambdaBasicExecutionRole", "logs", *_LOGS),
    _policy("service-role/AWSLambdaENIManagementAccess", "ec2", *_INTERFACES, *_ADDRESSES),
    _policy(
        "service-role/AWSLambdaVPCAccessExecutionRole",
        "ec2",
        *_INTERFACES,
        "ec2:DescribeSubnets",
        *_ADDRESSES,
        *_LOGS,
    ),
    _policy(
        "AWSXRayDaemonWriteAccess",
        "xray",
        *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
        "xray:GetSamplingStatisticSummaries",
    ),
    _policy(
        "service-role/AWSLambdaBasicDurableExecutionRolePolicy",
        "lambda",
        *("lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"),
        *_LOGS,
    ),
    _policy(
        "AmazonElasticFileSystemClientReadOnlyAccess",
        "elasticfilesystem",
        *("elasticfilesystem:ClientMount", "elasticfilesystem:DescribeMountTargets"),
    ),
    _policy(
        "AmazonElasticFileSystemClientReadWriteAccess",
        "elasticfilesystem",
        *("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", "elasticfilesystem:DescribeMountTargets"),
    ),
    _policy("AmazonS3FilesClientReadOnlyAccess", "s3files", "s3files:ClientMount"),
    _policy("AmazonS3FilesClientReadWriteAccess", "s3files", "s3files:ClientMount", "s3files:ClientWrite"),
    ManagedPolicy(
        "CloudWatchLambdaInsightsExecutionRolePolicy",
        frozenset({"logs"}),
        (
            Grant(("logs:CreateLogGroup",)),
            Grant(("logs:CreateLogStream", "logs:PutLogEvents"), "arn:aws:logs:*:*:log-group:/aws/lambda-insights:*"),
        ),
    ),
    ManagedPolicy("CloudWatchLambdaApplicationSignalsExecutionRolePolicy", frozenset({"logs", "xray"}), ()),
)
