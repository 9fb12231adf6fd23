"""The valid inputs that are mutated: sample events, and findings and items as the stack itself writes them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.tables.decisions import DecisionTable
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.role_index import entry_of
from permission_guard.aws.tables.sweep_cursor import SweepCursor
from permission_guard.config.document import GuardConfig
from permission_guard.config.settings import FixMode
from permission_guard.findings.checkpoint import Checkpoint
from permission_guard.findings.lifecycle import Change
from permission_guard.findings.role_permissions import RolePermissions
from permission_guard.fixes.decisions import Decision, DecisionKind, DecisionRequest, decide
from permission_guard.intake.check_requests import check_request_body
from permission_guard.model.findings import Finding, FixRecord, FixResult, PlannedCall, Status, Transition, UndoRecord
from permission_guard.model.role_permissions import LostPermission, Permission, RoleChange
from permission_guard.model.state import DeniedCall, ManagedBy
from permission_guard.model.targets import Direction, FunctionTarget, RoleTarget
from permission_guard.model.verdicts import Remedy, finding_id
from permission_guard.sweep.sweep import Step
from tests.fakes import ACCOUNT, NOW, QUEUE_ARN, REGION, SQS_POLICY_ARN, InMemoryStop, a_finding
from tests.fuzz.aws import DECISIONS, FINDINGS, MAPPINGS, ORDERS, OTHERS, FakeAws, function_arn, role_arn
from tests.paths import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.in_memory.dynamodb import Item

KEYS: Final = ("pk", "sk")
DOCUMENTS: Final = ("document", "checkpoint")
"""The attributes of the findings table whose text is JSON."""

CALLER: Final = f"arn:aws:sts::{ACCOUNT}:assumed-role/platform/jane"
ROLE_CHANGE: Final = RoleChange(
    event_id="0b8ed7e6-3f4f-4a5f-9c1c-4b6f1d2a7e90",
    api="DetachRolePolicy",
    at="2126-11-20T09:20:00+00:00",
    by=CALLER,
    role_name="orders-role",
)


def target_of(name: str) -> FunctionTarget:
    """Return a function as a target."""
    return FunctionTarget("aws", REGION, ACCOUNT, name)


@cache
def cloudtrail_events() -> tuple[dict[str, Any], ...]:
    """Return every sample of a CloudTrail event, and requests to check functions, with what else they can have."""
    (request,) = json.loads((EVENTS / "sqs" / "check_requested.json").read_text())["Records"]
    again = check_request_body(
        [target_of(ORDERS)],
        NOW,
        causes=[ROLE_CHANGE.event_id],
        tool="cloudformation",
        changed_by=CALLER,
        role_changes=[ROLE_CHANGE, replace(ROLE_CHANGE, role_name="", policy_arn=SQS_POLICY_ARN)],
    )
    paths = sorted((EVENTS / "cloudtrail").glob("*.json"))
    return (*map(json.loads, (request["body"], again, again)), *(json.loads(path.read_text()) for path in paths))


def sample(name: str, **request: Any) -> dict[str, Any]:
    """Return a sample of a CloudTrail event with other request parameters."""
    event: dict[str, Any] = json.loads((EVENTS / "cloudtrail" / f"{name}.json").read_text())
    event["detail"]["requestParameters"].update(request)
    return event


def finding_of(name: str, number: int = 0, **more: Any) -> Finding:
    """Return an open finding of a function: its role may not read the queue."""
    subject = f"event-source-mapping/{MAPPINGS[name]}" if number == 0 else f"event-source-mapping/{number}"
    values: dict[str, Any] = {
        "id": finding_id("PG201", function_arn(name), subject),
        "function_arn": function_arn(name),
        "subject": subject,
        "evidence": {"role_arn": role_arn(name), "event_source_arn": QUEUE_ARN, "actions": ["sqs:ReceiveMessage"]},
        "remedies": (Remedy("sam", "Policies: []"), Remedy("aws-cli", "aws iam attach-role-policy")),
        "event_ids": ("fe5a0bfb-3bd4-4b40-b993-8d987629ca41",),
        "managed_by": ManagedBy("cloudformation", "shop"),
    }
    return a_finding(**{**values, **more})


def proposed(name: str, number: int = 0) -> Finding:
    """Return a finding whose fix waits for an approval."""
    proposal = FixRecord(
        name="attach-managed-policy",
        result=FixResult.PROPOSED,
        summary="attach AWSLambdaSQSQueueExecutionRole",
        at=NOW,
        attempts=0,
        change={"action": "iam:AttachRolePolicy", "role_arn": role_arn(name), "policy_arns": [SQS_POLICY_ARN]},
        before={"role_arn": role_arn(name), "attached_policies": []},
        undo="aws iam detach-role-policy",
        approve="permission-guard fixes approve",
        calls=(
            PlannedCall(
                operation="iam:AttachRolePolicy",
                parameters={"RoleName": role_arn(name).rpartition("/")[2], "PolicyArn": SQS_POLICY_ARN},
            ),
        ),
        expected={"role_arn": role_arn(name), "attached_policies": [SQS_POLICY_ARN]},
        rests_on={"event_source_arn": QUEUE_ARN, "missing": [f"sqs:ReceiveMessage on {QUEUE_ARN}"]},
        unknowns=("Whether a service control policy denies a call that AWS has not denied yet.",),
        planned_at=NOW,
    )
    return finding_of(name, number, transition=Transition.FIX_PROPOSED, fix=proposal, revision=2)


def fixed(name: str, number: int = 0) -> Finding:
    """Return a finding whose proposed fix is applied, with the same revision and plan."""
    finding = proposed(name, number)
    assert finding.fix is not None
    fix = replace(finding.fix, result=FixResult.APPLIED, approve="", attempts=1, after=finding.fix.expected)
    return replace(finding, transition=Transition.FIX_APPLIED, fix=fix)


def _fixed(number: int, transition: Transition, result: FixResult, **more: Any) -> Finding:
    """Return a finding of the function orders after its proposal."""
    finding = proposed(ORDERS, number)
    assert finding.fix is not None
    fix = replace(finding.fix, result=result, approve="", decided_by=CALLER, **more)
    return replace(finding, transition=transition, fix=fix, revision=3)


@cache
def findings_of_orders() -> tuple[Finding, ...]:
    """Return findings in every status, and with a fix in every state."""
    resolved = {"status": Status.RESOLVED, "resolution": "It passes.", "changed_by": CALLER}
    started = {"attempts": 1, "owner": "5d3c1a522b3f4d4e9c5b0a1b2c3d4e5f", "lease_until": NOW}
    after = {"role_arn": role_arn(ORDERS), "attached_policies": [SQS_POLICY_ARN]}
    undo = UndoRecord(revision=3, by=CALLER, at=NOW, reason="Orders must not read it")
    detach = PlannedCall(operation="iam:DetachRolePolicy", parameters={"PolicyArn": SQS_POLICY_ARN})
    undone = replace(undo, calls=(detach,), before=after, after={}, ended_at=NOW, summary="Undone.")
    return (
        finding_of(ORDERS),
        finding_of(ORDERS, 1, transition=Transition.RESOLVED, revision=2, **resolved),
        finding_of(ORDERS, 2, transition=Transition.SUPPRESSED, revision=2, status=Status.SUPPRESSED),
        proposed(ORDERS, 3),
        _fixed(4, Transition.FIX_APPROVED, FixResult.PROPOSED),
        _fixed(5, Transition.FIX_REJECTED, FixResult.REJECTED),
        _fixed(6, Transition.FIX_APPROVED, FixResult.APPLYING, **started),
        _fixed(7, Transition.FIX_APPLIED, FixResult.APPLIED, attempts=1, after=after),
        _fixed(8, Transition.FIX_UNDO_REQUESTED, FixResult.APPLIED, attempts=1, after=after, undo_record=undo),
        _fixed(9, Transition.FIX_UNDONE, FixResult.UNDONE, attempts=1, after=after, undo_record=undone),
    )


@cache
def bus_events() -> tuple[dict[str, Any], ...]:
    """Return an event of each finding of the function orders, as the publisher makes it."""
    return tuple(map(bus_event, findings_of_orders()))


def bus_event(finding: Finding) -> dict[str, Any]:
    """Return the event of a finding's last transition, as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "d54baf2c-d8cd-4f9f-88e1-273492d76d93",
        "detail-type": str(finding.transition),
        "source": "permission-guard",
        "account": ACCOUNT,
        "time": "2026-11-20T10:40:00Z",
        "region": REGION,
        "resources": [finding.function_arn],
        "detail": finding.to_document(),
    }


