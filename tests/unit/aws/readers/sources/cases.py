"""The calls that read states and policies of each service, with replies as botocore's models have them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import ACCOUNT, QUEUE_ARN, REGION, ROLE_ARN, allow

DOCUMENT = allow("*", Principal={"AWS": ROLE_ARN})
POLICY = json.dumps(DOCUMENT)

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}"
ALIAS = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/orders"

STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks"
CONSUMER = f"{STREAM}/consumer/orders:1732000000"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"
TABLE_STREAM = f"{TABLE}/stream/2026-11-20T00:00:00.000"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:orders/broker-1a2B3c"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:failed-orders"
BUCKET = "arn:aws:s3:::failed-orders"
CLUSTER = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/orders/1234abcd-12ab-34cd-56ef-1234567890ab-2"
DOCDB = f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:orders"
BROKER = f"arn:aws:mq:{REGION}:{ACCOUNT}:broker:orders:b-1234a5b6-78cd-901e-2fgh-3i45j6k178l9"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/orders"
ACCESS_POINT = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0123456789abcdef0"
FILE_SYSTEM = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/fs-0123456789abcdef0"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:failed"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/orders"

URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/incoming-orders"
ATTRIBUTES = {"QueueUrl": URL, "AttributeNames": ["KmsMasterKeyId", "Policy"]}


@dataclass(frozen=True)
class Ask:
    """One call: its client, its parameters, and the error code for a resource that does not exist."""

    arn: str
    client: str
    operation: str
    action: str
    asked: dict[str, Any]
    not_found: str

    def __str__(self) -> str:
        return f"{self.client}-{self.operation}"


@dataclass(frozen=True)
class Keyed(Ask):
    """A call whose reply may name a key; `plain` is the reply without one."""

    plain: dict[str, Any] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)

    def naming(self, key: str) -> dict[str, Any]:
        """Return the reply that names a key."""
        reply: Any = {self.path[-1]: key, **self.more}
        for name in reversed(self.path[:-1]):
            reply = {name: [reply] if name == "Rules" else reply}
        return dict(reply)


MISSING = "ResourceNotFoundException"
NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
_SUMMARY = {
    "StreamName": "clicks",
    "StreamARN": STREAM,
    "StreamStatus": "ACTIVE",
    "RetentionPeriodHours": 24,
    "StreamCreationTimestamp": 1732000000,
    "EnhancedMonitoring": [],
    "OpenShardCount": 1,
}

KEYED = (
    Keyed(QUEUE_ARN, "sqs", "get_queue_attributes", "sqs:GetQueueAttributes", ATTRIBUTES, NO_QUEUE, {}, (
        "Attributes", "KmsMasterKeyId"
    )),
    Keyed(TOPIC, "sns", "get_topic_attributes", "sns:GetTopicAttributes", {"TopicArn": TOPIC}, "NotFound", {
        "Attributes": {"TopicArn": TOPIC}
    }, ("Attributes", "KmsMasterKeyId")),
    Keyed(STREAM, "kinesis", "describe_stream_summary", "kinesis:DescribeStreamSummary", {"StreamARN": STREAM},
          MISSING, {
        "StreamDescriptionSummary": {**_SUMMARY, "EncryptionType": "NONE"}
    }, ("StreamDescriptionSummary", "KeyId"), {**_SUMMARY, "EncryptionType": "KMS"}),
    Keyed(TABLE_STREAM, "dynamodb", "describe_table", "dynamodb:DescribeTable", {"TableName": TABLE}, MISSING, {
        "Table": {"TableName": "orders"}
    }, ("Table", "SSEDescription", "KMSMasterKeyArn"), {"SSEType": "KMS"}),
    Keyed(SECRET, "secretsmanager", "describe_secret", "secretsmanager:DescribeSecret", {"SecretId": SECRET}, MISSING, {
        "ARN": SECRET
    }, ("KmsKeyId",)),
    Keyed(BUCKET, "s3", "get_bucket_encryption", "s3:GetEncryptionConfiguration", {"Bucket": "failed-orders"},
          "NoSuchBucket", {
        "ServerSideEncryptionConfiguration": {
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        }
    }, ("ServerSideEncryptionConfiguration", "Rules", "ApplyServerSideEncryptionByDefault", "KMSMasterKeyID"), {
        "SSEAlgorithm": "aws:kms"
    }),
)  # fmt: skip
"""The services whose resources may be encrypted with a customer's key."""

