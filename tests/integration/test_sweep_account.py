"""The sweep: from the schedule to the checks; it finds changes without an event."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bus.events import BusEvent
from permission_guard.config.document import Baseline, GuardConfig
from permission_guard.errors import ConfigurationError
from permission_guard.findings.lifecycle import Change
from permission_guard.model.findings import Status, Transition
from tests.bus_messages import read_event
from tests.fakes import FINDING_ID, FUNCTION_ARN, OTHER, ROLE_ARN, TARGET, a_finding
from tests.integration.conftest import EVENTS, sqs_event
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from tests.integration.conftest import Account

SCHEDULED = json.loads((EVENTS / "schedule" / "sweep_account.json").read_text())
CONTINUED = json.loads((EVENTS / "schedule" / "continue_sweep.json").read_text())


@pytest.fixture
def swept(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with both queues and a function that any bucket may invoke and that cannot poll its queue."""
    monkeypatch.setenv("INVOKE_POLICY_QUEUE_URL", account.queue("invoke-policy"))
    monkeypatch.setenv("EXECUTION_ROLE_QUEUE_URL", account.queue("execution-role"))
    account.make_role()
    account.make_function()
    account.map_queue()
    account.lambda_.add_permission(
        FunctionName="orders", StatementId="uploads", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    return account


def test_both_checkers_get_requests_and_find_changes_without_an_event(swept: Account) -> None:
    """The checkers accept the messages of the sweep."""
    run = swept.run("sweep_account", SCHEDULED)
    assert run.answer == {"complete": True, "functions": 1, "deleted": 0, "open_findings": 0}
    assert run.counts == {"FunctionsSwept": 1, "SweepsCompleted": 1}
    for checker, queue in (("check_invoke_policy", "invoke-policy"), ("check_execution_role", "execution-role")):
        assert swept.run(checker, sqs_event(*swept.received(queue))).failed == []
    assert sorted(finding.rule_id for finding in swept.findings) == ["PG102", "PG201"]


def test_the_finding_of_a_function_deleted_without_an_event_is_resolved(swept: Account) -> None:
    """Only the table still has that function."""
    swept.table.put_finding(Change(a_finding(id="lost", function_arn=OTHER.arn), None))
    run = swept.run("sweep_account", SCHEDULED)
    assert run.answer == {"complete": True, "functions": 1, "deleted": 1, "open_findings": 1}
    assert run.line("sweep complete")["deleted"] == 1
    swept.run("check_execution_role", sqs_event(*swept.received("execution-role")))
    lost = swept.table.finding(OTHER, "lost")
    assert lost is not None
    assert (lost.status, lost.resolution) == (Status.RESOLVED, "The function was deleted.")


def test_a_second_sweep_causes_no_new_alert(swept: Account) -> None:
    """No finding gets a new revision."""
    for _ in range(2):
        swept.run("sweep_account", SCHEDULED)
        swept.run("check_execution_role", sqs_event(*swept.received("execution-role")))
    (finding,) = swept.table.findings_of(TARGET).findings
    assert finding.revision == 1


def test_a_sweep_reads_no_function_itself(swept: Account) -> None:
    """It lists functions and findings, updates the role index, sends one batch to each queue, and moves its cursor."""
    swept.run("sweep_account", SCHEDULED)
    run = swept.run("sweep_account", SCHEDULED)
    assert Counter(run.calls) == {
        "dynamodb:GetItem": 2,
        "dynamodb:PutItem": 5,
        "dynamodb:Query": 5,
        "lambda:ListFunctions": 1,
        "sqs:SendMessageBatch": 2,
    }


def test_a_run_without_time_left_is_continued_by_the_schedule_that_continues_sweeps(swept: Account) -> None:
    """It hands over what the first run did not, and starts no other sweep."""
    swept.table.put_finding(Change(a_finding(), None))
    swept.remaining_time_in_millis = lambda: 5_000
    run = swept.run("sweep_account", SCHEDULED)
    assert run.answer == {"complete": False, "functions": 1, "deleted": 0, "open_findings": 0}
    assert run.line("sweep stopped: too little time left; the next run continues it")["functions"] == 1
    swept.remaining_time_in_millis = lambda: 900_000
    run = swept.run("sweep_account", CONTINUED)
    assert run.answer == {"complete": True, "functions": 0, "deleted": 0, "open_findings": 1}
    assert run.counts == {"FindingsOpen": 1, "SweepsCompleted": 1}
    run = swept.run("sweep_account", CONTINUED)
    assert run.answer == {"complete": False, "functions": 0, "deleted": 0, "open_findings": 0}
    assert (run.calls, run.counts) == (["dynamodb:GetItem"], {})


@pytest.mark.parametrize("event", [{}, {"continue": False}, [], "continue", None])
def test_every_other_event_starts_a_sweep(swept: Account, event: Any) -> None:
    """A person invokes the function without one, or with any."""
    assert swept.run("sweep_account", event).answer["complete"]


def test_a_missing_setting_is_named(swept: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The invocation fails with an error that says what to do."""
    monkeypatch.delenv("EXECUTION_ROLE_QUEUE_URL")
    with (
        pytest.warns(UserWarning, match="No application metrics"),
        pytest.raises(ConfigurationError, match="EXECUTION_ROLE_QUEUE_URL is not set"),
    ):
        swept.run("sweep_account", SCHEDULED)


def test_the_checks_of_the_first_sweep_belong_to_the_baseline(swept: Account) -> None:
    """What they find goes to one digest, and no alert and no ticket is sent for it. A later sweep's is alerted."""
    swept.run("sweep_account", SCHEDULED)
    for checker, queue in (("check_invoke_policy", "invoke-policy"), ("check_execution_role", "execution-role")):
        swept.run(checker, sqs_event(*swept.received(queue)))
    assert {(finding.rule_id, finding.baseline) for finding in swept.findings} == {("PG102", True), ("PG201", True)}


@pytest.mark.parametrize("choice", [Baseline.ALERT_EACH, Baseline.DIGEST])
def test_a_stack_that_wants_every_alert_or_has_swept_before_has_no_baseline(swept: Account, choice: Baseline) -> None:
    """An upgraded stack has the index of roles, and no item of a baseline."""
    if choice is Baseline.DIGEST:
        swept.dynamodb.put_item(TableName=TABLE_NAME, Item={"pk": {"S": "ROLES"}, "sk": {"S": "COMPLETE"}})
    swept.config = GuardConfig(baseline=choice)
    swept.run("sweep_account", SCHEDULED)
    swept.run("check_invoke_policy", sqs_event(*swept.received("invoke-policy")))
    assert not swept.finding.baseline


def test_an_open_finding_goes_to_what_was_enabled_later_and_not_to_the_bus(
    swept: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Targets of your own on the bus get each transition once; the senders' ledger skips what they delivered."""
    monkeypatch.setenv("TICKET_QUEUE_URL", swept.queue("tickets"))
    monkeypatch.setenv("FIX_QUEUE_URL", "")
    swept.table.put_finding(Change(a_finding(), None))
    run = swept.run("sweep_account", SCHEDULED)
    assert "events:PutEvents" not in run.calls
    for queue in ("alerts", "tickets"):
        (message,) = swept.received(queue)
        assert read_event(message) == BusEvent(Transition.OPENED, FINDING_ID, FUNCTION_ARN, 1)


def test_tickets_catch_up_with_open_findings_whatever_happened_to_them_last(
    swept: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person decided about a fix is not alerted, but the problem still needs a ticket."""
    monkeypatch.setenv("TICKET_QUEUE_URL", swept.queue("tickets"))
    decided = {Transition.FIX_REJECTED, Transition.FIX_APPROVED, Transition.FIX_UNDO_REQUESTED}
    for number, transition in enumerate(decided):
        swept.table.put_finding(Change(a_finding(id=f"{number:032x}", transition=transition), None))
    swept.run("sweep_account", SCHEDULED)
    assert {event.transition for event in map(read_event, swept.received("tickets"))} == decided
    assert swept.received("alerts") == []


def test_the_finding_about_a_role_without_functions_is_resolved(swept: Account) -> None:
    """The last function was deleted, and the event was lost."""
    role = ROLE_ARN.replace("orders-role", "unused-role")
    swept.table.put_finding(Change(a_finding(function_arn="", role_arn=role), None))
    assert swept.run("sweep_account", SCHEDULED).answer["open_findings"] == 0
    assert (swept.finding.status, swept.finding.resolution) == (Status.RESOLVED, "No function uses the role.")
