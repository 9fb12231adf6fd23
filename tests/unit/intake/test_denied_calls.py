"""Denied calls: the missing permission is read from AWS's message, and only a limited part of the event is kept."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from permission_guard.errors import MalformedEventError
from permission_guard.intake.cloudtrail_record import parse_record
from permission_guard.intake.denied_calls import denied_call_of
from permission_guard.model.state import DeniedCall, EventInvokeConfig, EventSourceMapping
from permission_guard.needs.aws_messages import named_actions
from permission_guard.needs.event_sources import event_source_of
from tests.paths import EVENTS

CORPUS = EVENTS / "cloudtrail"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"
ROLE_ARN = "arn:aws:iam::123456789012:role/service-role/orders-role"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:incoming-orders"
STREAM_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-11-01T00:00:00.000"
CLUSTER_ARN = "arn:aws:kafka:us-east-1:123456789012:cluster/shop/0a1b2c3d-1111-2222-3333-444455556666-1"
SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:AmazonMSK_orders-Ab12Cd"

QUEUE, SECRET = "create_event_source_mapping_denied_queue", "create_event_source_mapping_denied_secret"
ROLE, NETWORK = "create_function_denied_role", "create_function_denied_network"
CONFIGURATION = "update_function_configuration_denied"
DESTINATION = "put_function_event_invoke_config_denied"


def event(name: str) -> Any:
    """Load a sample event; each call returns a new copy."""
    return json.loads((CORPUS / f"{name}.json").read_text())


def denied_call_in(name: str, request: dict[str, Any] | None = None, **detail: Any) -> DeniedCall | None:
    """Return the denied call of a sample event, after changes to its request and record; None removes a key."""
    sample = event(name)
    for target, changes in ((sample["detail"]["requestParameters"], request or {}), (sample["detail"], detail)):
        for key, value in changes.items():
            if value is None:
                target.pop(key, None)
            else:
                target[key] = value
    return denied_call_of(parse_record(sample))


def configuration_of(name: str, request: dict[str, Any] | None = None, **detail: Any) -> Any:
    """Return the configuration of the denied call."""
    denied_call = denied_call_in(name, request, **detail)
    assert denied_call is not None
    return denied_call.configuration


# ── Error messages ──────────────────────────────────────────────────────────────────────────────────────────────────

PROVIDED = "The provided execution role does not have permissions to call"
FUNCTION_S = "The function's execution role does not have permissions to call"
STREAM = f"Cannot access stream {STREAM_ARN}. Please ensure the role can perform the"
MESSAGES = {
    f"{PROVIDED} ReceiveMessage on SQS": ["sqs:ReceiveMessage"],
    f"{PROVIDED} DeleteMessage on SQS (Service: AWSLambda; Status Code: 400)": ["sqs:DeleteMessage"],
    "The function execution role does not have permissions to call GetQueueAttributes on SQS.": [
        "sqs:GetQueueAttributes"
    ],
    f"{PROVIDED} SendMessage on SQS": ["sqs:SendMessage"],
    f"{PROVIDED} SendMessage on {QUEUE_ARN}": ["sqs:SendMessage"],
    f"{PROVIDED} Publish on SNS.": ["sns:Publish"],
    f"{FUNCTION_S} SendMessage on {QUEUE_ARN}": ["sqs:SendMessage"],
    f"{FUNCTION_S} Publish on arn:aws:sns:us-east-1:123456789012:failed": ["sns:Publish"],
    f"{FUNCTION_S} InvokeFunction on {ARN}-failed (Service: Lambda)": ["lambda:InvokeFunction"],
    f"{FUNCTION_S} PutEvents on arn:aws:events:us-east-1:123456789012:event-bus/orders": ["events:PutEvents"],
    "The provided execution role does not have permissions to callPublish on SNS.": ["sns:Publish"],
    f"{PROVIDED} CreateNetworkInterface on EC2": ["ec2:CreateNetworkInterface"],
    f"{PROVIDED} DescribeNetworkInterfaces on EC2": ["ec2:DescribeNetworkInterfaces"],
    f"{PROVIDED} DeleteNetworkInterface on EC2": ["ec2:DeleteNetworkInterface"],
    f"{PROVIDED} DescribeMountTargets on EFS": ["elasticfilesystem:DescribeMountTargets"],
    f"{PROVIDED} GetRecords, GetShardIterator on Amazon Kinesis": ["kinesis:GetRecords", "kinesis:GetShardIterator"],
    f"{STREAM} GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM.": [
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:DescribeStream",
        "dynamodb:ListStreams",
    ],
    "Cannot access stream arn:aws:kinesis:us-east-1:123456789012:stream/clicks. Please ensure the role can perform "
    "the GetRecords, GetShardIterator, DescribeStream, ListShards, and ListStreams Actions on your stream in IAM.": [
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:DescribeStream",
        "kinesis:ListShards",
        "kinesis:ListStreams",
    ],
    f"Cannot access cluster {CLUSTER_ARN}. Please ensure the role can perform the DescribeClusterV2 (recommended) or "
    "DescribeCluster and GetBootstrapBrokers actions on your cluster in IAM.": [
        "kafka:DescribeClusterV2",
        "kafka:DescribeCluster",
        "kafka:GetBootstrapBrokers",
    ],
    f"Cannot access secret manager value {SECRET_ARN}. Please ensure the role can perform the "
    "'secretsmanager:GetSecretValue' action on your broker in IAM.": ["secretsmanager:GetSecretValue"],
    "Cannot access secret manager, please ensure the role can perform the 'secretsmanager:GetSecretValue' action on "
    "your cluster in IAM.": ["secretsmanager:GetSecretValue"],
    "The role defined for the function cannot be assumed by Lambda.": ["sts:AssumeRole"],
    "The role defined for the task cannot be assumed by Lambda.": ["sts:AssumeRole"],
    # These are about the role, but do not name a missing permission.
    "Cannot access stream. Please ensure the role can perform the GetRecords action on your stream in IAM.": [],
    "Please ensure the role can perform what this takes.": [],
}


@pytest.mark.parametrize(("message", "actions"), MESSAGES.items(), ids=range(len(MESSAGES)))
def test_every_form_of_the_message_gives_its_iam_actions(message: str, actions: list[str]) -> None:
    """The names are those of IAM."""
    assert list(named_actions(message)) == actions
    denied_call = denied_call_in(QUEUE, errorMessage=message)
    assert denied_call is not None
    assert denied_call.message == message


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Unrecognized event source.",
        "Queue visibility timeout: 10 seconds is less than Function timeout: 30 seconds",
        "Cross-account pass role is not allowed.",
        "Lambda service principal lambda.amazonaws.com does not have s3:GetObject permission on s3://bucket/key.",
        "Error occurred while GetObject. S3 Error Code: AccessDenied. S3 Error Message: Access Denied",
        "Function does not exist",
        "The requested DB cluster does not exist.",
    ],
)
@pytest.mark.parametrize("name", [QUEUE, ROLE, CONFIGURATION, DESTINATION])
def test_a_call_that_was_denied_for_another_reason_is_none(name: str, message: str) -> None:
    """The role is not the cause, or it is the role of another service."""
    assert named_actions(message) == ()
    assert denied_call_in(name, errorMessage=message) is None


@pytest.mark.parametrize("code", [None, "AccessDenied", "ResourceConflictException", "ServiceException"])
def test_other_error_codes_are_none_even_with_such_a_message(code: str | None) -> None:
    """Lambda reports a missing permission of the role as an invalid parameter."""
    assert denied_call_in(QUEUE, errorCode=code) is None


@pytest.mark.parametrize("api", ["UpdateEventSourceMapping20150331", "AddPermission20150331v2", "Invoke"])
def test_other_calls_are_none_even_with_such_a_message(api: str) -> None:
    """A call of the same name to another service is none either."""
    assert denied_call_in(QUEUE, eventName=api) is None
    assert denied_call_in(QUEUE, eventSource="iam.amazonaws.com") is None


@pytest.mark.parametrize("suffix", ["", "20150331", "20150331v2", "20991231v10"])
@pytest.mark.parametrize(
    ("name", "api"),
    [
        (QUEUE, "CreateEventSourceMapping"),
        (ROLE, "CreateFunction"),
        (CONFIGURATION, "UpdateFunctionConfiguration"),
        (DESTINATION, "PutFunctionEventInvokeConfig"),
        (DESTINATION, "UpdateFunctionEventInvokeConfig"),
    ],
)
def test_every_version_of_the_api_names_is_read(name: str, api: str, suffix: str) -> None:
    """Dates and versions in the name are ignored."""
    denied_call = denied_call_in(name, eventName=api + suffix)
    assert denied_call is not None
    assert denied_call.api == api


# ── The kept configuration ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_denied_mapping_is_kept_as_it_was_requested() -> None:
    """With the API's field names, so that its required permissions can be determined."""
    denied_call = denied_call_in(SECRET)
    assert denied_call == DeniedCall(
        api="CreateEventSourceMapping",
        function_arn=f"{ARN}:live",
        role_arn="",
        message=f"Cannot access secret manager value {SECRET_ARN}. Please ensure the role can perform the "
        "'secretsmanager:GetSecretValue' action on your broker in IAM.",
        at="2026-11-20T10:43:00.000+00:00",
        configuration={
            "EventSourceArn": CLUSTER_ARN,
            "Topics": ["orders"],
            "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:failed-orders"}},
            "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "orders-group"},
            "SourceAccessConfigurations": [{"Type": "SASL_SCRAM_512_AUTH", "URI": SECRET_ARN}],
        },
    )
    mapping = denied_call.mapping
    assert isinstance(mapping, EventSourceMapping)
    source = event_source_of(mapping)
    assert source is not None
    assert SECRET_ARN in {need.resource for need in source.needs(mapping)}


