"""What EventBridge passes from a bus to a queue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.implementations import code_of, queue_for, unique
from tests.fakes import ACCOUNT, REGION

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws


class Bus:
    """A bus with a rule whose target is a queue."""

    def __init__(self, aws: Aws, **pattern: Any) -> None:
        self._aws, self._events, self._sqs = aws, aws.client("events"), aws.client("sqs")
        self.name, rule = unique("bus"), unique("rule")
        self._url, queue = queue_for(aws, "events", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{self.name}/{rule}")
        text = json.dumps({field.replace("_", "-"): values for field, values in pattern.items()})
        self._events.create_event_bus(Name=self.name)
        self._events.put_rule(Name=rule, EventPattern=text, EventBusName=self.name)
        self._events.put_targets(Rule=rule, EventBusName=self.name, Targets=[{"Id": "Queue", "Arn": queue}])

    def put(self, *entries: dict[str, Any]) -> dict[str, Any]:
        """Put events on the bus."""
        reply: dict[str, Any] = self._events.put_events(Entries=[{"EventBusName": self.name, **one} for one in entries])
        return reply

    def received(self, count: int) -> list[dict[str, Any]]:
        """Return the events that arrive in the queue, in the order of their details."""
        found: list[dict[str, Any]] = []

        def probe() -> bool:
            reply = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            found.extend(json.loads(one["Body"]) for one in reply.get("Messages", ()))
            return len(found) >= count

        self._aws.eventually(probe)
        return sorted(found, key=lambda event: json.dumps(event["detail"]))


def entry(detail: object, kind: str = "Finding Opened", source: str = "permission-guard") -> dict[str, Any]:
    """Return an entry of PutEvents."""
    return {"Source": source, "DetailType": kind, "Detail": json.dumps(detail)}


@pytest.mark.differs(moto="leaves the account out")
def test_an_event_arrives_in_the_envelope_of_aws(aws: Aws) -> None:
    """Its id is that of the reply, and it has its account, region, time and resources.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/aws-events.html
    """
    bus = Bus(aws, source=["permission-guard"])
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders"

    reply = bus.put({**entry({"finding": {"revision": 1}}), "Resources": [arn]})
    (event,) = bus.received(1)
    time = event.pop("time")

    assert reply["FailedEntryCount"] == 0
    assert event == {
        "version": "0",
        "id": reply["Entries"][0]["EventId"],
        "detail-type": "Finding Opened",
        "source": "permission-guard",
        "account": ACCOUNT,
        "region": REGION,
        "resources": [arn],
        "detail": {"finding": {"revision": 1}},
    }
    assert len(time) == len("2026-11-20T09:30:00Z")
    assert time.endswith("Z")


def test_a_pattern_needs_every_field_and_one_of_its_values(aws: Aws) -> None:
    """Fields that a pattern does not name do not matter.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
    """
    bus = Bus(aws, source=["permission-guard"], detail_type=["Finding Opened", "Finding Resolved"])

    bus.put(
        entry({"number": 1}),
        entry({"number": 2}, "Finding Resolved"),
        entry({"number": 3}, "Fix Applied"),
        entry({"number": 4}, source="other"),
        entry({"number": 5}),
    )

    assert [event["detail"]["number"] for event in bus.received(3)] == [1, 2, 5]


def test_a_pattern_can_have_a_prefix(aws: Aws) -> None:
    """It matches texts only, and beside whole values.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    """
    names = ["AttachRolePolicy", {"prefix": "AddPermission"}]
    bus = Bus(aws, detail={"eventSource": ["lambda.amazonaws.com"], "eventName": names})

    def call(name: object, source: str = "lambda.amazonaws.com") -> dict[str, Any]:
        return entry({"eventName": name, "eventSource": source})

    bus.put(
        call("AddPermission"),
        call("AddPermission20150331v2"),
        call("AttachRolePolicy"),
        call("AttachRolePolicyAndMore"),
        call("addPermission"),
        call("PreAddPermission"),
        call(["RemovePermission"]),
        call("AddPermission", "iam.amazonaws.com"),
        entry({"eventSource": "lambda.amazonaws.com"}),
    )

    names = [event["detail"]["eventName"] for event in bus.received(3)]
    assert names == ["AddPermission", "AddPermission20150331v2", "AttachRolePolicy"]


def test_a_list_in_an_event_matches_if_one_of_its_elements_does(aws: Aws) -> None:
    """The event arrives as it is.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html
    """
    bus = Bus(aws, detail={"functions": ["orders"]})

    bus.put(entry({"functions": ["invoices"]}), entry({"functions": ["invoices", "orders"]}))

    assert [event["detail"]["functions"] for event in bus.received(1)] == [["invoices", "orders"]]


def test_each_bus_has_its_own_rules(aws: Aws) -> None:
    """Events of the default bus do not match them.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus.html
    """
    first, second = Bus(aws, source=["permission-guard"]), Bus(aws, source=["permission-guard"])

    first.put(entry({"number": 1}))
    second.put(entry({"number": 2}))

    assert [one.received(1)[0]["detail"]["number"] for one in (first, second)] == [1, 2]


@pytest.mark.differs(ministack="passes on what is malformed or incomplete")
def test_the_entries_that_fail_are_counted(aws: Aws) -> None:
    """The others are put. The reply has an entry for each, in their order: an id, or an error code.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
    """
    bus = Bus(aws, source=["permission-guard"])
    malformed = {**entry({}), "Detail": "{not JSON"}
    incomplete = {name: one for name, one in entry({}).items() if name != "DetailType"}

    reply = bus.put(entry({"number": 1}), malformed, incomplete, entry({"number": 2}))

    assert reply["FailedEntryCount"] == 2
    assert [one.get("ErrorCode") for one in reply["Entries"]] == [None, "MalformedDetail", "InvalidArgument", None]
    assert [event["detail"]["number"] for event in bus.received(2)] == [1, 2]


def test_a_request_has_at_most_ten_entries(aws: Aws) -> None:
    """One more is rejected as a whole.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
    """
    events = aws.client("events")

    assert code_of(events.put_events, Entries=[entry({})] * 11) == "ValidationException"


def test_a_rule_of_a_bus_that_does_not_exist_is_an_error(aws: Aws) -> None:
    """Only the default bus exists in each account.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
    """
    request = {"Name": unique("rule"), "EventPattern": '{"source": ["a"]}', "EventBusName": unique("missing")}

    assert code_of(aws.client("events").put_rule, **request) == "ResourceNotFoundException"
