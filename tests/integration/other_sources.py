"""The types of event sources that the sandbox does not run: AWS's replies and the permissions that a role needs.

The permissions come from AWS's pages on each type, not from the package, so that tests compare the two.
https://docs.aws.amazon.com/lambda/latest/dg/with-msk-permissions.html
https://docs.aws.amazon.com/lambda/latest/dg/msk-cluster-auth.html
https://docs.aws.amazon.com/lambda/latest/dg/with-kafka-permissions.html
https://docs.aws.amazon.com/lambda/latest/dg/process-mq-messages-with-lambda.html
https://docs.aws.amazon.com/lambda/latest/dg/with-documentdb.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fakes import ACCOUNT, LOGS, REGION
from tests.integration.replies import KEY, SINCE, Grant, Replies, key, secret

_ID = "6cc0432b-8618-4f44-bccc-e1fbd8fb7c4d"
CLUSTER = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/orders/{_ID}-2"
SERVERLESS = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/orders/{_ID}-s1"
BROKER_ID = "b-1234a5b6-78cd-901e-2fab-3c45d6e178f9"
BROKER = f"arn:aws:mq:{REGION}:{ACCOUNT}:broker:orders:{BROKER_ID}"
DOCDB = f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:orders"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:AmazonMSK_orders-1a2B3c"
ROOT_CA = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:kafka/root-ca-4d5E6f"
_SUBNETS = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
_GROUPS = ["sg-0123456789abcdef0"]


@dataclass(frozen=True)
class Source:
    """A mapping of one type and one authentication method, with AWS's replies and the grants that its role requires.

    `mapping` has the type's own fields of ListEventSourceMappings. Lambda reads nothing if one of `reading` or
    `dependencies` is missing. `advised` are grants that AWS lists, but that are not required.
    """

    name: str
    mapping: dict[str, Any]
    reading: tuple[Grant, ...]
    dependencies: tuple[Grant, ...]
    replies: Replies = field(default_factory=dict)
    advised: tuple[Grant, ...] = ()

    @property
    def needed(self) -> tuple[Grant, ...]:
        """Return the grants that the role requires."""
        return (*self.reading, *self.dependencies)

    def __str__(self) -> str:
        return self.name


NETWORK: tuple[Grant, ...] = (
    ("ec2:CreateNetworkInterface", "*"),
    ("ec2:DescribeNetworkInterfaces", "*"),
    ("ec2:DeleteNetworkInterface", "*"),
    ("ec2:DescribeVpcs", "*"),
    ("ec2:DescribeSubnets", "*"),
    ("ec2:DescribeSecurityGroups", "*"),
)
OF_SECRET: Grant = ("secretsmanager:GetSecretValue", SECRET)
OF_ROOT_CA: Grant = ("secretsmanager:GetSecretValue", ROOT_CA)
OF_KEY: Grant = ("kms:Decrypt", KEY)
LOGGING: tuple[Grant, ...] = tuple(
    (action, f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/orders{'' if 'Group' in action else ':*'}")
    for action in LOGS
)

# ── Authentication ────────────────────────────────────────────────────────────────────────────────────────────────────

UNDER_A_KEY: Replies = {**secret(SECRET, KEY), **key()}


def signed_in(*entries: tuple[str, str]) -> dict[str, Any]:
    """Return the authentication part of a mapping; an entry may have no URI."""
    return {"SourceAccessConfigurations": [{"Type": kind, **({"URI": uri} if uri else {})} for kind, uri in entries]}


# ── Kafka ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def provisioned(**authentication: Any) -> Replies:
    """Return the replies about a provisioned cluster with authentication methods."""
    return _cluster(
        CLUSTER,
        ClusterType="PROVISIONED",
        Provisioned={
            "BrokerNodeGroupInfo": {
                "BrokerAZDistribution": "DEFAULT",
                "ClientSubnets": _SUBNETS,
                "InstanceType": "kafka.m7g.large",
                "SecurityGroups": _GROUPS,
            },
            "ClientAuthentication": authentication,
            "CurrentBrokerSoftwareInfo": {"KafkaVersion": "3.8.x"},
            "EncryptionInfo": {
                "EncryptionAtRest": {"DataVolumeKMSKeyId": KEY},
                "EncryptionInTransit": {"ClientBroker": "TLS", "InCluster": True},
            },
            "NumberOfBrokerNodes": 2,
            "StorageMode": "LOCAL",
        },
    )


def serverless() -> Replies:
    """Return the replies about a serverless cluster, which only supports IAM authentication."""
    return _cluster(
        SERVERLESS,
        ClusterType="SERVERLESS",
        Serverless={
            "VpcConfigs": [{"SubnetIds": _SUBNETS, "SecurityGroupIds": _GROUPS}],
            "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}},
        },
    )


def _cluster(arn: str, **more: Any) -> Replies:
    about = {"ClusterArn": arn, "ClusterName": "orders", "CreationTime": SINCE, "State": "ACTIVE"}
    return {("DescribeClusterV2", arn): {"ClusterInfo": {**about, **more}}}


def _msk(name: str, arn: str = CLUSTER, group: str = "orders", **more: Any) -> dict[str, Any]:
    """Return the parts of a source that every Amazon MSK cluster has."""
    mapping = {
        "EventSourceArn": arn,
        "StartingPosition": "LATEST",
        "Topics": ["placed"],
        "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": group},
        **more,
    }
    reading = (("kafka:DescribeClusterV2", arn), ("kafka:GetBootstrapBrokers", arn))
    return {"name": name, "mapping": mapping, "reading": reading}


def _inside(cluster: str, group: str = "orders") -> tuple[Grant, ...]:
    """Return the grants for reading a topic of a cluster with IAM authentication."""
    topic, consumers = (cluster.replace(":cluster/", f":{kind}/") for kind in ("topic", "group"))
    return (
        ("kafka-cluster:Connect", cluster),
        ("kafka-cluster:DescribeTopic", f"{topic}/placed"),
        ("kafka-cluster:ReadData", f"{topic}/placed"),
        ("kafka-cluster:DescribeGroup", f"{consumers}/{group}"),
        ("kafka-cluster:AlterGroup", f"{consumers}/{group}"),
    )


def _of_cluster(cluster: str) -> tuple[Grant, ...]:
    return (("kafka-cluster:DescribeClusterDynamicConfiguration", cluster),)


MSK_IAM = Source(
    **_msk("msk-iam"),
    dependencies=(*NETWORK, *_inside(CLUSTER)),
    replies=provisioned(Sasl={"Iam": {"Enabled": True}, "Scram": {"Enabled": False}}),
    advised=_of_cluster(CLUSTER),
)
MSK_SERVERLESS = Source(
    **_msk("msk-serverless", SERVERLESS, group="0e6f4d9c"),
    dependencies=(*NETWORK, *_inside(SERVERLESS, "0e6f4d9c")),
    replies=serverless(),
    advised=_of_cluster(SERVERLESS),
)
MSK_IAM_OR_NOT = Source(
    # If a mapping names no secret, Lambda uses IAM authentication if the cluster supports it.
    **_msk("msk-iam-or-unauthenticated"),
    dependencies=(*NETWORK, *_inside(CLUSTER)),
    replies=provisioned(Sasl={"Iam": {"Enabled": True}}, Unauthenticated={"Enabled": True}),
)
MSK_SCRAM = Source(
    **_msk("msk-scram", **signed_in(("SASL_SCRAM_512_AUTH", SECRET))),
    dependencies=(*NETWORK, OF_SECRET, OF_KEY),
    # If a mapping names a secret, Lambda uses it even if the cluster supports IAM.
    replies={**provisioned(Sasl={"Iam": {"Enabled": True}, "Scram": {"Enabled": True}}), **UNDER_A_KEY},
    advised=(("kafka:ListScramSecrets", CLUSTER),),
)
MSK_MUTUAL_TLS = Source(
    **_msk("msk-mutual-tls", **signed_in(("CLIENT_CERTIFICATE_TLS_AUTH", SECRET))),
    dependencies=(*NETWORK, OF_SECRET),
    replies={**provisioned(Tls={"Enabled": True}), **secret(SECRET)},
)
MSK_UNAUTHENTICATED = Source(
    **_msk("msk-unauthenticated"),
    dependencies=NETWORK,
    replies=provisioned(Unauthenticated={"Enabled": True}),
)


def _self_managed(name: str, *entries: tuple[str, str]) -> dict[str, Any]:
    """Return the parts of a source that every self-managed cluster has: reading one needs no action."""
    mapping = {
        "StartingPosition": "TRIM_HORIZON",
        "Topics": ["placed"],
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka.example.com:9096"]}},
        "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "orders"},
        **(signed_in(*entries) if entries else {}),
    }
    return {"name": f"kafka-{name}", "mapping": mapping, "reading": ()}


_VPC = (("VPC_SUBNET", f"subnet:{_SUBNETS[0]}"), ("VPC_SECURITY_GROUP", f"security_group:{_GROUPS[0]}"))
_ANY_CLUSTER = f"arn:aws:kafka:{REGION}:*:cluster/*/*"

KAFKA_IN_VPC = Source(
    **_self_managed("scram-512-in-vpc-under-a-key", *_VPC, ("SASL_SCRAM_512_AUTH", SECRET)),
    dependencies=(*NETWORK, OF_SECRET, OF_KEY),
    replies=UNDER_A_KEY,
)
KAFKA = (
    Source(**_self_managed("open"), dependencies=()),
    Source(**_self_managed("open-in-vpc", *_VPC), dependencies=NETWORK),
    *(
        Source(**_self_managed(name, (kind, SECRET)), dependencies=(OF_SECRET,), replies=secret(SECRET))
        for name, kind in (
            ("basic", "BASIC_AUTH"),
            ("scram-256", "SASL_SCRAM_256_AUTH"),
            ("scram-512", "SASL_SCRAM_512_AUTH"),
            ("mutual-tls", "CLIENT_CERTIFICATE_TLS_AUTH"),
        )
    ),
    KAFKA_IN_VPC,
    Source(
        **_self_managed(
            "mutual-tls-own-ca", ("CLIENT_CERTIFICATE_TLS_AUTH", SECRET), ("SERVER_ROOT_CA_CERTIFICATE", ROOT_CA)
        ),
        dependencies=(OF_SECRET, OF_ROOT_CA),
        replies={**secret(SECRET), **secret(ROOT_CA)},
    ),
    Source(
        **_self_managed("oauth", ("OAUTHBEARER_AUTH", SECRET), ("OAUTHBEARER_SCOPE", "orders.read")),
        dependencies=(OF_SECRET,),
        replies=secret(SECRET),
    ),
    Source(
        **_self_managed("oauth-by-iam", ("IAM_OAUTHBEARER_AUTH", ""), ("OAUTHBEARER_AUDIENCE", "kafka.example.com")),
        dependencies=(("sts:GetWebIdentityToken", "*"),),
    ),
    Source(
        **_self_managed("iam", ("IAM_AUTH", "")),
        dependencies=_inside(_ANY_CLUSTER),
        advised=_of_cluster(_ANY_CLUSTER),
    ),
)


# ── Amazon MQ and Amazon DocumentDB ─────────────────────────────────────────────────────────────────────────────────


def broker(engine: str, *, is_public: bool) -> Replies:
    """Return the replies about a broker."""
    reply = {
        "AuthenticationStrategy": "SIMPLE",
        "AutoMinorVersionUpgrade": True,
        "BrokerArn": BROKER,
        "BrokerId": BROKER_ID,
        "BrokerName": "orders",
        "BrokerState": "RUNNING",
        "Created": SINCE,
        "DeploymentMode": "SINGLE_INSTANCE",
        "EncryptionOptions": {"UseAwsOwnedKey": True},
        "EngineType": engine,
        "HostInstanceType": "mq.m5.large",
        "Logs": {"General": False, "GeneralLogGroup": f"/aws/amazonmq/broker/{BROKER_ID}/general"},
        "PubliclyAccessible": is_public,
        "SubnetIds": _SUBNETS[:1],
        # Public RabbitMQ brokers have none: AWS manages their network.
        **({} if is_public and engine == "RABBITMQ" else {"SecurityGroups": _GROUPS}),
    }
    return {("DescribeBroker", BROKER_ID): reply}


def _mq(engine: str, *, is_public: bool) -> Source:
    host = (("VIRTUAL_HOST", "/"),) if engine == "RABBITMQ" else ()
    return Source(
        name=f"{engine.lower()}-{'public' if is_public else 'private'}",
        mapping={"EventSourceArn": BROKER, "Queues": ["placed"], **signed_in(("BASIC_AUTH", SECRET), *host)},
        reading=(("mq:DescribeBroker", BROKER),),
        dependencies=(OF_SECRET,) if is_public else (*NETWORK, OF_SECRET),
        replies={**broker(engine, is_public=is_public), **secret(SECRET)},
        advised=NETWORK if is_public else (),
    )


ACTIVEMQ_PRIVATE, RABBITMQ_PRIVATE = _mq("ACTIVEMQ", is_public=False), _mq("RABBITMQ", is_public=False)
ACTIVEMQ_PUBLIC, RABBITMQ_PUBLIC = _mq("ACTIVEMQ", is_public=True), _mq("RABBITMQ", is_public=True)

DOCUMENTDB = Source(
    name="documentdb",
    mapping={
        "EventSourceArn": DOCDB,
        "StartingPosition": "LATEST",
        "DocumentDBEventSourceConfig": {"DatabaseName": "shop", "CollectionName": "orders", "FullDocument": "Default"},
        **signed_in(("BASIC_AUTH", SECRET)),
    },
    reading=(
        ("rds:DescribeDBClusters", DOCDB),
        ("rds:DescribeDBClusterParameters", f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster-pg:with-change-streams"),
        ("rds:DescribeDBSubnetGroups", f"arn:aws:rds:{REGION}:{ACCOUNT}:subgrp:databases"),
    ),
    dependencies=(*NETWORK, OF_SECRET, OF_KEY),
    replies={
        ("DescribeDBClusters", DOCDB): {
            "DBClusters": [
                {
                    "DBClusterIdentifier": "orders",
                    "DBClusterArn": DOCDB,
                    "DBClusterParameterGroup": "with-change-streams",
                    "DBSubnetGroup": "databases",
                    "Engine": "docdb",
                    "Status": "available",
                }
            ]
        },
        **UNDER_A_KEY,
    },
)

SOURCES = (
    MSK_IAM,
    MSK_IAM_OR_NOT,
    MSK_SERVERLESS,
    MSK_SCRAM,
    MSK_MUTUAL_TLS,
    MSK_UNAUTHENTICATED,
    *KAFKA,
    ACTIVEMQ_PRIVATE,
    ACTIVEMQ_PUBLIC,
    RABBITMQ_PRIVATE,
    RABBITMQ_PUBLIC,
    DOCUMENTDB,
)