def test_a_denied_function_is_kept_with_its_role() -> None:
    """Only the configuration that its permissions depend on is kept, and no tags, for example."""
    denied_call = denied_call_in(NETWORK)
    assert denied_call is not None
    assert denied_call.mapping is None
    assert (denied_call.function_arn, denied_call.role_arn) == (ARN, ROLE_ARN)
    assert denied_call.configuration == {
        "VpcConfig": {"SubnetIds": ["subnet-0a1b2c3d4e5f60718", "subnet-18070f6e5d4c3b2a1"]}
    }
    assert configuration_of(ROLE) == {}


def test_a_denied_configuration_has_a_role_only_if_it_changes_the_role() -> None:
    """Otherwise it is the function's role, which the event does not name."""
    denied_call, with_role = denied_call_in(CONFIGURATION), denied_call_in(CONFIGURATION, {"role": ROLE_ARN})
    assert denied_call is not None
    assert with_role is not None
    assert (denied_call.role_arn, with_role.role_arn) == ("", ROLE_ARN)
    assert denied_call.configuration == {
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead-orders"}
    }


def test_a_denied_destination_is_kept_with_its_alias() -> None:
    """The qualifier is a separate parameter; the API has no role parameter."""
    failed = "arn:aws:sqs:us-east-1:123456789012:failed-orders"
    denied_call = denied_call_in(DESTINATION, {"role": ROLE_ARN})
    assert denied_call == DeniedCall(
        api="PutFunctionEventInvokeConfig",
        function_arn=f"{ARN}:live",
        role_arn="",
        message=f"{FUNCTION_S} SendMessage on {failed}",
        at="2026-11-20T10:46:00.000+00:00",
        configuration={"DestinationConfig": {"OnFailure": {"Destination": failed}}},
    )
    assert denied_call.mapping is None
    assert denied_call.invoke_config == EventInvokeConfig(f"{ARN}:live", "", failed)