# ── Items ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def items_of(findings: Iterable[Finding]) -> list[Item]:
    """Return the items with which the stack stores findings."""
    aws = FakeAws()
    table = FindingsTable(aws.client("dynamodb"), FINDINGS)
    for finding in findings:
        table.put_finding(Change(finding, None))
    return list(aws.tables.items[FINDINGS].values())


@cache
def finding_items() -> tuple[Item, ...]:
    """Return the items of the findings of the function orders."""
    return tuple(item for item in items_of(findings_of_orders()) if item["sk"]["S"].startswith("FINDING#"))


@cache
def transition_items() -> tuple[Item, ...]:
    """Return the items of the last transitions of these findings."""
    return tuple(item for item in items_of(findings_of_orders()) if item["sk"]["S"].startswith("HISTORY#"))


@cache
def good_items() -> dict[str, tuple[Item, ...]]:
    """Return the items of the open finding of each other function, by its name."""
    return {name: tuple(items_of([finding_of(name)])) for name in OTHERS}


@cache
def check_items() -> tuple[Item, ...]:
    """Return the items of the checks of the function orders in both directions, with checkpoints."""
    aws = FakeAws()
    table = FindingsTable(aws.client("dynamodb"), FINDINGS)
    for direction in Direction:
        run = table.start_check(target_of(ORDERS), direction)
        table.commit_check(
            target_of(ORDERS), direction, run, CHECKPOINT, changes=(), unknowns=("PG201: unknown",), now=NOW
        )
    return tuple(item for item in aws.tables.items[FINDINGS].values() if item["sk"]["S"].startswith("CHECK#"))


