"""The needs of each type of event source, copied independently from AWS's documentation.

A test fails if the code or this table loses an action.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from permission_guard.model.state import SourceState
from tests.fakes import a_mapping

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping, Sources

QUEUE: Final = "arn:aws:sqs:us-east-1:123456789012:incoming-orders.fifo"
STREAM: Final = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
CONSUMER: Final = f"{STREAM}/consumer/orders:1732000000"
TABLE: Final = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-11-20T00:00:00.000"
CLUSTER: Final = "arn:aws:kafka:us-east-1:123456789012:cluster/orders/6cc0432b-8618-4f44-bccc-e1fbd8fb7c4d-2"
TOPIC: Final = "arn:aws:kafka:us-east-1:123456789012:topic/orders/6cc0432b-8618-4f44-bccc-e1fbd8fb7c4d-2/placed"
FAILED: Final = "arn:aws:kafka:us-east-1:123456789012:topic/orders/6cc0432b-8618-4f44-bccc-e1fbd8fb7c4d-2/failed"
GROUP: Final = "arn:aws:kafka:us-east-1:123456789012:group/orders/6cc0432b-8618-4f44-bccc-e1fbd8fb7c4d-2/billing"
BROKER: Final = "arn:aws:mq:us-east-1:123456789012:broker:orders:b-1234a5b6-78cd-901e-2fgh-3i45j6k178l9"
DOCUMENTS: Final = "arn:aws:rds:us-east-1:123456789012:cluster:orders"
SECRET: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:kafka/orders-1a2B3c"
OTHER_SECRET: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:certificate-9z8Y7x"
REGISTRY: Final = "arn:aws:glue:us-east-1:123456789012:registry/orders"
KEY: Final = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OWN_KEY: Final = SourceState(kms_key_arn=KEY)
NO_KEY: Final = SourceState()

Pair = tuple[str, str]


def on(resource: str, prefix: str, *names: str) -> list[Pair]:
    """Return actions of one service on one resource."""
    return [(f"{prefix}:{name}", resource) for name in names]


SQS: Final = on(QUEUE, "sqs", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
KINESIS: Final = on(
    STREAM, "kinesis", "DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"
)
DYNAMODB: Final = on(TABLE, "dynamodb", "DescribeStream", "GetRecords", "GetShardIterator")
MSK: Final = on(CLUSTER, "kafka", "DescribeClusterV2", "GetBootstrapBrokers")
MQ: Final = on(BROKER, "mq", "DescribeBroker")
DOCDB: Final = [
    ("rds:DescribeDBClusters", DOCUMENTS),
    ("rds:DescribeDBClusterParameters", "arn:aws:rds:us-east-1:123456789012:cluster-pg:*"),
    ("rds:DescribeDBSubnetGroups", "arn:aws:rds:us-east-1:123456789012:subgrp:*"),
]
INTERFACES: Final = on(
    "*",
    "ec2",
    "CreateNetworkInterface",
    "DescribeNetworkInterfaces",
    "DescribeVpcs",
    "DeleteNetworkInterface",
    "DescribeSubnets",
    "DescribeSecurityGroups",
)
PASSWORD: Final = on(SECRET, "secretsmanager", "GetSecretValue")
CERTIFICATE: Final = on(OTHER_SECRET, "secretsmanager", "GetSecretValue")
DATA_PLANE: Final = [
    *on(CLUSTER, "kafka-cluster", "Connect"),
    *on(TOPIC, "kafka-cluster", "DescribeTopic", "ReadData"),
    *on(GROUP, "kafka-cluster", "DescribeGroup", "AlterGroup"),
]
ANY_CLUSTER: Final = "arn:aws:kafka:us-east-1:*:cluster/*/*"
ANY_DATA_PLANE: Final = [
    *on(ANY_CLUSTER, "kafka-cluster", "Connect"),
    *on("arn:aws:kafka:us-east-1:*:topic/*/*/placed", "kafka-cluster", "DescribeTopic", "ReadData"),
    *on("arn:aws:kafka:us-east-1:*:group/*/*/*", "kafka-cluster", "DescribeGroup", "AlterGroup"),
]
GLUE: Final = [
    ("glue:GetRegistry", REGISTRY),
    ("glue:GetSchemaVersion", "arn:aws:glue:us-east-1:123456789012:schema/orders/*"),
]
DECRYPT: Final = on(KEY, "kms", "Decrypt")


@dataclass(frozen=True)
class Case:
    """A mapping, the state that was read of its resources, and all of its needs without a doubt."""

    mapping: EventSourceMapping
    read: list[Pair]
    dependencies: list[Pair] = field(default_factory=list)
    destinations: list[Pair] = field(default_factory=list)
    sources: Sources = field(default_factory=dict)


def access(*entries: Pair) -> list[dict[str, str]]:
    """Return SourceAccessConfigurations."""
    return [{"Type": kind, "URI": uri} for kind, uri in entries]


def mapping(source: str | None, *entries: Pair, **configuration: Any) -> EventSourceMapping:
    """Return a mapping as ListEventSourceMappings returns it."""
    return a_mapping(
        source, configuration={"SourceAccessConfigurations": access(*entries), "Topics": ["placed"], **configuration}
    )


def msk(*entries: Pair, registry: Any = None, **configuration: Any) -> EventSourceMapping:
    """Return a mapping of an Amazon MSK cluster."""
    config = {"ConsumerGroupId": "billing", **({"SchemaRegistryConfig": registry} if registry else {})}
    return mapping(CLUSTER, *entries, AmazonManagedKafkaEventSourceConfig=config, **configuration)


def self_managed(*entries: Pair, registry: Any = None, **configuration: Any) -> EventSourceMapping:
    """Return a mapping of a self-managed cluster."""
    servers = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka.example.com:9092", "kafka.example.com:9096"]}}
    config = {"SchemaRegistryConfig": registry} if registry else {}
    return mapping(
        None, *entries, SelfManagedEventSource=servers, SelfManagedKafkaEventSourceConfig=config, **configuration
    )


def to(destination: str, event: str = "OnFailure") -> dict[str, Any]:
    """Return a mapping's DestinationConfig."""
    return {event: {"Destination": destination}}


