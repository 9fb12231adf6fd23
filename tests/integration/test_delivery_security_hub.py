"""Findings in an in-memory Security Hub behind a real client: requests are checked against AWS's service model."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from permission_guard.bootstrap import tickets
from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.delivery.tickets.base import follow, update_ticket
from permission_guard.delivery.tickets.security_hub.system import SecurityHubFindings
from permission_guard.errors import DeliveryError
from permission_guard.findings.lifecycle import Change
from tests.in_memory.security_hub import SecurityHub as InMemorySecurityHub
from tests.integration.conftest import sqs_event
from tests.integration.test_delivery_ops_items import Body, check
from tests.integration.tickets.contract import (
    APPLIED,
    OPENED,
    PROPOSED,
    REOPENED,
    RESOLVED,
    SUPPRESSED,
    Shown,
    TicketSystemContract,
    later,
    reviewed,
)
from tests.unit.delivery.memory_ledger import MemoryLedger, unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest

    from permission_guard.delivery.tickets.base import TicketSystem
    from tests.integration.conftest import Account, Run

PRODUCT = "arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default"
PEOPLES = {"Workflow", "Note", "UserDefinedFields", "VerificationState"}
"""The fields that an import does not change."""


class SecurityHub:
    """The three operations behind a client, and what a person sees and does."""

    def __init__(self) -> None:
        self.client = boto3.client(
            "securityhub", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        self._hub = InMemorySecurityHub()
        self.findings = self._hub.findings
        self.failures: dict[str, str] = {}
        self.refused: list[dict[str, str]] = []
        self.calls: list[str] = []
        self.client.meta.events.register("before-send.securityhub", self._respond)

    def _respond(self, request: AWSPreparedRequest, **_context: object) -> AWSResponse:
        path = request.url.partition("amazonaws.com")[2]
        operation = {
            "/findings": "GetFindings",
            "/findings/import": "BatchImportFindings",
            "/findings/batchupdate": "BatchUpdateFindings",
        }[path]
        parameters = json.loads(request.body)  # type: ignore[arg-type] # the stubs allow streams
        shape = self.client.meta.service_model.operation_model(operation).input_shape
        assert shape is not None
        check(parameters, shape)
        self.calls.append(operation)
        status, headers, reply = 200, {}, {}
        if operation in self.failures:
            status, headers = 400, {"x-amzn-ErrorType": self.failures[operation]}
        elif self.refused and operation != "GetFindings":
            reply = {"FailedFindings": self.refused, "UnprocessedFindings": self.refused}
        else:
            reply = getattr(self, operation)(parameters)
        return AWSResponse(request.url, status, headers, Body(json.dumps(reply).encode()))  # type: ignore[arg-type] # as above

    def BatchImportFindings(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - the operation's name
        """Import a finding within the limits of the format.

        https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
        """
        (new,) = request["Findings"]
        sizes = {"Title": 256, "Description": 1_024, "Resources": 32, "ProductFields": 50}
        assert all(len(new[name]) <= size for name, size in sizes.items())
        assert all(len(value) <= 2_048 for value in new["ProductFields"].values())
        assert len(new["Remediation"]["Recommendation"]["Text"]) <= 512
        assert not new.keys() & PEOPLES
        return self._hub.answer("BatchImportFindings", request)

    def BatchUpdateFindings(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - the operation's name
        assert len(request["Note"]["Text"]) <= 512
        return self._hub.answer("BatchUpdateFindings", request)

    def GetFindings(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - the operation's name
        return self._hub.answer("GetFindings", request)

    def shown(self) -> list[Shown]:
        return [
            Shown(
                reference=identity,
                is_open=one["RecordState"] == "ACTIVE" and one["Workflow"]["Status"] in ("NEW", "NOTIFIED"),
                text="\n".join([one["Title"], one["Description"], json.dumps(one["Remediation"]), *_values(one)]),
                comments=(one["Note"]["Text"],) if "Note" in one else (),
            )
            for identity, one in self.findings.items()
        ]

    def close(self, reference: str) -> None:
        self.findings[reference]["Workflow"] = {"Status": "RESOLVED"}

    def delete(self, reference: str) -> None:
        """Delete a finding as Security Hub does, 90 days after its last update."""
        del self.findings[reference]


def _values(document: dict[str, Any]) -> list[str]:
    return list(document["ProductFields"].values())


def ticking() -> Iterator[datetime]:
    """Yield times, each a second later."""
    now = datetime(2026, 12, 1, tzinfo=UTC)
    while True:
        yield (now := now + timedelta(seconds=1))


@pytest.fixture
def peer() -> SecurityHub:
    """Return an empty Security Hub."""
    return SecurityHub()


@pytest.fixture
def system(peer: SecurityHub) -> SecurityHubFindings:
    """Return the ticket system under test."""
    return SecurityHubFindings(peer.client, ticking().__next__)


class TestSecurityHub(TicketSystemContract):
    def test_a_finding_has_the_fields_by_which_people_sort(self, peer: SecurityHub, system: TicketSystem) -> None:
        """The severity is the provider's: people may set another one."""
        reference = follow(system, OPENED, None)
        assert reference == f"permission-guard/{OPENED.id}"
        document = peer.findings[reference]
        assert document["Title"] == "PG201: orders cannot read its SQS queue"
        assert document["ProductArn"] == PRODUCT
        assert document["GeneratorId"] == "permission-guard/PG201"
        assert document["FindingProviderFields"]["Severity"] == {"Label": "HIGH"}
        assert document["CreatedAt"] == "2026-11-20T10:15:30.000Z"
        assert document["UpdatedAt"] == "2026-12-01T00:00:01.000Z"
        assert document["Remediation"]["Recommendation"]["Text"] == OPENED.remedies[0].text
        assert document["Resources"] == [
            {"Type": "AwsLambdaFunction", "Id": OPENED.function_arn, "Partition": "aws", "Region": "us-east-1"}
        ]

    def test_a_finding_about_a_role_names_its_functions(self, peer: SecurityHub, system: TicketSystem) -> None:
        """At most 32 resources."""
        role = "arn:aws:iam::123456789012:role/shared"
        functions = tuple(f"{OPENED.function_arn}-{number}" for number in range(100))
        reference = follow(system, replace(OPENED, function_arn="", role_arn=role, functions=functions), None)
        assert reference is not None
        resources = peer.findings[reference]["Resources"]
        assert (resources[0]["Type"], resources[0]["Id"]) == ("AwsIamRole", role)
        assert (resources[1]["Type"], len(resources)) == ("AwsLambdaFunction", 32)

    def test_a_command_that_is_too_long_is_not_cut(self, peer: SecurityHub, system: TicketSystem) -> None:
        """Half a command does something else."""
        remedy = replace(OPENED.remedies[0], text="x" * 513)
        reference = follow(system, replace(OPENED, remedies=(remedy,)), None)
        assert reference is not None
        text = peer.findings[reference]["Remediation"]["Recommendation"]["Text"]
        assert text == f"Run: permission-guard findings show {OPENED.id}"

    def test_what_a_person_suppressed_stays_suppressed(self, peer: SecurityHub, system: TicketSystem) -> None:
        """Even if the finding is resolved and comes back: Security Hub keeps that status."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.findings[reference]["Workflow"] = {"Status": "SUPPRESSED"}
        follow(system, RESOLVED, reference)
        follow(system, REOPENED, reference)
        assert peer.findings[reference]["Workflow"] == {"Status": "SUPPRESSED"}

    def test_a_review_writes_again_what_security_hub_would_soon_delete(
        self, peer: SecurityHub, system: TicketSystem
    ) -> None:
        """After 90 days it would come back without what a person set. What ended may be deleted."""
        ledger = MemoryLedger()
        (result,) = update_ticket(OPENED, unread, system, ledger)
        document = peer.findings[str(result.reference)]
        document["Workflow"] = {"Status": "SUPPRESSED"}
        assert reviewed(system, ledger, OPENED) is DeliveryOutcome.CORRECTED  # the comment
        document["UpdatedAt"] = "2026-10-03T00:00:00.000Z"  # 59 days ago
        assert reviewed(system, ledger, OPENED) is DeliveryOutcome.UP_TO_DATE
        document["UpdatedAt"] = "2026-10-01T00:00:00.000Z"
        assert reviewed(system, ledger, OPENED) is DeliveryOutcome.CORRECTED
        assert document["UpdatedAt"].startswith("2026-12-01")
        assert document["Workflow"] == {"Status": "SUPPRESSED"}
        assert len(peer.shown()[0].comments) == 1
        assert reviewed(system, ledger, OPENED) is DeliveryOutcome.UP_TO_DATE
        update_ticket(SUPPRESSED, unread, system, ledger)
        document["UpdatedAt"] = "2026-10-01T00:00:00.000Z"
        assert reviewed(system, ledger, SUPPRESSED) is DeliveryOutcome.UP_TO_DATE

    def test_the_status_of_a_person_is_kept(self, peer: SecurityHub, system: TicketSystem) -> None:
        """An import does not change it."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.findings[reference]["Workflow"] = {"Status": "NOTIFIED"}
        follow(system, APPLIED, reference)
        assert peer.findings[reference]["Workflow"] == {"Status": "NOTIFIED"}

    @pytest.mark.parametrize("operation", ["GetFindings", "BatchImportFindings", "BatchUpdateFindings"])
    def test_an_error_is_a_failed_delivery(self, peer: SecurityHub, system: TicketSystem, operation: str) -> None:
        """The message stays in its queue, and the log has the call and the error code."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.close(reference)
        peer.failures[operation] = "InvalidAccessException"
        with pytest.raises(DeliveryError, match=rf"{operation} failed with InvalidAccessException\. Is Security Hub"):
            follow(system, PROPOSED, reference)

    def test_a_refused_finding_is_a_failed_delivery(self, peer: SecurityHub, system: TicketSystem) -> None:
        """The reply has status 200."""
        refused = {"Id": "x", "ErrorCode": "InvalidInput", "ErrorMessage": "The field is too long."}
        peer.refused = [refused]
        with pytest.raises(DeliveryError, match=r"BatchImportFindings failed with InvalidInput$"):
            follow(system, OPENED, None)
        peer.refused = []
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.close(reference)
        identifier = {"Id": reference, "ProductArn": PRODUCT}
        peer.refused = [{"FindingIdentifier": identifier, **refused}]  # type: ignore[dict-item] # of the other operation
        with pytest.raises(DeliveryError, match=r"BatchUpdateFindings failed with InvalidInput$"):
            follow(system, PROPOSED, reference)

    def test_an_unreachable_endpoint_is_a_failed_delivery(
        self, peer: SecurityHub, system: TicketSystem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The message stays in its queue."""

        def fail(**_request: object) -> None:
            raise EndpointConnectionError(endpoint_url="https://securityhub.us-east-1.amazonaws.com/")

        monkeypatch.setattr(peer.client, "get_findings", fail)
        with pytest.raises(DeliveryError, match=r"GetFindings failed with EndpointConnectionError$"):
            follow(system, OPENED, None)