OTHER_STATES = (
    Ask(CLUSTER, "kafka", "describe_cluster_v2", "kafka:DescribeClusterV2", {"ClusterArn": CLUSTER},
        "NotFoundException"),
    Ask(BROKER, "mq", "describe_broker", "mq:DescribeBroker", {"BrokerId": "b-1234a5b6-78cd-901e-2fgh-3i45j6k178l9"},
        "NotFoundException"),
    Ask(DOCDB, "rds", "describe_db_clusters", "rds:DescribeDBClusters", {"DBClusterIdentifier": DOCDB},
        "DBClusterNotFoundFault"),
    Ask(ACCESS_POINT, "efs", "describe_access_points", "elasticfilesystem:DescribeAccessPoints",
        {"AccessPointId": "fsap-0123456789abcdef0"}, "AccessPointNotFound"),
    Ask(KEY, "kms", "describe_key", "kms:DescribeKey", {"KeyId": KEY}, "NotFoundException"),
)  # fmt: skip

STATES: tuple[Ask, ...] = (*KEYED, *OTHER_STATES)
"""Every call that reads a state and fails if the resource does not exist; log groups are listed instead."""


@dataclass(frozen=True)
class Own(Ask):
    """A call that reads a policy; `reply` has one, `without` is the reply or error code if there is none."""

    reply: dict[str, Any] = field(default_factory=dict)
    without: dict[str, Any] | str = ""


def _own(*call: Any, **more: Any) -> Own:
    """Return a call whose reply has the policy under the last name."""
    return Own(*call[:-1], **{"not_found": MISSING, "reply": {call[-1]: POLICY}, **more})


OBJECTS = f"{BUCKET}/*"
SOME_SECRET = f"{SECRET.removesuffix('-1a2B3c')}-??????"
VERSIONS = f"{FUNCTION}:*"
_STREAM_POLICY = ("get_resource_policy", "kinesis:GetResourcePolicy")
_BUCKET_POLICY = ("get_bucket_policy", "s3:GetBucketPolicy", {"Bucket": "failed-orders"}, "Policy")
_SECRET_POLICY = ("get_resource_policy", "secretsmanager:GetResourcePolicy")

OWN = (
    _own(QUEUE_ARN, "sqs", "get_queue_attributes", "sqs:GetQueueAttributes", ATTRIBUTES, "", not_found=NO_QUEUE,
         reply={"Attributes": {"Policy": POLICY}}, without={}),
    _own(TOPIC, "sns", "get_topic_attributes", "sns:GetTopicAttributes", {"TopicArn": TOPIC}, "", not_found="NotFound",
         reply={"Attributes": {"Policy": POLICY}}, without={"Attributes": {}}),
    _own(STREAM, "kinesis", *_STREAM_POLICY, {"ResourceARN": STREAM}, "Policy", without={"Policy": "{}"}),
    _own(CONSUMER, "kinesis", *_STREAM_POLICY, {"ResourceARN": CONSUMER}, "Policy", without={"Policy": "{}"}),
    _own(TABLE_STREAM, "dynamodb", "get_resource_policy", "dynamodb:GetResourcePolicy", {"ResourceArn": TABLE_STREAM},
         "Policy", without="PolicyNotFoundException"),
    _own(SECRET, "secretsmanager", *_SECRET_POLICY, {"SecretId": SECRET}, "ResourcePolicy", without={"ARN": SECRET}),
    _own(SOME_SECRET, "secretsmanager", *_SECRET_POLICY, {"SecretId": SOME_SECRET.removesuffix("-??????")},
         "ResourcePolicy", without={"ARN": SECRET}),
    _own(KEY, "kms", "get_key_policy", "kms:GetKeyPolicy", {"KeyId": KEY, "PolicyName": "default"}, "Policy",
         not_found="NotFoundException"),
    _own(BUCKET, "s3", *_BUCKET_POLICY, not_found="NoSuchBucket", without="NoSuchBucketPolicy"),
    _own(OBJECTS, "s3", *_BUCKET_POLICY, not_found="NoSuchBucket", without="NoSuchBucketPolicy"),
    _own(FUNCTION, "lambda", "get_policy", "lambda:GetPolicy", {"FunctionName": FUNCTION}, "Policy", without=MISSING),
    _own(f"{FUNCTION}:live", "lambda", "get_policy", "lambda:GetPolicy", {"FunctionName": f"{FUNCTION}:live"},
         "Policy", without=MISSING),
    _own(VERSIONS, "lambda", "get_policy", "lambda:GetPolicy", {"FunctionName": FUNCTION}, "Policy", without=MISSING),
    _own(BUS, "events", "describe_event_bus", "events:DescribeEventBus", {"Name": BUS}, "Policy", without={}),
    _own(FILE_SYSTEM, "efs", "describe_file_system_policy", "elasticfilesystem:DescribeFileSystemPolicy",
         {"FileSystemId": "fs-0123456789abcdef0"}, "Policy", not_found="FileSystemNotFound", without="PolicyNotFound"),
)  # fmt: skip
"""Every call that reads a policy."""