DEAD_LETTERS: Final = "arn:aws:sqs:us-east-1:123456789012:failed-orders"
ALARM: Final = "arn:aws:sns:us-east-1:123456789012:failed-orders"
BUCKET: Final = "arn:aws:s3:::example-failed-orders"
PROVISIONED: Final = SourceState(is_serverless=False, uses_iam=False)
PROVISIONED_IAM: Final = SourceState(is_serverless=False, uses_iam=True)
SERVERLESS: Final = SourceState(is_serverless=True)
PRIVATE: Final = SourceState(is_public=False)
PUBLIC: Final = SourceState(is_public=True)
VPC: Final = (("VPC_SUBNET", "subnet:subnet-1"), ("VPC_SECURITY_GROUP", "security_group:sg-1"))
CONFLUENT: Final = {
    "SchemaRegistryURI": "https://registry.example.com",
    "AccessConfigs": access(("BASIC_AUTH", SECRET), ("SERVER_ROOT_CA_CERTIFICATE", OTHER_SECRET)),
}
LITERALS: Final = (
    ("OAUTHBEARER_SCOPE", "orders"),
    ("OAUTHBEARER_AUDIENCE", "https://kafka.example.com"),
    ("OAUTHBEARER_LOGICAL_CLUSTER", "lkc-1"),
    ("OAUTHBEARER_IDENTITY_POOL", "pool-1"),
)
NO_KEYS: Final = dict.fromkeys((QUEUE, STREAM, TABLE, SECRET, OTHER_SECRET), NO_KEY)

