"""Security Hub in the sandbox. What the bot relies on is in `tests/contracts/test_security_hub.py`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.client.process import ACCOUNT, REGION, poll
from sandbox.client.watcher import DEADLINE
from tests.e2e.bot import deployed_statements
from tests.e2e.queues import rule_arn, service
from tests.paths import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.process import Sandbox
    from tests.e2e.queues import Queue

PRODUCT = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default"
HUB = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:hub/default"
NOTE = {"Text": "known", "UpdatedBy": "alice"}


def finding(unique: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """Return a finding to import."""
    return {
        "SchemaVersion": "2018-10-08",
        "Id": f"{unique}/{number}",
        "ProductArn": PRODUCT,
        "AwsAccountId": ACCOUNT,
        "GeneratorId": unique,
        "CreatedAt": "2026-11-30T12:00:00.000Z",
        "UpdatedAt": f"2026-11-30T12:00:{number:02}.000Z",
        "Title": f"Title {number}",
        "Description": "d",
        "FindingProviderFields": {"Severity": {"Label": "HIGH"}, "Types": ["Software and Configuration Checks"]},
        "ProductFields": {"finding": unique},
        "Resources": [{"Type": "AwsLambdaFunction", "Id": f"arn:{unique}:{number}"}],
        **more,
    }


def names(document: dict[str, Any]) -> dict[str, str]:
    """Return what identifies a finding."""
    return {name: document[name] for name in ("Id", "ProductArn")}


def found(hub: Any, unique: str) -> dict[str, Any]:
    """Return the only finding of a test."""
    (one,) = hub.get_findings(Filters={"GeneratorId": [{"Value": unique, "Comparison": "EQUALS"}]})["Findings"]
    document: dict[str, Any] = one
    return document


def test_an_imported_finding_has_what_security_hub_adds(sandbox: Sandbox, unique: str) -> None:
    """The product, the workflow status, and at the top what its provider says."""
    hub = sandbox.client("securityhub")

    reply = hub.batch_import_findings(Findings=[finding(unique)])

    assert (reply["SuccessCount"], reply["FailedCount"], reply["FailedFindings"]) == (1, 0, [])
    one = found(hub, unique)
    assert (one["Title"], one["RecordState"], one["Workflow"], one["Region"]) == (
        "Title 1",
        "ACTIVE",
        {"Status": "NEW"},
        REGION,
    )
    assert (one["Severity"], one["Types"]) == (
        {"Label": "HIGH", "Normalized": 70},
        ["Software and Configuration Checks"],
    )
    assert one["ProductFields"] == {
        "finding": unique,
        "aws/securityhub/FindingId": f"{PRODUCT}/{unique}/1",
        "aws/securityhub/ProductName": "Default",
        "aws/securityhub/CompanyName": "Personal",
    }
    assert "Note" not in one


def test_a_severity_that_a_person_set_stays(sandbox: Sandbox, unique: str) -> None:
    """Until then the provider's is shown. Its later ones are in its own fields. `UpdatedAt` is the provider's."""
    hub = sandbox.client("securityhub")
    hub.batch_import_findings(Findings=[finding(unique)])
    medium: dict[str, Any] = {"FindingProviderFields": {"Severity": {"Label": "MEDIUM"}}}
    hub.batch_import_findings(Findings=[finding(unique, UpdatedAt="2026-11-30T12:01:00Z", **medium)])
    assert found(hub, unique)["Severity"] == {"Label": "MEDIUM", "Normalized": 40}

    by_person = {"Severity": {"Label": "LOW"}, "Note": NOTE, "UserDefinedFields": {"ticket": "42"}}
    hub.batch_update_findings(FindingIdentifiers=[names(finding(unique))], **by_person)
    assert found(hub, unique)["UpdatedAt"] == "2026-11-30T12:01:00Z"
    hub.batch_import_findings(Findings=[finding(unique, UpdatedAt="2026-11-30T12:02:00Z")])

    one = found(hub, unique)
    assert one["Severity"] == {"Label": "LOW", "Normalized": 1}
    assert one["FindingProviderFields"]["Severity"] == {"Label": "HIGH"}
    assert (one["Note"]["Text"], one["UserDefinedFields"]) == ("known", {"ticket": "42"})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"AwsAccountId": "999999999999"}, "the account must be"),
        ({"ProductArn": PRODUCT.replace(REGION, "eu-west-1")}, "the product"),
        ({"RecordState": "OPEN"}, "RecordState must be one of ACTIVE, ARCHIVED"),
        ({"FindingProviderFields": {"Severity": {"Label": "BAD"}}}, "FindingProviderFields.Severity.Label must be one"),
        ({"Title": "t" * 257}, "Title has a length of at most 256"),
        ({"Resources": [{"Type": "Other", "Id": "r"}] * 33}, "Resources has a length of at most 32"),
        ({"Remediation": {"Recommendation": {"Text": "r" * 513}}}, "Remediation.Recommendation.Text"),
        ({"ProductFields": {"a": "v" * 2_049}}, "ProductFields.a has at most 2048"),
        ({"UpdatedAt": "yesterday"}, "UpdatedAt must be a time"),
        ({"UpdatedAt": "2026-11-30T12:00:00"}, "UpdatedAt must be a time"),
        ({"Compliance": {"StatusReasons": [{"ReasonCode": "r" * 240_000}]}}, "at most 240000 bytes"),
    ],
)
def test_a_finding_that_is_not_valid_fails_alone(
    sandbox: Sandbox, unique: str, change: dict[str, Any], reason: str
) -> None:
    """The status of the reply is 200, and it says why."""
    hub = sandbox.client("securityhub")

    reply = hub.batch_import_findings(Findings=[finding(unique, 1), finding(unique, 2, **change)])

    assert (reply["SuccessCount"], reply["FailedCount"]) == (1, 1)
    (failed,) = reply["FailedFindings"]
    assert (failed["Id"], failed["ErrorCode"]) == (f"{unique}/2", "InvalidInput")
    assert reason in failed["ErrorMessage"]
    assert found(hub, unique)["Id"] == f"{unique}/1"


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"Id": [("EQUALS", "UNIQUE/1"), ("EQUALS", "UNIQUE/3")]}, [1, 3]),
        ({"Id": [("NOT_EQUALS", "UNIQUE/1"), ("NOT_EQUALS", "UNIQUE/3")]}, [2]),
        ({"Title": [("PREFIX", "Title"), ("PREFIX_NOT_EQUALS", "Title 2")]}, [1, 3]),
        ({"ResourceId": [("CONTAINS", ":2")], "ResourceType": [("EQUALS", "AwsLambdaFunction")]}, [2]),
        ({"Type": [("NOT_CONTAINS", "Configuration")]}, []),
        ({"SeverityLabel": [("EQUALS", "HIGH")], "WorkflowStatus": [("EQUALS", "RESOLVED")]}, [2]),
        ({"NoteUpdatedBy": [("EQUALS", "alice")]}, [2]),
        ({"NoteText": [("NOT_EQUALS", "known")]}, [1, 3]),
    ],
)
def test_findings_are_found_by_filters(
    sandbox: Sandbox, unique: str, filters: dict[str, list[tuple[str, str]]], numbers: list[int]
) -> None:
    """Values of one filter are alternatives, and each filter must match. The second finding is resolved."""
    hub = sandbox.client("securityhub")
    findings = [finding(unique, number) for number in (1, 2, 3)]
    hub.batch_import_findings(Findings=findings)
    hub.batch_update_findings(FindingIdentifiers=[names(findings[1])], Note=NOTE, Workflow={"Status": "RESOLVED"})
    wanted: dict[str, list[dict[str, str]]] = {
        name: [{"Comparison": one, "Value": value.replace("UNIQUE", unique)} for one, value in values]
        for name, values in filters.items()
    }
    wanted["ProductFields"] = [{"Key": "finding", "Value": unique, "Comparison": "EQUALS"}]

    reply = hub.get_findings(Filters=wanted)

    assert [one["Id"] for one in reply["Findings"]] == [f"{unique}/{number}" for number in numbers]


def test_a_list_has_pages(sandbox: Sandbox, unique: str) -> None:
    """They end without a token."""
    hub = sandbox.client("securityhub")
    hub.batch_import_findings(Findings=[finding(unique, number) for number in range(5)])
    filters = {"GeneratorId": [{"Value": unique, "Comparison": "EQUALS"}]}

    pages = list(hub.get_paginator("get_findings").paginate(Filters=filters, MaxResults=2))

    assert [len(page["Findings"]) for page in pages] == [2, 2, 1]
    assert len({one["Id"] for page in pages for one in page["Findings"]}) == 5


def test_invalid_requests_are_errors(sandbox: Sandbox, unique: str) -> None:
    """So is an operation or a filter that the sandbox does not have."""
    quiet = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    hub = sandbox.client("securityhub", config=quiet)
    one = finding(unique)
    for invalid in ([], [one] * 101, [{**one, "Title": 1}]):
        with pytest.raises(ClientError, match="InvalidInputException"):
            hub.batch_import_findings(Findings=invalid)
    changes: tuple[dict[str, Any], ...] = (
        {"Workflow": {"Status": "DONE"}},
        {"Note": {"Text": "t" * 513, "UpdatedBy": "a"}},
        {"Note": {}},
    )
    for fields in changes:
        with pytest.raises(ClientError, match="InvalidInputException"):
            hub.batch_update_findings(FindingIdentifiers=[names(one)], **fields)
    for name, comparison in (("Id", "CONTAINS_WORD"), ("ComplianceStatus", "EQUALS")):
        with pytest.raises(ClientError, match=f"does not have the filter {name} {comparison}"):
            hub.get_findings(Filters={name: [{"Value": "x", "Comparison": comparison}]})
    with pytest.raises(ClientError, match="UnknownOperationException"):
        hub.describe_hub()


def test_each_operation_needs_its_permission(
    sandbox: Sandbox, make_role: Callable[..., str], assume: Any, unique: str
) -> None:
    """An import that of the product, the others that of the hub."""
    one, other = finding(unique), PRODUCT.replace("default", "other")
    imports = {"Effect": "Allow", "Action": "securityhub:BatchImportFindings", "Resource": PRODUCT}
    reads = {"Effect": "Allow", "Action": "securityhub:GetFindings", "Resource": HUB}
    may = assume(make_role(f"{unique}-may", imports, reads), "securityhub")
    may_not = assume(
        make_role(f"{unique}-not", {**imports, "Resource": HUB}, {**reads, "Resource": PRODUCT}), "securityhub"
    )

    assert may.batch_import_findings(Findings=[one])["SuccessCount"] == 1
    assert found(may, unique)["Id"] == one["Id"]
    for findings in ([finding(unique, ProductArn=other)], [one, finding(unique, ProductArn=other)]):
        with pytest.raises(ClientError, match="AccessDenied"):
            may.batch_import_findings(Findings=findings)
    with pytest.raises(ClientError, match="not authorized to perform: securityhub:BatchUpdateFindings on resource: "):
        may.batch_update_findings(FindingIdentifiers=[names(one)], Note=NOTE)
    with pytest.raises(ClientError, match=f"securityhub:BatchImportFindings on resource: {PRODUCT}"):
        may_not.batch_import_findings(Findings=[one])
    with pytest.raises(ClientError, match=f"securityhub:GetFindings on resource: {HUB}"):
        may_not.get_findings()


@pytest.mark.parametrize(
    ("fields", "is_allowed"),
    [
        ({}, True),
        ({"Workflow": {"Status": "RESOLVED"}}, False),
        ({"Severity": {"Label": "LOW"}}, False),
        ({"Types": ["Software and Configuration Checks"]}, False),
        ({"UserDefinedFields": {"ticket": "42"}}, False),
        ({"VerificationState": "BENIGN_POSITIVE"}, False),
        ({"Confidence": 1}, False),
        ({"RelatedFindings": [{"ProductArn": PRODUCT, "Id": "other"}]}, False),
    ],
)
def test_the_bot_may_write_only_the_note_of_a_finding(
    sandbox: Sandbox,
    make_role: Callable[..., str],
    assume: Any,
    unique: str,
    fields: dict[str, Any],
    *,
    is_allowed: bool,
) -> None:
    """With the statements of the template."""
    sandbox.client("securityhub").batch_import_findings(Findings=[finding(unique)])
    statements = [one for one in deployed_statements("OpenTicketRole") if "securityhub" in json.dumps(one["Action"])]
    assert len(statements) == 3
    bot = assume(make_role(unique, *statements), "securityhub")

    def update() -> Any:
        return bot.batch_update_findings(FindingIdentifiers=[names(finding(unique))], Note=NOTE, **fields)

    if is_allowed:
        assert update()["UnprocessedFindings"] == []
        assert found(bot, unique)["Note"]["Text"] == "known"
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            update()
        assert "Note" not in found(bot, unique)


def test_each_change_is_an_event_on_the_default_bus(sandbox: Sandbox, queue: Queue, unique: str) -> None:
    """With one finding as it is then, also where a person changed it. What changes nothing is no event."""
    hub, events = sandbox.client("securityhub"), sandbox.client("events")
    pattern = {
        "source": ["aws.securityhub"],
        "detail-type": ["Security Hub Findings - Imported"],
        "detail": {"findings": {"GeneratorId": [{"prefix": unique}]}},
    }
    events.put_rule(Name=unique, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=unique, Targets=[{"Id": "queue", "Arn": queue.arn}])
    queue.set_policy(service("events", queue.name, rule_arn(unique)))
    one, other = finding(unique, 1), finding(unique, 2)

    hub.batch_import_findings(Findings=[one, other, finding(unique, 3, Title="t" * 257)])
    hub.batch_import_findings(Findings=[one])
    hub.batch_update_findings(FindingIdentifiers=[names(one)], Workflow={"Status": "RESOLVED"}, Note=NOTE)
    received: list[dict[str, Any]] = []

    def arrived() -> bool:
        received.extend(json.loads(body) for body in queue.bodies())
        return len(received) >= 3

    poll(arrived, deadline=DEADLINE, what="events of three changes")

    assert len(received) == 3
    shown = sorted((event["resources"], *_workflow(event)) for event in received)
    assert shown == [
        ([f"{PRODUCT}/{unique}/1"], "NEW", None),
        ([f"{PRODUCT}/{unique}/1"], "RESOLVED", "known"),
        ([f"{PRODUCT}/{unique}/2"], "NEW", None),
    ]
    event = received[0]
    assert (event["source"], event["account"], event["region"]) == ("aws.securityhub", ACCOUNT, REGION)
    assert event["detail-type"] == "Security Hub Findings - Imported"
    sample = json.loads((EVENTS / "securityhub" / "finding_resolved.json").read_text())
    assert event.keys() == sample.keys()
    (by_person,) = [event["detail"]["findings"][0] for event in received if "Note" in event["detail"]["findings"][0]]
    assert by_person["Note"].keys() == {"Text", "UpdatedBy", "UpdatedAt"}


def _workflow(event: dict[str, Any]) -> tuple[str, str | None]:
    (one,) = event["detail"]["findings"]
    return one["Workflow"]["Status"], one.get("Note", {}).get("Text")
