"""An account at AWS's limits: Lambda, bus, topic and OpsCenter answer from memory, and reject what AWS rejects."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from moto.core.models import botocore_stubber

from permission_guard.aws import clients
from permission_guard.bootstrap import alerts, tickets
from permission_guard.config.document import AlertLimit, Alerts, TicketLimit, Tickets
from permission_guard.delivery.alerts.slack import message as slack
from permission_guard.delivery.finding_messages import compose
from permission_guard.findings.fit import document_size
from permission_guard.model import limits
from tests import aws_limits
from tests.integration.conftest import sqs_event
from tests.integration.test_delivery_ops_items import OpsCenter
from tests.unit.delivery.memory_ledger import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import pytest

    from permission_guard.model.findings import Finding
    from tests.integration.conftest import Account, Run

TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:alerts"
RECORDS_A_BATCH = 25
MESSAGES_A_BATCH = 3
"""How many records and messages template.yaml gives one invocation."""


@dataclass
class Figures:
    """What one case took: counts, bytes and seconds."""

    findings: int = 0
    largest_document: int = 0
    largest_item: int = 0
    transactions: int = 0
    largest_transaction: int = 0
    largest_entry: int = 0
    largest_alert: int = 0
    check_calls: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


class Extreme:
    """The account's tables, roles and queues are moto's. What moto takes minutes for, this one answers and keeps."""

    def __init__(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        self.account = account
        self.figures = Figures()
        self.entries: list[dict[str, Any]] = []
        self.alerts: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        # Limits that nothing reaches: each finding has a message and a ticket.
        account.config = replace(
            account.config,
            alerts=Alerts(limit=AlertLimit(messages=10_000)),
            tickets=Tickets(limit=TicketLimit(tickets=10_000)),
        )
        monkeypatch.setenv("TOPIC_ARN", TOPIC_ARN)
        monkeypatch.setenv("TICKET_SYSTEM", "opsitem")
        for service in ("events", "dynamodb", "sqs", "sns"):
            aws_limits.enforce(clients.client(service))
        aws_limits.enforce(clients.prompt_client("ssm"))
        answer("events", PutEvents=self._put_events)
        answer("sns", Publish=self._publish)
        answer("sqs", SendMessageBatch=self._send_messages)
        answer("dynamodb", TransactWriteItems=self._transact)
        ssm = clients.prompt_client("ssm")
        moto: Any = botocore_stubber
        ssm.meta.events.unregister("before-send", moto)  # moto has no OpsCenter and rejects its calls
        self.center = OpsCenter(ssm)
        # The delivery records have the same size whatever is delivered, and moto is slow with them.
        ledger = MemoryLedger()
        for module in (alerts, tickets):
            monkeypatch.setattr(module, "DeliveryTable", lambda *_: ledger)

    def check(self, name: str, *messages: dict[str, Any] | str, expected: Collection[str] = ()) -> Run:
        """Check what the messages name; nothing fails, and no warning but the expected ones is logged."""
        run = self._timed(name, sqs_event(*messages))
        self.figures.check_calls = len(run.calls)
        unread = [line["message"] for line in run.lines if line["level"] in ("WARNING", "ERROR")]
        assert (run.failed, set(unread) - set(expected)) == ([], set())
        return run

    def deliver(self) -> list[Finding]:
        """Publish, alert and open tickets, and return the findings. They are the same in all four places."""
        findings = self.account.findings
        records = self.account.stream()["Records"]
        for batch in _parts(records, RECORDS_A_BATCH):
            assert self._timed("publish_findings", {"Records": batch}).failed == []
        events = [
            {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
            for entry in self.entries
        ]
        for name in ("send_alert", "open_ticket"):
            for messages in _parts(events, MESSAGES_A_BATCH):
                assert self._timed(name, sqs_event(*messages)).failed == []
        ids = sorted(finding.id for finding in findings)
        assert sorted(event["detail"]["id"] for event in events) == ids
        assert sorted(one for alert in self.alerts for one in _finding_ids(alert["Message"])) == ids
        assert sorted(item["OperationalData"]["finding_id"]["Value"] for item in self.center.items.values()) == ids
        for finding in findings:
            blocks = slack.payload(compose(finding))["blocks"]
            assert len(blocks) <= limits.SLACK_BLOCKS
            assert finding.id in json.dumps(blocks)
        self.figures.findings = len(findings)
        self.figures.largest_document = max(map(document_size, findings))
        self.figures.largest_entry = max(map(aws_limits.entry_size, self.entries))
        self.figures.largest_alert = max(map(aws_limits.publication_size, self.alerts))
        assert self.figures.largest_document <= limits.FINDING_DOCUMENT
        return findings

    def _timed(self, name: str, event: dict[str, Any]) -> Run:
        start = time.perf_counter()
        run = self.account.run(name, event)
        seconds = self.figures.seconds
        seconds[name] = round(seconds.get(name, 0) + time.perf_counter() - start, 2)
        return run

    def _put_events(self, params: dict[str, Any]) -> dict[str, Any]:
        self.entries += params["Entries"]
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in params["Entries"]]}

    def _publish(self, params: dict[str, Any]) -> dict[str, Any]:
        self.alerts.append(params)
        return {"MessageId": str(len(self.alerts))}

    def _send_messages(self, params: dict[str, Any]) -> dict[str, Any]:
        self.requests += [json.loads(entry["MessageBody"]) for entry in params["Entries"]]
        return {"Successful": []}

    def _transact(self, params: dict[str, Any]) -> None:
        sizes = list(map(aws_limits.item_size, aws_limits.written_items(params)))
        self.figures.transactions += 1
        self.figures.largest_item = max(self.figures.largest_item, *sizes)
        self.figures.largest_transaction = max(self.figures.largest_transaction, sum(sizes))


def answer(service: str, **answers: Callable[[dict[str, Any]], Any]) -> None:
    """Have a service's client answer operations from their parameters; those that return None go to moto."""
    client = clients.client(service)
    asked: dict[str, Any] = {}

    def keep(params: dict[str, Any], model: Any, **_more: Any) -> None:
        asked[model.name] = params

    def reply(model: Any, **_more: Any) -> Any:
        found = answers[model.name](asked[model.name]) if model.name in answers else None
        return None if found is None else (SimpleNamespace(status_code=200), found)

    client.meta.events.register("provide-client-params", keep)
    client.meta.events.register("before-call", reply)