CASES: Final = {
    "sqs": Case(mapping(QUEUE), SQS, sources=NO_KEYS),
    "sqs-own-key": Case(mapping(QUEUE), SQS, DECRYPT, sources={QUEUE: OWN_KEY}),
    "sqs-aws-key": Case(
        mapping(QUEUE), SQS, sources={QUEUE: SourceState("arn:aws:kms:us-east-1:123456789012:alias/aws/sqs")}
    ),
    "sqs-filter-key": Case(
        mapping(QUEUE, KMSKeyArn=KEY, FilterCriteria={"Filters": [{"Pattern": "{}"}]}), SQS, sources=NO_KEYS
    ),
    "sqs-provisioned": Case(mapping(QUEUE, ProvisionedPollerConfig={"MinimumPollers": 2}), SQS, sources=NO_KEYS),
    "kinesis": Case(mapping(STREAM), KINESIS, sources=NO_KEYS),
    "kinesis-fan-out": Case(
        mapping(CONSUMER), [*KINESIS, *on(CONSUMER, "kinesis", "SubscribeToShard")], sources=NO_KEYS
    ),
    "kinesis-own-key": Case(
        mapping(CONSUMER), [*KINESIS, *on(CONSUMER, "kinesis", "SubscribeToShard")], DECRYPT, sources={STREAM: OWN_KEY}
    ),
    "kinesis-to-queue": Case(
        mapping(STREAM, DestinationConfig=to(DEAD_LETTERS)),
        KINESIS,
        destinations=on(DEAD_LETTERS, "sqs", "SendMessage"),
        sources={**NO_KEYS, DEAD_LETTERS: NO_KEY},
    ),
    "dynamodb": Case(mapping(TABLE), DYNAMODB, sources=NO_KEYS),
    "dynamodb-to-topic": Case(
        mapping(TABLE, DestinationConfig=to(ALARM)),
        DYNAMODB,
        destinations=[*on(ALARM, "sns", "Publish"), *on(KEY, "kms", "Decrypt", "GenerateDataKey")],
        sources={**NO_KEYS, ALARM: OWN_KEY},
    ),
    "dynamodb-to-bucket": Case(
        mapping(TABLE, DestinationConfig=to(BUCKET)),
        DYNAMODB,
        destinations=[("s3:ListBucket", BUCKET), ("s3:PutObject", f"{BUCKET}/*"), ("kms:GenerateDataKey", KEY)],
        sources={**NO_KEYS, BUCKET: OWN_KEY},
    ),
    "kinesis-on-success": Case(
        mapping(STREAM, DestinationConfig=to(DEAD_LETTERS, "OnSuccess")),
        KINESIS,
        destinations=[
            *on(DEAD_LETTERS, "sqs", "SendMessage"),
            *on(KEY, "kms", "Decrypt", "GenerateDataKey"),
        ],
        sources={**NO_KEYS, DEAD_LETTERS: OWN_KEY},
    ),
    "msk-unauthenticated": Case(msk(), MSK, INTERFACES, sources={CLUSTER: PROVISIONED}),
    "msk-iam": Case(msk(), MSK, [*INTERFACES, *DATA_PLANE], sources={CLUSTER: PROVISIONED_IAM}),
    "msk-iam-named": Case(msk(("IAM_AUTH", "")), MSK, [*INTERFACES, *DATA_PLANE], sources={CLUSTER: PROVISIONED}),
    "msk-serverless": Case(msk(), MSK, [*INTERFACES, *DATA_PLANE], sources={CLUSTER: SERVERLESS}),
    "msk-scram": Case(
        msk(("SASL_SCRAM_512_AUTH", SECRET)),
        MSK,
        [*INTERFACES, *PASSWORD],
        sources={**NO_KEYS, CLUSTER: PROVISIONED_IAM},
    ),
    "msk-scram-own-key": Case(
        msk(("SASL_SCRAM_512_AUTH", SECRET)),
        MSK,
        [*INTERFACES, *PASSWORD, *DECRYPT],
        sources={SECRET: OWN_KEY, CLUSTER: PROVISIONED},
    ),
    "msk-mutual-tls": Case(
        msk(("CLIENT_CERTIFICATE_TLS_AUTH", SECRET), ("SERVER_ROOT_CA_CERTIFICATE", OTHER_SECRET)),
        MSK,
        [*INTERFACES, *PASSWORD, *CERTIFICATE],
        sources={**NO_KEYS, CLUSTER: PROVISIONED},
    ),
    "msk-glue": Case(
        msk(registry={"SchemaRegistryURI": REGISTRY}), MSK, [*INTERFACES, *GLUE], sources={CLUSTER: PROVISIONED}
    ),
    "msk-confluent": Case(
        msk(registry=CONFLUENT),
        MSK,
        [*INTERFACES, *PASSWORD, *CERTIFICATE],
        sources={**NO_KEYS, CLUSTER: PROVISIONED},
    ),
    "msk-to-kafka": Case(
        msk(DestinationConfig=to("kafka://failed"), ProvisionedPollerConfig={"MinimumPollers": 1}),
        MSK,
        [*INTERFACES, *DATA_PLANE],
        [
            *on(CLUSTER, "kafka-cluster", "Connect", "DescribeCluster"),
            *on(FAILED, "kafka-cluster", "DescribeTopic", "WriteData", "ReadData"),
        ],
        sources={CLUSTER: SERVERLESS},
    ),
    "msk-iam-to-queue": Case(
        msk(DestinationConfig=to(DEAD_LETTERS)),
        MSK,
        [*INTERFACES, *DATA_PLANE],
        on(DEAD_LETTERS, "sqs", "SendMessage"),
        sources={CLUSTER: PROVISIONED_IAM, DEAD_LETTERS: NO_KEY},
    ),
    "msk-scram-to-kafka": Case(
        msk(("SASL_SCRAM_512_AUTH", SECRET), DestinationConfig=to("kafka://failed")),
        MSK,
        [*INTERFACES, *PASSWORD],
        sources={**NO_KEYS, CLUSTER: PROVISIONED},
    ),
    "mq-activemq": Case(
        mapping(BROKER, ("BASIC_AUTH", SECRET)),
        MQ,
        [*INTERFACES, *PASSWORD],
        sources={**NO_KEYS, BROKER: PRIVATE},
    ),
    "mq-public": Case(mapping(BROKER, ("BASIC_AUTH", SECRET)), MQ, PASSWORD, sources={**NO_KEYS, BROKER: PUBLIC}),
    "mq-rabbitmq": Case(
        mapping(BROKER, ("BASIC_AUTH", SECRET), ("VIRTUAL_HOST", "/"), Queues=["orders"]),
        MQ,
        [*INTERFACES, *PASSWORD, *DECRYPT],
        sources={SECRET: OWN_KEY, BROKER: PRIVATE},
    ),
    "documentdb": Case(
        mapping(DOCUMENTS, ("BASIC_AUTH", SECRET), DocumentDBEventSourceConfig={"DatabaseName": "orders"}),
        DOCDB,
        [*INTERFACES, *PASSWORD],
        sources=NO_KEYS,
    ),
    "documentdb-read": Case(
        mapping(DOCUMENTS, ("BASIC_AUTH", SECRET)),
        [
            ("rds:DescribeDBClusters", DOCUMENTS),
            ("rds:DescribeDBClusterParameters", "arn:aws:rds:us-east-1:123456789012:cluster-pg:streams"),
            ("rds:DescribeDBSubnetGroups", "arn:aws:rds:us-east-1:123456789012:subgrp:private"),
        ],
        [*INTERFACES, *PASSWORD],
        sources={**NO_KEYS, DOCUMENTS: SourceState(parameter_group="streams", subnet_group="private")},
    ),
    **{
        f"self-managed-{kind.lower()}": Case(self_managed((kind, SECRET)), [], PASSWORD, sources=NO_KEYS)
        for kind in (
            "BASIC_AUTH",
            "SASL_SCRAM_256_AUTH",
            "SASL_SCRAM_512_AUTH",
            "CLIENT_CERTIFICATE_TLS_AUTH",
            "SERVER_ROOT_CA_CERTIFICATE",
        )
    },
    "self-managed-unauthenticated": Case(self_managed(), []),
    "self-managed-vpc": Case(self_managed(*VPC), [], INTERFACES),
    "self-managed-oauth": Case(
        self_managed(("OAUTHBEARER_AUTH", SECRET), *LITERALS), [], [*PASSWORD, *DECRYPT], sources={SECRET: OWN_KEY}
    ),
    "self-managed-iam": Case(self_managed(*VPC, ("IAM_AUTH", "")), [], [*INTERFACES, *ANY_DATA_PLANE]),
    "self-managed-iam-oauth": Case(
        self_managed(("IAM_OAUTHBEARER_AUTH", ""), *LITERALS), [], [("sts:GetWebIdentityToken", "*")]
    ),
    "self-managed-glue": Case(self_managed(registry={"SchemaRegistryURI": REGISTRY}), [], GLUE),
    "self-managed-confluent": Case(self_managed(registry=CONFLUENT), [], [*PASSWORD, *CERTIFICATE], sources=NO_KEYS),
    "self-managed-to-kafka": Case(
        self_managed(("IAM_AUTH", ""), DestinationConfig=to("kafka://failed")),
        [],
        ANY_DATA_PLANE,
        [
            *on(ANY_CLUSTER, "kafka-cluster", "Connect", "DescribeCluster"),
            *on(
                "arn:aws:kafka:us-east-1:*:topic/*/*/failed", "kafka-cluster", "DescribeTopic", "WriteData", "ReadData"
            ),
        ],
    ),
}
