"""The state of what a role is used on: keys, ways of signing in, groups, whether it is there at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.model.state import SourceState, Unread
from tests.fakes import ACCOUNT, QUEUE_ARN, REGION, TARGET
from tests.unit.aws.readers.sources.cases import (
    ACCESS_POINT,
    ALIAS,
    ATTRIBUTES,
    BROKER,
    BUCKET,
    BUS,
    CLUSTER,
    CONSUMER,
    DOCDB,
    FILE_SYSTEM,
    FUNCTION,
    GROUP,
    KEY,
    KEY_ID,
    KEYED,
    OBJECTS,
    POLICY,
    SECRET,
    STATES,
    STREAM,
    TABLE_STREAM,
    URL,
    Ask,
    Keyed,
)

if TYPE_CHECKING:
    from tests.unit.aws.readers.sources.conftest import Sources

EACH = pytest.mark.parametrize("ask", STATES, ids=str)
WITH_A_KEY = pytest.mark.parametrize("ask", KEYED, ids=str)
FOREIGN_KEY = KEY.replace(ACCOUNT, "111122223333")


def describe(sources: Sources, asked: str = KEY, arn: str = KEY, manager: str = "CUSTOMER") -> None:
    """Let KMS describe a key."""
    metadata = {"KeyId": arn.rpartition("/")[2], "Arn": arn, "KeyManager": manager}
    sources.say("kms", "describe_key", {"KeyMetadata": metadata}, KeyId=asked)


# ── Keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@WITH_A_KEY
def test_what_names_no_key_is_encrypted_with_one_of_aws_s_or_not_at_all(sources: Sources, ask: Keyed) -> None:
    """One call tells it."""
    sources.say(ask.client, ask.operation, ask.plain, **ask.asked)
    assert sources.state(ask.arn) == SourceState(exists=True)
    assert sources.made == [ask.client]


@WITH_A_KEY
@pytest.mark.parametrize(("named", "asked"), [(KEY, KEY), (KEY_ID, KEY), ("alias/orders", ALIAS), (ALIAS, ALIAS)])
def test_a_customer_s_key_is_found_however_it_is_named(sources: Sources, ask: Keyed, named: str, asked: str) -> None:
    """By its id or an alias, with the whole ARN or without."""
    sources.say(ask.client, ask.operation, ask.naming(named), **ask.asked)
    describe(sources, asked)
    assert sources.state(ask.arn) == SourceState(KEY, exists=True)


@WITH_A_KEY
def test_aws_s_own_key_is_known_by_its_alias(sources: Sources, ask: Keyed) -> None:
    """Nobody has to be asked whose it is."""
    for named in ("alias/aws/sqs", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/sqs"):
        sources.say(ask.client, ask.operation, ask.naming(named), **ask.asked)
        assert sources.state(ask.arn) == SourceState(exists=True)
        sources.reader.forget()
    assert "kms" not in sources.made


@WITH_A_KEY
def test_aws_s_own_key_is_known_by_who_manages_it(sources: Sources, ask: Keyed) -> None:
    """DynamoDB, for one, gives the key's ARN."""
    sources.say(ask.client, ask.operation, ask.naming(KEY), **ask.asked)
    describe(sources, manager="AWS")
    assert sources.state(ask.arn) == SourceState(exists=True)


@pytest.mark.parametrize("code", ["AccessDeniedException", "NotFoundException"])
def test_a_key_that_may_not_be_described_is_a_customer_s(sources: Sources, code: str) -> None:
    """An account may describe what AWS made in it; so may it not describe another account's, or one that is gone."""
    (queue, *_) = KEYED
    sources.say("sqs", queue.operation, queue.naming(KEY_ID), **queue.asked)
    sources.fail("kms", "describe_key", code)
    assert sources.state(QUEUE_ARN).kms_key_arn == KEY


@pytest.mark.parametrize(
    ("code", "logged", "denied"),
    [("AccessDeniedException", "AccessDeniedException", True), ("NotFoundException", "NotFound", True)],
)
def test_an_alias_that_leads_nowhere_leaves_the_key_unknown(
    sources: Sources, code: str, logged: str, denied: bool
) -> None:
    """Which key it is, only KMS knows."""
    (queue, *_) = KEYED
    sources.say("sqs", queue.operation, queue.naming("alias/orders"), **queue.asked)
    sources.fail("kms", "describe_key", code)
    unread = sources.unread_state(QUEUE_ARN)
    assert (unread.action, unread.code, unread.denied) == ("kms:DescribeKey", logged, denied)


