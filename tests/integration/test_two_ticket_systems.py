"""A stack with OpsCenter and Security Hub: each of them has the tickets, and neither depends on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from moto.core.models import botocore_stubber

from permission_guard.aws import clients
from permission_guard.aws.senders import event_queue
from permission_guard.config.destinations import Route
from permission_guard.config.document import GuardConfig, TicketLimit, Tickets
from tests.fakes import a_finding
from tests.integration.conftest import sqs_event
from tests.integration.test_delivery_ops_items import OpsCenter
from tests.integration.test_senders import RESOLVED, recorded

if TYPE_CHECKING:
    from tests.integration.conftest import Account


@pytest.fixture
def center(account: Account, monkeypatch: pytest.MonkeyPatch) -> OpsCenter:
    """Return OpsCenter, the ticket system of a stack that also imports into Security Hub."""
    monkeypatch.setenv("TICKET_SYSTEM", "opsitem")
    monkeypatch.setenv("IMPORT_TO_SECURITY_HUB", "true")
    monkeypatch.setattr(event_queue, "SUMMARY_DELAY_SECONDS", 0)
    ssm = clients.prompt_client("ssm")
    moto: Any = botocore_stubber
    ssm.meta.events.unregister("before-send", moto)  # moto has no OpsCenter and rejects its calls
    return OpsCenter(ssm)


def statuses(center: OpsCenter) -> tuple[list[str], list[str]]:
    """Return the status of each OpsItem and of each finding in Security Hub."""
    imported = clients.client("securityhub").get_findings()["Findings"]
    return [item["Status"] for item in center.items.values()], [one["RecordState"] for one in imported]


def test_each_has_the_ticket_of_a_finding_until_its_end(account: Account, center: OpsCenter) -> None:
    """Both are default destinations."""
    assert account.run("open_ticket", sqs_event(recorded(account, a_finding()))).failed == []
    assert statuses(center) == (["Open"], ["ACTIVE"])
    assert account.run("open_ticket", sqs_event(recorded(account, a_finding(), RESOLVED))).failed == []
    assert statuses(center) == (["Resolved"], ["ARCHIVED"])


def test_one_that_fails_keeps_the_other_from_nothing(account: Account, center: OpsCenter) -> None:
    """The retry writes the ticket that is missing."""
    center.failures["CreateOpsItem"] = ("InternalServerError", {})
    opened = recorded(account, a_finding())
    assert account.run("open_ticket", sqs_event(opened)).failed == ["m0"]
    assert statuses(center) == ([], ["ACTIVE"])
    center.failures.clear()
    assert account.run("open_ticket", sqs_event(opened)).failed == []
    assert statuses(center) == (["Open"], ["ACTIVE"])


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (Route(id="hub", rules=("PG201",), tickets=("securityhub",), only=True), ([], ["ACTIVE"])),
        (Route(id="ops", rules=("PG201",), tickets=("opsitem",), only=True), (["Open"], [])),
        (Route(id="hub", rules=("PG201",), tickets=("securityhub",)), (["Open"], ["ACTIVE"])),
    ],
)
def test_a_route_can_name_one_of_them(
    account: Account, center: OpsCenter, route: Route, expected: tuple[list[str], list[str]]
) -> None:
    """With `only` the other one is left out."""
    account.config = GuardConfig(routes=(route,))
    assert account.run("open_ticket", sqs_event(recorded(account, a_finding()))).failed == []
    assert statuses(center) == expected


def test_the_limit_and_its_summary_are_only_for_the_list_of_work(account: Account, center: OpsCenter) -> None:
    """Security Hub gets every finding, and no summary. Once there is room, the review opens what is missing."""
    account.config = GuardConfig(tickets=Tickets(limit=TicketLimit(tickets=1)))
    opened = [recorded(account, a_finding(id=f"{number:032x}")) for number in range(3)]
    run = account.run("open_ticket", sqs_event(*opened))
    assert (run.failed, run.counts["DeliveriesPostponed"]) == ([], 2)
    assert account.run("open_ticket", sqs_event(*account.received("tickets"))).failed == []
    assert [item["Title"][:10] for item in center.items.values()] == ["PG201: ord", "2 findings"]
    assert statuses(center)[1] == ["ACTIVE"] * 3
    account.config = GuardConfig()
    assert account.run("maintain_findings", {}).counts["TicketReviewsRequested"] == 3
    assert account.run("open_ticket", sqs_event(*account.received("tickets"))).failed == []
    assert [item["Title"][:5] for item in center.items.values()].count("PG201") == 3
    assert statuses(center)[1] == ["ACTIVE"] * 3


def test_an_event_of_security_hub_has_the_tickets_of_both_read(account: Account, center: OpsCenter) -> None:
    """The finding's table says what is right: an OpsItem that is as the bot would write it is not written."""
    account.run("open_ticket", sqs_event(recorded(account, a_finding())))
    (imported,) = clients.client("securityhub").get_findings()["Findings"]
    center.calls.clear()
    reported = {
        "source": "aws.securityhub",
        "detail-type": "Security Hub Findings - Imported",
        "detail": {"findings": [imported]},
    }
    run = account.run("open_ticket", sqs_event(reported))
    assert run.failed == []
    assert center.calls == ["GetOpsItem"]
    assert {line["channel"] for line in run.lines if "channel" in line} == {"ticket:opsitem", "ticket:securityhub"}
