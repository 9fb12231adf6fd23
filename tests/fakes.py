"""A small AWS account in memory: values to build states from, and stand-ins for what reads, keeps and writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from permission_guard.errors import ConflictError, WriteFailedError
from permission_guard.findings.checkpoint import CheckRun, StoredFindings
from permission_guard.findings.lifecycle import owner_of_fix
from permission_guard.fixes.policy_lists import PolicyLists
from permission_guard.fixes.stop import Breaker
from permission_guard.iam import parse_policy
from permission_guard.model.arns import finding_target
from permission_guard.model.findings import Finding, Status, Transition
from permission_guard.model.state import EventSourceMapping, Function, ManagedBy, Role, Snapshot, Unread
from permission_guard.model.targets import Direction, FindingTarget, FunctionTarget, RoleTarget
from permission_guard.model.verdicts import Severity, finding_id
from tests.in_memory_policies import InMemoryPolicies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from permission_guard.findings.checkpoint import Checkpoint
    from permission_guard.findings.lifecycle import Change
    from permission_guard.fixes.decisions import Decision
    from permission_guard.fixes.stop import Switch
    from permission_guard.iam import Policy
    from permission_guard.model.state import DeniedCall

ACCOUNT = "123456789012"
REGION = "us-east-1"
TARGET = FunctionTarget("aws", REGION, ACCOUNT, "orders")
OTHER = FunctionTarget("aws", REGION, ACCOUNT, "invoices")
FUNCTION_ARN = TARGET.arn
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/service-role/orders-role"
ROLE_TARGET = RoleTarget(ACCOUNT, "orders-role")
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:incoming-orders"
MAPPING_UUID = "0e6f4d9c-7c5b-4c5b-9a53-3f1f6f0f5a11"
MAPPING_SUBJECT = f"event-source-mapping/{MAPPING_UUID}"
FINDING_ID = finding_id("PG201", FUNCTION_ARN, MAPPING_SUBJECT)
SQS_POLICY_ARN = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
NOW = "2026-11-20T09:30:00.000+00:00"

TRUST_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}

DENIED = Unread("iam:GetRole", "AccessDenied", "not authorized to perform: iam:GetRole", denied=True)
THROTTLED = Unread("iam:GetRole", "Throttling", "Rate exceeded", denied=False)


def allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    """Return a document with one Allow statement."""
    return {"Version": "2012-10-17", "Statement": [statement(*actions, resource=resource, **more)]}


def statement(*actions: str, effect: str = "Allow", resource: str = "*", **more: Any) -> dict[str, Any]:
    """Return an identity statement."""
    return {"Effect": effect, "Action": list(actions), "Resource": resource, **more}


LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
SQS_POLICY = allow("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", *LOGS)
"""What AWS's managed policy for queues allows."""


def a_policy(document: object, name: str = "") -> Policy:
    """Return a parsed policy, which must be a document: a statement alone would be unreadable."""
    assert not isinstance(document, dict) or "Statement" in document, document
    return parse_policy(document, name=name)


def a_role(
    *documents: Mapping[str, Any],
    arn: str = ROLE_ARN,
    attached: Mapping[str, Policy | Unread] | None = None,
    tags: Mapping[str, str] | None = None,
    boundary: Policy | Unread | None = None,
) -> Role:
    """Return a role with inline policies."""
    path, name = arn.split(":role", 1)[1].rsplit("/", 1)
    return Role(
        arn=arn,
        name=name,
        path=f"{path}/",
        tags=tags or {},
        trust_policy=parse_policy(TRUST_LAMBDA),
        attached=attached or {},
        inline={f"inline-{number}": parse_policy(document) for number, document in enumerate(documents)},
        boundary_arn=f"arn:aws:iam::{ACCOUNT}:policy/limits" if boundary else None,
        boundary=boundary,
    )


def a_mapping(source: str | None = QUEUE_ARN, **more: Any) -> EventSourceMapping:
    """Return an enabled mapping of the function."""
    values: dict[str, Any] = {
        "uuid": MAPPING_UUID,
        "arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{MAPPING_UUID}",
        "function_arn": FUNCTION_ARN,
        "event_source_arn": source,
        "state": "Enabled",
        "state_transition_reason": "USER_INITIATED",
        "last_processing_result": "",
    }
    return EventSourceMapping(**{**values, **more})


