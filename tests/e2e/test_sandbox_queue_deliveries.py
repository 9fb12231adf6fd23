"""Queue policies: which rules, topics, buckets, schedules and functions may send to a queue."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client.process import Sandbox, poll
from tests.e2e.answers import metric, rejection
from tests.e2e.queues import BY_POLICY, EVERYTHING, Queue, only, rule_arn, service

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def rule(sandbox: Sandbox, queue: Queue, dead_letters: Queue) -> str:
    """Make a rule that sends events to the queue, and to the dead-letter queue what it cannot deliver."""
    events = sandbox.client("events")
    name = queue.name
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["shop"], "detail-type": [name]}))
    target = {"Id": "queue", "Arn": queue.arn, "DeadLetterConfig": {"Arn": dead_letters.arn}}
    events.put_targets(Rule=name, Targets=[target])
    return name


@pytest.fixture
def put_event(sandbox: Sandbox, unique: str) -> Callable[[], None]:
    """Return a function that puts an event for the rule. The rule has delivered it when the function returns."""
    event = {"Source": "shop", "DetailType": unique, "Detail": '{"order": 1}'}

    def put() -> None:
        assert sandbox.client("events").put_events(Entries=[event])["FailedEntryCount"] == 0

    return put


def test_a_rule_delivers_to_a_queue_that_allows_it(
    *,
    sandbox: Sandbox,
    queue: Queue,
    dead_letters: Queue,
    rule: str,
    sender: str,
    put_event: Callable[[], None],
) -> None:
    """The deny for everyone but some roles does not hold for EventBridge."""
    queue.set_policy(service("events", queue.name, rule_arn(rule)), only(queue.name, sender))

    put_event()

    (body,) = queue.bodies()
    assert json.loads(body)["detail"] == {"order": 1}
    assert dead_letters.bodies() == []
    assert metric(sandbox, "AWS/Events", "FailedInvocations", RuleName=rule) == 0


@pytest.mark.parametrize("case", ["no policy", "another rule", "another account", "only the deny", "denied services"])
def test_an_event_that_the_queue_does_not_allow_goes_to_the_dead_letter_queue(
    *,
    sandbox: Sandbox,
    queue: Queue,
    dead_letters: Queue,
    rule: str,
    put_event: Callable[[], None],
    case: str,
) -> None:
    """An event that the queue's policy does not allow goes to the dead-letter queue of the target, which allows it."""
    allow = service("events", queue.name, rule_arn(rule))
    elsewhere = {**allow, "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}
    services = {**only(queue.name), "Condition": {"Bool": {"aws:PrincipalIsAWSService": "true"}}}
    policies: dict[str, list[dict[str, Any]]] = {
        "no policy": [],
        "another rule": [service("events", queue.name, rule_arn(f"{rule}-other"))],
        "another account": [elsewhere],
        "only the deny": [only(queue.name)],
        "denied services": [allow, services],
    }
    queue.set_policy(*policies[case])
    dead_letters.set_policy(service("events", dead_letters.name, rule_arn(rule)))

    put_event()

    (letter,) = dead_letters.messages()
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert queue.bodies() == []
    assert json.loads(letter["Body"])["detail"] == {"order": 1}
    assert attributes.pop("ERROR_MESSAGE")
    assert attributes == {"ERROR_CODE": "NO_PERMISSIONS", "RULE_ARN": rule_arn(rule), "TARGET_ARN": queue.arn}
    assert metric(sandbox, "AWS/Events", "FailedInvocations", RuleName=rule) == 1
    assert metric(sandbox, "AWS/Events", "InvocationsSentToDlq", RuleName=rule) == 1


def test_an_event_is_dropped_if_the_dead_letter_queue_does_not_allow_it_either(
    sandbox: Sandbox, queue: Queue, dead_letters: Queue, rule: str, put_event: Callable[[], None]
) -> None:
    """An event is dropped, and counted, if the dead-letter queue does not allow it either."""
    dead_letters.set_policy(service("events", dead_letters.name, rule_arn(f"{rule}-other")))

    put_event()

    assert (queue.bodies(), dead_letters.bodies()) == ([], [])
    assert metric(sandbox, "AWS/Events", "InvocationsFailedToBeSentToDlq", RuleName=rule) == 1
    assert metric(sandbox, "AWS/Events", "InvocationsSentToDlq", RuleName=rule) == 0


def test_an_event_for_a_deleted_queue_goes_to_the_dead_letter_queue(
    sandbox: Sandbox, queue: Queue, dead_letters: Queue, rule: str, put_event: Callable[[], None]
) -> None:
    """An event for a deleted queue goes to the dead-letter queue."""
    sandbox.client("sqs").delete_queue(QueueUrl=queue.url)
    dead_letters.set_policy(service("events", dead_letters.name, rule_arn(rule)))

    put_event()

    (letter,) = dead_letters.messages()
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"


def test_a_rule_on_a_bus_delivers_by_its_own_arn(sandbox: Sandbox, queue: Queue, unique: str) -> None:
    """The ARN of a rule on a bus has the name of the bus."""
    events = sandbox.client("events")
    events.create_event_bus(Name=unique)
    arn = events.put_rule(Name="rule", EventBusName=unique, EventPattern='{"source": ["shop"]}')["RuleArn"]
    events.put_targets(Rule="rule", EventBusName=unique, Targets=[{"Id": "queue", "Arn": queue.arn}])
    event = {"Source": "shop", "DetailType": "Order Placed", "Detail": "{}", "EventBusName": unique}

    for allowed, received in ((rule_arn("rule"), 0), (arn, 1)):
        queue.set_policy(service("events", queue.name, allowed))
        events.put_events(Entries=[event])
        assert len(queue.bodies()) == received
    assert metric(sandbox, "AWS/Events", "FailedInvocations", RuleName="rule", EventBusName=unique) == 1


def test_topics_and_buckets_deliver_to_a_queue_that_allows_them(
    sandbox: Sandbox, queue: Queue, sender: str, unique: str
) -> None:
    """The deny for everyone but some roles does not hold for SNS and S3, which need a statement that allows them."""
    sns, s3 = sandbox.client("sns"), sandbox.client("s3")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    s3.create_bucket(Bucket=unique)
    notification = {"QueueConfigurations": [{"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"]}]}
    configure = {"Bucket": unique, "NotificationConfiguration": notification}

    queue.set_policy(only(queue.name, sender))
    sns.publish(TopicArn=topic, Message="denied")
    assert rejection(s3.put_bucket_notification_configuration, **configure)[0] == "InvalidArgument"
    assert queue.bodies() == []

    allows = [service("sns", queue.name, topic), service("s3", queue.name, f"arn:aws:s3:::{unique}")]
    queue.set_policy(only(queue.name, sender), *allows)
    sns.publish(TopicArn=topic, Message="allowed")
    s3.put_bucket_notification_configuration(**configure)
    assert [json.loads(body).get("Message", "test") for body in queue.bodies()] == ["allowed", "test"]


