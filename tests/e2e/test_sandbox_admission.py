"""What Lambda rejects when a function or a mapping is created, with AWS's error messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.answers import rejection

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.process import Sandbox

SQS_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
CANNOT_ASSUME = "The role defined for the function cannot be assumed by Lambda."


@pytest.fixture
def queue(sandbox: Sandbox, unique: str) -> str:
    """Make a queue and return its ARN."""
    sqs = sandbox.client("sqs")
    url = sqs.create_queue(QueueName=unique)["QueueUrl"]
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


@pytest.fixture
def table_stream(sandbox: Sandbox, unique: str) -> str:
    """Make a table and return its stream's ARN."""
    table = sandbox.client("dynamodb").create_table(
        TableName=unique,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return str(table["TableDescription"]["LatestStreamArn"])


@pytest.fixture
def data_stream(sandbox: Sandbox, unique: str) -> str:
    """Make a Kinesis stream and return its ARN."""
    kinesis = sandbox.client("kinesis")
    kinesis.create_stream(StreamName=unique, ShardCount=1)
    return str(kinesis.describe_stream_summary(StreamName=unique)["StreamDescriptionSummary"]["StreamARN"])


def test_a_role_without_any_sqs_permission_is_rejected_and_then_accepted_with_the_managed_policy(
    sandbox: Sandbox, make_function: Callable[..., str], queue: str, unique: str
) -> None:
    """A role without any SQS permission is rejected and then accepted with the managed policy."""
    make_function(unique)
    client = sandbox.client("lambda")
    mapping = {"FunctionName": unique, "EventSourceArn": queue}
    since = sandbox.last_record()

    rejected = rejection(client.create_event_source_mapping, **mapping)
    record = sandbox.wait_for_record("CreateEventSourceMapping20150331", since)
    sandbox.client("iam").attach_role_policy(RoleName=f"{unique}-role", PolicyArn=SQS_POLICY)
    created = client.create_event_source_mapping(**mapping)

    text = "The function execution role does not have permissions to call ReceiveMessage on SQS."
    assert rejected == ("InvalidParameterValueException", text, 400)
    assert (record["errorCode"], record["errorMessage"]) == ("InvalidParameterValueException", text)
    assert record["requestParameters"]["eventSourceArn"] == queue
    assert record["responseElements"] is None
    assert created["EventSourceArn"] == queue
    assert client.get_event_source_mapping(UUID=created["UUID"])["State"] == "Enabled"


def test_one_missing_action_is_named(
    sandbox: Sandbox, make_role: Callable[..., str], make_function: Callable[..., str], queue: str, unique: str
) -> None:
    """One missing action is named."""
    most = {"Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"], "Resource": queue}
    make_function(unique, role=make_role(unique, most))

    _, message, _ = rejection(
        sandbox.client("lambda").create_event_source_mapping, FunctionName=unique, EventSourceArn=queue
    )

    assert message == "The function execution role does not have permissions to call GetQueueAttributes on SQS."


def test_a_permission_on_another_queue_does_not_count(
    sandbox: Sandbox, make_role: Callable[..., str], make_function: Callable[..., str], queue: str, unique: str
) -> None:
    """A permission on another queue does not count."""
    make_function(unique, role=make_role(unique, {"Effect": "Allow", "Action": "sqs:*", "Resource": f"{queue}-other"}))

    code, _, _ = rejection(
        sandbox.client("lambda").create_event_source_mapping, FunctionName=unique, EventSourceArn=queue
    )

    assert code == "InvalidParameterValueException"


