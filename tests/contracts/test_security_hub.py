"""What Security Hub does with the findings that a provider imports and people update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.implementations import unique
from tests.fakes import ACCOUNT, REGION

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws

pytestmark = pytest.mark.differs(moto="has no filters, no workflow status and no BatchUpdateFindings")

PRODUCT = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default"


class Finding:
    """A finding, by its id: what its provider and people do with it."""

    def __init__(self, aws: Aws) -> None:
        self.hub, self.id, self._seconds = aws.client("securityhub"), unique("permission-guard/f"), 0

    def imports(self, title: str = "one", *, seconds: int = 1, **more: Any) -> None:
        """Import the finding so many seconds after the last time, or before it."""
        self._seconds += seconds
        document = {
            "SchemaVersion": "2018-10-08",
            "Id": self.id,
            "ProductArn": PRODUCT,
            "AwsAccountId": ACCOUNT,
            "GeneratorId": "permission-guard/PG201",
            "CreatedAt": "2026-11-30T12:00:00.000Z",
            "UpdatedAt": f"2026-11-30T12:01:{self._seconds:02}.000Z",
            "Title": title,
            "Description": "text",
            "RecordState": "ACTIVE",
            "Resources": [{"Type": "AwsLambdaFunction", "Id": "orders"}],
            **more,
        }
        reply = self.hub.batch_import_findings(Findings=[document])
        assert (reply["SuccessCount"], reply["FailedCount"], reply["FailedFindings"]) == (1, 0, [])

    def updates(self, **fields: Any) -> None:
        """Update the finding, as a person does."""
        names = {"Id": self.id, "ProductArn": PRODUCT}
        reply = self.hub.batch_update_findings(FindingIdentifiers=[names], **fields)
        assert (reply["ProcessedFindings"], reply["UnprocessedFindings"]) == ([names], [])

    def found(self, **others: str) -> list[tuple[Any, ...]]:
        """Return what GetFindings finds by the id and other names: titles, states, workflow and notes."""
        wanted = {"Id": self.id, "ProductArn": PRODUCT, **others}
        filters = {name: [{"Value": value, "Comparison": "EQUALS"}] for name, value in wanted.items()}
        found = self.hub.get_findings(Filters=filters)["Findings"]
        return [
            (
                one.get("Title"),
                one.get("RecordState"),
                one.get("Workflow", {}).get("Status"),
                one.get("Note", {}).get("Text"),
            )
            for one in found
        ]


@pytest.fixture
def finding(aws: Aws) -> Finding:
    """Return a finding that is not imported yet, beside another one."""
    Finding(aws).imports("another")
    return Finding(aws)


def test_an_id_exists_once_and_is_found_by_it(finding: Finding) -> None:
    """An import updates the finding.

    https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html
    """
    assert finding.found() == []
    finding.imports()
    assert finding.found() == [("one", "ACTIVE", "NEW", None)]

    finding.imports("two", RecordState="ARCHIVED")

    assert finding.found() == [("two", "ARCHIVED", "NEW", None)]
    assert finding.found(ProductArn=PRODUCT.replace("default", "other")) == []


@pytest.mark.parametrize("seconds", [0, -1])
def test_an_import_that_is_not_newer_changes_nothing(finding: Finding, seconds: int) -> None:
    """The time is `UpdatedAt`."""
    finding.imports(seconds=2)

    finding.imports("two", seconds=seconds)

    assert finding.found() == [("one", "ACTIVE", "NEW", None)]


def test_an_import_leaves_what_people_wrote(finding: Finding) -> None:
    """Also if it has another value, and also what people have not written yet.

    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html
    """
    by_provider: dict[str, Any] = {
        "Workflow": {"Status": "RESOLVED"},
        "Note": {"Text": "x", "UpdatedBy": "y", "UpdatedAt": "z"},
    }
    finding.imports()
    finding.imports("two", **by_provider)
    assert finding.found() == [("two", "ACTIVE", "NEW", None)]

    finding.updates(Workflow={"Status": "NOTIFIED"}, Note={"Text": "known", "UpdatedBy": "alice"})
    finding.imports("three")
    finding.imports("four", **by_provider)

    assert finding.found() == [("four", "ACTIVE", "NOTIFIED", "known")]


@pytest.mark.parametrize(
    ("before", "after"),
    [("NEW", "NEW"), ("NOTIFIED", "NEW"), ("RESOLVED", "NEW"), ("SUPPRESSED", "SUPPRESSED")],
)
def test_the_workflow_status_is_reset_when_an_archived_finding_is_active_again(
    finding: Finding, before: str, after: str
) -> None:
    """Not before, and not what people suppressed.

    https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
    """
    finding.imports()
    finding.updates(Workflow={"Status": before})
    finding.imports()
    finding.imports(RecordState="ARCHIVED")
    assert finding.found() == [("one", "ARCHIVED", before, None)]

    finding.imports()

    assert finding.found() == [("one", "ACTIVE", after, None)]


@pytest.mark.parametrize("product", [PRODUCT, PRODUCT.replace("default", "other")])
def test_a_finding_that_does_not_exist_is_not_updated(finding: Finding, product: str) -> None:
    """The reply names it, and the others are updated. It exists for its own product only.

    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
    """
    finding.imports()
    lost = {"Id": f"{finding.id}-lost" if product == PRODUCT else finding.id, "ProductArn": product}
    names = [lost, {"Id": finding.id, "ProductArn": PRODUCT}]

    reply = finding.hub.batch_update_findings(FindingIdentifiers=names, Workflow={"Status": "RESOLVED"})

    assert reply["ProcessedFindings"] == names[1:]
    (refused,) = reply["UnprocessedFindings"]
    assert (refused["FindingIdentifier"], refused["ErrorCode"]) == (lost, "FindingNotFound")
    assert finding.found() == [("one", "ACTIVE", "RESOLVED", None)]
