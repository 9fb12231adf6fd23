"""What is taken from an event of Security Hub: names only, and nothing if the bot's own comment caused it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bus.batch import process_batch
from permission_guard.bus.security_hub import IMPORTED_DETAIL_TYPE, SECURITY_HUB_SOURCE, read_imported
from permission_guard.bus.ticket_reviews import TicketReview
from permission_guard.errors import MalformedEventError
from permission_guard.model.targets import NamedRole
from tests.fakes import ROLE_ARN, TARGET
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from tests.unit.conftest import Logged

NOW = datetime(2026, 11, 20, 11, 5, tzinfo=UTC)
EVENT = json.loads((REPOSITORY / "events" / "securityhub" / "finding_resolved.json").read_text())


def detail(**changed: Any) -> dict[str, Any]:
    """Return the detail of the sample event with other values in its finding."""
    (finding,) = EVENT["detail"]["findings"]
    return {"findings": [{**finding, **changed}]}


def test_the_finding_and_its_target_are_read() -> None:
    """Of a function and of a role. Nothing else in the event counts."""
    finding_id = EVENT["detail"]["findings"][0]["ProductFields"]["permission-guard/finding"]
    assert read_imported(detail(), NOW) == TicketReview(finding_id, TARGET)
    of_role = detail(Resources=[{"Type": "AwsIamRole", "Id": ROLE_ARN}], Title="forged", Workflow=None)
    assert read_imported(of_role, NOW) == TicketReview(finding_id, NamedRole(ROLE_ARN))


@pytest.mark.parametrize(
    ("note", "is_ignored"),
    [
        ({"UpdatedBy": "permission-guard", "UpdatedAt": "2026-11-20T11:04:59.000Z"}, True),
        ({"UpdatedBy": "permission-guard", "UpdatedAt": "2026-11-20T11:04:59"}, True),
        ({"UpdatedBy": "permission-guard", "UpdatedAt": "2026-11-20T10:49:00Z"}, False),
        ({"UpdatedBy": "permission-guard", "UpdatedAt": "2027-11-20T10:49:00Z"}, False),
        ({"UpdatedBy": "permission-guard", "UpdatedAt": "just now"}, False),
        ({"UpdatedBy": "permission-guard"}, False),
        ({"UpdatedBy": "jane", "UpdatedAt": "2026-11-20T11:04:59Z"}, False),
        ("a text", False),
        (None, False),
    ],
)
def test_the_event_of_the_bots_own_comment_is_ignored(note: Any, *, is_ignored: bool) -> None:
    """Security Hub takes minutes to show what was written: until then another comment would be due, without end."""
    assert (read_imported(detail(Note=note), NOW) is None) is is_ignored
    assert read_imported(detail(Note=note), NOW + timedelta(hours=1)) is not None


@pytest.mark.parametrize(
    "forged",
    [
        {},
        {"findings": []},
        {"findings": [1]},
        {"findings": "x"},
        {"findings": [*detail()["findings"], *detail()["findings"]]},
        detail(ProductFields=None),
        detail(ProductFields={"permission-guard/finding": "../../x"}),
        detail(ProductFields={"permission-guard/finding": ["0" * 32]}),
        detail(Resources=None),
        detail(Resources=[]),
        detail(Resources=[{"Id": 1}]),
        detail(Resources=[{"Id": "arn:aws:s3:::bucket"}]),
        detail(Resources=["x"]),
    ],
)
def test_an_event_that_names_no_finding_of_the_bot_is_malformed(forged: dict[str, Any]) -> None:
    """It goes to the dead-letter queue."""
    with pytest.raises(MalformedEventError):
        read_imported(forged, NOW)


@pytest.mark.parametrize(
    ("source", "detail_type"),
    [
        ("aws.securityhub", "Finding Resolved"),
        ("aws.securityhub", "Ticket Review Requested"),
        ("permission-guard", IMPORTED_DETAIL_TYPE),
        ("aws.ec2", IMPORTED_DETAIL_TYPE),
    ],
)
def test_each_detail_type_has_one_source(logged: Logged, source: str, detail_type: str) -> None:
    """Security Hub sends no transition, and the bot no event of Security Hub."""
    handled: list[Any] = []
    body = json.dumps({"source": source, "detail-type": detail_type, "detail": detail()})
    batch = {"Records": [{"messageId": "1", "body": body}]}
    others = dict.fromkeys((IMPORTED_DETAIL_TYPE, "Ticket Review Requested"), handled.append)
    answer = process_batch(
        batch,
        handled.append,
        logged.logger,
        logged.metrics,
        others,
        sources={IMPORTED_DETAIL_TYPE: SECURITY_HUB_SOURCE},
    )
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert handled == []
