"""The sample events: each has the effect that `events/README.md` describes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model.findings import Transition
from tests.integration.conftest import EVENTS, LOGS_POLICY_ARN, sqs_event
from tests.integration.requests import make_queues

if TYPE_CHECKING:
    from tests.integration.conftest import Account


def sample(name: str) -> dict[str, Any]:
    """Return a sample event."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


@pytest.fixture
def orders(account: Account) -> Account:
    """Return an account with the function of the sample events, its role and its queue."""
    account.make_role()
    account.make_function()
    account.map_queue()
    return account


@pytest.mark.parametrize("checker", ["check_invoke_policy", "check_execution_role"])
def test_a_batch_of_changes_causes_one_check_of_the_function(orders: Account, checker: str) -> None:
    """No message fails, whatever its form."""
    run = orders.run(checker, sample(f"sqs/{checker}"))
    assert run.failed == []
    assert run.counts["FunctionsChecked"] == 1
    assert run.counts["EventsIgnored"] == 1


def test_requested_checks_are_run(orders: Account) -> None:
    """The second function of the request does not exist, which is no failure."""
    run = orders.run("check_execution_role", sample("sqs/check_requested"))
    assert run.failed == []
    assert run.counts["FunctionsChecked"] == 2
    assert run.counts["FunctionsDeleted"] == 1


def test_malformed_messages_are_retried_and_the_valid_one_is_not(orders: Account) -> None:
    """Five of six messages are malformed."""
    event = sample("sqs/with_malformed_messages")
    run = orders.run("check_execution_role", event)
    assert len(event["Records"]) == 6
    assert len(run.failed) == 5
    assert run.counts["MessagesUnreadable"] == 5


def test_an_approval_that_is_not_recorded_applies_nothing(orders: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample says that someone approved the fix: the table of decisions does not."""
    monkeypatch.setenv("FIX_MODE", "approve")
    orders.run("check_execution_role", sample("sqs/check_execution_role"))
    found = orders.finding
    opened = {"source": "permission-guard", "detail-type": "Finding Opened", "detail": found.to_document()}
    assert orders.run("apply_fix", sqs_event(opened)).counts["FixesProposed"] == 1
    event = sample("sqs/apply_fix")
    body = json.loads(event["Records"][0]["body"])
    body["detail"]["id"] = found.id  # moto generates the mapping's UUID, which the finding's id depends on
    event["Records"] = [{**event["Records"][0], "body": json.dumps(body)}]
    orders.run("apply_fix", event)
    assert orders.attached() == [LOGS_POLICY_ARN]
    assert orders.finding.transition is Transition.FIX_PROPOSED


def test_a_decision_with_an_old_signature_is_refused(orders: Account) -> None:
    """The sample was signed long ago; nobody is asked about it."""
    run = orders.run("decide_fix", sample("decisions/approve"))
    assert run.answer["recorded"] is False
    assert "older than five minutes" in run.answer["reason"]
    assert run.calls == []


def test_the_sample_of_appconfig_is_accepted(account: Account) -> None:
    """AppConfig needs no answer: an error refuses the document."""
    run = account.run("validate_config", sample("validation/validate_config"))
    assert (run.answer, run.counts, run.calls) == (None, {"ConfigurationsValid": 1}, [])


def test_a_request_with_an_old_signature_is_refused(orders: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample was signed long ago; nobody is asked about it."""
    make_queues(orders, monkeypatch)
    run = orders.run("manage_findings", sample("requests/suppress"))
    assert run.answer["done"] is False
    assert "older than five minutes" in run.answer["reason"]
    assert run.calls == []


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ("send_alert", "send_alert"),
        ("open_ticket", "open_ticket"),
        ("open_ticket", "review_ticket"),
        ("open_ticket", "security_hub_finding"),
        ("apply_fix", "apply_fix"),
    ],
)
def test_the_senders_accept_their_samples(account: Account, sender: str, name: str) -> None:
    """Without a channel, a ticket system or a finding, no message fails."""
    assert account.run(sender, sample(f"sqs/{name}")).failed == []
