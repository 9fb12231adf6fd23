"""Stopping and resuming all fixing: a person's request reaches the table, and `apply_fix` writes nothing to IAM."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from typer.testing import CliRunner

from permission_guard.aws import clients
from permission_guard.aws.tables.stops import StopTable
from permission_guard.bootstrap import deployment
from permission_guard.cli.app import app
from permission_guard.errors import RequestRefusedError, RetryableError
from permission_guard.fixes.stop import count_failed_fix, why_stopped
from permission_guard.fixes.stop_requests import StopRequest
from permission_guard.model.findings import Transition
from tests import sts
from tests.fakes import NOW, SQS_POLICY_ARN
from tests.integration.conftest import DECISIONS, sqs_event
from tests.integration.requests import DECIDE_FIX, deploy, signed
from tests.integration.test_apply_fix import approved, broken, decide, event, fix_of, never_allowed

if TYPE_CHECKING:
    from tests.integration.conftest import Account, Run

__all__ = ["broken", "never_allowed"]


def ask(account: Account, kind: str, nonce: str = "a", reason: str = "Orders is down") -> Run:
    """Make a signed request."""
    request = StopRequest.from_document({"kind": kind, "reason": reason, "nonce": nonce * 32})
    return account.run("decide_fix", signed(request, DECIDE_FIX))


def since(account: Account) -> str:
    """Return when the switch was set."""
    switch = StopTable(account.dynamodb, DECISIONS).switch()
    assert switch is not None
    return switch.at


def test_a_person_stops_fixing_and_resumes_it(broken: Account, server: sts.Sts) -> None:
    """Nothing is written to IAM meanwhile, no message is retried, and the sweep's message is fixed afterwards."""
    before = broken.attached()
    run = ask(broken, "stop")
    state = {"since": since(broken), "by": sts.CALLER, "reason": "Orders is down"}
    assert run.answer == {"done": True, "changed": True, "stopped": True, **state}
    assert run.counts == {"StopRequestsDone": 1, "FixingStopped": 1}
    line = run.line(f"fixing is stopped since {state['since']} by {sts.CALLER}: Orders is down")
    assert (line["requested_by"], line["changed"]) == (sts.CALLER, True)

    opened = event(broken.finding)
    run = broken.run("apply_fix", sqs_event(opened))
    assert (run.failed, broken.attached(), broken.finding.fix) == ([], before, None)
    assert "iam:AttachRolePolicy" not in run.calls
    assert run.counts == {"MessagesReceived": 1, "FixingStopped": 1}
    assert run.line("fixing is stopped")["finding_id"] == broken.finding.id

    assert ask(broken, "stop", "b").counts == {"StopRequestsDone": 1}
    assert ask(broken, "status").answer == {"done": True, "changed": False, "stopped": True, **state}
    run = ask(broken, "resume", "c", "Repaired")
    assert (run.answer["changed"], run.answer["stopped"], run.counts) == (True, False, {"StopRequestsDone": 1})
    assert broken.run("apply_fix", sqs_event(opened)).counts["FixesApplied"] == 1


