"""What AWS refused because of the execution role is read from its own words, and an event's content is bounded."""

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
    """Load a sample event, afresh."""
    return json.loads((CORPUS / f"{name}.json").read_text())


def refused(name: str, request: dict[str, Any] | None = None, **detail: Any) -> DeniedCall | None:
    """Read a sample event, with some of its request and its record changed; None takes a part away."""
    sample = event(name)
    for target, changes in ((sample["detail"]["requestParameters"], request or {}), (sample["detail"], detail)):
        for key, value in changes.items():
            if value is None:
                target.pop(key, None)
            else:
                target[key] = value
    return denied_call_of(parse_record(sample))


def asked(name: str, request: dict[str, Any] | None = None, **detail: Any) -> Any:
    """Return the configuration of what was refused."""
    denied_call = refused(name, request, **detail)
    assert denied_call is not None
    return denied_call.configuration


# ── The words ───────────────────────────────────────────────────────────────────────────────────────────────────────

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
    # These are about the role, and do not say what it lacks.
    "Cannot access stream. Please ensure the role can perform the GetRecords action on your stream in IAM.": [],
    "Please ensure the role can perform what this takes.": [],
}


@pytest.mark.parametrize(("message", "actions"), MESSAGES.items(), ids=range(len(MESSAGES)))
def test_every_form_of_the_message_is_known_and_says_which_actions_it_is_about(
    message: str, actions: list[str]
) -> None:
    """As IAM spells them."""
    assert list(named_actions(message)) == actions
    denied_call = refused(QUEUE, errorMessage=message)
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
def test_what_was_refused_for_another_reason_is_none(name: str, message: str) -> None:
    """The role has nothing to do with it, or it is somebody else's."""
    assert named_actions(message) == ()
    assert refused(name, errorMessage=message) is None


@pytest.mark.parametrize("code", [None, "AccessDenied", "ResourceConflictException", "ServiceException"])
def test_other_errors_are_none_whatever_they_say(code: str | None) -> None:
    """Lambda calls a role that will not do an invalid parameter."""
    assert refused(QUEUE, errorCode=code) is None


@pytest.mark.parametrize("api", ["UpdateEventSourceMapping20150331", "AddPermission20150331v2", "Invoke"])
def test_other_calls_are_none_whatever_they_say(api: str) -> None:
    """Nor does another service's call of the same name count."""
    assert refused(QUEUE, eventName=api) is None
    assert refused(QUEUE, eventSource="iam.amazonaws.com") is None


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
def test_every_version_of_the_calls_is_read(name: str, api: str, suffix: str) -> None:
    """Dates and versions in the name make no difference."""
    denied_call = refused(name, eventName=api + suffix)
    assert denied_call is not None
    assert denied_call.api == api


# ── What is kept ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refused_mapping_is_kept_as_it_was_asked_for() -> None:
    """Named as the API names it, so that it can be asked what it needs."""
    denied_call = refused(SECRET)
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


def test_a_refused_function_is_kept_with_its_role() -> None:
    """And with what its permissions hang on, no more: not its tags, say."""
    denied_call = refused(NETWORK)
    assert denied_call is not None
    assert denied_call.mapping is None
    assert (denied_call.function_arn, denied_call.role_arn) == (ARN, ROLE_ARN)
    assert denied_call.configuration == {
        "VpcConfig": {"SubnetIds": ["subnet-0a1b2c3d4e5f60718", "subnet-18070f6e5d4c3b2a1"]}
    }
    assert asked(ROLE) == {}


def test_a_refused_configuration_names_a_role_where_it_changes_it() -> None:
    """Else it is the function's, which the event does not name."""
    denied_call, changed = refused(CONFIGURATION), refused(CONFIGURATION, {"role": ROLE_ARN})
    assert denied_call is not None
    assert changed is not None
    assert (denied_call.role_arn, changed.role_arn) == ("", ROLE_ARN)
    assert denied_call.configuration == {
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead-orders"}
    }