@pytest.mark.parametrize("named", [KEY, "alias/orders"])
def test_a_key_that_is_not_described_just_now_is_asked_for_again(sources: Sources, named: str) -> None:
    """It may be AWS's own."""
    (queue, *_) = KEYED
    sources.say("sqs", queue.operation, queue.naming(named), **queue.asked)
    sources.fail("kms", "describe_key", "ThrottlingException")
    unread = sources.unread_state(QUEUE_ARN)
    assert (unread.action, unread.code, unread.denied) == ("kms:DescribeKey", "ThrottlingException", False)


def test_a_key_without_an_account_is_in_that_of_the_resource(sources: Sources) -> None:
    """Another account's queue names its own keys."""
    (queue, *_) = KEYED
    url = URL.replace(ACCOUNT, "111122223333")
    sources.say("sqs", queue.operation, queue.naming(KEY_ID), **{**ATTRIBUTES, "QueueUrl": url})
    describe(sources, FOREIGN_KEY, FOREIGN_KEY)
    assert sources.state(QUEUE_ARN.replace(ACCOUNT, "111122223333")).kms_key_arn == FOREIGN_KEY


def test_a_key_of_another_region_is_taken_as_it_is_named(sources: Sources) -> None:
    """A bucket may be in any region, and its key with it; the client is of one."""
    elsewhere = KEY.replace(REGION, "eu-west-1")
    bucket = next(ask for ask in KEYED if ask.arn == BUCKET)
    sources.say("s3", bucket.operation, bucket.naming(elsewhere), **bucket.asked)
    assert sources.state(BUCKET).kms_key_arn == elsewhere
    assert sources.made == ["s3"]


def test_a_bucket_that_s3_encrypts_twice_has_a_key_as_well(sources: Sources) -> None:
    """`aws:kms:dsse`; and one without a configuration, in what is not S3 itself, has none."""
    bucket = next(ask for ask in KEYED if ask.arn == BUCKET)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms:dsse", "KMSMasterKeyID": KEY}}
    sources.say("s3", bucket.operation, {"ServerSideEncryptionConfiguration": {"Rules": [rule]}})
    describe(sources)
    assert sources.state(BUCKET).kms_key_arn == KEY
    sources.reader.forget()
    managed = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    rules = [{"BucketKeyEnabled": True}, managed]
    sources.say("s3", bucket.operation, {"ServerSideEncryptionConfiguration": {"Rules": rules}})
    assert sources.state(BUCKET).kms_key_arn is None
    sources.reader.forget()
    sources.fail("s3", bucket.operation, "ServerSideEncryptionConfigurationNotFoundError")
    assert sources.state(BUCKET) == SourceState(exists=True)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("orders/broker", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:orders/broker"),
        (SECRET.removesuffix("-1a2B3c"), SECRET.removesuffix("-1a2B3c")),
        (SECRET, SECRET),
    ],
)
def test_a_secret_is_found_however_a_mapping_gives_it(sources: Sources, given: str, asked: str) -> None:
    """By its name, without its last six characters, or in full."""
    sources.say("secretsmanager", "describe_secret", {"ARN": SECRET, "KmsKeyId": KEY_ID}, SecretId=asked)
    describe(sources)
    assert sources.state(given).kms_key_arn == KEY


def test_a_consumer_has_the_key_of_its_stream(sources: Sources) -> None:
    """And a bucket's objects that of the bucket."""
    stream = next(ask for ask in KEYED if ask.arn == STREAM)
    sources.say("kinesis", stream.operation, stream.plain, StreamARN=STREAM)
    assert sources.state(CONSUMER) == sources.state(STREAM)
    bucket = next(ask for ask in KEYED if ask.arn == BUCKET)
    sources.say("s3", bucket.operation, bucket.plain, Bucket="failed-orders")
    assert sources.state(OBJECTS) == sources.state(BUCKET)
    assert sources.made == ["kinesis", "s3"]


# ── Clusters, groups, file systems ──────────────────────────────────────────────────────────────────────────────────


def by_iam(enabled: bool) -> dict[str, Any]:
    """Return how a cluster authenticates its clients."""
    return {"ClientAuthentication": {"Sasl": {"Iam": {"Enabled": enabled}}}}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"ClusterType": "SERVERLESS", "Serverless": {"VpcConfigs": [], **by_iam(True)}}, (True, True)),
        ({"ClusterType": "PROVISIONED", "Provisioned": {**by_iam(True)}}, (False, True)),
        ({"ClusterType": "PROVISIONED", "Provisioned": {**by_iam(False)}}, (False, False)),
        ({"ClusterType": "PROVISIONED", "Provisioned": {"ClientAuthentication": {"Tls": {}}}}, (False, False)),
        ({"ClusterType": "PROVISIONED", "Provisioned": {}}, (False, False)),
        ({"ClusterType": "PROVISIONED"}, (False, False)),
    ],
)
def test_a_kafka_cluster_says_its_type_and_whether_iam_lets_in(
    sources: Sources, said: dict[str, Any], expected: tuple[bool, bool]
) -> None:
    """A serverless one always does."""
    for names in ("BrokerNodeGroupInfo", "NumberOfBrokerNodes"):
        if "Provisioned" in said:
            blank: Any = {"ClientSubnets": [], "InstanceType": "kafka.m7g.large"} if "Info" in names else 3
            said = {**said, "Provisioned": {**said["Provisioned"], names: blank}}
    sources.say("kafka", "describe_cluster_v2", {"ClusterInfo": said}, ClusterArn=CLUSTER)
    state = sources.state(CLUSTER)
    assert (state.is_serverless, state.uses_iam) == expected


