"""The permissions that AWS SAM grants a role for each kind of event that Lambda polls, and those that it does not.

If SAM and the mapping's needs differ, AWS's documentation decides. Needs and names of resources are those of
`needs_table`. The Kafka events are in `sam_kafka_events`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from permission_guard.model.state import SourceState
from permission_guard.needs.base import NeedKind
from tests.unit.needs.event_sources import needs_table
from tests.unit.needs.event_sources.needs_table import (
    ALARM,
    BROKER,
    BUCKET,
    CONSUMER,
    DEAD_LETTERS,
    DOCUMENTS,
    KEY,
    NO_KEY,
    OTHER_SECRET,
    OWN_KEY,
    PRIVATE,
    PUBLIC,
    QUEUE,
    SECRET,
    STREAM,
    TABLE,
    access,
)

if TYPE_CHECKING:
    from permission_guard.model.state import Sources

INTERFACES: Final = frozenset(action for action, _ in needs_table.INTERFACES)
DECRYPTS: Final = frozenset({"kms:Decrypt"})

READ, DEPENDENCY, DESTINATION = NeedKind.READ, NeedKind.DEPENDENCY, NeedKind.DESTINATION

Lack = dict[NeedKind, frozenset[str]]


@dataclass(frozen=True)
class Case:
    """An event of a SAM function, and what SAM's role lacks of the needs of the event source mapping.

    `sources` is the state that was read, `unknown` are the needs whose outcome is unknown, and `resources` are the
    other resources of the template.
    """

    name: str
    event: str
    properties: dict[str, Any]
    why: str
    lacks: Lack = field(default_factory=dict)
    unknown: Lack = field(default_factory=dict)
    sources: Sources = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)


NO_KEYS: Final = dict.fromkeys(
    (QUEUE, STREAM, TABLE, SECRET, OTHER_SECRET, DEAD_LETTERS, ALARM, BUCKET),
    NO_KEY,
)
"""No resource uses a customer managed key."""

_ALL: Final = "SAM attaches the managed policy of the type, which allows reading."
UNREAD_KEY: Final = "SAM does not read the source: the author of the template must allow a customer managed key."


def to(destination: Any, kind: str = "") -> dict[str, Any]:
    """Return an on-failure destination; SAM grants the role its permissions only if the type is set."""
    return {"DestinationConfig": {"OnFailure": {"Destination": destination, **({"Type": kind} if kind else {})}}}


def stream(arn: Any, **more: Any) -> dict[str, Any]:
    """Return a stream or a cluster, with the starting position."""
    return {"Stream": arn, "StartingPosition": "LATEST", **more}


KEY_ID: Final = {"SecretsManagerKmsKeyId": KEY.rpartition("/")[2]}
_BASIC: Final = {"SourceAccessConfigurations": access(("BASIC_AUTH", SECRET))}
_BROKER: Final = {"Broker": BROKER, "Queues": ["orders"], **_BASIC}
_DOCUMENTS: Final = {"Cluster": DOCUMENTS, "DatabaseName": "orders", **_BASIC}
_MADE_SECRET: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:Password-AbCdEf"
_NO_INTERFACES: Final = (
    "SAM's policy allows describing the broker and reading the secret. A broker that is not publicly accessible needs "
    "network interfaces too, which SAM's documentation of this event says to add."
)
UNDER_A_KEY: Final = {**NO_KEYS, SECRET: OWN_KEY}

OTHER_CASES: Final = (
    # ── Queues and streams ──────────────────────────────────────────────────────────────────────────────────────────
    Case("queue", "SQS", {"Queue": QUEUE}, _ALL, sources=NO_KEYS),
    Case(
        "queue-of-the-template",
        "SQS",
        {"Queue": {"Fn::GetAtt": ["Incoming", "Arn"]}},
        _ALL,
        sources={"arn:aws:sqs:us-east-1:123456789012:Incoming": NO_KEY},
        resources={"Incoming": {"Type": "AWS::SQS::Queue"}},
    ),
    Case(
        "queue-provisioned",
        "SQS",
        {"Queue": QUEUE, "ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 4}},
        "Provisioned mode needs no permission of the role.",
        sources=NO_KEYS,
    ),
    Case(
        "queue-with-an-encrypted-filter",
        "SQS",
        {"Queue": QUEUE, "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}, "KmsKeyArn": KEY},
        "Lambda itself uses the key of a filter, and the key's policy allows it.",
        sources=NO_KEYS,
    ),
    Case(
        "queue-under-a-key",
        "SQS",
        {"Queue": QUEUE},
        UNREAD_KEY,
        lacks={DEPENDENCY: DECRYPTS},
        sources={QUEUE: OWN_KEY},
    ),
    Case("stream", "Kinesis", stream(STREAM), _ALL, sources=NO_KEYS),
    Case(
        "stream-of-the-template",
        "Kinesis",
        stream({"Fn::GetAtt": "Clicks.Arn"}),
        _ALL,
        sources={"arn:aws:kinesis:us-east-1:123456789012:stream/Clicks": NO_KEY},
        resources={"Clicks": {"Type": "AWS::Kinesis::Stream"}},
    ),
    Case("stream-consumer", "Kinesis", stream(CONSUMER), _ALL, sources=NO_KEYS),
    Case(
        "stream-under-a-key",
        "Kinesis",
        stream(CONSUMER),
        UNREAD_KEY,
        lacks={DEPENDENCY: DECRYPTS},
        sources={STREAM: OWN_KEY},
    ),
    Case("table", "DynamoDB", stream(TABLE), _ALL, sources=NO_KEYS),
    Case(
        "table-of-the-template",
        "DynamoDB",
        stream({"Fn::GetAtt": ["Orders", "StreamArn"]}),
        _ALL,
        sources={
            "arn:aws:dynamodb:us-east-1:123456789012:table/my-stack-Orders-B7E8ACDD522E/stream/2026-01-01T00:00:00.000": NO_KEY
        },
        resources={"Orders": {"Type": "AWS::DynamoDB::Table"}},
    ),
    Case(
        "table-under-a-key",
        "DynamoDB",
        stream(TABLE),
        "AWS does not document whether reading the stream needs the table's key, and SAM does not allow the key.",
        unknown={DEPENDENCY: DECRYPTS},
        sources={TABLE: OWN_KEY},
    ),
    # ── Destinations ────────────────────────────────────────────────────────────────────────────────────────────────
    Case(
        "to-a-queue",
        "Kinesis",
        stream(STREAM, **to({"Fn::GetAtt": ["Failed", "Arn"]}, "SQS")),
        "If the type is set, SAM allows sending.",
        sources={**NO_KEYS, "arn:aws:sqs:us-east-1:123456789012:Failed": NO_KEY},
        resources={"Failed": {"Type": "AWS::SQS::Queue"}},
    ),
    Case(
        "to-a-topic",
        "DynamoDB",
        stream(TABLE, **to({"Ref": "Alarm"}, "SNS")),
        "If the type is set, SAM allows publishing, as `sns:publish`: AWS ignores the case of actions.",
        sources={**NO_KEYS, "arn:aws:sns:us-east-1:123456789012:Alarm": NO_KEY},
        resources={"Alarm": {"Type": "AWS::SNS::Topic"}},
    ),
    Case(
        "to-a-bucket",
        "DynamoDB",
        stream(TABLE, **to(BUCKET, "S3")),
        "If the type is set, SAM allows listing the bucket and putting objects.",
        sources=NO_KEYS,
    ),
    Case(
        "to-a-queue-without-its-type",
        "Kinesis",
        stream(STREAM, **to(DEAD_LETTERS)),
        "SAM evaluates the type and not the ARN. Lambda's guide requires `sqs:SendMessage`.",
        lacks={DESTINATION: frozenset({"sqs:SendMessage"})},
        sources=NO_KEYS,
    ),
    Case(
        "to-a-queue-under-a-key",
        "Kinesis",
        stream(STREAM, **to(DEAD_LETTERS, "SQS")),
        UNREAD_KEY,
        lacks={DESTINATION: frozenset({"kms:Decrypt", "kms:GenerateDataKey"})},
        sources={**NO_KEYS, DEAD_LETTERS: OWN_KEY},
    ),
    # ── Amazon MQ ───────────────────────────────────────────────────────────────────────────────────────────────────
    Case("broker", "MQ", _BROKER, _NO_INTERFACES, {DEPENDENCY: INTERFACES}, sources={**NO_KEYS, BROKER: PRIVATE}),
    Case(
        "broker-that-is-public",
        "MQ",
        _BROKER,
        "A broker that is publicly accessible needs no network interfaces.",
        sources={**NO_KEYS, BROKER: PUBLIC},
    ),
    Case(
        "broker-that-was-not-read",
        "MQ",
        _BROKER,
        "Whether the broker is publicly accessible was not read.",
        unknown={DEPENDENCY: INTERFACES},
        sources=NO_KEYS,
    ),
    Case(
        "broker-with-a-virtual-host",
        "MQ",
        {
            **_BROKER,
            "SourceAccessConfigurations": access(("BASIC_AUTH", SECRET), ("VIRTUAL_HOST", "/")),
            "DynamicPolicyName": True,
        },
        _NO_INTERFACES,
        {DEPENDENCY: INTERFACES},
        sources={**NO_KEYS, BROKER: PRIVATE},
    ),
    Case(
        "broker-with-a-secret-of-the-template",
        "MQ",
        {**_BROKER, "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": {"Ref": "Password"}}]},
        _NO_INTERFACES,
        {DEPENDENCY: INTERFACES},
        sources={_MADE_SECRET: NO_KEY, BROKER: PRIVATE},
        resources={"Password": {"Type": "AWS::SecretsManager::Secret"}},
    ),
    Case(
        "broker-with-a-key-that-is-named",
        "MQ",
        {**_BROKER, **KEY_ID},
        f"{_NO_INTERFACES} SAM allows the key that the event names.",
        {DEPENDENCY: INTERFACES},
        sources={**UNDER_A_KEY, BROKER: PRIVATE},
    ),
    Case(
        "broker-with-a-key-that-is-not-named",
        "MQ",
        _BROKER,
        f"{_NO_INTERFACES} {UNREAD_KEY}",
        {DEPENDENCY: INTERFACES | DECRYPTS},
        sources={**UNDER_A_KEY, BROKER: PRIVATE},
    ),
    # ── Amazon DocumentDB ───────────────────────────────────────────────────────────────────────────────────────────
    Case(
        "documents",
        "DocumentDB",
        _DOCUMENTS,
        "SAM allows describing, the network interfaces and the secret.",
        sources=NO_KEYS,
    ),
    Case(
        "documents-read",
        "DocumentDB",
        {**_DOCUMENTS, "CollectionName": "placed", "FullDocument": "UpdateLookup"},
        "SAM allows describing any group of the account.",
        sources={**NO_KEYS, DOCUMENTS: SourceState(parameter_group="streams", subnet_group="private")},
    ),
    Case(
        "documents-with-a-key-that-is-named",
        "DocumentDB",
        {**_DOCUMENTS, **KEY_ID},
        "SAM allows the key that the event names.",
        sources=UNDER_A_KEY,
    ),
    Case(
        "documents-with-a-key-that-is-not-named",
        "DocumentDB",
        _DOCUMENTS,
        UNREAD_KEY,
        {DEPENDENCY: DECRYPTS},
        sources=UNDER_A_KEY,
    ),
)

WITHOUT_PERMISSIONS: Final = {
    "BatchSize": "how many records",
    "BisectBatchOnFunctionError": "how failed batches are retried",
    "Enabled": "whether Lambda polls",
    "FunctionResponseTypes": "what the function returns",
    "LoggingConfig": "how much the mapping logs, into the function's log group",
    "MaximumBatchingWindowInSeconds": "how long Lambda waits for a batch",
    "MaximumRecordAgeInSeconds": "how failed batches are retried",
    "MaximumRetryAttempts": "how failed batches are retried",
    "MetricsConfig": "which metrics Lambda itself publishes",
    "ParallelizationFactor": "how many batches at once",
    "ScalingConfig": "how many batches at once",
    "StartingPositionTimestamp": "where Lambda begins",
    "TumblingWindowInSeconds": "which state is passed between batches",
}
"""The properties of SAM's events without a case, because they require no permission of the role."""
