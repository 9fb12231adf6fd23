"""Undoing a fix, whole: the command, the signed request, the decisions table, the event, IAM, and the next check."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from permission_guard.aws import clients
from permission_guard.aws.tables.stops import StopTable
from permission_guard.bootstrap import deployment
from permission_guard.cli.app import app
from permission_guard.errors import RequestRefusedError
from permission_guard.findings.lifecycle import reopened, resolved
from permission_guard.fixes.stop import count_failed_fix, why_stopped
from permission_guard.model.findings import FixResult, Status, Transition
from tests import sts
from tests.fakes import SQS_POLICY_ARN, allow
from tests.integration.conftest import DECISIONS, cloudtrail, detached, sqs_event
from tests.integration.requests import DECIDE_FIX, deploy, signed
from tests.integration.test_apply_fix import broken, disabled, event, fix_of
from tests.integration.test_stop import ask
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from permission_guard.fixes.decisions import DecisionRequest
    from tests.integration.conftest import Account

__all__ = ["broken", "disabled"]


@pytest.fixture
def fixed(broken: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with an applied fix, a resolved finding, and a stack whose `decide_fix` can be invoked."""
    return fix(broken, monkeypatch)


@pytest.fixture
def fixed_with_mapping(disabled: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account where the fix also enabled the mapping, which AWS had disabled."""
    account = fix(disabled, monkeypatch)
    assert mapping_state(account) == "Enabled"
    return account


def fix(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Apply the fix of an account, and let its `decide_fix` be invoked."""
    account.run("apply_fix", sqs_event(event(account.finding)))
    account.run("check_execution_role", sqs_event(cloudtrail("attach_role_policy", roleName="orders-role")))
    assert account.finding.status is Status.RESOLVED
    deploy()

    def invoke(request: DecisionRequest, arn: str, profile: str | None) -> Any:
        assert (arn, profile) == (DECIDE_FIX, None)
        with contextlib.redirect_stdout(io.StringIO()):
            answer = account.run("decide_fix", signed(request, DECIDE_FIX)).answer
        if not answer["recorded"]:
            raise RequestRefusedError(answer["reason"])
        return answer

    monkeypatch.setattr(deployment, "send_decision", invoke)
    return account


def mapping_state(account: Account) -> str:
    """Return the state of the only mapping."""
    (mapping,) = account.lambda_.list_event_source_mappings()["EventSourceMappings"]
    return str(mapping["State"])


def command(*words: str) -> tuple[int, str, str]:
    """Run a command; return its exit code, and what it printed to standard output and standard error."""
    result = CliRunner().invoke(app, ["fixes", *words], env={"COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def undo(account: Account) -> Any:
    """Request the undo with the command, and let the bot make it."""
    code, _, err = command("undo", account.finding.id, "--yes", "--reason", "Orders must not read it")
    assert code == 0, err
    assert account.finding.transition is Transition.FIX_UNDO_REQUESTED
    return account.run("apply_fix", sqs_event(event(account.finding)))


def test_a_person_undoes_a_fix_and_it_is_not_fixed_again(fixed: Account) -> None:
    """The role is as before, with what others changed since; the finding is open again, and stays so."""
    before = [arn for arn in fixed.attached() if arn != SQS_POLICY_ARN]
    fixed.attach_new_policy(allow("s3:GetObject"), name="added-later")
    added = set(fixed.attached()) - {*before, SQS_POLICY_ARN}
    request = event(fixed.finding)
    run = undo(fixed)
    assert (run.failed, set(fixed.attached())) == ([], {*before, *added})
    assert run.calls.count("iam:DetachRolePolicy") == 1
    assert run.counts == {"MessagesReceived": 1, "FixesUndone": 1}
    fix = fix_of(fixed)
    assert fix.undo_record is not None
    assert (fix.result, fix.undo_record.by, fix.undo_record.reason) == (
        FixResult.UNDONE,
        sts.CALLER,
        "Orders must not read it",
    )
    assert set(fix.undo_record.before["attached_policies"]) == {*before, *added, SQS_POLICY_ARN}
    assert set(fix.undo_record.after["attached_policies"]) == {*before, *added}
    assert (fixed.finding.status, fixed.finding.transition) == (Status.OPEN, Transition.FIX_UNDONE)

    revision = fixed.finding.revision
    fixed.run("check_execution_role", sqs_event(detached()))
    assert (fixed.finding.status, fixed.finding.revision) == (Status.OPEN, revision)
    for message in (request, event(fixed.finding), event(fixed.finding, "Finding Reopened")):
        assert fixed.run("apply_fix", sqs_event(message)).failed == []
    assert SQS_POLICY_ARN not in fixed.attached()
    assert fixed.finding.revision == revision


def test_the_mapping_that_the_fix_enabled_is_disabled_before_the_policy_is_detached(
    fixed_with_mapping: Account,
) -> None:
    """Both calls name the finding. The state before the fix is the state after its undo."""
    account, named = fixed_with_mapping, []

    def keep(request: Any, **_more: Any) -> None:
        agent = request.headers["User-Agent"]
        agent = agent.decode() if isinstance(agent, bytes) else agent
        named.append(agent.partition(" permission-guard-finding/")[2])

    for service in ("iam", "lambda"):
        clients.client(service).meta.events.register_first(f"before-send.{service}", keep)
    before, run = fix_of(account).before, undo(account)
    assert (run.failed, mapping_state(account)) == ([], "Disabled")
    writes = ("lambda:UpdateEventSourceMapping", "iam:DetachRolePolicy")
    assert [call for call in run.calls if call in writes] == list(writes)
    assert [text.partition(" ")[0] for text in named if text] == [account.finding.id] * 2
    record = fix_of(account).undo_record
    assert record is not None
    assert [call.operation for call in record.calls] == list(writes)
    assert {**record.after, "mapping_state_reason": ""} == {**before, "mapping_state_reason": ""}
    assert "mapping_state: Enabled -> Disabled" in command("show", account.finding.id)[1]


def test_a_mapping_that_a_person_disabled_since_is_not_touched(fixed_with_mapping: Account) -> None:
    """Only the policy is detached."""
    (mapping,) = fixed_with_mapping.lambda_.list_event_source_mappings()["EventSourceMappings"]
    fixed_with_mapping.lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    run = undo(fixed_with_mapping)
    assert fix_of(fixed_with_mapping).result is FixResult.UNDONE
    assert "lambda:UpdateEventSourceMapping" not in run.calls
    assert SQS_POLICY_ARN not in fixed_with_mapping.attached()


def test_the_problem_comes_back_later_and_is_only_proposed(fixed: Account) -> None:
    """Although the mode is auto, and the role had the permission."""
    undo(fixed)
    gone = resolved(fixed.finding, "The mapping was deleted.", fixed.finding.changed_at)
    fixed.table.put_finding(gone)
    fixed.table.put_finding(reopened(gone.finding, fixed.finding.changed_at))
    fixed.run("apply_fix", sqs_event(event(fixed.finding)))
    assert fixed.finding.transition is Transition.FIX_PROPOSED
    assert fix_of(fixed).summary.endswith(f"{sts.CALLER} rejected or undid it before.")
    assert SQS_POLICY_ARN not in fixed.attached()


def test_before_and_after_are_kept_for_400_days_and_shown(fixed: Account) -> None:
    """Also when the finding has a newer fix. Only the last one can be undone through the id."""
    applied = fix_of(fixed)
    undo(fixed)
    first = fix_of(fixed)
    gone = resolved(fixed.finding, "The mapping was deleted.", fixed.finding.changed_at)
    fixed.table.put_finding(gone)
    fixed.table.put_finding(reopened(gone.finding, fixed.finding.changed_at))
    fixed.run("apply_fix", sqs_event(event(fixed.finding)))
    document = json.loads(command("show", fixed.finding.id, "--format", "json")[1])
    assert document["stage"] == "waiting"
    (earlier,) = document["earlier"]
    assert (earlier["stage"], earlier["fix"]["before"]) == ("undone", dict(applied.before))
    assert earlier["fix"]["undo_record"]["after"] == dict(first.undo_record.after)  # type: ignore[union-attr]
    listed = json.loads(command("list", "--format", "json")[1])["fixes"]
    assert [(one["stage"], one["is_last"]) for one in listed] == [("waiting", True), ("undone", False)]
    assert "Undone with iam:DetachRolePolicy" in command("show", fixed.finding.id)[1]

    items = fixed.dynamodb.scan(TableName=TABLE_NAME)["Items"]
    kept = [one for one in items if one["sk"]["S"].startswith("HISTORY#") and "status" in one]
    assert sorted(one["status"]["S"] for one in kept) == ["Fix Applied", "Fix Undone"]
    code, _, err = command("undo", fixed.finding.id, "--yes")
    assert (code, "the fix is proposed: only an applied fix can be undone" in err) == (1, True)


def test_a_finding_with_a_fix_is_kept_as_long_as_its_history(fixed: Account) -> None:
    """It can be undone so long: 400 days after it was resolved, instead of 90."""
    key: Any = {"pk": {"S": f"FUNCTION#{fixed.finding.function_arn}"}, "sk": {"S": f"FINDING#{fixed.finding.id}"}}
    item = fixed.dynamodb.get_item(TableName=TABLE_NAME, Key=key)["Item"]
    history = {**key, "sk": {"S": f"HISTORY#{fixed.finding.id}#{fixed.finding.revision}"}}
    kept = fixed.dynamodb.get_item(TableName=TABLE_NAME, Key=history)["Item"]
    assert item["expires_at"] == kept["expires_at"]


def test_a_forged_event_or_finding_undoes_nothing(fixed: Account) -> None:
    """The decisions table is the proof, and only `decide_fix` writes requests into it."""
    before = fixed.attached()
    fixed.run("apply_fix", sqs_event(event(fixed.finding, "Fix Undo Requested")))
    assert fixed.attached() == before
    command("undo", fixed.finding.id, "--yes")
    for item in fixed.dynamodb.scan(TableName=DECISIONS)["Items"]:
        fixed.dynamodb.delete_item(TableName=DECISIONS, Key={name: item[name] for name in ("finding_id", "revision")})
    run = fixed.run("apply_fix", sqs_event(event(fixed.finding)))
    assert (fixed.attached(), run.counts["FixesRefused"]) == (before, 1)
    assert fixed.finding.transition is Transition.FIX_REFUSED


def test_a_request_that_says_something_else_than_was_signed_is_refused(fixed: Account) -> None:
    """Also the reason is signed."""
    sent: list[Any] = []

    def keep(request: DecisionRequest, *_more: object) -> Any:
        sent.append(signed(request, DECIDE_FIX))
        raise RequestRefusedError("not sent")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(deployment, "send_decision", keep)
        command("undo", fixed.finding.id, "--yes", "--reason", "One reason")
    run = fixed.run("decide_fix", {**sent[0], "reason": "Another reason"})
    assert (run.answer["recorded"], run.counts) == (False, {"CallersUnproven": 1})
    assert fixed.run("decide_fix", sent[0]).answer["decision"] == "undo"


def test_the_third_undone_fix_stops_all_fixing(fixed: Account) -> None:
    """With the alarm, as three failed ones."""
    stops = StopTable(fixed.dynamodb, DECISIONS)
    for finding in ("a" * 32, "b" * 32):
        count_failed_fix(stops, finding, 1, fixed.finding.changed_at)
    run = undo(fixed)
    assert run.counts == {"MessagesReceived": 1, "FixesUndone": 1, "FixingStopped": 1}
    assert fixed.finding.id in why_stopped(stops)


def test_no_undo_is_requested_while_fixing_is_stopped(fixed: Account) -> None:
    """The command says who stopped it, and what to do."""
    ask(fixed, "stop")
    code, _, err = command("undo", fixed.finding.id, "--yes")
    assert code == 1
    assert "Not requested: fixing is stopped since" in err
    assert "permission-guard fixes resume" in err


def test_a_fix_is_undone_only_once(fixed: Account) -> None:
    """The command and a replay of the event say so, or do nothing."""
    undo(fixed)
    code, _, err = command("undo", fixed.finding.id, "--yes")
    assert (code, "the fix was undone at" in err, f"as {sts.CALLER} requested" in err) == (1, True, True)
    run = fixed.run("apply_fix", sqs_event(event(fixed.finding, "Fix Undo Requested")))
    assert "iam:DetachRolePolicy" not in run.calls


def test_a_change_of_the_finding_before_the_answer_is_refused(fixed: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person undoes what they have read."""
    original: Any = deployment.send_decision  # type: ignore[attr-defined]

    def later(request: DecisionRequest, *more: Any) -> Any:
        fixed.table.put_finding(reopened(fixed.finding, fixed.finding.changed_at))
        return original(request, *more)

    monkeypatch.setattr(deployment, "send_decision", later)
    code, _, err = command("undo", fixed.finding.id, "--yes")
    assert (code, "the finding has changed: read it again" in err) == (1, True)