def test_both_destinations_of_asynchronous_invocations_are_kept() -> None:
    """Without a qualifier they belong to the function itself. An invalid destination is dropped."""
    both = {"onSuccess": {"destination": f"{ARN}-done"}, "onFailure": {"destination": QUEUE_ARN}}
    denied_call = denied_call_in(DESTINATION, {"qualifier": None, "destinationConfig": both})
    assert denied_call is not None
    assert denied_call.invoke_config == EventInvokeConfig(ARN, f"{ARN}-done", QUEUE_ARN)
    invalid: tuple[Any, ...] = (None, {}, {"onFailure": {}}, {"onFailure": {"destination": "arn:"}}, "arn:", [7])
    for value in invalid:
        denied_call = denied_call_in(DESTINATION, {"qualifier": "$LATEST", "destinationConfig": value})
        assert denied_call is not None
        assert denied_call.invoke_config == EventInvokeConfig(ARN)
        assert denied_call.configuration == {}


@pytest.mark.parametrize(
    ("name", "qualifier", "arn"),
    [("orders", "7", f"{ARN}:7"), ("orders:live", "live", f"{ARN}:live"), (ARN, "live", f"{ARN}:live")],
)
def test_a_qualifier_may_be_in_the_name_or_in_its_own_parameter(name: str, qualifier: str, arn: str) -> None:
    """Or in both."""
    denied_call = denied_call_in(DESTINATION, {"functionName": name, "qualifier": qualifier})
    assert denied_call is not None
    assert denied_call.function_arn == arn


