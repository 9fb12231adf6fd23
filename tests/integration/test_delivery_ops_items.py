"""OpsItems in an in-memory OpsCenter behind a real client: requests are checked against AWS's service model."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError

from permission_guard.delivery.tickets.ops_item.system import OpsItems
from permission_guard.errors import DeliveryError
from permission_guard.model.findings import Finding, Status, Transition
from tests.paths import FINDINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest
    from botocore.model import Shape
    from mypy_boto3_ssm import SSMClient


def load(case: str) -> Finding:
    """Return the finding of a case."""
    return Finding.from_document(json.loads((FINDINGS / f"{case}.json").read_text()))


OPENED = load("opened")
APPLIED = load("fix-applied")
RESOLVED = load("resolved")
REOPENED = replace(OPENED, revision=5, transition=Transition.REOPENED)


class Body:
    """The body of a response, as urllib3 returns it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_options: object) -> list[bytes]:
        return [self._content]


class OpsCenter:
    """The four operations, as AWS documents them."""

    def __init__(self, client: SSMClient) -> None:
        self.client = client
        self.items: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, tuple[str, dict[str, Any]]] = {}
        self.calls: list[str] = []
        client.meta.events.register("before-send.ssm", self._respond)  # type: ignore[arg-type] # the stubs lack the response

    def _respond(self, request: AWSPreparedRequest, **_context: object) -> AWSResponse:
        target: Any = request.headers["X-Amz-Target"]
        operation = target.decode().split(".")[1]
        assert isinstance(request.body, bytes)
        parameters = json.loads(request.body)
        model = self.client.meta.service_model.operation_model(operation)
        assert model.input_shape is not None
        check(parameters, model.input_shape)
        self.calls.append(operation)
        no_headers: Any = {}
        if operation in self.failures:
            code, more = self.failures[operation]
            status, reply = 400, {"__type": code, **more}
        else:
            status, reply = getattr(self, operation)(parameters)
        content = json.dumps(reply).encode()
        return AWSResponse(request.url, status, no_headers, Body(content))

    def CreateOpsItem(self, new: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802 - the operation's name
        for identity, item in self.items.items():
            same = item["OperationalData"]["/aws/dedup"] == new["OperationalData"]["/aws/dedup"]
            if same and item["Status"] in ("Open", "InProgress"):
                return 400, {"__type": "OpsItemAlreadyExistsException", "OpsItemId": identity}
        identity = f"oi-{len(self.items) + 1:012x}"
        self.items[identity] = {"OpsItemId": identity, "Status": "Open", **new}
        return 200, {"OpsItemId": identity}

    def GetOpsItem(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802 - the operation's name
        if request["OpsItemId"] not in self.items:
            return 400, {"__type": "OpsItemNotFoundException"}
        return 200, {"OpsItem": self.items[request["OpsItemId"]]}

    def UpdateOpsItem(self, change: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802 - the operation's name
        item = self.items[change["OpsItemId"]]
        assert "/aws/dedup" not in change["OperationalData"], "AWS does not allow editing it"
        item.update({**change, "OperationalData": {**item["OperationalData"], **change["OperationalData"]}})
        return 200, {}

    def DescribeOpsItems(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802 - the operation's name
        by_data, by_status = request["OpsItemFilters"]
        pair = json.loads(by_data["Values"][0])
        found = [
            {"OpsItemId": identity}
            for identity, item in self.items.items()
            if item["OperationalData"][pair["key"]]["Value"] == pair["value"] and item["Status"] in by_status["Values"]
        ]
        return 200, {"OpsItemSummaries": found}


def check(value: Any, shape: Shape) -> None:
    """Check a value against the whole service model: botocore checks only a part of it."""
    if shape.type_name == "structure":
        for name, part in value.items():
            check(part, shape.members[name])  # type: ignore[attr-defined]
    elif shape.type_name == "map":
        for name, part in value.items():
            check(name, shape.key)  # type: ignore[attr-defined]
            check(part, shape.value)  # type: ignore[attr-defined]
    elif shape.type_name == "list":
        for part in value:
            check(part, shape.member)  # type: ignore[attr-defined]
    elif shape.type_name == "string":
        rules = shape.metadata
        assert rules.get("min", 0) <= len(value) <= rules.get("max", len(value)), shape
        pattern = re.sub(r"\\p\{L\}\\p\{Z\}\\p\{N\}_", r"\\w ", rules.get("pattern", ".*"))
        assert re.search(pattern, value, re.DOTALL), (shape, value)
        assert value in rules.get("enum", [value]), shape


@pytest.fixture
def opscenter() -> OpsCenter:
    """Return an empty OpsCenter."""
    return OpsCenter(
        boto3.client("ssm", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing")
    )


@pytest.fixture
def tickets(opscenter: OpsCenter) -> OpsItems:
    """Return the ticket system under test, connected to that OpsCenter."""
    return OpsItems(opscenter.client)


def history(item: dict[str, Any]) -> list[str]:
    """Return the transitions in an OpsItem's history."""
    return [event["what"] for event in json.loads(item["OperationalData"]["history"]["Value"])]


def test_a_finding_gets_an_ops_item(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """It has the fields that OpsCenter sorts and searches by."""
    item = opscenter.items[tickets.open(OPENED)]
    assert item["Title"] == "PG201: orders cannot read its SQS queue"
    assert (item["Source"], item["Category"], item["Severity"], item["Priority"]) == (
        "permission-guard",
        "Security",
        "2",
        2,
    )
    assert item["OperationalData"]["finding_id"] == {"Value": OPENED.id, "Type": "SearchableString"}
    assert item["OperationalData"]["reason"]["Type"] == "String"
    assert {"Key": "permission-guard:rule", "Value": "PG201"} in item["Tags"]


def test_an_existing_ops_item_is_updated(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """The invocation that created it crashed before it recorded it; its content is brought up to date."""
    first = tickets.open(OPENED)
    assert tickets.open(APPLIED) == first
    assert history(opscenter.items[first]) == ["Finding Opened", "Fix Applied"]


def test_an_ops_item_follows_its_finding(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """The history grows, and the status follows."""
    reference = tickets.open(OPENED)
    assert tickets.update(reference, APPLIED) == reference
    assert opscenter.items[reference]["Status"] == "Open"
    assert "detach-role-policy" in opscenter.items[reference]["Description"]
    assert tickets.resolve(reference, RESOLVED) == reference
    assert opscenter.items[reference]["Status"] == "Resolved"
    assert tickets.update(reference, REOPENED) == reference
    assert opscenter.items[reference]["Status"] == "Open"
    assert history(opscenter.items[reference]) == [
        "Finding Opened",
        "Fix Applied",
        "Finding Resolved",
        "Finding Reopened",
    ]


@pytest.mark.parametrize("status", ["InProgress", "Resolved"])
def test_a_status_that_a_person_set_is_kept(opscenter: OpsCenter, tickets: OpsItems, status: str) -> None:
    """As long as the finding's status does not change."""
    reference = tickets.open(OPENED)
    opscenter.items[reference]["Status"] = status
    tickets.update(reference, APPLIED)
    assert opscenter.items[reference]["Status"] == status


def test_a_reopened_finding_gets_a_new_ops_item_if_the_old_one_was_deleted(
    opscenter: OpsCenter, tickets: OpsItems
) -> None:
    """The new reference is returned, so that it is recorded."""
    reference = tickets.open(OPENED)
    opscenter.items["oi-00000000ffff"] = opscenter.items.pop(reference) | {"Status": "Resolved"}
    assert tickets.update(reference, REOPENED) == "oi-000000000002"
    assert opscenter.items["oi-000000000002"]["Status"] == "Open"


def test_resolving_a_deleted_ops_item_does_nothing(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """A deleted OpsItem counts as resolved."""
    assert tickets.resolve("oi-00000000dead", RESOLVED) == "oi-00000000dead"
    assert opscenter.calls == ["GetOpsItem"]


def test_a_stale_revision_changes_nothing(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """A message from a dead-letter queue does not reopen the ticket after the ledger's record has expired."""
    reference = tickets.open(OPENED)
    tickets.resolve(reference, RESOLVED)
    tickets.update(reference, APPLIED)
    assert opscenter.items[reference]["Status"] == "Resolved"
    assert opscenter.calls[-1] == "GetOpsItem"


def test_an_unrecorded_ops_item_is_found_by_its_finding(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """Unless it is resolved."""
    assert tickets.find(OPENED) is None
    reference = tickets.open(OPENED)
    tickets.open(replace(OPENED, id="another"))
    assert tickets.find(OPENED) == reference
    tickets.resolve(reference, RESOLVED)
    assert tickets.find(OPENED) is None


def test_opscenter_accepts_a_request_with_hostile_names(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """Line breaks, control characters, emoji and 5,000 characters."""
    hostile = "\r\n\x00<!channel> 🚀 \u202e$LATEST" + "n" * 5_000
    finding = replace(OPENED, title=hostile, reason=hostile, subject=hostile, function_arn=hostile, rule_name=hostile)
    assert tickets.open(finding) in opscenter.items
    suppressed = replace(finding, revision=2, status=Status.SUPPRESSED)
    assert opscenter.items[tickets.resolve("oi-000000000001", suppressed)]["Status"] == "Resolved"


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("CreateOpsItem", lambda tickets: tickets.open(REOPENED)),
        ("GetOpsItem", lambda tickets: tickets.update("oi-000000000001", APPLIED)),
        ("UpdateOpsItem", lambda tickets: tickets.resolve("oi-000000000001", RESOLVED)),
        ("DescribeOpsItems", lambda tickets: tickets.find(OPENED)),
    ],
)
def test_an_error_of_opscenter_is_a_failed_delivery(
    opscenter: OpsCenter, tickets: OpsItems, operation: str, call: Callable[[OpsItems], object]
) -> None:
    """The message stays in its queue, and the log has the call and the error code."""
    tickets.open(OPENED)
    opscenter.failures[operation] = ("OpsItemLimitExceededException", {})
    with pytest.raises(DeliveryError, match=f"{operation} failed with OpsItemLimitExceededException"):
        call(tickets)


def test_an_existing_ops_item_without_an_id_is_a_failed_delivery(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """There is no reference to record."""
    opscenter.failures["CreateOpsItem"] = ("OpsItemAlreadyExistsException", {})
    with pytest.raises(DeliveryError, match="reported an existing OpsItem without its id"):
        tickets.open(OPENED)


def test_an_ops_item_that_is_deleted_before_the_update_is_a_failed_delivery(
    opscenter: OpsCenter, tickets: OpsItems
) -> None:
    """The retry creates another one."""
    opscenter.failures["CreateOpsItem"] = ("OpsItemAlreadyExistsException", {"OpsItemId": "oi-00000000dead"})
    with pytest.raises(DeliveryError, match="oi-00000000dead was deleted"):
        tickets.open(OPENED)


def test_an_unreachable_endpoint_is_a_failed_delivery(
    opscenter: OpsCenter, tickets: OpsItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message stays in its queue."""

    def fail(**_request: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://ssm.us-east-1.amazonaws.com/")

    monkeypatch.setattr(opscenter.client, "get_ops_item", fail)
    with pytest.raises(DeliveryError, match="GetOpsItem failed with EndpointConnectionError"):
        tickets.update("oi-000000000001", OPENED)


@pytest.mark.parametrize("data", [{}, {"finding_id": {"Value": "0" * 32, "Type": "SearchableString"}}])
def test_an_ops_item_of_something_else_is_not_overwritten(opscenter: OpsCenter, data: dict[str, Any]) -> None:
    """The reference comes from a table. The finding gets an OpsItem of its own."""
    other = {"Title": "Disk full", "Status": "Open", "OperationalData": {"/aws/dedup": {"Value": "x"}, **data}}
    opscenter.items["oi-000000000000"] = dict(other)
    system = OpsItems(opscenter.client)
    system.resolve("oi-000000000000", RESOLVED)
    reference = system.update("oi-000000000000", OPENED)
    assert reference != "oi-000000000000"
    assert opscenter.items["oi-000000000000"] == other
    assert opscenter.items[reference]["OperationalData"]["finding_id"]["Value"] == OPENED.id
