"""The watch after a narrowing, whole: CloudWatch, the schedule, the request in the table, and the undo."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from permission_guard.aws import clients
from permission_guard.aws.tables.maintenance import MaintenanceTable
from permission_guard.aws.tables.own_fixes import OwnFixTable
from permission_guard.config.document import Fixes, GuardConfig
from permission_guard.findings.lifecycle import Change
from permission_guard.findings.watch import BOT
from permission_guard.fixes.invoke_policies import (
    InvokePolicy,
    call_to_add,
    call_to_remove,
    digest_of,
    named,
    permission_of,
)
from permission_guard.fixes.own_undo import OwnFix
from permission_guard.fixes.policy_change import PolicyEdit, complete_state_of
from permission_guard.model.findings import FixRecord, FixResult, Status, Transition
from permission_guard.model.verdicts import finding_id
from tests.fakes import FUNCTION_ARN, a_finding
from tests.integration.conftest import DECISIONS, EVENTS, sqs_event
from tests.integration.test_apply_fix import event
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from tests.integration.conftest import Account

SCHEDULED = json.loads((EVENTS / "schedule" / "maintain_findings.json").read_text())
TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
BROAD: dict[str, Any] = {
    "Sid": "news",
    "Effect": "Allow",
    "Principal": {"Service": "sns.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
    "Resource": FUNCTION_ARN,
}
NARROW = named({**BROAD, "Condition": {"ArnLike": {"AWS:SourceArn": TOPIC}}})
FAILURES: dict[str, Any] = {"Dimensions": [{"Name": "TopicName", "Value": "orders"}]}
NOW = datetime.now(UTC)


def put(namespace: str, name: str, dimension: tuple[str, str], at: datetime, value: float) -> None:
    """Add a data point, as the service does."""
    key, text = dimension
    point: Any = {"MetricName": name, "Dimensions": [{"Name": key, "Value": text}], "Timestamp": at, "Value": value}
    boto3.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[point])


@pytest.fixture
def narrowed(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with an active function whose policy the bot has narrowed half an hour ago."""
    monkeypatch.setenv("FIX_MODE", "auto")
    # moto compares the revision of RemovePermission with a list, so none that it gets is the right one.
    client: Any = clients.client("lambda")
    client.meta.events.register("provide-client-params.lambda.RemovePermission", _without_revision)
    account.make_role()
    account.make_function()
    account.lambda_.add_permission(
        FunctionName="orders",
        StatementId=NARROW["Sid"],
        Action=BROAD["Action"],
        Principal="sns.amazonaws.com",
        SourceArn=TOPIC,
    )
    policy = InvokePolicy(FUNCTION_ARN, "", (BROAD,), {})
    edit = PolicyEdit.of(policy, [NARROW], [BROAD], is_atomic=False)
    permission = permission_of(NARROW, FUNCTION_ARN)
    assert permission is not None
    applied_at = (NOW - timedelta(minutes=30)).isoformat(timespec="milliseconds")
    fix = FixRecord(
        name="narrow-statement",
        result=FixResult.APPLIED,
        summary="replace the statement news by 1",
        at=applied_at,
        attempts=1,
        change=edit.to_change(),
        before=complete_state_of(policy, edit),
        calls=(call_to_add(permission, FUNCTION_ARN), call_to_remove("news", FUNCTION_ARN)),
        rests_on={"sources": [TOPIC]},
    )
    finding = a_finding(
        id=finding_id("PG102", FUNCTION_ARN, "statement/news"),
        rule_id="PG102",
        subject="statement/news",
        transition=Transition.FIX_APPLIED,
        fix=fix,
        revision=2,
        changed_at=applied_at,
    )
    account.table.put_finding(Change(replace(finding, revision=1, fix=None), None))
    account.table.put_finding(Change(finding, 1, expected_owner=""))
    account.table.put_finding(Change(replace(finding, status=Status.RESOLVED), 2))
    OwnFixTable(account.dynamodb, DECISIONS).put_own_fix(
        OwnFix(finding_id=finding.id, plan_hash=fix.plan_hash, applied_at=applied_at)
    )
    put("AWS/Lambda", "Invocations", ("FunctionName", "orders"), NOW - timedelta(days=1), 5)
    return account