def a_function(target: FunctionTarget = TARGET, role_arn: str = ROLE_ARN) -> Function:
    """Return a function's configuration."""
    return Function(arn=target.arn, name=target.name, role_arn=role_arn)


def polling(role: Role | Unread | None, **more: Any) -> Snapshot:
    """Return the state of a function that polls a queue with a role."""
    function = a_function()
    values: dict[str, Any] = {
        "mappings": (a_mapping(),),
        "versions": {FUNCTION_ARN: function},
        "roles": {ROLE_ARN: role},
        "tags": {},
    }
    return Snapshot(TARGET, function, **{**values, **more})


def a_finding(**more: Any) -> Finding:
    """Return an open finding: the role may not read the queue."""
    values: dict[str, Any] = {
        "id": FINDING_ID,
        "rule_id": "PG201",
        "rule_name": "event-source-read-missing",
        "severity": Severity.HIGH,
        "partition": "aws",
        "account": ACCOUNT,
        "region": REGION,
        "function_arn": FUNCTION_ARN,
        "subject": MAPPING_SUBJECT,
        "title": "orders cannot read its SQS queue",
        "reason": "The role is not allowed sqs:ReceiveMessage.",
        "impact": "Messages expire.",
        "evidence": {"role_arn": ROLE_ARN, "event_source_arn": QUEUE_ARN},
        "remedies": (),
        "status": Status.OPEN,
        "revision": 1,
        "transition": Transition.OPENED,
        "opened_at": NOW,
        "changed_at": NOW,
        "first_seen": NOW,
        "last_seen": NOW,
    }
    return Finding(**{**values, **more})


class Clock:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.now = datetime.fromisoformat(NOW)

    def __call__(self) -> str:
        self.now += timedelta(seconds=1)
        return self.now.astimezone(UTC).isoformat(timespec="milliseconds")


