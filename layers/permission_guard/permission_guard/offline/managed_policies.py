"""The permissions of AWS managed policies that execution roles often have, for checks without AWS.

A template contains only the name of such a policy. The policies below are those in "AWS managed policies for Lambda
features" in the Lambda guide, and others that are often attached. The permissions of all other policies are unknown.
"""

from __future__ import annotations

from typing import Final

from permission_guard.iam import Policy, parse_policy
from permission_guard.needs.event_sources import EVENT_SOURCES
from permission_guard.needs.event_sources.base import LOGS

_TRACES: Final = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
_INTERFACES: Final = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)
_FILES: Final = ("ClientMount", "ClientWrite", "ClientRootAccess")
_ANY: Final = "*"

Grants = tuple[tuple[str, tuple[str, ...]], ...]
"""Resources, each with the actions that the policy allows on it."""

_GRANTS: Final[dict[str, Grants]] = {
    "AdministratorAccess": ((_ANY, ("*",)),),
    "AWSLambdaExecute": (
        ("arn:*:logs:*:*:*", ("logs:*",)),
        ("arn:*:s3:::*", ("s3:GetObject", "s3:PutObject")),
    ),
    "AWSXRayDaemonWriteAccess": ((_ANY, _TRACES),),
    "AWSXrayWriteOnlyAccess": ((_ANY, _TRACES),),
    "AmazonElasticFileSystemClientFullAccess": ((_ANY, tuple(f"elasticfilesystem:{name}" for name in _FILES)),),
    "AmazonElasticFileSystemClientReadOnlyAccess": ((_ANY, ("elasticfilesystem:ClientMount",)),),
    "AmazonElasticFileSystemClientReadWriteAccess": (
        (_ANY, tuple(f"elasticfilesystem:{name}" for name in _FILES[:2])),
    ),
    "AmazonS3FilesClientFullAccess": ((_ANY, tuple(f"s3files:{name}" for name in _FILES)),),
    "AmazonS3FilesClientReadWriteAccess": ((_ANY, tuple(f"s3files:{name}" for name in _FILES[:2])),),
    "CloudWatchLambdaApplicationSignalsExecutionRolePolicy": (
        (_ANY, ("xray:PutTraceSegments",)),
        ("arn:*:logs:*:*:log-group:/aws/application-signals/data:*", LOGS),
    ),
    "CloudWatchLambdaInsightsExecutionRolePolicy": (
        (_ANY, ("logs:CreateLogGroup",)),
        ("arn:*:logs:*:*:log-group:/aws/lambda-insights:*", ("logs:CreateLogStream", "logs:PutLogEvents")),
    ),
    "CloudWatchLogsFullAccess": ((_ANY, ("logs:*",)),),
    "service-role/AWSLambdaBasicDurableExecutionRolePolicy": (
        (_ANY, ("lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState", *LOGS)),
    ),
    "service-role/AWSLambdaBasicExecutionRole": ((_ANY, LOGS),),
    "service-role/AWSLambdaENIManagementAccess": ((_ANY, _INTERFACES),),
    "service-role/AWSLambdaRole": ((_ANY, ("lambda:InvokeFunction",)),),
    "service-role/AWSLambdaVPCAccessExecutionRole": ((_ANY, ("ec2:DescribeSubnets", *_INTERFACES, *LOGS)),),
}


def managed_policy(arn: str) -> Policy | None:
    """Return the permissions of an AWS managed policy, None if they are unknown."""
    name = arn.partition(":policy/")[2]
    for source in EVENT_SOURCES:
        if source.managed_policy and source.managed_policy == name:
            return _granting(arn, ((_ANY, source.managed_policy_actions),))
    return _granting(arn, _GRANTS[name]) if name in _GRANTS else None


def extreme(arn: str, *, broadest: bool) -> Policy:
    """Return the upper or the lower bound of an unknown policy: one that allows everything or nothing."""
    return _granting(arn, ((_ANY, ("*" if broadest else "none:None",)),))


def _granting(arn: str, grants: Grants) -> Policy:
    statements = [{"Effect": "Allow", "Action": list(actions), "Resource": resource} for resource, actions in grants]
    return parse_policy({"Version": "2012-10-17", "Statement": statements}, name=arn)