def test_a_schedule_sends_as_its_role(
    *, sandbox: Sandbox, queue: Queue, dead_letters: Queue, sender: str, stranger: str, unique: str
) -> None:
    """A schedule sends to its queue as its role, and to its dead-letter queue too."""
    scheduler = sandbox.client("scheduler")
    queue.set_policy(only(queue.name, sender))
    due = (datetime.now(UTC) - timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%S")
    for name, role in (("allowed", sender), ("denied", stranger)):
        target = {"Arn": queue.arn, "RoleArn": role, "Input": name, "DeadLetterConfig": {"Arn": dead_letters.arn}}
        window = {"Mode": "OFF"}
        scheduler.create_schedule(
            Name=f"{unique}-{name}", ScheduleExpression=f"at({due})", FlexibleTimeWindow=window, Target=target
        )

    (letter,) = poll(dead_letters.messages, deadline=10, what="dead letter")
    assert (letter["Body"], letter["MessageAttributes"]["TARGET_ARN"]["StringValue"]) == ("denied", queue.arn)
    assert letter["MessageAttributes"]["SCHEDULE_ARN"]["StringValue"].endswith(f"/{unique}-denied")
    assert poll(queue.bodies, deadline=10, what="message of the schedule") == ["allowed"]


@pytest.mark.parametrize("kind", ["destination", "dead-letter queue"])
def test_a_failed_invocation_is_sent_with_the_functions_role(
    *,
    sandbox: Sandbox,
    make_function: Callable[..., str],
    queue: Queue,
    sender: str,
    unique: str,
    kind: str,
) -> None:
    """A failed invocation is sent with the function's role, as which the queue's policy is evaluated."""
    client, settings = sandbox.client("lambda"), {"DeadLetterConfig": {"TargetArn": queue.arn}}
    make_function(unique, role=sender, Handler="app.missing", **(settings if kind == "dead-letter queue" else {}))
    config = {"DestinationConfig": {"OnFailure": {"Destination": queue.arn}}} if kind == "destination" else {}
    client.put_function_event_invoke_config(FunctionName=unique, MaximumRetryAttempts=0, **config)
    counted = "DestinationDeliveryFailures" if kind == "destination" else "DeadLetterErrors"

    queue.set_policy(only(queue.name))
    client.invoke(FunctionName=unique, InvocationType="Event", Payload=b'{"event": 1}')
    assert poll(lambda: metric(sandbox, "AWS/Lambda", counted, FunctionName=unique), deadline=10, what=counted) == 1
    assert queue.bodies() == []

    queue.set_policy(only(queue.name, sender))
    client.invoke(FunctionName=unique, InvocationType="Event", Payload=b'{"event": 2}')
    (body,) = poll(queue.bodies, deadline=10, what="record of the failed invocation")
    assert json.loads(body)["requestPayload"] == {"event": 2}


def test_a_function_sends_as_its_role(
    sandbox: Sandbox, make_role: Callable[..., str], make_function: Callable[..., str], queue: Queue, unique: str
) -> None:
    """The code of a function sends as the function's role."""
    source = (
        "import boto3\n\n\ndef handler(event, context):\n"
        "    boto3.client('sqs').send_message(QueueUrl=event['queue'], MessageBody='from the function')\n"
    )
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", source)
    role = make_role(unique, EVERYTHING)
    make_function(unique, role=role, Code={"ZipFile": package.getvalue()}, Timeout=30)
    payload = json.dumps({"queue": queue.url}).encode()

    for excepted, failed in ((f"{role}-other", True), (role, False)):
        queue.set_policy(only(queue.name, excepted))
        reply = sandbox.client("lambda").invoke(FunctionName=unique, Payload=payload)
        assert ("FunctionError" in reply, BY_POLICY in reply["Payload"].read().decode()) == (failed, failed)
    assert queue.bodies() == ["from the function"]