@pytest.mark.parametrize("limit", ["deny", "boundary", "queue policy"])
def test_a_deny_a_boundary_and_the_queue_policy_are_honoured(
    *,
    sandbox: Sandbox,
    make_role: Callable[..., str],
    make_function: Callable[..., str],
    queue: str,
    unique: str,
    limit: str,
) -> None:
    """A deny a boundary and the queue policy are honoured."""
    allow = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "sqs:DeleteMessage", "Resource": "*"}
    role = make_role(unique, *([allow, deny] if limit == "deny" else [allow]))
    if limit == "boundary":
        boundary = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        sandbox.client("iam").put_role_permissions_boundary(RoleName=unique, PermissionsBoundary=boundary)
    if limit == "queue policy":
        own = {"Version": "2012-10-17", "Statement": [{**deny, "Principal": "*", "Resource": queue}]}
        url = sandbox.client("sqs").get_queue_url(QueueName=unique)["QueueUrl"]
        sandbox.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(own)})
    make_function(unique, role=role)

    code, _, _ = rejection(
        sandbox.client("lambda").create_event_source_mapping, FunctionName=unique, EventSourceArn=queue
    )

    assert code == "InvalidParameterValueException"


def test_a_mapping_cannot_be_moved_to_a_function_that_cannot_read_its_source(
    sandbox: Sandbox, make_role: Callable[..., str], make_function: Callable[..., str], queue: str, unique: str
) -> None:
    """A mapping cannot be moved to a function that cannot read its source."""
    make_function(unique, role=make_role(unique, {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}))
    make_function(f"{unique}-other")
    client = sandbox.client("lambda")
    mapping = client.create_event_source_mapping(FunctionName=unique, EventSourceArn=queue)

    code, _, _ = rejection(client.update_event_source_mapping, UUID=mapping["UUID"], FunctionName=f"{unique}-other")

    assert code == "InvalidParameterValueException"
    assert client.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=2)["BatchSize"] == 2


def test_a_table_stream_needs_no_list_streams(
    sandbox: Sandbox, make_role: Callable[..., str], make_function: Callable[..., str], table_stream: str, unique: str
) -> None:
    """A table stream needs no list streams."""
    reads = [f"dynamodb:{action}" for action in ("DescribeStream", "GetRecords", "GetShardIterator")]
    make_function(f"{unique}-no")
    make_function(unique, role=make_role(unique, {"Effect": "Allow", "Action": reads, "Resource": table_stream}))
    client = sandbox.client("lambda")
    source = {"EventSourceArn": table_stream, "StartingPosition": "LATEST"}

    code, message, _ = rejection(client.create_event_source_mapping, FunctionName=f"{unique}-no", **source)
    created = client.create_event_source_mapping(FunctionName=unique, **source)

    assert code == "InvalidParameterValueException"
    assert message == (
        f"Cannot access stream {table_stream}. Please ensure the role can perform the GetRecords, GetShardIterator, "
        "DescribeStream, and ListStreams Actions on your stream in IAM."
    )
    assert created["EventSourceArn"] == table_stream


def test_a_kinesis_stream_is_rejected_in_its_own_words(
    sandbox: Sandbox, make_function: Callable[..., str], data_stream: str, unique: str
) -> None:
    """A Kinesis stream is rejected in its own words."""
    make_function(unique)
    mapping = {"FunctionName": unique, "EventSourceArn": data_stream, "StartingPosition": "LATEST"}

    _, message, _ = rejection(sandbox.client("lambda").create_event_source_mapping, **mapping)

    assert message == (
        f"Cannot access stream {data_stream}. Please ensure the role can perform the GetRecords, GetShardIterator, "
        "DescribeStream, ListShards, and ListStreams Actions on your stream in IAM."
    )


def test_a_role_that_lambda_cannot_assume_is_rejected(
    sandbox: Sandbox, make_role: Callable[..., str], make_function: Callable[..., str], code: bytes, unique: str
) -> None:
    """A role that Lambda cannot assume is rejected."""
    ec2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = make_role(unique, trust={"Version": "2012-10-17", "Statement": [ec2]})
    make_function(f"{unique}-good")
    client = sandbox.client("lambda")
    function = {"FunctionName": unique, "Runtime": "python3.13", "Handler": "app.handler", "Code": {"ZipFile": code}}
    since = sandbox.last_record()

    assert rejection(client.create_function, Role=role, **function)[:2] == (
        "InvalidParameterValueException",
        CANNOT_ASSUME,
    )
    assert rejection(client.create_function, Role=f"{role}-that-is-not-there", **function)[1] == CANNOT_ASSUME
    changed = rejection(client.update_function_configuration, FunctionName=f"{unique}-good", Role=role)
    assert changed[1] == CANNOT_ASSUME
    record = sandbox.wait_for_record("CreateFunction20150331", since)
    assert (record["errorMessage"], record["requestParameters"]["role"]) == (CANNOT_ASSUME, role)