def test_a_refused_destination_is_kept_with_the_alias_whose_it_was_to_be() -> None:
    """Which is a parameter of its own; a role is none of its parameters."""
    failed = "arn:aws:sqs:us-east-1:123456789012:failed-orders"
    denied_call = refused(DESTINATION, {"role": ROLE_ARN})
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
    """Without a qualifier they are the function's own, and without any there is none."""
    both = {"onSuccess": {"destination": f"{ARN}-done"}, "onFailure": {"destination": QUEUE_ARN}}
    denied_call = refused(DESTINATION, {"qualifier": None, "destinationConfig": both})
    assert denied_call is not None
    assert denied_call.invoke_config == EventInvokeConfig(ARN, f"{ARN}-done", QUEUE_ARN)
    nothings: tuple[Any, ...] = (None, {}, {"onFailure": {}}, {"onFailure": {"destination": "arn:"}}, "arn:", [7])
    for nothing in nothings:
        denied_call = refused(DESTINATION, {"qualifier": "$LATEST", "destinationConfig": nothing})
        assert denied_call is not None
        assert denied_call.invoke_config == EventInvokeConfig(ARN)
        assert denied_call.configuration == {}


@pytest.mark.parametrize(
    ("name", "qualifier", "arn"),
    [("orders", "7", f"{ARN}:7"), ("orders:live", "live", f"{ARN}:live"), (ARN, "live", f"{ARN}:live")],
)
def test_a_qualifier_may_be_in_the_name_or_beside_it(name: str, qualifier: str, arn: str) -> None:
    """Or in both."""
    denied_call = refused(DESTINATION, {"functionName": name, "qualifier": qualifier})
    assert denied_call is not None
    assert denied_call.function_arn == arn


@pytest.mark.parametrize("qualifier", [7.5, "", "li ve", "a:b", ["live"], "q" * 500])
def test_a_qualifier_that_lambda_would_not_take_is_malformed(qualifier: Any) -> None:
    """As a name is."""
    with pytest.raises(MalformedEventError, match="not a Lambda function name"):
        refused(DESTINATION, {"qualifier": qualifier})


def test_the_servers_of_a_cluster_without_an_arn_are_kept() -> None:
    """Whether CloudTrail changes the first letter of a map's keys as well is not known: either will do."""
    servers = ["b-1.example.com:9092", "b-2.example.com:9092"]
    for key in ("KAFKA_BOOTSTRAP_SERVERS", "kAFKA_BOOTSTRAP_SERVERS"):
        request = {"eventSourceArn": None, "selfManagedEventSource": {"endpoints": {key: servers}}}
        kept = asked(SECRET, request)
        assert kept["SelfManagedEventSource"] == {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": servers}}
        assert "EventSourceArn" not in kept


def test_the_schema_registry_of_a_cluster_is_kept() -> None:
    """Its secrets are needed as well."""
    config = {
        "consumerGroupId": "g",
        "schemaRegistryConfig": {
            "schemaRegistryURI": "https://registry.example.com",
            "eventRecordFormat": "JSON",
            "accessConfigs": [{"type": "BASIC_AUTH", "uRI": SECRET_ARN}],
        },
    }
    assert asked(SECRET, {"amazonManagedKafkaEventSourceConfig": config})["AmazonManagedKafkaEventSourceConfig"] == {
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
def test_the_function_is_found_whatever_the_caller_typed(text: str, arn: str) -> None:
    """With its qualifier, since a version has its own role; `$LATEST` is the function itself."""
    denied_call = refused(QUEUE, {"functionName": text})
    assert denied_call is not None
    assert denied_call.function_arn == arn


@pytest.mark.parametrize("text", ["999999999999:function:orders", ARN.replace("123456789012", "999999999999")])
def test_a_function_of_another_account_is_none(text: str) -> None:
    """Nothing of it can be read here."""
    assert refused(QUEUE, {"functionName": text}) is None


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
        ["arn:aws:iam::123456789012:role/orders-role"],
    ],
)
def test_without_a_role_of_the_account_there_is_nothing_to_look_at(role: Any) -> None:
    """A function that does not exist has no other role than the one that was asked for."""
    assert refused(ROLE, {"role": role}) is None
    if role is not None:
        assert refused(CONFIGURATION, {"role": role}) is None


