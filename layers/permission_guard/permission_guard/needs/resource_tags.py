"""Which actions AWS evaluates with the tags of their resource, and which tags a statement requires.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import parse_arn

if TYPE_CHECKING:
    from permission_guard.iam import Statement
    from permission_guard.iam.conditions import Condition

RESOURCE_TAG: Final = "aws:ResourceTag/"

_TAGGED: Final = {
    "events": ("PutEvents",),
    "kafka": ("DescribeCluster", "DescribeClusterV2"),
    "kafka-cluster": ("Connect",),
    "kinesis": ("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"),
    "kms": ("Decrypt", "GenerateDataKey"),
    "lambda": ("InvokeFunction",),
    "mq": ("DescribeBroker",),
    "rds": ("DescribeDBClusterParameters", "DescribeDBClusters", "DescribeDBSubnetGroups"),
    "secretsmanager": ("GetSecretValue",),
    "sns": ("Publish",),
    "sqs": ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage", "SendMessage"),
}
# Not kinesis:SubscribeToShard: AWS does not say whether its list of tagged resources has consumers. Not the streams of
# tables, which have no tags of their own. Not buckets: their owner must enable such conditions for each.
TAGGED: Final = frozenset(f"{service}:{name}" for service, names in _TAGGED.items() for name in names)
"""The actions that the stack's own policies can shape by a tag, and whose resources' tags AWS lists."""

_LOWER: Final = frozenset(map(str.lower, TAGGED))
_SERVICES: Final = frozenset(_TAGGED)


def has_resource_tags(action: str) -> bool:
    """Return whether the tags of an action's resource are known once they were read."""
    return action.lower() in _LOWER


def lists_tags(arn: str, region: str, account: str) -> bool:
    """Return whether AWS lists the tags of a resource in this account and region: only of one that is known.

    A function has tags, and its versions and aliases have none of their own.
    """
    parsed = parse_arn(arn)
    if parsed is None or {"*", "?"} & set(arn) or (parsed.region, parsed.account) != (region, account):
        return False
    is_part = (parsed.service == "lambda" and parsed.resource.count(":") > 1) or "/consumer/" in parsed.resource
    return parsed.service in _SERVICES and not is_part


def tag_conditions(statement: Statement) -> tuple[Condition, ...]:
    """Return the conditions of a statement on tags of the resource."""
    return tuple(each for each in statement.conditions if each.key.startswith(RESOURCE_TAG.lower()))
