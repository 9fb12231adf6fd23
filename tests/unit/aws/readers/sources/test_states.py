"""The state of what a role uses: keys, authentication, groups, and whether it exists at all."""

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
def test_a_resource_without_a_key_uses_an_aws_owned_key_or_no_encryption(sources: Sources, ask: Keyed) -> None:
    """No second call is needed."""
    sources.say(ask.client, ask.operation, ask.plain, **ask.asked)
    assert sources.state(ask.arn) == SourceState(exists=True)
    assert sources.made == [ask.client]


@WITH_A_KEY
@pytest.mark.parametrize(("named", "asked"), [(KEY, KEY), (KEY_ID, KEY), ("alias/orders", ALIAS), (ALIAS, ALIAS)])
def test_a_customer_managed_key_is_found_by_every_form_of_its_name(
    sources: Sources, ask: Keyed, named: str, asked: str
) -> None:
    """The name is an id or an alias, as a full ARN or not."""
    sources.say(ask.client, ask.operation, ask.naming(named), **ask.asked)
    describe(sources, asked)
    assert sources.state(ask.arn) == SourceState(KEY, exists=True)


@WITH_A_KEY
def test_an_aws_managed_key_is_recognized_by_its_alias(sources: Sources, ask: Keyed) -> None:
    """KMS is not called for it."""
    for named in ("alias/aws/sqs", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/sqs"):
        sources.say(ask.client, ask.operation, ask.naming(named), **ask.asked)
        assert sources.state(ask.arn) == SourceState(exists=True)
        sources.reader.forget()
    assert "kms" not in sources.made


@WITH_A_KEY
def test_an_aws_managed_key_is_recognized_by_its_manager(sources: Sources, ask: Keyed) -> None:
    """DynamoDB, for example, returns the ARN of the key."""
    sources.say(ask.client, ask.operation, ask.naming(KEY), **ask.asked)
    describe(sources, manager="AWS")
    assert sources.state(ask.arn) == SourceState(exists=True)


@pytest.mark.parametrize("code", ["AccessDeniedException", "NotFoundException"])
def test_a_key_that_must_not_be_described_is_customer_managed(sources: Sources, code: str) -> None:
    """An account can describe its AWS managed keys, so this is another account's key or a deleted one."""
    (queue, *_) = KEYED
    sources.say("sqs", queue.operation, queue.naming(KEY_ID), **queue.asked)
    sources.fail("kms", "describe_key", code)
    assert sources.state(QUEUE_ARN).kms_key_arn == KEY


@pytest.mark.parametrize(
    ("code", "logged", "denied"),
    [("AccessDeniedException", "AccessDeniedException", True), ("NotFoundException", "NotFound", True)],
)
def test_an_alias_that_cannot_be_resolved_leaves_the_key_unknown(
    sources: Sources, code: str, logged: str, denied: bool
) -> None:
    """Only KMS knows which key an alias names."""
    (queue, *_) = KEYED
    sources.say("sqs", queue.operation, queue.naming("alias/orders"), **queue.asked)
    sources.fail("kms", "describe_key", code)
    unread = sources.unread_state(QUEUE_ARN)
    assert (unread.action, unread.code, unread.denied) == ("kms:DescribeKey", logged, denied)


@pytest.mark.parametrize("named", [KEY, "alias/orders"])
def test_a_throttled_key_is_read_again(sources: Sources, named: str) -> None:
    """It may be an AWS managed key."""
    (queue, *_) = KEYED
    sources.say("sqs", queue.operation, queue.naming(named), **queue.asked)
    sources.fail("kms", "describe_key", "ThrottlingException")
    unread = sources.unread_state(QUEUE_ARN)
    assert (unread.action, unread.code, unread.denied) == ("kms:DescribeKey", "ThrottlingException", False)


def test_a_key_without_an_account_is_in_the_account_of_the_resource(sources: Sources) -> None:
    """Another account's queue uses keys of that account."""
    (queue, *_) = KEYED
    url = URL.replace(ACCOUNT, "111122223333")
    sources.say("sqs", queue.operation, queue.naming(KEY_ID), **{**ATTRIBUTES, "QueueUrl": url})
    describe(sources, FOREIGN_KEY, FOREIGN_KEY)
    assert sources.state(QUEUE_ARN.replace(ACCOUNT, "111122223333")).kms_key_arn == FOREIGN_KEY


def test_a_key_of_another_region_is_not_described(sources: Sources) -> None:
    """A bucket and its key may be in any region, but the client belongs to one."""
    elsewhere = KEY.replace(REGION, "eu-west-1")
    bucket = next(ask for ask in KEYED if ask.arn == BUCKET)
    sources.say("s3", bucket.operation, bucket.naming(elsewhere), **bucket.asked)
    assert sources.state(BUCKET).kms_key_arn == elsewhere
    assert sources.made == ["s3"]


def test_a_bucket_with_dual_layer_encryption_has_a_key(sources: Sources) -> None:
    """`aws:kms:dsse` names a key. A bucket without a configuration, as emulators have it, has none."""
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
def test_a_secret_is_found_by_every_form_that_a_mapping_has(sources: Sources, given: str, asked: str) -> None:
    """A mapping has its name, its full ARN, or an ARN without the six random characters."""
    sources.say("secretsmanager", "describe_secret", {"ARN": SECRET, "KmsKeyId": KEY_ID}, SecretId=asked)
    describe(sources)
    assert sources.state(given).kms_key_arn == KEY


def test_a_consumer_has_the_key_of_its_stream(sources: Sources) -> None:
    """A bucket's objects have the key of the bucket."""
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
def test_a_kafka_cluster_has_a_type_and_may_use_iam_authentication(
    sources: Sources, said: dict[str, Any], expected: tuple[bool, bool]
) -> None:
    """A serverless cluster always uses IAM."""
    for names in ("BrokerNodeGroupInfo", "NumberOfBrokerNodes"):
        if "Provisioned" in said:
            blank: Any = {"ClientSubnets": [], "InstanceType": "kafka.m7g.large"} if "Info" in names else 3
            said = {**said, "Provisioned": {**said["Provisioned"], names: blank}}
    sources.say("kafka", "describe_cluster_v2", {"ClusterInfo": said}, ClusterArn=CLUSTER)
    state = sources.state(CLUSTER)
    assert (state.is_serverless, state.uses_iam) == expected


@pytest.mark.parametrize("said", [True, False])
def test_a_broker_is_publicly_accessible_or_not(sources: Sources, said: bool) -> None:
    """It is described by its id."""
    reply = {"PubliclyAccessible": said}
    sources.say("mq", "describe_broker", reply, BrokerId=BROKER.rpartition(":")[2])
    assert sources.state(BROKER) == SourceState(is_public=said, exists=True)


def test_a_documentdb_cluster_has_the_names_of_its_groups(sources: Sources) -> None:
    """An empty list means no groups."""
    said = {"DBClusterParameterGroup": "orders-5-0", "DBSubnetGroup": "private"}
    sources.say("rds", "describe_db_clusters", {"DBClusters": [said]}, DBClusterIdentifier=DOCDB)
    state = sources.state(DOCDB)
    assert (state.parameter_group, state.subnet_group) == ("orders-5-0", "private")
    sources.reader.forget()
    sources.say("rds", "describe_db_clusters", {"DBClusters": []})
    assert sources.state(DOCDB) == SourceState(exists=False)


def test_a_log_group_is_found_among_those_with_the_same_prefix(sources: Sources) -> None:
    """The list is sorted by name, so the search ends at the first page that has it."""
    name = "/aws/lambda/orders"
    first = {"logGroups": [{"logGroupName": name}, {"logGroupName": f"{name}-2"}], "nextToken": "more"}
    sources.say("logs", "describe_log_groups", first, logGroupNamePrefix=name)
    assert sources.state(GROUP).exists is True
    assert sources.state(f"{GROUP}:*").exists is True


def test_a_log_group_that_is_not_listed_does_not_exist(sources: Sources) -> None:
    """Other groups with the same prefix do not matter."""
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
    """Then it is unknown whether the group exists."""
    sources.fail("logs", "describe_log_groups", code)
    unread = sources.unread_state(GROUP)
    assert (unread.action, unread.code, unread.denied) == ("logs:DescribeLogGroups", code, denied)


def test_another_account_s_log_group_is_not_searched_in_this_account(sources: Sources) -> None:
    """The bot's account may have a group of the same name."""
    unread = sources.unread_state(GROUP.replace(ACCOUNT, "111122223333"))
    assert (unread.code, unread.denied) == ("OtherAccount", True)
    assert sources.made == []


def test_a_name_that_botocore_rejects_is_unread(moto_account: None) -> None:
    """Botocore validates parameters before the call, so a retry would not help."""
    unread = SourceReader(lambda _: boto3.client("logs")).state(GROUP.partition("/")[0], TARGET)
    assert isinstance(unread, Unread)
    assert (unread.code, unread.denied) == ("ParamValidationError", True)


def mounted(sources: Sources) -> None:
    """Let the access point lead to the file system."""
    found = {"AccessPoints": [{"FileSystemId": FILE_SYSTEM.rpartition("/")[2]}]}
    sources.say("efs", "describe_access_points", found, AccessPointId=ACCESS_POINT.rpartition("/")[2])


def test_a_file_system_with_a_policy_asks_for_iam(sources: Sources) -> None:
    """The policy is read with the state: it may allow the role by itself."""
    mounted(sources)
    sources.say("efs", "describe_file_system_policy", {"Policy": POLICY}, FileSystemId="fs-0123456789abcdef0")
    assert sources.state(ACCESS_POINT) == SourceState(uses_iam=True, file_system=FILE_SYSTEM, exists=True)
    assert sources.policy(FILE_SYSTEM).statements
    assert sources.made == ["efs", "efs"]


def test_a_file_system_without_a_policy_needs_no_iam_permission(sources: Sources) -> None:
    """EFS has an error code of its own for it."""
    mounted(sources)
    sources.fail("efs", "describe_file_system_policy", "PolicyNotFound", status=404)
    assert sources.state(ACCESS_POINT) == SourceState(uses_iam=False, file_system=FILE_SYSTEM, exists=True)
    assert sources.reader.policy(FILE_SYSTEM, TARGET) is None


@pytest.mark.parametrize(("code", "denied"), [("AccessDeniedException", True), ("ThrottlingException", False)])
def test_a_file_system_whose_policy_cannot_be_read_is_unread(sources: Sources, code: str, denied: bool) -> None:
    """The missing permission is that of the second call."""
    mounted(sources)
    sources.fail("efs", "describe_file_system_policy", code)
    unread = sources.unread_state(ACCESS_POINT)
    assert (unread.action, unread.denied) == ("elasticfilesystem:DescribeFileSystemPolicy", denied)


def test_a_file_system_deleted_between_the_calls_does_not_exist(sources: Sources) -> None:
    """The access point still exists when the first call is made."""
    mounted(sources)
    sources.fail("efs", "describe_file_system_policy", "FileSystemNotFound", status=404)
    assert sources.state(ACCESS_POINT) == SourceState(exists=False)


# ── All services ────────────────────────────────────────────────────────────────────────────────────────────────────


@EACH
def test_a_deleted_resource_does_not_exist(sources: Sources, ask: Ask) -> None:
    """Each service has its own error code for it."""
    sources.fail(ask.client, ask.operation, ask.not_found)
    assert sources.state(ask.arn) == SourceState(exists=False)


@pytest.mark.parametrize("ask", [ask for ask in STATES if ask.arn != BUCKET], ids=str)
def test_a_resource_not_found_in_another_account_is_unread(sources: Sources, ask: Ask) -> None:
    """AWS returns the same error for a missing resource and for missing access."""
    sources.fail(ask.client, ask.operation, ask.not_found)
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
def test_a_failed_read_has_its_action_and_error_code(
    sources: Sources, ask: Ask, code: str, status: int, denied: bool
) -> None:
    """The action names the missing permission. Only transient errors are retried."""
    sources.fail(ask.client, ask.operation, code, status)
    unread = sources.unread_state(ask.arn)
    assert (unread.action, unread.code, unread.denied) == (ask.action, code, denied)


@pytest.mark.parametrize("ask", [ask for ask in STATES if ask.arn != BUCKET], ids=str)
def test_states_in_another_region_are_not_requested(sources: Sources, ask: Ask) -> None:
    """The client would read a resource of the same name in its own region."""
    unread = sources.unread_state(ask.arn.replace(REGION, "eu-west-1"))
    assert (unread.action, unread.code, unread.denied) == (ask.action, "OtherRegion", True)
    assert sources.made == []


@pytest.mark.parametrize("arn", [FUNCTION, BUS, "arn:aws:s3files:us-east-1:123456789012:file-system/fs-1", "arn:aws"])
def test_services_without_a_relevant_state_are_not_called(sources: Sources, arn: str) -> None:
    """No permission depends on it."""
    assert sources.reader.state(arn, TARGET) is None
    assert sources.made == []


def test_one_call_reads_the_key_and_the_policy_of_a_queue(sources: Sources) -> None:
    """It is made once for all functions that poll the queue. The same holds for a topic."""
    attributes = {"KmsMasterKeyId": KEY, "Policy": POLICY}
    sources.say("sqs", "get_queue_attributes", {"Attributes": attributes}, **ATTRIBUTES)
    describe(sources)
    for _ in range(50):
        assert sources.state(QUEUE_ARN).kms_key_arn == KEY
        assert sources.policy(QUEUE_ARN).statements
    assert sources.made == ["sqs", "kms"]


def test_a_key_is_described_once_for_all_resources_that_use_it(sources: Sources) -> None:
    """Failures are cached too."""
    for ask in KEYED[:3]:
        sources.say(ask.client, ask.operation, ask.naming(KEY), **ask.asked)
    describe(sources)
    for ask in KEYED[:3]:
        assert sources.state(ask.arn).kms_key_arn == KEY
    assert sources.made.count("kms") == 1
    sources.fail("dynamodb", "describe_table", "ThrottlingException")
    assert sources.unread_state(TABLE_STREAM) == sources.unread_state(TABLE_STREAM)