@cache
def cursor_items() -> tuple[Item, ...]:
    """Return the items of sweeps in both steps, and after the last one."""
    aws = FakeAws()
    cursors, items = SweepCursor(aws.client("dynamodb"), FINDINGS), []
    for step in (*Step, None):
        cursors.move(cursors.read(), step, function_arn(ORDERS))
        items.append(dict(aws.tables.items[FINDINGS]["SWEEP", "CURSOR"]))
    return tuple(items)


@cache
def decision_items() -> tuple[Item, ...]:
    """Return the items of an approval, of a rejection, and of a request to undo a fix."""
    aws = FakeAws()
    findings = FindingsTable(aws.client("dynamodb"), FINDINGS)
    decisions = DecisionTable(aws.client("dynamodb"), DECISIONS, findings)
    for number, kind in enumerate(DecisionKind):
        finding = fixed(ORDERS, number) if kind is DecisionKind.UNDO else proposed(ORDERS, number)
        findings.put_finding(Change(finding, None))
        decide_on(finding, kind, findings, decisions, NOW)
    return tuple(aws.tables.items[DECISIONS].values())


def decide_on(
    finding: Finding, kind: DecisionKind, findings: FindingsTable, decisions: DecisionTable, now: str
) -> Decision:
    """Record a decision about a fix, as the function that takes decisions does."""
    assert finding.fix is not None
    request = DecisionRequest(
        kind=kind,
        finding_id=finding.id,
        function_arn=finding.function_arn,
        revision=finding.revision,
        plan_hash=finding.fix.plan_hash,
        nonce="5f0c1b7e9a3d48d2b6e4f1a2c3d4e5f6",
    )
    tables: Any = {"findings": findings, "decisions": decisions, "stop": InMemoryStop()}
    return decide(request, caller=CALLER, mode=FixMode.APPROVE, config=GuardConfig(), now=now, **tables)


_PERMISSIONS: Final = tuple(
    Permission(role_arn(ORDERS), action, QUEUE_ARN)
    for action in ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
)
_DENIED: Final = "The function execution role does not have permissions to call ReceiveMessage on SQS"
CHECKPOINT: Final = Checkpoint(
    roles=frozenset({RoleTarget(ACCOUNT, "orders-role"), RoleTarget(ACCOUNT, "orders-old-role")}),
    denied_calls=tuple(
        DeniedCall(
            api=api,
            function_arn=function_arn(ORDERS),
            role_arn=role_arn(ORDERS),
            message=_DENIED,
            at="2126-11-20T09:30:00.000+00:00",
            configuration=configuration,
        )
        for api, configuration in (
            ("CreateEventSourceMapping", {"EventSourceArn": QUEUE_ARN}),
            ("PutFunctionEventInvokeConfig", {"DestinationConfig": {"OnFailure": {"Destination": QUEUE_ARN}}}),
            ("UpdateFunctionConfiguration", {"DeadLetterConfig": {"TargetArn": QUEUE_ARN}}),
        )
    ),
    permissions=RolePermissions(
        frozenset(_PERMISSIONS[:1]),
        (LostPermission(_PERMISSIONS[1], NOW, NOW), LostPermission(_PERMISSIONS[2], NOW, NOW, ROLE_CHANGE)),
    ),
    role_changes=(ROLE_CHANGE,),
)


@cache
def role_items() -> tuple[Item, ...]:
    """Return the entries of the index of roles, and the mark that it is complete."""
    entries = [entry_of(RoleTarget(ACCOUNT, f"{name}-role"), target_of(name)) for name in (ORDERS, *OTHERS)]
    listed = entry_of(RoleTarget(ACCOUNT, "listed-role"), target_of("listed"), listed=True)
    return (*entries, listed, {"pk": {"S": "ROLES"}, "sk": {"S": "COMPLETE"}, "schema": {"N": "1"}})
