"""The permissions that AWS SAM grants a role for each kind of Kafka event, and those that it does not.

`sam_pull_events` has the other events that Lambda polls.
"""

from __future__ import annotations

from typing import Any, Final

from tests.unit.needs.event_sources import needs_table
from tests.unit.needs.event_sources.needs_table import (
    BUCKET,
    CLUSTER,
    CONFLUENT,
    DEAD_LETTERS,
    LITERALS,
    OTHER_SECRET,
    PROVISIONED,
    PROVISIONED_IAM,
    REGISTRY,
    SECRET,
    SERVERLESS,
    VPC,
    access,
)
from tests.unit.rules.sam_pull_events import (
    DECRYPTS,
    DEPENDENCY,
    DESTINATION,
    KEY_ID,
    NO_KEYS,
    READ,
    UNDER_A_KEY,
    UNREAD_KEY,
    Case,
    stream,
    to,
)

READS_SECRET: Final = frozenset({"secretsmanager:GetSecretValue"})
DATA_PLANE: Final = frozenset(action for action, _ in needs_table.DATA_PLANE)
SENDING: Final = frozenset(action for action, _ in needs_table.CASES["msk-to-kafka"].destinations)


def _kafka(*entries: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Return a topic of an Amazon MSK cluster."""
    authentication = {"SourceAccessConfigurations": access(*entries)} if entries else {}
    return stream(CLUSTER, Topics=["placed"], ConsumerGroupId="billing", **authentication, **more)


def _self_managed(*entries: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Return a topic of a self-managed cluster."""
    configurations = [{"Type": kind, **({"URI": uri} if uri else {})} for kind, uri in entries]
    servers = ["kafka.example.com:9092"]
    source = {"KafkaBootstrapServers": servers, "Topics": ["placed"], "SourceAccessConfigurations": configurations}
    return {**source, **more}


def _registry(uri: Any, **more: Any) -> dict[str, Any]:
    config = {"SchemaRegistryURI": uri, "EventRecordFormat": "JSON", "SchemaValidationConfigs": [{"Attribute": "KEY"}]}
    return {"SchemaRegistryConfig": {**config, **more}}


_CONFLUENT: Final = _registry(CONFLUENT["SchemaRegistryURI"], AccessConfigs=CONFLUENT["AccessConfigs"])
_CONNECTION: Final = "arn:aws:kafka:us-east-1:123456789012:vpc-connection/111122223333/orders/51jn98b4-7"
_AUTHENTICATED: Final = "SAM names each secret of the mapping."
_INSIDE: Final = (
    "SAM allows no action of the cluster's data plane. Lambda's guide lists these actions for a cluster that "
    "authenticates its clients with IAM."
)

KAFKA_CASES: Final = (
    # ── Amazon MSK ──────────────────────────────────────────────────────────────────────────────────────────────────
    Case(
        "cluster",
        "MSK",
        _kafka(),
        "SAM attaches the managed policy of the type, which allows describing and the network interfaces.",
        sources={CLUSTER: PROVISIONED},
    ),
    Case("cluster-with-iam", "MSK", _kafka(), _INSIDE, {DEPENDENCY: DATA_PLANE}, sources={CLUSTER: PROVISIONED_IAM}),
    Case(
        "cluster-with-iam-named",
        "MSK",
        _kafka(("IAM_AUTH", "")),
        _INSIDE,
        {DEPENDENCY: DATA_PLANE},
        sources={CLUSTER: PROVISIONED},
    ),
    Case("cluster-serverless", "MSK", _kafka(), _INSIDE, {DEPENDENCY: DATA_PLANE}, sources={CLUSTER: SERVERLESS}),
    Case("cluster-unread", "MSK", _kafka(), _INSIDE, unknown={DEPENDENCY: DATA_PLANE}),
    Case(
        "cluster-with-a-password",
        "MSK",
        _kafka(("SASL_SCRAM_512_AUTH", SECRET)),
        "Of the secrets for an Amazon MSK cluster, SAM names only the one for mutual TLS. AWS does not create the "
        "mapping: it requires `secretsmanager:GetSecretValue`.",
        lacks={DEPENDENCY: READS_SECRET},
        sources={**NO_KEYS, CLUSTER: PROVISIONED},
    ),
    Case(
        "cluster-with-a-certificate",
        "MSK",
        _kafka(("CLIENT_CERTIFICATE_TLS_AUTH", SECRET)),
        "SAM names this secret.",
        sources={**NO_KEYS, CLUSTER: PROVISIONED},
    ),
    Case(
        "cluster-with-two-certificates",
        "MSK",
        _kafka(("CLIENT_CERTIFICATE_TLS_AUTH", SECRET), ("SERVER_ROOT_CA_CERTIFICATE", OTHER_SECRET)),
        "SAM does not name the server's certificate, which is also a secret. Lambda's API has it for self-managed "
        "clusters; Amazon MSK needs none.",
        lacks={DEPENDENCY: READS_SECRET},
        sources={**NO_KEYS, CLUSTER: PROVISIONED},
    ),
    Case(
        "cluster-of-another-account",
        "MSK",
        {**_kafka(("SASL_SCRAM_512_AUTH", SECRET)), "Stream": _CONNECTION},
        "The managed policy has no `kafka:DescribeVpcConnection`, which Lambda's guide lists for a cluster of another "
        "account. SAM does not name the password's secret either.",
        lacks={READ: frozenset({"kafka:DescribeVpcConnection"}), DEPENDENCY: READS_SECRET},
        sources=NO_KEYS,
    ),
    Case(
        "cluster-with-glue",
        "MSK",
        _kafka(**_registry(REGISTRY)),
        "SAM allows reading the registry and its schemas.",
        sources={CLUSTER: PROVISIONED},
    ),
    Case(
        "cluster-with-glue-of-another-account",
        "MSK",
        _kafka(**_registry(REGISTRY.replace("123456789012", "111122223333"))),
        "SAM names the schemas of the stack's account, even if the registry belongs to another account. The other "
        "account must also allow the role.",
        lacks={DEPENDENCY: frozenset({"glue:GetSchemaVersion"})},
        unknown={DEPENDENCY: frozenset({"glue:GetRegistry"})},
        sources={CLUSTER: PROVISIONED},
    ),
    Case(
        "cluster-with-confluent",
        "MSK",
        _kafka(**_CONFLUENT),
        "SAM names the registry's secrets.",
        sources={**NO_KEYS, CLUSTER: PROVISIONED},
    ),
    Case(
        "cluster-to-a-topic-of-its-own",
        "MSK",
        _kafka(**to("kafka://failed", "Kafka")),
        f"{_INSIDE} SAM allows nothing for a topic as the destination either.",
        lacks={DEPENDENCY: DATA_PLANE, DESTINATION: SENDING},
        sources={CLUSTER: SERVERLESS},
    ),
    Case(
        "cluster-to-a-queue",
        "MSK",
        _kafka(**to(DEAD_LETTERS, "SQS")),
        "If the type is set, SAM allows sending.",
        sources={**NO_KEYS, CLUSTER: PROVISIONED},
    ),
    # ── Self-managed Kafka ──────────────────────────────────────────────────────────────────────────────────────────
    *(
        Case(
            f"own-cluster-{kind.lower()}",
            "SelfManagedKafka",
            _self_managed((kind, SECRET)),
            _AUTHENTICATED,
            sources=NO_KEYS,
        )
        for kind in (
            "BASIC_AUTH",
            "CLIENT_CERTIFICATE_TLS_AUTH",
            "SASL_SCRAM_256_AUTH",
            "SASL_SCRAM_512_AUTH",
            "SERVER_ROOT_CA_CERTIFICATE",
        )
    ),
    Case(
        "own-cluster-in-a-vpc",
        "SelfManagedKafka",
        _self_managed(*VPC),
        "SAM allows the network interfaces if the mapping names subnets and security groups.",
    ),
    Case(
        "own-cluster-with-oauth",
        "SelfManagedKafka",
        _self_managed(("OAUTHBEARER_AUTH", SECRET), *LITERALS, **KEY_ID),
        "SAM names the secret and its key; scope, audience and the rest are literals.",
        sources=UNDER_A_KEY,
    ),
    Case(
        "own-cluster-with-a-key-that-is-not-named",
        "SelfManagedKafka",
        _self_managed(("BASIC_AUTH", SECRET)),
        UNREAD_KEY,
        {DEPENDENCY: DECRYPTS},
        sources=UNDER_A_KEY,
    ),
    Case(
        "own-cluster-with-iam",
        "SelfManagedKafka",
        _self_managed(*VPC, ("IAM_AUTH", "")),
        "SAM accepts this authentication and allows nothing for it. In Lambda's guide, the role itself authenticates.",
        {DEPENDENCY: DATA_PLANE},
    ),
    Case(
        "own-cluster-with-a-token-of-the-role",
        "SelfManagedKafka",
        _self_managed(("IAM_OAUTHBEARER_AUTH", ""), *LITERALS),
        "SAM accepts this authentication and allows nothing for it. In Lambda's guide, the role gets the token.",
        {DEPENDENCY: frozenset({"sts:GetWebIdentityToken"})},
    ),
    Case(
        "own-cluster-with-glue",
        "SelfManagedKafka",
        _self_managed(*VPC, ConsumerGroupId="billing", **_registry(REGISTRY)),
        "SAM allows reading the registry and its schemas.",
    ),
    Case(
        "own-cluster-with-confluent",
        "SelfManagedKafka",
        _self_managed(*VPC, **_CONFLUENT),
        "SAM names the registry's secrets.",
        sources=NO_KEYS,
    ),
    Case(
        "own-cluster-to-a-bucket",
        "SelfManagedKafka",
        _self_managed(("BASIC_AUTH", SECRET), **to(BUCKET, "S3")),
        "If the type is set, SAM allows listing the bucket and putting objects.",
        sources=NO_KEYS,
    ),
    Case(
        "own-cluster-to-a-topic-of-its-own",
        "SelfManagedKafka",
        _self_managed(("IAM_AUTH", ""), **to("kafka://failed", "Kafka")),
        "SAM accepts this authentication and allows nothing for it, and nothing for a topic as the destination.",
        {DEPENDENCY: DATA_PLANE, DESTINATION: SENDING},
    ),
)
