"""The IAM actions that the checkers need to read. Tests compare the roles in template.yaml with them."""

from __future__ import annotations

from permission_guard.aws.readers.inventories.services import INVENTORY_READS
from permission_guard.model.targets import Direction

READS: dict[Direction, frozenset[str]] = {
    Direction.INVOKE_POLICY: frozenset(
        {
            "lambda:GetFunctionConfiguration",
            "lambda:GetPolicy",
            "lambda:ListAliases",
            "lambda:ListFunctionUrlConfigs",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
            "organizations:DescribeOrganization",
        },
    )
    | INVENTORY_READS,
    Direction.EXECUTION_ROLE: frozenset(
        {
            "lambda:GetFunctionConfiguration",
            "lambda:ListEventSourceMappings",
            "lambda:ListFunctionEventInvokeConfigs",
            "lambda:ListTags",
            "iam:GetRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:GetRolePolicy",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:SimulatePrincipalPolicy",
            "organizations:DescribeOrganization",
            # The actions below read what a role needs and what allows it. None of them reads messages or secret values.
            "dynamodb:DescribeTable",
            "dynamodb:GetResourcePolicy",
            "elasticfilesystem:DescribeAccessPoints",
            "elasticfilesystem:DescribeFileSystemPolicy",
            "events:DescribeEventBus",
            "kafka:DescribeClusterV2",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetResourcePolicy",
            "kms:DescribeKey",
            "kms:GetKeyPolicy",
            "kms:ListGrants",
            "lambda:GetPolicy",
            "logs:DescribeLogGroups",
            "mq:DescribeBroker",
            "rds:DescribeDBClusters",
            "s3:GetBucketPolicy",
            "s3:GetEncryptionConfiguration",
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetResourcePolicy",
            "sns:GetTopicAttributes",
            "sqs:GetQueueAttributes",
            "tag:GetResources",
        },
    ),
}
"""The IAM actions that a snapshot of each direction needs."""
