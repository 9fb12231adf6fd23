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

from permission_guard.delivery.tickets.base import CLOSED_TOO_EARLY, follow
from permission_guard.delivery.tickets.ops_item.system import OpsItems
from permission_guard.errors import DeliveryError, DeliveryLimitError
from permission_guard.model.findings import Finding, Status, Transition
from tests.integration.tickets.contract import Shown, TicketSystemContract
from tests.paths import FINDINGS

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.model import Shape
    from mypy_boto3_ssm import SSMClient

    from permission_guard.delivery.tickets.base import TicketSystem
    from tests.integration.tickets.contract import Peer


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
            {"OpsItemId": identity, "Status": item["Status"]}
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


def test_an_existing_ops_item_that_the_search_does_not_show_yet_is_updated(
    opscenter: OpsCenter, tickets: OpsItems
) -> None:
    """The invocation that created it crashed before it recorded it. OpsCenter refuses a second one."""
    first = tickets.open(OPENED)
    assert tickets.open(APPLIED) == first
    assert history(opscenter.items[first]) == ["Finding Opened", "Fix Applied"]


def test_an_ops_item_follows_its_finding(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """The history grows, and the status follows."""
    reference = follow(tickets, OPENED, None)
    assert reference is not None
    assert follow(tickets, APPLIED, reference) == reference
    assert opscenter.items[reference]["Status"] == "Open"
    assert "detach-role-policy" in opscenter.items[reference]["Description"]
    assert follow(tickets, RESOLVED, reference) == reference
    assert opscenter.items[reference]["Status"] == "Resolved"
    assert follow(tickets, REOPENED, reference) == reference
    assert opscenter.items[reference]["Status"] == "Open"
    assert history(opscenter.items[reference]) == [
        "Finding Opened",
        "Fix Applied",
        "Finding Resolved",
        "Finding Reopened",
    ]


def test_what_is_recorded_costs_two_calls(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """The search is for what is not recorded."""
    reference = follow(tickets, OPENED, None)
    assert opscenter.calls == ["DescribeOpsItems", "CreateOpsItem"]
    follow(tickets, APPLIED, reference)
    assert opscenter.calls[2:] == ["GetOpsItem", "UpdateOpsItem"]


@pytest.mark.parametrize("status", ["InProgress", "Resolved"])
def test_a_status_that_a_person_set_is_kept(opscenter: OpsCenter, tickets: OpsItems, status: str) -> None:
    """As long as the finding's status does not change."""
    reference = follow(tickets, OPENED, None)
    assert reference is not None
    opscenter.items[reference]["Status"] = status
    follow(tickets, APPLIED, reference)
    assert opscenter.items[reference]["Status"] == status


def test_of_several_ops_items_an_unresolved_one_is_used(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """Earlier versions created another one if the first was resolved; of several, the newest counts."""
    first = tickets.open(OPENED)
    opscenter.items[first]["Status"] = "Resolved"
    second = tickets.open(OPENED)
    assert follow(tickets, APPLIED, None) == second
    opscenter.items[first]["Status"], opscenter.items[second]["Status"] = "InProgress", "Resolved"
    assert follow(tickets, APPLIED, None) == first
    opscenter.items[first]["Status"] = "Resolved"
    assert follow(tickets, RESOLVED, None) == second


def test_a_comment_on_a_resolved_ops_item_is_operational_data(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """OpsItems have no comments. It is over once the OpsItem is open again."""
    reference = follow(tickets, OPENED, None)
    assert reference is not None
    item = opscenter.items[reference]
    assert "comment" not in item["OperationalData"]
    item["Status"] = "Resolved"
    follow(tickets, APPLIED, reference)
    assert item["OperationalData"]["comment"] == {"Value": CLOSED_TOO_EARLY, "Type": "String"}
    follow(tickets, RESOLVED, reference)
    assert item["OperationalData"]["comment"]["Value"] == "There is no comment."


def test_opscenter_accepts_a_request_with_hostile_names(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """Line breaks, control characters, emoji and 5,000 characters."""
    hostile = "\r\n\x00<!channel> 🚀 \u202e$LATEST" + "n" * 5_000
    finding = replace(OPENED, title=hostile, reason=hostile, subject=hostile, function_arn=hostile, rule_name=hostile)
    reference = follow(tickets, finding, None)
    suppressed = replace(finding, revision=2, status=Status.SUPPRESSED)
    assert follow(tickets, suppressed, reference) == reference
    assert opscenter.items["oi-000000000001"]["Status"] == "Resolved"


@pytest.mark.parametrize(
    ("operation", "finding", "reference"),
    [
        ("CreateOpsItem", replace(OPENED, id="another"), None),
        ("GetOpsItem", APPLIED, "oi-000000000001"),
        ("UpdateOpsItem", RESOLVED, "oi-000000000001"),
        ("DescribeOpsItems", OPENED, None),
    ],
)
def test_an_error_of_opscenter_is_a_failed_delivery(
    opscenter: OpsCenter, tickets: OpsItems, operation: str, finding: Finding, reference: str | None
) -> None:
    """The message stays in its queue, and the log has the call and the error code."""
    tickets.open(OPENED)
    opscenter.failures[operation] = ("OpsItemLimitExceededException", {})
    with pytest.raises(DeliveryError, match=f"{operation} failed with OpsItemLimitExceededException") as failure:
        follow(tickets, finding, reference)
    assert isinstance(failure.value, DeliveryLimitError) is (operation == "CreateOpsItem")


def test_over_the_monthly_quota_existing_ops_items_are_still_updated(opscenter: OpsCenter, tickets: OpsItems) -> None:
    """The quota is of new ones."""
    reference = follow(tickets, OPENED, None)
    opscenter.failures["CreateOpsItem"] = ("OpsItemLimitExceededException", {})
    assert follow(tickets, APPLIED, None) == reference


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
        follow(tickets, OPENED, "oi-000000000001")


@pytest.mark.parametrize("data", [{}, {"finding_id": {"Value": "0" * 32, "Type": "SearchableString"}}])
def test_an_ops_item_of_something_else_is_not_overwritten(opscenter: OpsCenter, data: dict[str, Any]) -> None:
    """The reference comes from a table. The finding gets an OpsItem of its own."""
    unset = {"finding_id": {"Value": "", "Type": "SearchableString"}}
    data = {"/aws/dedup": {"Value": "x"}, **unset, **data}
    other = {"OpsItemId": "oi-000000000000", "Title": "Disk full", "Status": "Open", "OperationalData": data}
    opscenter.items["oi-000000000000"] = dict(other)
    system = OpsItems(opscenter.client)
    assert follow(system, RESOLVED, "oi-000000000000") is None
    reference = follow(system, OPENED, "oi-000000000000")
    assert reference != "oi-000000000000"
    assert opscenter.items["oi-000000000000"] == other
    assert reference is not None
    assert opscenter.items[reference]["OperationalData"]["finding_id"]["Value"] == OPENED.id


class OpsCenterPeer:
    """What a person sees and does in OpsCenter."""

    def __init__(self, opscenter: OpsCenter) -> None:
        self._items = opscenter.items

    def shown(self) -> list[Shown]:
        return [
            Shown(
                reference=reference,
                is_open=item["Status"] in ("Open", "InProgress"),
                text="\n".join([item["Title"], item["Description"], *_texts(item)]),
                comments=tuple(text for text in _texts(item, "comment") if text != "There is no comment."),
            )
            for reference, item in self._items.items()
        ]

    def close(self, reference: str) -> None:
        self._items[reference]["Status"] = "Resolved"

    def delete(self, reference: str) -> None:
        del self._items[reference]


def _texts(item: dict[str, Any], *names: str) -> list[str]:
    data = item["OperationalData"]
    return [data[name]["Value"] for name in names or data if name in data]


class TestOpsItems(TicketSystemContract):
    @pytest.fixture
    def peer(self, opscenter: OpsCenter) -> Peer:
        """Return OpsCenter as a person sees it."""
        return OpsCenterPeer(opscenter)

    @pytest.fixture
    def system(self, tickets: OpsItems) -> TicketSystem:
        """Return the ticket system under test."""
        return tickets