@dataclass
class Lambda:
    """What Lambda answers about functions of one role. `policies` are by qualifier, None for the function's own."""

    roles: Mapping[str, str]
    versions: Sequence[str] = ()
    aliases: Sequence[str] = ()
    policies: Mapping[str | None, str] = field(default_factory=dict)
    mappings: Sequence[dict[str, Any]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        answer(
            "lambda",
            GetFunctionConfiguration=self._configuration,
            GetPolicy=self._policy,
            ListAliases=lambda _params: {"Aliases": [{"Name": name} for name in self.aliases]},
            ListVersionsByFunction=lambda _params: {"Versions": [{"Version": one} for one in self.versions]},
            ListEventSourceMappings=lambda _params: {"EventSourceMappings": list(self.mappings)},
            ListFunctionEventInvokeConfigs=lambda _params: {"FunctionEventInvokeConfigs": []},
            ListTags=lambda _params: {"Tags": dict(self.tags)},
        )

    def _configuration(self, params: dict[str, Any]) -> dict[str, Any]:
        name, _, qualifier = params["FunctionName"].partition(":function:")[2].partition(":")
        assert not qualifier or qualifier in (*self.aliases, *self.versions)
        return {"FunctionName": name, "FunctionArn": params["FunctionName"], "Role": self.roles[name]}

    def _policy(self, params: dict[str, Any]) -> dict[str, Any] | None:
        text = self.policies.get(params.get("Qualifier"))
        return None if text is None else {"Policy": text, "RevisionId": "r"}


def _parts(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _finding_ids(message: str) -> list[str]:
    """Return the ids in the document of a message: findings of one event are one message."""
    ids: list[str] = json.loads(json.loads(message)["default"])["finding_ids"]
    return ids