class Inbox:
    """The ticket function behind the rule: it gets the event of each change that the rule's pattern lets through."""

    def __init__(self, account: Account, monkeypatch: pytest.MonkeyPatch, *, is_besides: bool) -> None:
        monkeypatch.setenv("TICKET_SYSTEM", "none" if is_besides else "securityhub")
        monkeypatch.setenv("IMPORT_TO_SECURITY_HUB", str(is_besides).lower())
        self.hub, self._account = SecurityHub(), account
        system = SecurityHubFindings(self.hub.client, ticking().__next__)
        monkeypatch.setitem(tickets.TICKET_SYSTEMS, "securityhub", lambda *_settings: system)
        account.table.put_finding(Change(OPENED, None))
        self.handle({"source": "permission-guard", "detail-type": "Finding Opened", "detail": OPENED.to_document()})

    def handle(self, event: dict[str, Any]) -> Run:
        self.hub.calls.clear()
        return self._account.run("open_ticket", sqs_event(event))

    def imported(self, **changed: Any) -> dict[str, Any]:
        """Return the event about the finding as it is now."""
        (document,) = self.hub.findings.values()
        return {
            "source": "aws.securityhub",
            "detail-type": "Security Hub Findings - Imported",
            "detail": {"findings": [{**document, **changed}]},
        }