@pytest.mark.parametrize("said", [True, False])
def test_a_broker_says_whether_it_is_publicly_accessible(sources: Sources, said: bool) -> None:
    """It is asked by its id."""
    reply = {"PubliclyAccessible": said}
    sources.say("mq", "describe_broker", reply, BrokerId=BROKER.rpartition(":")[2])
    assert sources.state(BROKER) == SourceState(is_public=said, exists=True)


def test_a_documentdb_cluster_says_the_names_of_its_groups(sources: Sources) -> None:
    """And nothing where the list is empty."""
    said = {"DBClusterParameterGroup": "orders-5-0", "DBSubnetGroup": "private"}
    sources.say("rds", "describe_db_clusters", {"DBClusters": [said]}, DBClusterIdentifier=DOCDB)
    state = sources.state(DOCDB)
    assert (state.parameter_group, state.subnet_group) == ("orders-5-0", "private")
    sources.reader.forget()
    sources.say("rds", "describe_db_clusters", {"DBClusters": []})
    assert sources.state(DOCDB) == SourceState(exists=False)


def test_a_log_group_is_found_among_those_that_begin_like_it(sources: Sources) -> None:
    """On the first page that has it; the list is in the order of their names."""
    name = "/aws/lambda/orders"
    first = {"logGroups": [{"logGroupName": name}, {"logGroupName": f"{name}-2"}], "nextToken": "more"}
    sources.say("logs", "describe_log_groups", first, logGroupNamePrefix=name)
    assert sources.state(GROUP).exists is True
    assert sources.state(f"{GROUP}:*").exists is True


def test_a_log_group_that_is_not_listed_does_not_exist(sources: Sources) -> None:
    """However many there are whose names begin like its name."""
    name = "/aws/lambda/orders"
    pages: list[dict[str, Any]] = [
        {"logGroups": [{"logGroupName": f"{name}-2"}], "nextToken": "more"},
        {"logGroups": []},
    ]
    for page in pages:
        sources.say("logs", "describe_log_groups", page)
    assert sources.state(GROUP).exists is False


@pytest.mark.parametrize(("code", "denied"), [("AccessDeniedException", True), ("ThrottlingException", False)])
def test_log_groups_that_cannot_be_listed_say_why(sources: Sources, code: str, denied: bool) -> None:
    """Whether the group exists is not known then."""
    sources.fail("logs", "describe_log_groups", code)
    unread = sources.unread_state(GROUP)
    assert (unread.action, unread.code, unread.denied) == ("logs:DescribeLogGroups", code, denied)


def test_another_account_s_log_group_is_not_looked_for_among_one_s_own(sources: Sources) -> None:
    """It has a namesake there."""
    unread = sources.unread_state(GROUP.replace(ACCOUNT, "111122223333"))
    assert (unread.code, unread.denied) == ("OtherAccount", True)
    assert sources.made == []


def test_a_name_that_no_call_takes_is_not_read(moto_account: None) -> None:
    """The client says it before it calls; it says the same the next time."""
    unread = SourceReader(lambda _: boto3.client("logs")).state(GROUP.partition("/")[0], TARGET)
    assert isinstance(unread, Unread)
    assert (unread.code, unread.denied) == ("ParamValidationError", True)


def mounted(sources: Sources) -> None:
    """Let the access point lead to the file system."""
    found = {"AccessPoints": [{"FileSystemId": FILE_SYSTEM.rpartition("/")[2]}]}
    sources.say("efs", "describe_access_points", found, AccessPointId=ACCESS_POINT.rpartition("/")[2])


def test_a_file_system_with_a_policy_asks_for_iam(sources: Sources) -> None:
    """The policy is read with the state: it may let the role in by itself."""
    mounted(sources)
    sources.say("efs", "describe_file_system_policy", {"Policy": POLICY}, FileSystemId="fs-0123456789abcdef0")
    assert sources.state(ACCESS_POINT) == SourceState(uses_iam=True, file_system=FILE_SYSTEM, exists=True)
    assert sources.policy(FILE_SYSTEM).statements
    assert sources.made == ["efs", "efs"]