def test_a_configuration_whose_permissions_the_role_lacks_is_rejected(
    *,
    sandbox: Sandbox,
    make_role: Callable[..., str],
    make_function: Callable[..., str],
    queue: str,
    code: bytes,
    unique: str,
) -> None:
    """The role may not send to a dead-letter queue or topic, or not create network interfaces."""
    topic = sandbox.client("sns").create_topic(Name=unique)["TopicArn"]
    make_function(unique, role=make_role(unique))
    client = sandbox.client("lambda")
    new = {"FunctionName": f"{unique}-new", "Role": f"arn:aws:iam::123456789012:role/{unique}"}
    function = {"Runtime": "python3.13", "Handler": "app.handler", "Code": {"ZipFile": code}}
    cases: dict[str, dict[str, Any]] = {
        "SendMessage on SQS": {"DeadLetterConfig": {"TargetArn": queue}},
        "Publish on SNS": {"DeadLetterConfig": {"TargetArn": topic}},
        "CreateNetworkInterface on EC2": {"VpcConfig": {"SubnetIds": ["subnet-0a"], "SecurityGroupIds": ["sg-0a"]}},
    }

    for words, settings in cases.items():
        text = f"The provided execution role does not have permissions to call {words}"
        expected = ("InvalidParameterValueException", text, 400)
        assert rejection(client.update_function_configuration, FunctionName=unique, **settings) == expected
        assert rejection(client.create_function, **new, **function, **settings) == expected

    allow = {"Effect": "Allow", "Action": ["sqs:SendMessage", "sns:Publish", "ec2:*"], "Resource": "*"}
    able = make_role(f"{unique}-able", allow)
    for number, settings in enumerate(cases.values()):
        client.create_function(FunctionName=f"{unique}-{number}", Role=able, **function, **settings)
    # A configured function cannot get a role that lacks the permissions.
    without = {"FunctionName": f"{unique}-0", "Role": new["Role"]}
    assert "SendMessage" in rejection(client.update_function_configuration, **without)[1]
    client.update_function_configuration(FunctionName=unique, Timeout=5)


def test_a_destination_that_the_role_may_not_send_to_is_rejected(
    *,
    sandbox: Sandbox,
    make_role: Callable[..., str],
    make_function: Callable[..., str],
    queue: str,
    unique: str,
) -> None:
    """Put and Update both reject it. For a version, the version's own role is evaluated."""
    topic = sandbox.client("sns").create_topic(Name=unique)["TopicArn"]
    other = make_function(f"{unique}-other")
    able = make_role(f"{unique}-able", {"Effect": "Allow", "Action": ["sqs:*", "sns:*", "lambda:*"], "Resource": "*"})
    make_function(unique, role=able)
    client = sandbox.client("lambda")
    version = client.publish_version(FunctionName=unique)["Version"]
    client.update_function_configuration(FunctionName=unique, Role=make_role(unique))
    client.put_function_event_invoke_config(FunctionName=unique, MaximumRetryAttempts=0)

    for action, arn in (("SendMessage", queue), ("Publish", topic), ("InvokeFunction", other)):
        config = {"DestinationConfig": {"OnFailure": {"Destination": arn}}}
        text = f"The function's execution role does not have permissions to call {action} on {arn}"
        expected = ("InvalidParameterValueException", text, 400)
        assert rejection(client.put_function_event_invoke_config, FunctionName=unique, **config) == expected
        assert rejection(client.update_function_event_invoke_config, FunctionName=unique, **config) == expected
        client.put_function_event_invoke_config(FunctionName=unique, Qualifier=version, **config)
    (kept,) = [
        one
        for one in client.list_function_event_invoke_configs(FunctionName=unique)["FunctionEventInvokeConfigs"]
        if one["FunctionArn"].endswith(":$LATEST")
    ]
    assert kept["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