@pytest.mark.parametrize("qualifier", [7.5, "", "li ve", "a:b", ["live"], "q" * 500])
def test_an_invalid_qualifier_is_malformed(qualifier: Any) -> None:
    """As an invalid name is."""
    with pytest.raises(MalformedEventError, match="not a Lambda function name"):
        denied_call_in(DESTINATION, {"qualifier": qualifier})


def test_the_servers_of_a_cluster_without_an_arn_are_kept() -> None:
    """It is unknown whether CloudTrail changes the first letter of these keys too, so both spellings are read."""
    servers = ["b-1.example.com:9092", "b-2.example.com:9092"]
    for key in ("KAFKA_BOOTSTRAP_SERVERS", "kAFKA_BOOTSTRAP_SERVERS"):
        request = {"eventSourceArn": None, "selfManagedEventSource": {"endpoints": {key: servers}}}
        kept = configuration_of(SECRET, request)
        assert kept["SelfManagedEventSource"] == {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": servers}}
        assert "EventSourceArn" not in kept


def test_the_schema_registry_of_a_cluster_is_kept() -> None:
    """The role needs its secrets as well."""
    config = {
        "consumerGroupId": "g",
        "schemaRegistryConfig": {
            "schemaRegistryURI": "https://registry.example.com",
            "eventRecordFormat": "JSON",
            "accessConfigs": [{"type": "BASIC_AUTH", "uRI": SECRET_ARN}],
        },
    }
    assert configuration_of(SECRET, {"amazonManagedKafkaEventSourceConfig": config})[
        "AmazonManagedKafkaEventSourceConfig"
    ] == {
        "ConsumerGroupId": "g",
        "SchemaRegistryConfig": {
            "SchemaRegistryURI": "https://registry.example.com",
            "AccessConfigs": [{"Type": "BASIC_AUTH", "URI": SECRET_ARN}],
        },
    }


@pytest.mark.parametrize(
    ("text", "arn"),
    [
        ("orders", ARN),
        ("orders:live", f"{ARN}:live"),
        ("orders:$LATEST", ARN),
        ("123456789012:function:orders", ARN),
        ("123456789012:function:orders:7", f"{ARN}:7"),
        (ARN, ARN),
        (f"{ARN}:live", f"{ARN}:live"),
    ],
)
def test_the_function_is_found_by_name_partial_arn_or_arn(text: str, arn: str) -> None:
    """The qualifier is kept, since a version has its own role; `$LATEST` is the function itself."""
    denied_call = denied_call_in(QUEUE, {"functionName": text})
    assert denied_call is not None
    assert denied_call.function_arn == arn


@pytest.mark.parametrize("text", ["999999999999:function:orders", ARN.replace("123456789012", "999999999999")])
def test_a_function_of_another_account_is_none(text: str) -> None:
    """Its configuration cannot be read from this account."""
    assert denied_call_in(QUEUE, {"functionName": text}) is None


@pytest.mark.parametrize(
    "role",
    [
        None,
        7,
        "",
        "orders-role",
        "arn:aws:iam::999999999999:role/orders-role",
        "arn:aws:iam::123456789012:user/orders",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/orders role",
        "arn:aws:iam::123456789012:role/" + "r" * 65,
        "arn:aws:iam::123456789012:role/orders/",
        "arn:aws:iam::123456789012:roleorders",
        "arn:aws:iam::123456789012:role/$(id)/orders",
        "arn:aws:iam::123456789012:role/`id`/orders",
        "arn:aws:iam::123456789012:role/a;id/orders",
        "arn:aws:iam::123456789012:role/'/orders",
        "arn:aws:iam::123456789012:role/orders\n",
        "arn:aws:iam::123456789012:role/" + "p/" * 300 + "orders",
        "arn:$(id):iam::123456789012:role/orders",
        ["arn:aws:iam::123456789012:role/orders-role"],
    ],
)
def test_a_denied_call_without_a_role_of_the_account_is_none(role: Any) -> None:
    """The only role of a function that was not created is the requested one."""
    assert denied_call_in(ROLE, {"role": role}) is None
    if role is not None:
        assert denied_call_in(CONFIGURATION, {"role": role}) is None


@pytest.mark.parametrize("name", [None, 7, "", "o" * 200, "or ders", ["orders"]])
def test_a_denied_call_that_names_no_function_is_malformed(name: Any) -> None:
    """An engineer must check it, like every record that cannot be read."""
    with pytest.raises(MalformedEventError, match=r"no `functionName`|not a Lambda function name"):
        denied_call_in(QUEUE, {"functionName": name})


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-20T10:22:00Z", "2026-11-20T10:22:00.000+00:00"),
        ("2026-11-20T12:22:00+02:00", "2026-11-20T10:22:00.000+00:00"),
        ("2026-11-20T10:22:00", ""),
        ("yesterday", ""),
        ("0001-01-01T00:00:00+14:00", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_the_time_of_a_denied_call_is_in_utc_with_milliseconds(text: Any, at: str) -> None:
    """A record without a time still causes a check."""
    denied_call = denied_call_in(QUEUE, eventTime=text)
    assert denied_call is not None
    assert denied_call.at == at


# ── Untrusted content ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unpaired_surrogate_is_dropped() -> None:
    """JSON can contain one, but DynamoDB rejects it and the check would not be recorded."""
    access = [{"type": "BASIC_AUTH", "uRI": uri} for uri in (SECRET_ARN, "orders-\ud800")]
    kept = configuration_of(SECRET, {"sourceAccessConfigurations": access})["SourceAccessConfigurations"]
    assert [each.get("URI") for each in kept] == [SECRET_ARN, None]


def test_a_message_is_one_line_of_at_most_1000_characters() -> None:
    """It is shown in terminals and alerts."""
    text = f"{PROVIDED} ReceiveMessage on SQS"
    denied_call = denied_call_in(QUEUE, errorMessage=f"{text}\x1b[2J\r\n\u202e\x00 " + "x" * 100_000)
    assert denied_call is not None
    assert denied_call.message.startswith(f"{text} [2J xxx")
    assert denied_call.message.isprintable()
    assert len(denied_call.message) == 1_000


@pytest.mark.parametrize(
    "text", ["ensure the role can perform ", "does not have permissions to call a", f"{PROVIDED} A,", "arn:a:b:", "\t"]
)
def test_a_long_repetitive_message_is_read_in_linear_time(text: str) -> None:
    """No pattern may backtrack over it."""
    started = time.process_time()
    denied_call = denied_call_in(QUEUE, errorMessage=text * 20_000)
    assert named_actions(denied_call.message if denied_call else "") == ()
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eventSourceArn", 7),
        ("eventSourceArn", "incoming-orders"),
        ("eventSourceArn", "arn:"),
        ("eventSourceArn", "arn:aws:sqs"),
        ("eventSourceArn", "arn:aws:sqs:us-east-1:123456789012:a b"),
        ("eventSourceArn", f"{QUEUE_ARN}\n"),
        ("eventSourceArn", QUEUE_ARN + "q" * 1_000),
        ("eventSourceArn", [QUEUE_ARN]),
        ("topics", "orders"),
        ("topics", [7, None, {}]),
        ("topics", ["t" * 1_000]),
        ("topics", ["\x1b[2J"]),
        ("topics", ["orders;id"]),
        ("topics", ["\u2028orders"]),
        ("queues", ["\norders"]),
        ("eventSourceArn", f"{QUEUE_ARN}\u2028"),
        ("eventSourceArn", QUEUE_ARN.replace("us-east-1", "$(id)")),
        ("eventSourceArn", QUEUE_ARN.replace("123456789012", "1; id")),
        ("eventSourceArn", QUEUE_ARN.replace("aws", "$(id)")),
        ("sourceAccessConfigurations", [{"type": "$(id)", "uRI": "`id`"}]),
        ("amazonManagedKafkaEventSourceConfig", {"consumerGroupId": "$(id)"}),
        ("amazonManagedKafkaEventSourceConfig", {"schemaRegistryConfig": {"schemaRegistryURI": "https://a;id"}}),
        ("amazonManagedKafkaEventSourceConfig", {"schemaRegistryConfig": {"accessConfigs": [{"uRI": "$(id)"}]}}),
        ("destinationConfig", {"onFailure": {"destination": "kafka://a;id"}}),
        ("destinationConfig", {"onFailure": {"destination": "arn:aws:sqs:$(id)::q"}}),
        ("destinationConfig", {"onFailure": {"destination": ""}}),
        ("sourceAccessConfigurations", {"type": "BASIC_AUTH"}),
        ("sourceAccessConfigurations", ["BASIC_AUTH", 7, [], {}]),
        ("sourceAccessConfigurations", [{"type": "basic auth", "uRI": 7}]),
        ("destinationConfig", "arn:aws:sqs:us-east-1:123456789012:q"),
        ("destinationConfig", {"onFailure": "arn:aws:sqs:us-east-1:123456789012:q"}),
        ("destinationConfig", {"onFailure": {"destination": "arn:"}}),
        ("selfManagedEventSource", {"endpoints": []}),
        ("selfManagedEventSource", {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b-1.example.com", "; rm -r /", 7]}}),
        ("amazonManagedKafkaEventSourceConfig", {"schemaRegistryConfig": {"accessConfigs": 7}}),
        ("somethingNew", {"URI": SECRET_ARN}),
    ],
)
def test_a_field_that_lambda_would_not_accept_is_omitted(key: str, value: Any) -> None:
    """It never becomes part of an API call, a remedy or a message; the other fields stay."""
    whole = configuration_of(SECRET)
    name = key[0].upper() + key[1:]
    rest = {kept: part for kept, part in whole.items() if kept != name}
    assert configuration_of(SECRET, {key: value}) == rest


@pytest.mark.parametrize("subnet", ["subnet-$(id)", "subnet-0A", "sg-1", "subnet-1\n"])
def test_a_subnet_or_a_queue_that_lambda_would_not_accept_is_omitted(subnet: str) -> None:
    """Of a function's configuration."""
    assert configuration_of(NETWORK, {"vpcConfig": {"subnetIds": [subnet]}}) == {}
    for target in ("arn:aws:sqs", f"{QUEUE_ARN};\n", "arn:aws:sq s:us-east-1:123456789012:q", ""):
        assert configuration_of(CONFIGURATION, {"deadLetterConfig": {"targetArn": target}}) == {}


def test_a_long_repetitive_server_is_read_quickly() -> None:
    """AWS's pattern for it has nested repetitions."""
    started = time.process_time()
    servers = ["a-" * 145 + "!", "a." * 145 + "!", "a" * 299 + "!"]
    configuration_of(SECRET, {"selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": servers}}})
    assert time.process_time() - started < 1


def test_only_the_first_items_of_a_long_list_are_kept() -> None:
    """Lambda's own limit is not higher."""
    entries = [{"type": "VPC_SUBNET", "uRI": f"subnet:subnet-{number}"} for number in range(1_000)]
    assert len(configuration_of(SECRET, {"sourceAccessConfigurations": entries})["SourceAccessConfigurations"]) == 22
    assert (
        len(configuration_of(NETWORK, {"vpcConfig": {"subnetIds": ["subnet-1"] * 99}})["VpcConfig"]["SubnetIds"]) == 16
    )


def test_the_kept_configuration_has_at_most_4096_characters() -> None:
    """It is stored with the check. The most important fields are kept first."""
    request = {
        "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uRI": "u" * 200}] * 22,
        "selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [f"{'b' * 253}:9092"] * 10}},
    }
    kept = configuration_of(SECRET, request)
    assert kept["EventSourceArn"] == CLUSTER_ARN
    assert "SourceAccessConfigurations" not in kept
    assert len(json.dumps(kept)) <= 4_096
