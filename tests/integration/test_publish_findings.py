"""The outbox: from the stream of the table to the event bus."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.findings.lifecycle import Change
from permission_guard.model.findings import Status, Transition
from permission_guard.model.targets import Direction
from tests.fakes import FINDING_ID, FUNCTION_ARN, NOW, TARGET, a_finding
from tests.integration.conftest import BUS, EVENTS

if TYPE_CHECKING:
    from tests.integration.conftest import Account


@pytest.fixture
def listening(account: Account) -> Account:
    """Return an account with a queue behind the bus."""
    url = account.queue("subscriber")
    arn = account.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    account.events.put_rule(
        Name="all", EventBusName=BUS, EventPattern=json.dumps({"source": ["permission-guard"]}), State="ENABLED"
    )
    account.events.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
    return account


def received(account: Account) -> list[dict[str, Any]]:
    """Return the events that the subscribed queue received."""
    return [json.loads(body) for body in account.received("subscriber")]


def test_transitions_in_the_table_are_published_on_the_bus(listening: Account) -> None:
    """The stream has an opened, a reworded and a resolved finding, in this order; rewording is not published."""
    table = listening.table
    started = table.start_check(TARGET, Direction.EXECUTION_ROLE)
    changes = [Change(a_finding(), None)]
    table.commit_check(
        TARGET, Direction.EXECUTION_ROLE, started, started.checkpoint, changes=changes, unknowns=(), now=NOW
    )
    table.put_finding(Change(a_finding(reason="Other words."), 1))
    resolved = a_finding(status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2)
    table.put_finding(Change(resolved, 1))
    run = listening.run("publish_findings", listening.stream())
    assert run.failed == []
    assert run.counts == {"EventsPublished": 2}
    first, second = received(listening)
    assert (first["source"], first["detail-type"], first["resources"]) == (
        "permission-guard",
        "Finding Opened",
        [FUNCTION_ARN],
    )
    assert first["detail"] == json.loads(json.dumps(a_finding().to_document()))
    assert second["detail-type"] == "Finding Resolved"
    assert second["detail"]["revision"] == 2


def test_the_sample_of_a_stream_is_two_events(listening: Account) -> None:
    """A finding opens, stays open and resolves."""
    sample = json.loads((EVENTS / "stream" / "publish_findings.json").read_text())
    assert listening.run("publish_findings", sample).failed == []
    assert [event["detail-type"] for event in received(listening)] == ["Finding Opened", "Finding Resolved"]


def test_an_item_that_is_no_finding_is_logged_and_does_not_block_the_stream(listening: Account) -> None:
    """The findings before it are published. The item stays in the table, and a log line names it."""
    listening.table.put_finding(Change(a_finding(), None))
    broken = {
        "pk": {"S": f"FUNCTION#{FUNCTION_ARN}"},
        "sk": {"S": f"FINDING#{FINDING_ID}"},
        "document": {"S": "{}"},
    }
    listening.dynamodb.put_item(TableName="findings", Item=broken)
    event = listening.stream()
    run = listening.run("publish_findings", event)
    assert run.failed == []
    assert [event["detail-type"] for event in received(listening)] == ["Finding Opened"]
    assert "is not a valid finding" in run.line("item is not a finding: not published")["reason"]


def test_an_event_that_the_bus_does_not_accept_is_retried(listening: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bus was deleted: no event is lost until it exists again."""
    listening.table.put_finding(Change(replace(a_finding(), revision=1), None))
    listening.events.remove_targets(Rule="all", EventBusName=BUS, Ids=["queue"])
    listening.events.delete_rule(Name="all", EventBusName=BUS)
    listening.events.delete_event_bus(Name=BUS)
    event = listening.stream()
    run = listening.run("publish_findings", event)
    assert run.failed == [event["Records"][0]["dynamodb"]["SequenceNumber"]]
    assert run.counts == {"RecordsFailed": 1}