def statements(account: Account) -> list[str]:
    """Return digests of the statements of the function's policy."""
    document = json.loads(account.lambda_.get_policy(FunctionName="orders")["Policy"])
    return [digest_of(one) for one in document["Statement"]]


def test_failing_notifications_undo_the_narrowing(narrowed: Account) -> None:
    """Maintenance requests it, and the fixer checks it, restores the statement and removes its own."""
    put("AWS/SNS", "NumberOfNotificationsFailed", ("TopicName", "orders"), NOW - timedelta(minutes=10), 4)
    run = narrowed.run("maintain_findings", SCHEDULED)
    assert run.counts == {"MaintenanceCompleted": 1, "UndosRequested": 1}
    assert narrowed.finding.transition is Transition.FIX_UNDO_REQUESTED
    done = narrowed.run("apply_fix", sqs_event(event(narrowed.finding)))
    assert (done.failed, done.counts["FixesUndone"]) == ([], 1)
    assert statements(narrowed) == [digest_of(BROAD)]
    finding = narrowed.finding
    assert finding.fix is not None
    assert finding.fix.undo_record is not None
    assert (finding.transition, finding.status) == (Transition.FIX_UNDONE, Status.OPEN)
    assert (finding.fix.undo_record.by, finding.fix.declined_by) == (BOT, BOT)
    assert "rose from 0 to 4" in finding.fix.undo_record.reason
    assert narrowed.run("maintain_findings", SCHEDULED).counts == {"MaintenanceCompleted": 1}


def test_a_request_without_failing_notifications_undoes_nothing(narrowed: Account) -> None:
    """Also if it was right when it was made: the fixer reads the metrics itself."""
    put("AWS/SNS", "NumberOfNotificationsFailed", ("TopicName", "orders"), NOW - timedelta(minutes=10), 4)
    narrowed.run("maintain_findings", SCHEDULED)
    put("AWS/SNS", "NumberOfNotificationsFailed", ("TopicName", "orders"), NOW - timedelta(minutes=50), 9)
    done = narrowed.run("apply_fix", sqs_event(event(narrowed.finding)))
    assert (done.failed, done.counts["FixesRefused"]) == ([], 1)
    assert statements(narrowed) == [digest_of(NARROW)]
    assert narrowed.finding.transition is Transition.FIX_REFUSED


def test_a_function_without_invocations_is_reported_once(narrowed: Account) -> None:
    """At the end of its watch. The alert channels get one message, and nothing is undone."""
    for count in (0, 1, 0):
        run = narrowed.run("maintain_findings", SCHEDULED)
        assert run.counts == {"MaintenanceCompleted": 1, **({"DigestsDue": count} if count else {})}
        # In a watch of one hour it is the last quarter.
        narrowed.config = GuardConfig(fixes=Fixes(watch_hours=1))
        _move_back(narrowed)
    (message,) = narrowed.received("alerts")
    digest = MaintenanceTable(narrowed.dynamodb, TABLE_NAME).digest(json.loads(message)["detail"]["digest_id"])
    assert digest is not None
    assert digest.title == "orders: no invocation since its policy was narrowed"
    assert statements(narrowed) == [digest_of(NARROW)]


def _move_back(account: Account) -> None:
    """Change the record of the fix as if it had been applied 50 minutes ago."""
    finding = account.finding
    assert finding.fix is not None
    at = (NOW - timedelta(minutes=50)).isoformat(timespec="milliseconds")
    account.table.put_finding(Change(replace(finding, fix=replace(finding.fix, at=at)), finding.revision))


def _without_revision(params: dict[str, Any], **_more: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "RevisionId"}
