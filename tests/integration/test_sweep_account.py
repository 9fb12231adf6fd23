"""The sweep: from the schedule to the checks; it finds changes without an event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from permission_guard.errors import ConfigurationError
from permission_guard.findings.lifecycle import Change
from permission_guard.model.findings import Status
from tests.fakes import OTHER, TARGET, a_finding
from tests.integration.conftest import EVENTS, sqs_event

if TYPE_CHECKING:
    from tests.integration.conftest import Account

SCHEDULED = json.loads((EVENTS / "schedule" / "sweep_account.json").read_text())


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
    assert run.answer == {"functions": 1, "deleted": 0, "open_findings": 0}
    assert run.counts == {"FunctionsSwept": 1}
    for checker, queue in (("check_invoke_policy", "invoke-policy"), ("check_execution_role", "execution-role")):
        assert swept.run(checker, sqs_event(*swept.received(queue))).failed == []
    assert sorted(finding.rule_id for finding in swept.findings) == ["PG102", "PG201"]


def test_the_finding_of_a_function_deleted_without_an_event_is_resolved(swept: Account) -> None:
    """Only the table still has that function."""
    swept.table.put_finding(Change(a_finding(id="lost", function_arn=OTHER.arn), None))
    run = swept.run("sweep_account", SCHEDULED)
    assert run.answer == {"functions": 1, "deleted": 1, "open_findings": 1}
    assert run.line("checks requested")["deleted"] == 1
    swept.run("check_execution_role", sqs_event(*swept.received("execution-role")))
    lost = swept.table.finding(OTHER, "lost")
    assert lost is not None
    assert (lost.status, lost.resolution) == (Status.RESOLVED, "The function was deleted.")


def test_a_second_sweep_causes_no_new_alert(swept: Account) -> None:
    """No finding gets a new revision."""
    for _ in range(2):
        swept.run("sweep_account", SCHEDULED)
        swept.run("check_execution_role", sqs_event(*swept.received("execution-role")))
    (finding,) = swept.table.findings_of(TARGET)
    assert finding.revision == 1


def test_a_sweep_reads_no_function_itself(swept: Account) -> None:
    """It lists functions and findings, updates the role index, and sends one batch to each queue."""
    run = swept.run("sweep_account", SCHEDULED)
    assert sorted(run.calls) == [
        "dynamodb:BatchWriteItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:Query",
        "dynamodb:Query",
        "lambda:ListFunctions",
        "sqs:SendMessageBatch",
        "sqs:SendMessageBatch",
    ]


def test_a_missing_setting_is_named(swept: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The invocation fails with an error that says what to do."""
    monkeypatch.delenv("EXECUTION_ROLE_QUEUE_URL")
    with (
        pytest.warns(UserWarning, match="No application metrics"),
        pytest.raises(ConfigurationError, match="EXECUTION_ROLE_QUEUE_URL is not set"),
    ):
        swept.run("sweep_account", SCHEDULED)