def test_a_file_system_without_a_policy_lets_in_whoever_reaches_it(sources: Sources) -> None:
    """EFS says it by an error of its own."""
    mounted(sources)
    sources.fail("efs", "describe_file_system_policy", "PolicyNotFound", status=404)
    assert sources.state(ACCESS_POINT) == SourceState(uses_iam=False, file_system=FILE_SYSTEM, exists=True)
    assert sources.reader.policy(FILE_SYSTEM, TARGET) is None


@pytest.mark.parametrize(("code", "denied"), [("AccessDeniedException", True), ("ThrottlingException", False)])
def test_a_file_system_whose_policy_cannot_be_read_says_so(sources: Sources, code: str, denied: bool) -> None:
    """The permission that is missing is that of the second call."""
    mounted(sources)
    sources.fail("efs", "describe_file_system_policy", code)
    unread = sources.unread_state(ACCESS_POINT)
    assert (unread.action, unread.denied) == ("elasticfilesystem:DescribeFileSystemPolicy", denied)


def test_a_file_system_that_went_meanwhile_is_gone(sources: Sources) -> None:
    """Between the two calls."""
    mounted(sources)
    sources.fail("efs", "describe_file_system_policy", "FileSystemNotFound", status=404)
    assert sources.state(ACCESS_POINT) == SourceState(exists=False)


# ── Whatever it is ──────────────────────────────────────────────────────────────────────────────────────────────────


@EACH
def test_what_is_gone_does_not_exist(sources: Sources, ask: Ask) -> None:
    """Each service says it in its own words."""
    sources.fail(ask.client, ask.operation, ask.gone)
    assert sources.state(ask.arn) == SourceState(exists=False)


@pytest.mark.parametrize("ask", [ask for ask in STATES if ask.arn != BUCKET], ids=str)
def test_what_seems_to_be_gone_in_another_account_may_only_be_closed(sources: Sources, ask: Ask) -> None:
    """AWS says the same of both."""
    sources.fail(ask.client, ask.operation, ask.gone)
    unread = sources.unread_state(ask.arn.replace(ACCOUNT, "111122223333"))
    assert (unread.action, unread.code, unread.denied) == (ask.action, "NotFound", True)


@EACH
@pytest.mark.parametrize(
    ("code", "status", "denied"),
    [
        ("AccessDenied", 403, True),
        ("AuthorizationError", 403, True),
        ("ForbiddenException", 403, True),
        ("ThrottlingException", 400, False),
        ("RequestThrottled", 400, False),
        ("InternalFailure", 500, False),
    ],
)
def test_what_cannot_be_read_says_why(sources: Sources, ask: Ask, code: str, status: int, denied: bool) -> None:
    """With the permission that may be missing; only what passes is tried again."""
    sources.fail(ask.client, ask.operation, code, status)
    unread = sources.unread_state(ask.arn)
    assert (unread.action, unread.code, unread.denied) == (ask.action, code, denied)


@pytest.mark.parametrize("ask", [ask for ask in STATES if ask.arn != BUCKET], ids=str)
def test_what_is_in_another_region_is_not_asked(sources: Sources, ask: Ask) -> None:
    """The client would ask for one of the same name in its own region."""
    unread = sources.unread_state(ask.arn.replace(REGION, "eu-west-1"))
    assert (unread.action, unread.code, unread.denied) == (ask.action, "OtherRegion", True)
    assert sources.made == []


@pytest.mark.parametrize("arn", [FUNCTION, BUS, "arn:aws:s3files:us-east-1:123456789012:file-system/fs-1", "arn:aws"])
def test_services_whose_state_does_not_matter_are_not_asked(sources: Sources, arn: str) -> None:
    """Nothing hangs on it."""
    assert sources.reader.state(arn, TARGET) is None
    assert sources.made == []


def test_a_queue_s_key_and_its_policy_come_with_one_call(sources: Sources) -> None:
    """However many functions poll it; a topic's as well."""
    attributes = {"KmsMasterKeyId": KEY, "Policy": POLICY}
    sources.say("sqs", "get_queue_attributes", {"Attributes": attributes}, **ATTRIBUTES)
    describe(sources)
    for _ in range(50):
        assert sources.state(QUEUE_ARN).kms_key_arn == KEY
        assert sources.policy(QUEUE_ARN).statements
    assert sources.made == ["sqs", "kms"]


def test_a_key_is_described_once_for_all_that_it_encrypts(sources: Sources) -> None:
    """And a failure is remembered like an answer."""
    for ask in KEYED[:3]:
        sources.say(ask.client, ask.operation, ask.naming(KEY), **ask.asked)
    describe(sources)
    for ask in KEYED[:3]:
        assert sources.state(ask.arn).kms_key_arn == KEY
    assert sources.made.count("kms") == 1
    sources.fail("dynamodb", "describe_table", "ThrottlingException")
    assert sources.unread_state(TABLE_STREAM) == sources.unread_state(TABLE_STREAM)
