"""The valid inputs that are mutated: sample events, and findings and items as the stack itself writes them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.role_index import entry_of
from permission_guard.findings.checkpoint import Checkpoint
from permission_guard.findings.lifecycle import Change
from permission_guard.model.findings import Finding, FixRecord, FixResult, Status, Transition
from permission_guard.model.state import DeniedCall, ManagedBy
from permission_guard.model.targets import Direction, FunctionTarget, RoleTarget
from permission_guard.model.verdicts import Remedy, finding_id
from tests.fakes import ACCOUNT, NOW, QUEUE_ARN, REGION, SQS_POLICY_ARN, a_finding
from tests.fuzz.aws import FINDINGS, MAPPINGS, ORDERS, OTHERS, FakeAws, function_arn, role_arn
from tests.paths import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fuzz.dynamodb import Item

KEYS: Final = ("pk", "sk")
DOCUMENTS: Final = ("document", "checkpoint")
"""The attributes of the findings table whose text is JSON."""


def target_of(name: str) -> FunctionTarget:
    """Return a function as a target."""
    return FunctionTarget("aws", REGION, ACCOUNT, name)


@cache
def cloudtrail_events() -> tuple[dict[str, Any], ...]:
    """Return every sample of a CloudTrail event, and of a request to check functions."""
    (request,) = json.loads((EVENTS / "sqs" / "check_requested.json").read_text())["Records"]
    paths = sorted((EVENTS / "cloudtrail").glob("*.json"))
    return (json.loads(request["body"]), *(json.loads(path.read_text()) for path in paths))


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


FIX: Final = FixRecord(
    name="attach-managed-policy",
    result=FixResult.APPLIED,
    summary="Attached AWSLambdaSQSQueueExecutionRole",
    at=NOW,
    attempts=1,
    change={"RoleName": "orders-role", "PolicyArn": SQS_POLICY_ARN},
    before={"attached": []},
    after={"attached": [SQS_POLICY_ARN]},
    undo="aws iam detach-role-policy",
)


@cache
def findings_of_orders() -> tuple[Finding, ...]:
    """Return findings in every status."""
    changed = {"revision": 2, "changed_at": NOW}
    return (
        finding_of(ORDERS),
        finding_of(
            ORDERS, 1, status=Status.RESOLVED, transition=Transition.RESOLVED, resolution="It passes.", **changed
        ),
        finding_of(ORDERS, 2, status=Status.SUPPRESSED, transition=Transition.SUPPRESSED, **changed),
        finding_of(ORDERS, 3, transition=Transition.FIX_APPLIED, fix=FIX, **changed),
        finding_of(
            ORDERS, 4, transition=Transition.FIX_PROPOSED, fix=replace(FIX, result=FixResult.PROPOSED), **changed
        ),
        finding_of(ORDERS, 5, fix=replace(FIX, result=FixResult.APPLYING)),
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
    return tuple(items_of(findings_of_orders()))


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
)


@cache
def role_items() -> tuple[Item, ...]:
    """Return the entries of the index of roles, and the mark that it is complete."""
    entries = [entry_of(RoleTarget(ACCOUNT, f"{name}-role"), target_of(name)) for name in (ORDERS, *OTHERS)]
    listed = entry_of(RoleTarget(ACCOUNT, "listed-role"), target_of("listed"), listed=True)
    return (*entries, listed, {"pk": {"S": "ROLES"}, "sk": {"S": "COMPLETE"}, "schema": {"N": "1"}})