@dataclass
class InMemoryFindings:
    """A findings table as strict as the deployed one: documents are JSON, writes are conditional, checks are counted.

    It includes the role index. `before_write` runs before every write, to simulate another writer. `queries` counts how
    often recorded findings were read, beside the start of a check.
    """

    documents: dict[tuple[str, str], str] = field(default_factory=dict)
    written: dict[tuple[str, Direction], int] = field(default_factory=dict)
    unknowns: list[str] = field(default_factory=list)
    history: list[Finding] = field(default_factory=list)
    fixes: dict[str, set[str]] = field(default_factory=dict)
    checkpoints: dict[tuple[str, Direction], str] = field(default_factory=dict)
    seen_at: dict[tuple[str, Direction], str] = field(default_factory=dict)
    decisions: dict[tuple[str, int], Decision] = field(default_factory=dict)
    users: dict[RoleTarget, set[FunctionTarget]] = field(default_factory=dict)
    is_complete: bool = True
    queries: int = 0
    before_write: Callable[[], None] = lambda: None

    def forget(self) -> None:
        """Does nothing, because there is no cache."""

    def start_check(self, target: FunctionTarget, direction: Direction) -> CheckRun:
        key = (target.arn, direction)
        text, seen_at = self.checkpoints.get(key, ""), self.seen_at.get(key, "")
        return CheckRun.after(self.written.get(key, 0), text, seen_at, self._recorded(target))

    def checkpoint(self, target: FunctionTarget, direction: Direction) -> Checkpoint:
        return CheckRun.after(0, self.checkpoints.get((target.arn, direction), ""), "").checkpoint

    def decision(self, finding_id: str, revision: int) -> Decision | None:
        return self.decisions.get((finding_id, revision))

    def record(self, decision: Decision, change: Change) -> None:
        if (decision.finding_id, decision.revision) in self.decisions:
            raise ConflictError(decision.finding_id)
        self.put_finding(change)
        self.decisions[decision.finding_id, decision.revision] = decision

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> dict[RoleTarget, tuple[FunctionTarget, ...]]:
        return {role: tuple(sorted(self.users.get(role, ()))) for role in roles}

    def findings_of(self, target: FindingTarget) -> StoredFindings:
        self.queries += 1
        return self._recorded(target)

    def _recorded(self, target: FindingTarget) -> StoredFindings:
        return StoredFindings(tuple(_parse(text) for (arn, _), text in self.documents.items() if arn == target.arn))

    def finding(self, target: FindingTarget, finding_id: str) -> Finding | None:
        text = self.documents.get((target.arn, finding_id))
        return _parse(text) if text else None

    def commit_check(
        self,
        target: FunctionTarget,
        direction: Direction,
        run: CheckRun,
        checkpoint: Checkpoint,
        *,
        changes: Sequence[Change],
        unknowns: Sequence[str],
        now: str,
    ) -> bool:
        self.before_write()
        key = (target.arn, direction)
        if self.written.get(key, 0) != run.number:
            return False
        assert len({change.finding.id for change in changes}) == len(changes), "a transaction takes an item once"
        for change in changes:
            self._check(change)
        self.written[key] = run.number + 1
        self.checkpoints[key] = checkpoint.to_json()
        if checkpoint.is_complete:
            self.seen_at[key] = now
        for role in run.checkpoint.roles - checkpoint.roles:
            self.users[role].discard(target)
        for role in checkpoint.roles:
            self.users.setdefault(role, set()).add(target)
        self.unknowns = list(unknowns)
        for change in changes:
            self.put(change.finding)
        return True

    def put_finding(self, change: Change) -> None:
        self.before_write()
        if self.finding(finding_target(change.finding.target_arn), change.finding.id) == change.finding:
            return
        self._check(change)
        self.put(change.finding)

    def put(self, finding: Finding) -> None:
        """Write a finding, whatever is there."""
        self.documents[finding_target(finding.target_arn).arn, finding.id] = json.dumps(finding.to_document())
        self.history.append(finding)

    def take_fix_quota(self, hour: str, limit: int, fix: str) -> bool:
        taken = self.fixes.setdefault(hour, set())
        if fix not in taken and len(taken) >= limit:
            return False
        taken.add(fix)
        return True

    def one(self) -> Finding:
        """Return the only finding."""
        (text,) = self.documents.values()
        return _parse(text)

    def _check(self, change: Change) -> None:
        text = self.documents.get((finding_target(change.finding.target_arn).arn, change.finding.id))
        held = _parse(text) if text else None
        if (held.revision if held else None) != change.expected_revision:
            raise ConflictError(change.finding.id)
        if held and owner_of_fix(held) != change.read_owner:
            raise ConflictError(change.finding.id)


@dataclass
class InMemoryStop:
    """The switch and the breaker, as strict as the deployed table. `before_write` simulates another writer."""

    switched: Switch | None = None
    opened: Breaker = field(default_factory=Breaker)
    requests: dict[str, Switch] = field(default_factory=dict)
    before_write: Callable[[], None] = lambda: None
    reads: int = 0

    def switch(self) -> Switch | None:
        self.reads += 1
        return self.switched

    def breaker(self) -> Breaker:
        return self.opened

    def request(self, nonce: str) -> Switch | None:
        return self.requests.get(nonce)

    def put_breaker(self, breaker: Breaker) -> None:
        self.before_write()
        if self.opened.number != breaker.number - 1:
            raise ConflictError("BREAKER")
        self.opened = breaker

    def record(self, request: Switch, *, is_set: bool, replaced: str | None) -> None:
        self.before_write()
        held = self.switched.nonce if self.switched else ""
        if request.nonce in self.requests or (is_set and replaced not in (None, held)):
            raise ConflictError("FIXING")
        self.requests[request.nonce] = request
        if is_set:
            self.switched = request


