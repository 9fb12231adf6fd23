"""Requests of people about findings: what the function writes, sends, answers, logs and counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.findings.lifecycle import Change
from permission_guard.model.findings import Status, Transition
from tests import sts
from tests.fakes import FUNCTION_ARN, a_finding
from tests.integration.conftest import sqs_event
from tests.integration.requests import make_queues, request
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from tests.integration.conftest import Account

OPEN = a_finding(first_seen="2026-11-20T09:30:00.000+00:00", last_seen="2026-11-20T09:30:00.000+00:00")
FAR = "2027-01-01T00:00:00+00:00"


@pytest.fixture
def until() -> str:
    """Return an end of a suppression, a month ahead."""
    return (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds")


@pytest.fixture
def found(account: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with an open finding."""
    make_queues(account, monkeypatch)
    account.table.put_finding(Change(OPEN, None))
    return account


def suppress(until: str, **changed: Any) -> dict[str, Any]:
    """Return a request to suppress the finding."""
    about = {"finding_id": OPEN.id, "target_arn": OPEN.target_arn, "until": until, "reason": "Public on purpose"}
    return request(kind="suppress", **{**about, **changed})


def test_a_finding_is_suppressed_and_opened_again(found: Account, until: str) -> None:
    """Each is a transition, which the stream publishes. The log says who did it, and why."""
    run = found.run("manage_findings", suppress(until))
    assert run.answer == {
        "done": True,
        "kind": "suppress",
        "by": sts.CALLER,
        "changed": True,
        "finding_id": OPEN.id,
        "status": "suppressed",
        "revision": 2,
    }
    assert run.counts == {"RequestsDone": 1}
    line = run.line("request done")
    assert (line["by"], line["reason"], line["until"]) == (sts.CALLER, "Public on purpose", until)
    assert found.finding.status is Status.SUPPRESSED
    run = found.run("manage_findings", request(kind="unsuppress", finding_id=OPEN.id, target_arn=FUNCTION_ARN))
    assert (run.answer["status"], run.answer["changed"]) == ("open", True)
    assert (found.finding.transition, found.finding.revision) == (Transition.REOPENED, 3)
    names = [one["dynamodb"]["Keys"]["sk"]["S"] for one in found.stream()["Records"]]
    assert [name for name in names if name.startswith("HISTORY#")] == [f"HISTORY#{OPEN.id}#{n}" for n in (1, 2, 3)]


def test_the_same_request_again_writes_nothing(found: Account, until: str) -> None:
    """One read, and no write."""
    found.run("manage_findings", suppress(until))
    run = found.run("manage_findings", suppress(until))
    assert (run.answer["changed"], run.answer["revision"]) == (False, 2)
    assert [call for call in run.calls if call.startswith("dynamodb")] == ["dynamodb:GetItem"]


def test_a_recheck_requests_a_full_check_of_both_directions(found: Account) -> None:
    """Through the checkers' own queues, as after a change."""
    run = found.run("manage_findings", request(kind="recheck", target_arn=f"{FUNCTION_ARN}:live"))
    assert run.answer == {"done": True, "kind": "recheck", "by": sts.CALLER, "changed": True}
    for queue in ("invoke", "role"):
        (body,) = found.received(queue)
        detail = json.loads(body)["detail"]
        assert (detail["functions"], detail["full"]) == ([FUNCTION_ARN], True)
        for checker in ("check_invoke_policy", "check_execution_role"):
            assert found.run(checker, sqs_event(body)).failed == []


@pytest.mark.parametrize("signature", [None, {}, [], {"authorization": "x", "x-amz-date": "y"}])
def test_without_a_proof_of_who_requests_it_nothing_is_done(
    found: Account, server: sts.Sts, until: str, signature: Any
) -> None:
    """It is counted, for the alarm."""
    run = found.run("manage_findings", {**suppress(until), "signature": signature})
    assert (run.answer["done"], run.counts) == (False, {"CallersUnproven": 1})
    assert run.line("request refused")["reason"] == run.answer["reason"]
    assert (found.finding.status, server.requests) == (Status.OPEN, [])


@pytest.mark.parametrize(
    "changed",
    [{"reason": "another"}, {"kind": "unsuppress"}, {"until": FAR}, {"finding_id": "0" * 32}, {"nonce": "0" * 32}],
)
def test_a_signature_is_of_one_request(found: Account, until: str, changed: dict[str, Any]) -> None:
    """Nobody can use it for another one."""
    run = found.run("manage_findings", {**suppress(until), **changed})
    assert (run.answer["done"], run.counts) == (False, {"CallersUnproven": 1})
    assert found.finding.status is Status.OPEN


def test_a_caller_of_another_account_is_refused(found: Account, server: sts.Sts, until: str) -> None:
    """Though STS proves who they are."""
    server.caller = "arn:aws:iam::999999999999:user/eve"
    run = found.run("manage_findings", suppress(until))
    assert "is not a principal of account 123456789012" in run.answer["reason"]
    assert (run.counts, found.finding.status) == ({"RequestsRefused": 1}, Status.OPEN)


def test_what_cannot_be_read_is_refused_and_left_as_it_is(found: Account, until: str) -> None:
    """Another version may be able to read it."""
    key = {"pk": {"S": f"FUNCTION#{FUNCTION_ARN}"}, "sk": {"S": f"FINDING#{OPEN.id}"}}
    found.dynamodb.update_item(
        TableName=TABLE_NAME,
        Key=key,
        UpdateExpression="SET #document = :text",
        ExpressionAttributeNames={"#document": "document"},
        ExpressionAttributeValues={":text": {"S": "[" * 5_000}},
    )
    before = found.dynamodb.get_item(TableName=TABLE_NAME, Key=key)["Item"]
    run = found.run("manage_findings", suppress(until))
    assert run.answer == {"done": False, "reason": "the finding is recorded but cannot be read"}
    assert found.dynamodb.get_item(TableName=TABLE_NAME, Key=key)["Item"] == before


@pytest.mark.parametrize("event", [{}, {"kind": {}}, {"Records": []}, {"kind": "suppress", "nonce": "f" * 32}])
def test_an_event_of_another_form_is_refused(found: Account, event: dict[str, Any]) -> None:
    """Without a call to AWS."""
    run = found.run("manage_findings", event)
    assert (run.answer["done"], run.counts, run.calls) == (False, {"RequestsRefused": 1}, [])
