"""What AWS SAM gives a role for each kind of event that Lambda polls, and what of the mapping's needs it does not.

Who is right is from AWS's documentation where the two differ. Needs and names of resources are those of `needs_table`.
The events that come from Kafka are in `sam_kafka_events`.
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
    """An event of a function of SAM's, and what the role that SAM makes lacks of what its mapping needs.

    `sources` is what was read of the account, `unsure` is of what nobody can tell, `resources` stand beside the
    function in the template.
    """

    name: str
    event: str
    properties: dict[str, Any]
    why: str
    lacks: Lack = field(default_factory=dict)
    unsure: Lack = field(default_factory=dict)
    sources: Sources = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)


NO_KEYS: Final = dict.fromkeys(
    (QUEUE, STREAM, TABLE, SECRET, OTHER_SECRET, DEAD_LETTERS, ALARM, BUCKET),
    NO_KEY,
)
"""Nothing is under a key of the customer's."""

_ALL: Final = "SAM attaches the managed policy of the type, which carries reading."
UNREAD_KEY: Final = "SAM does not look at the source: a customer's key is for the author of the template to allow."


def to(destination: Any, kind: str = "") -> dict[str, Any]:
    """Return where failures go; SAM gives the role what it takes where the type is said."""
    return {"DestinationConfig": {"OnFailure": {"Destination": destination, **({"Type": kind} if kind else {})}}}


def stream(arn: Any, **more: Any) -> dict[str, Any]:
    """Return a stream, or a cluster, and where to begin."""
    return {"Stream": arn, "StartingPosition": "LATEST", **more}


KEY_ID: Final = {"SecretsManagerKmsKeyId": KEY.rpartition("/")[2]}
_BASIC: Final = {"SourceAccessConfigurations": access(("BASIC_AUTH", SECRET))}
_BROKER: Final = {"Broker": BROKER, "Queues": ["orders"], **_BASIC}
_DOCUMENTS: Final = {"Cluster": DOCUMENTS, "DatabaseName": "orders", **_BASIC}
_MADE_SECRET: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:Password-AbCdEf"
_NO_INTERFACES: Final = (
    "SAM's policy is describing the broker and reading the secret. A broker that is not publicly accessible is reached "
    "through network interfaces, which SAM's own documentation of this event says to add."
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
        "Provisioned mode takes nothing of the role.",
        sources=NO_KEYS,
    ),
    Case(
        "queue-with-an-encrypted-filter",
        "SQS",
        {"Queue": QUEUE, "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}, "KmsKeyArn": KEY},
        "The key of a filter is used by Lambda itself, and the key's policy says so.",
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
        sources={"arn:aws:dynamodb:us-east-1:123456789012:table/Orders/stream/2026-01-01T00:00:00.000": NO_KEY},
        resources={"Orders": {"Type": "AWS::DynamoDB::Table"}},
    ),
    Case(
        "table-under-a-key",
        "DynamoDB",
        stream(TABLE),
        "AWS does not say whether reading the stream takes the table's key, and SAM does not give it.",
        unsure={DEPENDENCY: DECRYPTS},
        sources={TABLE: OWN_KEY},
    ),
    # ── Destinations ────────────────────────────────────────────────────────────────────────────────────────────────
    Case(
        "to-a-queue",
        "Kinesis",
        stream(STREAM, **to({"Fn::GetAtt": ["Failed", "Arn"]}, "SQS")),
        "Where the type is said, SAM allows sending.",
        sources={**NO_KEYS, "arn:aws:sqs:us-east-1:123456789012:Failed": NO_KEY},
        resources={"Failed": {"Type": "AWS::SQS::Queue"}},
    ),
    Case(
        "to-a-topic",
        "DynamoDB",
        stream(TABLE, **to({"Ref": "Alarm"}, "SNS")),
        "Where the type is said, SAM allows publishing, as `sns:publish`: actions are of either case.",
        sources={**NO_KEYS, "arn:aws:sns:us-east-1:123456789012:Alarm": NO_KEY},
        resources={"Alarm": {"Type": "AWS::SNS::Topic"}},
    ),
    Case(
        "to-a-bucket",
        "DynamoDB",
        stream(TABLE, **to(BUCKET, "S3")),
        "Where the type is said, SAM allows listing the bucket and putting objects.",
        sources=NO_KEYS,
    ),
    Case(
        "to-a-queue-whose-type-is-not-said",
        "Kinesis",
        stream(STREAM, **to(DEAD_LETTERS)),
        "SAM goes by the type and not by the ARN. Lambda's guide wants `sqs:SendMessage`.",
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
        "A broker that is publicly accessible is reached without network interfaces.",
        sources={**NO_KEYS, BROKER: PUBLIC},
    ),
    Case(
        "broker-that-was-not-read",
        "MQ",
        _BROKER,
        "Whether the broker is publicly accessible was not read.",
        unsure={DEPENDENCY: INTERFACES},
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
        f"{_NO_INTERFACES} The key that the event names is allowed.",
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
        "The key that the event names is allowed.",
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

TAKE_NOTHING: Final = {
    "BatchSize": "how many records",
    "BisectBatchOnFunctionError": "what becomes of a batch that failed",
    "Enabled": "whether it polls",
    "FunctionResponseTypes": "what the function answers",
    "LoggingConfig": "how much the mapping logs, to where the function's logs go",
    "MaximumBatchingWindowInSeconds": "how long a batch is waited for",
    "MaximumRecordAgeInSeconds": "what becomes of a batch that failed",
    "MaximumRetryAttempts": "what becomes of a batch that failed",
    "MetricsConfig": "which metrics Lambda itself publishes",
    "ParallelizationFactor": "how many batches at once",
    "ScalingConfig": "how many batches at once",
    "StartingPositionTimestamp": "where it begins",
    "TumblingWindowInSeconds": "what is handed on between batches",
}
"""The properties of SAM's events that no case has, because nothing of the role hangs on them."""