@pytest.mark.parametrize("name", [None, 7, "", "o" * 200, "or ders", ["orders"]])
def test_a_refused_call_that_names_no_function_is_malformed(name: Any) -> None:
    """A person has to look, as at every record that cannot be read."""
    with pytest.raises(MalformedEventError, match=r"no `functionName`|not a Lambda function name"):
        refused(QUEUE, {"functionName": name})


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
def test_a_refusal_is_timed_as_everything_else_is(text: Any, at: str) -> None:
    """In UTC with milliseconds; a record without a time is no reason not to look."""
    denied_call = refused(QUEUE, eventTime=text)
    assert denied_call is not None
    assert denied_call.at == at


# ── What an event may hold ──────────────────────────────────────────────────────────────────────────────────────────


def test_half_a_character_is_no_text() -> None:
    """JSON can write one; DynamoDB takes none, and the look would not be recorded."""
    access = [{"type": "BASIC_AUTH", "uRI": uri} for uri in (SECRET_ARN, "orders-\ud800")]
    kept = asked(SECRET, {"sourceAccessConfigurations": access})["SourceAccessConfigurations"]
    assert [each.get("URI") for each in kept] == [SECRET_ARN, None]


def test_a_message_is_one_line_of_bounded_length() -> None:
    """It is shown to people, in a terminal and in alerts."""
    said = f"{PROVIDED} ReceiveMessage on SQS"
    denied_call = refused(QUEUE, errorMessage=f"{said}\x1b[2J\r\n\u202e\x00 " + "x" * 100_000)
    assert denied_call is not None
    assert denied_call.message.startswith(f"{said} [2J xxx")
    assert denied_call.message.isprintable()
    assert len(denied_call.message) == 1_000


@pytest.mark.parametrize(
    "text", ["ensure the role can perform ", "does not have permissions to call a", f"{PROVIDED} A,", "arn:a:b:", "\t"]
)
def test_a_message_that_begins_without_end_takes_no_time(text: str) -> None:
    """No pattern goes through it again and again."""
    begun = time.perf_counter()
    denied_call = refused(QUEUE, errorMessage=text * 20_000)
    assert named_actions(denied_call.message if denied_call else "") == ()
    assert time.perf_counter() - begun < 1


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
def test_what_is_not_as_lambda_takes_it_is_left_out(key: str, value: Any) -> None:
    """It never becomes part of a question, a cure or a message; the rest stays."""
    whole = asked(SECRET)
    name = key[0].upper() + key[1:]
    rest = {kept: part for kept, part in whole.items() if kept != name}
    assert asked(SECRET, {key: value}) == rest


def test_of_a_list_that_is_too_long_the_beginning_is_kept() -> None:
    """Lambda takes no more either."""
    entries = [{"type": "VPC_SUBNET", "uRI": f"subnet:subnet-{number}"} for number in range(1_000)]
    assert len(asked(SECRET, {"sourceAccessConfigurations": entries})["SourceAccessConfigurations"]) == 22
    assert len(asked(NETWORK, {"vpcConfig": {"subnetIds": ["subnet-1"] * 99}})["VpcConfig"]["SubnetIds"]) == 16


def test_all_that_is_kept_of_a_request_is_small() -> None:
    """It is stored with the look; what decides most comes first."""
    request = {
        "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uRI": "u" * 512}] * 22,
        "selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [f"{'b' * 253}:9092"] * 10}},
    }
    kept = asked(SECRET, request)
    assert kept["EventSourceArn"] == CLUSTER_ARN
    assert "SourceAccessConfigurations" not in kept
    assert len(json.dumps(kept)) <= 4_096
