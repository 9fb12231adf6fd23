"""The table of needs is complete for Lambda's API: every type of source with every way to sign in."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import botocore.session
import pytest

from permission_guard.needs.event_sources import EVENT_SOURCES, event_source_of
from permission_guard.needs.event_sources.access import SECRET_TYPES, access
from permission_guard.needs.event_sources.destinations import destinations_of
from tests.unit.needs.event_sources.needs_table import (
    ANY_DATA_PLANE,
    BROKER,
    CASES,
    CLUSTER,
    CONSUMER,
    DATA_PLANE,
    DECRYPT,
    DOCDB,
    DOCUMENTS,
    DYNAMODB,
    INTERFACES,
    KINESIS,
    MQ,
    MSK,
    NO_KEYS,
    OWN_KEY,
    PASSWORD,
    PROVISIONED,
    QUEUE,
    SECRET,
    SQS,
    STREAM,
    TABLE,
    Pair,
    mapping,
    msk,
    on,
    self_managed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import StringShape

    from permission_guard.model.state import EventSourceMapping, Sources

KAFKA: Final = "self-managed"
"""The key of a self-managed cluster, which has no ARN."""

ALWAYS: Final[Mapping[str, list[Pair]]] = {
    QUEUE: SQS,
    STREAM: KINESIS,
    CONSUMER: [*KINESIS, *on(CONSUMER, "kinesis", "SubscribeToShard")],
    TABLE: DYNAMODB,
    CLUSTER: [*MSK, *INTERFACES],
    BROKER: [*MQ, *INTERFACES],
    DOCUMENTS: [*DOCDB, *INTERFACES],
    KAFKA: [],
}
"""What each type of source requires for every way to sign in."""

SIGNED_IN_TO: Final = (CLUSTER, BROKER, DOCUMENTS, KAFKA)
"""The types that Lambda signs in to: the others only need the role."""

OF_ITS_OWN: Final[Mapping[tuple[str, str], list[Pair]]] = {
    (CLUSTER, "IAM_AUTH"): DATA_PLANE,
    (KAFKA, "IAM_AUTH"): ANY_DATA_PLANE,
    (KAFKA, "IAM_OAUTHBEARER_AUTH"): [("sts:GetWebIdentityToken", "*")],
    (KAFKA, "VPC_SUBNET"): INTERFACES,
    (KAFKA, "VPC_SECURITY_GROUP"): INTERFACES,
}
"""What a way to sign in, or to reach the source, requires besides a secret."""

NAMED_BY_ITSELF: Final = {
    "OAUTHBEARER_SCOPE": "orders",
    "OAUTHBEARER_AUDIENCE": "https://kafka.example.com",
    "OAUTHBEARER_LOGICAL_CLUSTER": "lkc-1",
    "OAUTHBEARER_IDENTITY_POOL": "pool-1",
    "VIRTUAL_HOST": "/",
    "VPC_SUBNET": "subnet:subnet-1",
    "VPC_SECURITY_GROUP": "security_group:sg-1",
    "IAM_AUTH": "",
    "IAM_OAUTHBEARER_AUTH": "",
}
"""The URI of each type that is not a secret."""


@cache
def shape(name: str) -> Any:
    """Return a shape of Lambda's API."""
    return botocore.session.get_session().get_service_model("lambda").shape_for(name)


def enum(name: str) -> list[str]:
    """Return the values of an enumeration of Lambda's API."""
    found: StringShape = shape(name)
    return list(found.enum)


TYPES: Final = enum("SourceAccessType")
REGISTRY_TYPES: Final = enum("KafkaSchemaRegistryAuthType")


def needed(of: EventSourceMapping, sources: Sources) -> set[Pair]:
    """Return the required needs of a mapping."""
    source = event_source_of(of)
    assert source is not None
    return {(need.action, need.resource) for need in source.needs(of, sources) if not need.recommended}


def signing_in(source: str, kind: str) -> EventSourceMapping:
    """Return a mapping that signs in to a source in one way, supported or not."""
    entry = (kind, NAMED_BY_ITSELF.get(kind, SECRET))
    return self_managed(entry) if source == KAFKA else msk(entry) if source == CLUSTER else mapping(source, entry)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("source", ALWAYS, ids=lambda arn: ":".join(arn.split(":")[2:3]) or arn)
def test_each_type_of_source_with_each_way_to_sign_in_needs_what_the_tables_say(source: str, kind: str) -> None:
    """A secret is required for every type that signs in; the other needs depend on the type."""
    secret = PASSWORD if kind not in NAMED_BY_ITSELF and source in SIGNED_IN_TO else []
    expected = {*ALWAYS[source], *secret, *OF_ITS_OWN.get((source, kind), [])}
    of = signing_in(source, kind)
    assert needed(of, {**NO_KEYS, CLUSTER: PROVISIONED}) == expected
    with_key = {*expected, *(DECRYPT if secret else [])}
    assert needed(of, {**NO_KEYS, CLUSTER: PROVISIONED, SECRET: OWN_KEY}) == with_key


@pytest.mark.parametrize("kind", REGISTRY_TYPES)
@pytest.mark.parametrize("of", [msk, self_managed])
def test_each_way_to_sign_in_to_a_schema_registry_requires_its_secret(of: Any, kind: str) -> None:
    """Confluent's: AWS Glue requires permissions of the role itself."""
    registry = {
        "SchemaRegistryURI": "https://registry.example.com",
        "AccessConfigs": [{"Type": kind, "URI": SECRET}],
    }
    sources = {**NO_KEYS, CLUSTER: PROVISIONED}
    assert needed(of(registry=registry), sources) - needed(of(), sources) == set(PASSWORD)


def test_there_is_a_case_for_each_type_of_source() -> None:
    """And no case without a type."""
    assert {event_source_of(case.mapping) for case in CASES.values()} == set(EVENT_SOURCES)


def test_there_is_a_case_for_each_way_to_sign_in() -> None:
    """When Lambda adds a new one, its needs must be added."""
    assert {kind for case in CASES.values() for kind, _ in access(case.mapping)} == set(TYPES)


def test_the_types_that_name_a_secret_are_those_in_lambda_s_api() -> None:
    """The URI of every other type is a literal."""
    documented = shape("SourceAccessConfiguration").members["Type"].documentation
    secrets = {
        kind
        for kind, text in re.findall(r"<li> <p> <code>(\w+)</code> (.*?)</li>", documented)
        if re.search(r"Secrets Manager (ARN|secret)", text)
    }
    assert secrets == SECRET_TYPES.keys()
    assert secrets.isdisjoint(NAMED_BY_ITSELF)
    assert secrets | NAMED_BY_ITSELF.keys() == set(TYPES)
    assert set(REGISTRY_TYPES) <= secrets


def test_there_is_a_case_for_each_type_of_destination() -> None:
    """A queue, a topic, a bucket and a topic of the cluster: there are no others."""
    documented = shape("OnFailure").members["Destination"].documentation
    for kind in ("Amazon SNS topic", "Amazon SQS queue", "Amazon S3 bucket", "Kafka topic"):
        assert kind in documented
    named = {destination for case in CASES.values() for destination in destinations_of(case.mapping)}
    assert {name.split(":")[2] if name.startswith("arn:") else name.split(":")[0] for name in named} == {
        "kafka",
        "s3",
        "sns",
        "sqs",
    }