def test_an_approval_is_applied_after_the_resume(
    never_allowed: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bus has delivered its event; the sweep hands the open finding over again."""
    monkeypatch.setenv("FIX_MODE", "approve")
    account = never_allowed
    account.run("apply_fix", sqs_event(event(account.finding)))
    decide(account, fix_of(account).approve)
    ask(account, "stop")
    message = approved(account)
    assert account.run("apply_fix", sqs_event(message)).failed == []
    assert SQS_POLICY_ARN not in account.attached()
    ask(account, "resume", "b")
    account.run("apply_fix", sqs_event(message))
    assert SQS_POLICY_ARN in account.attached()
    assert fix_of(account).decided_by == sts.CALLER


@pytest.mark.parametrize("name", ["FIXING", "BREAKER"])
def test_an_item_that_cannot_be_read_stops_fixing(broken: Account, name: str) -> None:
    """It is logged and counted, and no message becomes a dead letter."""
    before = broken.attached()
    item: Any = {"finding_id": {"S": name}, "revision": {"N": "0"}, "state": {"S": "perhaps"}}
    broken.dynamodb.put_item(TableName=DECISIONS, Item=item)
    run = broken.run("apply_fix", sqs_event(event(broken.finding)))
    assert (run.failed, broken.attached(), run.counts["FixingStopped"]) == ([], before, 1)
    assert "cannot be read" in run.line("fixing is stopped")["reason"]


def test_an_error_of_the_table_is_retried(broken: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written."""
    before = broken.attached()

    def unavailable(_self: StopTable) -> None:
        raise RetryableError("InternalServerError")

    monkeypatch.setattr(StopTable, "switch", unavailable)
    assert broken.run("apply_fix", sqs_event(event(broken.finding))).failed == ["m0"]
    assert broken.attached() == before


def deny(**_more: Any) -> tuple[AWSResponse, dict[str, Any]]:
    """Reply as IAM does if the role has all the policies that it may have."""
    error = {"Code": "LimitExceeded", "Message": "Cannot exceed quota for PoliciesPerRole: 10"}
    return AWSResponse("", 409, HTTPHeaders(), None), {
        "Error": error,
        "ResponseMetadata": {"HTTPStatusCode": 409},
    }


def test_the_third_failed_fix_stops_all_fixing_and_raises_the_alarm(broken: Account, server: sts.Sts) -> None:
    """A person resumes; what failed before does not count again."""
    stops, opened = StopTable(broken.dynamodb, DECISIONS), event(broken.finding)
    for finding in ("a" * 32, "b" * 32):
        count_failed_fix(stops, finding, 1, broken.finding.changed_at)
    iam: Any = clients.client("iam")
    iam.meta.events.register_last("before-call.iam.AttachRolePolicy", deny)
    run = broken.run("apply_fix", sqs_event(opened))
    assert run.counts == {"MessagesReceived": 1, "FixesFailed": 1, "FixingStopped": 1}
    why = f"3 fixes failed or were undone within an hour, of the findings {'a' * 32}, {'b' * 32}, {broken.finding.id}"
    assert run.line("fixing is stopped")["reason"].endswith(f"by apply_fix: {why}")
    assert broken.finding.transition is Transition.FIX_FAILED
    answer = ask(broken, "status").answer
    assert (answer["stopped"], answer["by"], answer["reason"]) == (True, "apply_fix", why)
    assert ask(broken, "resume", "b").answer["stopped"] is False
    assert why_stopped(stops) == ""
    count_failed_fix(stops, "c" * 32, 1, broken.finding.changed_at)
    assert why_stopped(stops) == ""


def test_without_a_proof_of_who_requests_it_nothing_stops(account: Account, server: sts.Sts) -> None:
    """It is counted, for the alarm."""
    request = {"kind": "stop", "reason": "x", "nonce": "a" * 32}
    for signature in (None, {}, {"authorization": "x", "x-amz-date": "y"}):
        run = account.run("decide_fix", {**request, "signature": signature})
        assert (run.answer["recorded"], run.counts) == (False, {"CallersUnproven": 1})
    stop = signed(StopRequest.from_document(request), DECIDE_FIX)
    run = account.run("decide_fix", {**stop, "kind": "resume"})
    assert (run.answer["recorded"], run.counts) == (False, {"CallersUnproven": 1})
    assert account.dynamodb.scan(TableName=DECISIONS)["Items"] == []


# ── The command ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def deployed(account: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with a stack whose function `decide_fix` can be invoked."""
    deploy()

    def invoke(request: StopRequest, arn: str, profile: str | None) -> Any:
        assert (arn, profile) == (DECIDE_FIX, None)
        with contextlib.redirect_stdout(io.StringIO()):
            answer = account.run("decide_fix", signed(request, DECIDE_FIX)).answer
        if not answer.get("done"):
            raise RequestRefusedError(answer["reason"])
        return answer

    monkeypatch.setattr(deployment, "send_stop_request", invoke)
    return account


def command(*words: str) -> tuple[int, str, str]:
    """Run a command; return its exit code, and what it printed to standard output and standard error."""
    result = CliRunner().invoke(app, ["fixes", *words], env={"COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_commands_say_what_is_recorded_since_when_and_by_whom(deployed: Account) -> None:
    """Also when nothing changes."""
    assert command("status") == (0, "Fixing was never stopped.\n", "")
    code, out, _ = command("stop", "--reason", "Orders is down")
    stopped = f"fixing is stopped since {since(deployed)} by {sts.CALLER}: Orders is down.\n"
    assert (code, out) == (0, f"Nothing is fixed any more: {stopped}")
    assert command("stop", "--reason", "Me too") == (0, f"Nothing changed: {stopped}", "")
    assert command("status") == (0, f"F{stopped[1:]}", "")
    code, out, _ = command("resume", "--reason", "Repaired")
    resumed = f"fixing is resumed since {since(deployed)} by {sts.CALLER}: Repaired.\n"
    assert (code, out) == (0, f"Fixing goes on, and the next sweep hands over what waits: {resumed}")
    assert command("resume", "--reason", "Again") == (0, f"Nothing changed: {resumed}", "")


def test_the_answers_can_be_read_by_programs(deployed: Account) -> None:
    """`--format json`."""
    code, out, _ = command("stop", "--reason", "Orders is down", "--format", "json")
    state = {"since": since(deployed), "by": sts.CALLER, "reason": "Orders is down"}
    assert (code, json.loads(out)) == (0, {"done": True, "changed": True, "stopped": True, **state})
    assert json.loads(command("status", "--format", "json")[1]) == {
        "done": True,
        "changed": False,
        "stopped": True,
        **state,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("stop",), "--reason"),
        (("resume",), "--reason"),
        (("stop", "--reason", " "), "Not sent: the `reason` is blank"),
        (("stop", "--reason", "a\nb"), "Not sent: the `reason` has a line break"),
        (("resume", "--reason", "x" * 501), "Not sent: the request has no valid `reason`"),
        (("status", "--stack-name", "no stack"), "--stack-name requires the name of a stack"),
        (("status", "--region", "mars"), "--region"),
    ],
    ids=str,
)
def test_invalid_usage_sends_nothing(deployed: Account, words: tuple[str, ...], message: str) -> None:
    """The exit code is 2."""
    code, _, err = command(*words)
    assert code == 2
    assert message in err
    assert deployed.dynamodb.scan(TableName=DECISIONS)["Items"] == []


def test_what_is_not_done_exits_with_1_and_the_reason(deployed: Account) -> None:
    """A stack that does not exist, and a request that is refused."""
    code, _, err = command("stop", "--reason", "x", "--stack-name", "absent")
    assert (code, "absent" in err) == (1, True)
    item: Any = {"finding_id": {"S": "BREAKER"}, "revision": {"N": "0"}}
    deployed.dynamodb.put_item(TableName=DECISIONS, Item=item)
    code, _, err = command("resume", "--reason", "x")
    assert (code, err.startswith("Not done: fixing is stopped, because the item BREAKER")) == (1, True)


def test_a_function_of_another_account_gets_no_signature(deployed: Account) -> None:
    """The outputs of a stack are chosen by whoever deploys it."""
    deploy("other", DecideFixFunctionArn=DECIDE_FIX.replace("123456789012", "999999999999"))
    code, _, err = command("stop", "--reason", "x", "--stack-name", "other")
    assert code == 1
    assert "is not a function of the account and region of the stack other" in err


def test_a_hostile_answer_does_not_reach_the_terminal(deployed: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control characters are escaped."""
    answer = {"done": True, "changed": True, "stopped": True, "since": NOW, "by": "\x1b]0;owned\x07", "reason": "x"}
    monkeypatch.setattr(deployment, "send_stop_request", lambda *_arguments: answer)
    assert "\x1b" not in command("status")[1]