@dataclass
class InMemoryState(InMemoryPolicies):
    """What AWS would say: a snapshot that tests replace, and the managed policies that exist.

    As a writer it attaches policies to the snapshot's role; `visible_after` reads later they show. `error` is what
    IAM answers instead. `named` is the finding that the last write names in CloudTrail.
    """

    managed: dict[str, Policy | Unread] = field(default_factory=lambda: {SQS_POLICY_ARN: a_policy(SQS_POLICY)})
    error: Exception | None = None
    stack: str | Unread | None = None
    quota: int | Unread = 20
    role_users: tuple[str, ...] | Unread = (FUNCTION_ARN,)
    owner: ManagedBy | Unread | None = None
    function_tags: Mapping[str, str] | Unread = field(default_factory=dict)
    lists: PolicyLists = field(default_factory=PolicyLists)
    tags_of: Mapping[str, Mapping[str, str] | Unread] = field(default_factory=dict)
    visible_after: int = 0
    attached: list[tuple[str, str]] = field(default_factory=list)
    detached: list[tuple[str, str]] = field(default_factory=list)
    named: str = ""
    reads: int = 0
    forgotten: int = 0
    not_before: float = 0.0
    denied_calls: tuple[DeniedCall, ...] = ()

    def snapshot(
        self,
        target: FunctionTarget,
        direction: Direction,
        *,
        not_before: float = 0.0,
        denied_calls: Sequence[DeniedCall] = (),
    ) -> Snapshot:
        self.reads += 1
        self.not_before = not_before
        self.denied_calls = tuple(denied_calls)
        shown = self.state if self.visible_after == 0 or not self.attached else self._hidden()
        return replace(shown, target=target, denied_calls=self.denied_calls)

    def forget(self) -> None:
        self.forgotten += 1

    def snapshot_for_fix(self, target: FunctionTarget, direction: Direction) -> Snapshot:
        return self.snapshot(target, direction)

    def managed_by(self, target: FunctionTarget) -> ManagedBy | Unread | None:
        return self.owner

    def tags(self, target: FunctionTarget) -> Mapping[str, str] | Unread:
        return self.function_tags

    def managed_policy(self, arn: str) -> Policy | Unread:
        return self.managed.get(arn, Unread("iam:GetPolicy", "NoSuchEntity", f"{arn} does not exist", denied=False))

    def policies_per_role(self) -> int | Unread:
        return self.quota

    def policy_lists(self) -> PolicyLists:
        return self.lists

    def resource_tags(self, arn: str, target: FunctionTarget) -> Mapping[str, str] | Unread | None:
        return self.tags_of.get(arn)

    def role(self, arn: str) -> Role | Unread | None:
        shown = self.state if self.visible_after == 0 or not self.attached else self._hidden()
        return shown.roles.get(arn)

    def stack_of(self, physical_id: str) -> str | Unread | None:
        return self.stack

    def stack_in_region(self, physical_id: str) -> str | Unread | None:
        return self.stack

    def functions_of_role(self, role_arn: str) -> tuple[str, ...] | Unread:
        return self.role_users

    def for_finding(self, finding_id: str) -> InMemoryState:
        self.named = finding_id
        return self

    def attach_role_policy(self, role_name: str, policy_arn: str) -> None:
        if self.error:
            raise self.error
        role = next((one for one in self.state.roles.values() if isinstance(one, Role) and one.name == role_name), None)
        if role is None:
            raise WriteFailedError(f"iam:AttachRolePolicy failed with NoSuchEntity: {role_name}")
        document = self.managed[policy_arn]
        mended = replace(role, attached={**role.attached, policy_arn: document})
        self.state = replace(self.state, roles={**self.state.roles, role.arn: mended})
        self.attached.append((role_name, policy_arn))

    def detach_role_policy(self, role_name: str, policy_arn: str) -> None:
        if self.error:
            raise self.error
        role = self.state.roles[ROLE_ARN]
        self.detached.append((role_name, policy_arn))
        if isinstance(role, Role) and role.name == role_name:
            left = {arn: text for arn, text in role.attached.items() if arn != policy_arn}
            self.state = replace(self.state, roles={**self.state.roles, ROLE_ARN: replace(role, attached=left)})

    def _hidden(self) -> Snapshot:
        self.visible_after -= 1
        role = self.state.roles[ROLE_ARN]
        assert isinstance(role, Role)
        before = replace(role, attached={arn: text for arn, text in role.attached.items() if arn != SQS_POLICY_ARN})
        return replace(self.state, roles={**self.state.roles, ROLE_ARN: before})


def _parse(text: str) -> Finding:
    return Finding.from_document(json.loads(text))