@pytest.fixture(params=[False, True], ids=["TicketSystem", "ImportToSecurityHub"])
def inbox(account: Account, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Inbox:
    """Return the ticket function with a finding that it has imported, by each of the two parameters."""
    return Inbox(account, monkeypatch, is_besides=request.param)


def test_a_finding_that_a_person_resolved_gets_its_comment_at_once(inbox: Inbox) -> None:
    """The events of the bot's own writes lead to no other write, also while Security Hub shows the old state."""
    reference = f"permission-guard/{OPENED.id}"
    inbox.hub.close(reference)
    before = dict(inbox.hub.findings[reference])
    assert inbox.handle(inbox.imported()).failed == []
    assert inbox.hub.calls == ["GetFindings", "BatchUpdateFindings", "BatchImportFindings"]
    now = datetime.now(UTC).isoformat()
    inbox.hub.findings[reference]["Note"] |= {"UpdatedAt": now}
    after = dict(inbox.hub.findings[reference])
    inbox.hub.findings[reference] = before
    assert inbox.handle(inbox.imported(Note=after["Note"])).failed == []
    assert inbox.hub.calls == []
    inbox.hub.findings[reference] = after
    assert inbox.handle(inbox.imported(Note=None)).failed == []
    assert inbox.hub.calls == ["GetFindings"]
    assert inbox.hub.findings[reference]["Workflow"] == {"Status": "RESOLVED"}


def test_a_forged_event_of_security_hub_closes_and_comments_nothing(inbox: Inbox) -> None:
    """The workflow status is that of Security Hub, and the finding that of the table."""
    (document,) = inbox.hub.findings.values()
    before = dict(document)
    forged = inbox.imported(Workflow={"Status": "RESOLVED"}, Title="forged", RecordState="ARCHIVED")
    assert inbox.handle(forged).failed == []
    assert inbox.hub.calls == ["GetFindings"]
    unknown = {**document["ProductFields"], "permission-guard/finding": "0" * 32}
    run = inbox.handle(inbox.imported(ProductFields=unknown))
    assert run.line("not reviewed: the finding does not exist any more")["finding_id"] == "0" * 32
    assert inbox.hub.calls == []
    assert inbox.handle(inbox.imported(ProductFields={})).failed != []
    assert inbox.hub.findings == {document["Id"]: before}


def test_moto_accepts_the_life_of_a_finding() -> None:
    """Another implementation of the operations: one finding, archived in the end. It has no BatchUpdateFindings."""
    with mock_aws():
        client = boto3.client("securityhub", region_name="us-east-1")
        system = SecurityHubFindings(client, ticking().__next__)
        other = replace(OPENED, id="f" * 32)
        for finding in (OPENED, other):
            reference = follow(system, finding, None)
            for change in (PROPOSED, APPLIED, RESOLVED, REOPENED, SUPPRESSED):
                assert follow(system, replace(change, id=finding.id), reference) == reference
            assert follow(system, later(replace(OPENED, id=finding.id), 3), None) == reference
        found = client.get_findings()["Findings"]
        assert [(one["Id"], one["RecordState"]) for one in found] == [
            (f"permission-guard/{OPENED.id}", "ARCHIVED"),
            (f"permission-guard/{'f' * 32}", "ARCHIVED"),
        ]
