"""A batch of a checker's queue: each target is checked once, and each message is acknowledged or fails."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.time_limit import TimeLimit
from permission_guard.checks.batch import (
    MAX_FUNCTIONS_OF_ROLES,
    MIN_MILLIS_FOR_A_CHECK,
    RESERVED_MILLIS,
    CheckBatch,
)
from permission_guard.checks.batch_log import MAX_UNKNOWN_LINES
from permission_guard.checks.checker import Checker
from permission_guard.checks.requests import CheckRequest
from permission_guard.findings.checkpoint import Checkpoint, CheckRun
from permission_guard.iam import TrustSet
from permission_guard.intake.check_requests import check_request_body
from permission_guard.model.findings import Status
from permission_guard.model.state import Inventory, ManagedBy, ResourcePolicy, Snapshot, Trigger
from permission_guard.model.targets import Direction, FunctionTarget, PolicyTarget, RoleTarget
from permission_guard.rules import rules_for
from tests.fakes import (
    ACCOUNT,
    DENIED,
    FUNCTION_ARN,
    OTHER,
    QUEUE_ARN,
    ROLE_ARN,
    SQS_POLICY,
    TARGET,
    THROTTLED,
    Clock,
    InMemoryFindings,
    InMemoryState,
    a_function,
    a_policy,
    a_role,
    polling,
    statement,
)
from tests.paths import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.unit.conftest import Logged

SCOPE = Direction.EXECUTION_ROLE
RULE_IDS = ("PG201", "PG207", "PG209")
"""The rules on the role that are used here: one of each kind, so that the states can be small."""


@dataclass
class Directory:
    """The functions of each role, and the roles of each policy."""

    functions: dict[str, tuple[FunctionTarget, ...]] = field(default_factory=dict)
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    role_calls: list[list[str]] = field(default_factory=list)
    policy_calls: list[str] = field(default_factory=list)
    is_down: bool = False
    forgotten_calls: int = 0

    def forget(self) -> None:
        self.forgotten_calls += 1

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> dict[RoleTarget, tuple[FunctionTarget, ...]]:
        self.role_calls.append([role.name for role in roles])
        if self.is_down:
            raise ConnectionError("Lambda did not answer")
        return {role: self.functions.get(role.name, ()) for role in roles}

    def roles_of_policy(self, policy: PolicyTarget) -> tuple[RoleTarget, ...]:
        name = policy.arn.rsplit("/", 1)[-1]
        self.policy_calls.append(name)
        if name not in self.roles:
            raise PermissionError("iam:ListEntitiesForPolicy is not allowed")
        return tuple(RoleTarget(policy.account, role) for role in self.roles[name])


@dataclass
class Requests:
    """Requested checks. If `is_down`, every request fails."""

    rechecks: list[FunctionTarget] = field(default_factory=list)
    full_checks: list[FunctionTarget] = field(default_factory=list)
    checks_again: list[FunctionTarget] = field(default_factory=list)
    sent: list[CheckRequest] = field(default_factory=list)
    is_down: bool = False

    def recheck(self, target: FunctionTarget, request: CheckRequest) -> None:
        self.sent.append(request)
        self._send(self.rechecks, [target])

    def request_full(self, targets: Iterable[FunctionTarget], *, baseline: bool = False) -> None:
        self._send(self.full_checks, targets)

    def request_again(self, targets: Iterable[FunctionTarget], request: CheckRequest) -> None:
        self.sent.append(request)
        self._send(self.checks_again, targets)

    def _send(self, where: list[FunctionTarget], targets: Iterable[FunctionTarget]) -> None:
        if self.is_down:
            raise ConnectionError("SQS did not answer")
        where.extend(targets)


@dataclass
class Account:
    """A function that may not read its queue, one with a role for both, and the batch that checks them."""

    logged: Logged
    state: InMemoryState = field(default_factory=lambda: InMemoryState(polling(a_role())))
    store: InMemoryFindings = field(default_factory=InMemoryFindings)
    directory: Directory = field(default_factory=lambda: Directory({"orders-role": (TARGET,)}))
    remaining_time: Callable[[], int] = lambda: 180_000
    checked: list[FunctionTarget] = field(default_factory=list)
    requests: Requests = field(default_factory=Requests)
    grace_period: bool = False

    def handle(self, *messages: dict[str, Any], direction: Direction = SCOPE) -> list[str]:
        """Process a batch; return the messages that are delivered again."""
        rules = [
            rule
            for rule in rules_for(direction, TrustSet(frozenset()))
            if direction is not SCOPE or rule.id in RULE_IDS
        ]
        checker = Checker(
            direction, rules, self.state, self.store, Clock(), users=self.store, grace_period=self.grace_period
        )
        batch = CheckBatch(
            direction,
            checker,
            self.directory,
            self.directory,
            self.requests,
            time_limit=TimeLimit(),
            logger=self.logged.logger,
            metrics=self.logged.metrics,
        )
        answer = batch.handle({"Records": list(messages)}, self.remaining_time)
        assert set(answer) == {"batchItemFailures"}
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def message(number: int, event: object, received: int = 1) -> dict[str, Any]:
    """Return a message of the queue, with the number of times that it was received."""
    body = event if isinstance(event, str) else json.dumps(event)
    return {"messageId": f"m{number}", "body": body, "attributes": {"ApproximateReceiveCount": str(received)}}


def record(name: str, number: int = 0, **request: Any) -> dict[str, Any]:
    """Return a CloudTrail event of the corpus with its own event id and other parameters."""
    event: dict[str, Any] = deepcopy(json.loads((EVENTS / "cloudtrail" / f"{name}.json").read_text()))
    event["detail"]["eventID"] = f"trail-{number}"
    event["detail"]["requestParameters"] = {**(event["detail"]["requestParameters"] or {}), **request}
    return event


def test_a_change_of_a_mapping_opens_a_finding_with_the_event_id(logged: Logged) -> None:
    """From the message to the store, the log and the metric."""
    account = Account(logged)
    assert account.handle(message(0, record("create_event_source_mapping", 7))) == []
    assert account.store.one().event_ids == ("trail-7",)
    line = logged.line("Finding Opened")
    assert line["cloudtrail_event_ids"] == ["trail-7"]
    assert line["function_arn"] == FUNCTION_ARN
    assert line["finding_id"] == account.store.one().id
    assert (line["rule_id"], line["revision"]) == ("PG201", 1)
    assert logged.counts == {"MessagesReceived": 1, "FindingsOpened": 1, "FunctionsChecked": 1}


def test_ten_changes_of_one_role_cause_one_check(logged: Logged) -> None:
    """The role is resolved once, the function is read once, and the finding has the event ids."""
    account = Account(logged)
    messages = [message(n, record("put_role_policy", n, roleName="orders-role")) for n in range(10)]
    assert account.handle(*messages) == []
    assert account.directory.role_calls == [["orders-role"]]
    assert account.state.reads == 1
    assert account.store.one().event_ids == ("trail-0", "trail-1", "trail-2", "trail-3", "trail-4")
    assert logged.counts["FunctionsChecked"] == 1


def test_a_function_that_is_named_by_itself_and_by_its_role_is_checked_once(logged: Logged) -> None:
    """The finding has both event ids."""
    account = Account(logged)
    account.handle(
        message(0, record("update_function_configuration", 0, functionName="orders")),
        message(1, record("attach_role_policy", 1, roleName="orders-role")),
    )
    assert account.state.reads == 1
    assert account.store.one().event_ids == ("trail-0", "trail-1")


def test_all_checks_of_a_batch_are_started_before_the_first_read(logged: Logged) -> None:
    """State read for the first function, such as a role, is shared, so it must not be older than any check."""
    account = Account(logged, directory=Directory({"shared": (TARGET, OTHER)}))
    started: list[FunctionTarget] = []
    started_at_read: list[int] = []
    read, start = account.state.snapshot, account.store.start_check

    def start_check(target: FunctionTarget, direction: Direction) -> CheckRun:
        started.append(target)
        return start(target, direction)

    def snapshot(target: FunctionTarget, direction: Direction, **more: Any) -> Snapshot:
        started_at_read.append(len(started))
        return read(target, direction, **more)

    account.store.start_check = start_check  # type: ignore[method-assign]
    account.state.snapshot = snapshot  # type: ignore[method-assign]
    account.handle(message(0, record("put_role_policy", roleName="shared")))
    assert started_at_read == [2, 2]


def test_all_roles_of_a_batch_are_resolved_with_one_call(logged: Logged) -> None:
    """The account's functions are listed once for any number of changed roles."""
    directory = Directory({"orders-role": (TARGET,), "invoices-role": (OTHER,)})
    account = Account(logged, state=InMemoryState(polling(a_role(SQS_POLICY))), directory=directory)
    names = ["orders-role", "invoices-role", "unused-role"]
    account.handle(*(message(n, record("put_role_policy", n, roleName=name)) for n, name in enumerate(names)))
    assert account.directory.role_calls == [names]
    assert logged.counts["FunctionsChecked"] == 2


def test_functions_are_not_listed_if_no_role_has_changed(logged: Logged) -> None:
    """The sweep's requests name functions."""
    account = Account(logged)
    account.handle(message(0, check_request_body([TARGET])))
    assert account.directory.role_calls == []


def test_a_role_that_no_function_uses_causes_no_check(logged: Logged) -> None:
    """Most roles of an account are not used by Lambda."""
    account = Account(logged, directory=Directory({"unused-role": ()}))
    assert account.handle(message(0, record("delete_role_policy", roleName="unused-role"))) == []
    assert account.state.reads == 0


def test_roles_that_cannot_be_resolved_fail_only_their_messages(logged: Logged) -> None:
    """The other targets are checked; the failed messages are delivered again."""
    account = Account(logged, directory=Directory(is_down=True))
    failed = account.handle(
        message(0, check_request_body([TARGET])),
        message(1, record("put_role_policy", 1, roleName="elsewhere")),
        message(2, record("detach_role_policy", 2, roleName="elsewhere")),
    )
    assert failed == ["m1", "m2"]
    assert account.store.one().status is Status.OPEN
    line = logged.line("role could not be resolved to functions")
    assert line["level"] == "ERROR"
    assert line["cloudtrail_event_ids"] == ["trail-1", "trail-2"]
    assert line["target"] == "elsewhere"
    assert line["exception_name"] == "ConnectionError"
    assert logged.counts["ChecksFailed"] == 1


def policy_version(policy: str, number: int = 0, name: str = "set_default_policy_version") -> dict[str, Any]:
    """Return the event of a changed managed policy."""
    return record(name, number, policyArn=f"arn:aws:iam::{ACCOUNT}:policy/{policy}")


def test_a_changed_policy_causes_checks_of_the_functions_of_its_roles(logged: Logged) -> None:
    """The finding has the event id."""
    directory = Directory({"orders-role": (TARGET,)}, roles={"shared": ("orders-role", "unused-role")})
    account = Account(logged, directory=directory)
    assert account.handle(message(0, policy_version("shared", 7, "create_policy_version"))) == []
    assert directory.policy_calls == ["shared"]
    assert directory.role_calls == [["orders-role", "unused-role"]]
    assert account.store.one().event_ids == ("trail-7",)
    assert account.store.one().function_arn == FUNCTION_ARN


def test_each_policy_of_a_batch_is_resolved_once_and_all_roles_with_one_call(logged: Logged) -> None:
    """The role has both policies and a change of its own, but its function is read once."""
    roles = {"shared": ("orders-role", "invoices-role"), "limits": ("orders-role",)}
    directory = Directory({"orders-role": (TARGET,)}, roles=roles)
    account = Account(logged, directory=directory)
    failed = account.handle(
        message(0, policy_version("shared", 0)),
        message(1, policy_version("limits", 1)),
        message(2, policy_version("shared", 2)),
        message(3, record("detach_role_policy", 3, roleName="orders-role")),
    )
    assert failed == []
    assert directory.policy_calls == ["shared", "limits"]
    assert directory.role_calls == [["orders-role", "invoices-role"]]
    assert account.state.reads == 1
    assert set(account.store.one().event_ids) == {"trail-0", "trail-1", "trail-2", "trail-3"}


def test_a_policy_that_no_role_has_causes_no_check(logged: Logged) -> None:
    """Users and groups have policies as well."""
    account = Account(logged, directory=Directory(roles={"shared": ()}))
    assert account.handle(message(0, policy_version("shared"))) == []
    assert account.directory.role_calls == []
    assert account.state.reads == 0


def test_a_policy_that_cannot_be_resolved_fails_only_its_messages(logged: Logged) -> None:
    """The other policies and roles are resolved; the failed messages are delivered again."""
    account = Account(logged, directory=Directory({"orders-role": (TARGET,)}, roles={"shared": ("orders-role",)}))
    failed = account.handle(
        message(0, policy_version("secret", 0)),
        message(1, policy_version("shared", 1)),
        message(2, policy_version("secret", 2)),
    )
    assert failed == ["m0", "m2"]
    assert account.store.one().event_ids == ("trail-1",)
    line = logged.line("policy could not be resolved to roles")
    assert line["level"] == "ERROR"
    assert line["cloudtrail_event_ids"] == ["trail-0", "trail-2"]
    assert line["target"] == f"arn:aws:iam::{ACCOUNT}:policy/secret"
    assert line["exception_name"] == "PermissionError"
    assert logged.counts["ChecksFailed"] == 1


def test_roles_of_a_policy_that_cannot_be_resolved_fail_the_policys_messages(logged: Logged) -> None:
    """Either of the two calls may fail."""
    account = Account(logged, directory=Directory(roles={"shared": ("orders-role",)}, is_down=True))
    assert account.handle(message(0, policy_version("shared"))) == ["m0"]
    assert logged.line("role could not be resolved to functions")["target"] == "orders-role"


def test_a_message_with_several_functions_fails_if_one_check_fails(logged: Logged) -> None:
    """The findings of the other function are recorded, and the retry does not change them."""
    account = Account(logged)
    read = account.state.snapshot

    def snapshot(target: FunctionTarget, direction: Direction, **more: Any) -> Snapshot:
        if target == OTHER:
            raise TimeoutError("Lambda did not answer")
        return read(target, direction, **more)

    account.state.snapshot = snapshot  # type: ignore[method-assign]
    failed = account.handle(message(0, check_request_body([TARGET, OTHER])), message(1, check_request_body([TARGET])))
    assert failed == ["m0"]
    assert account.store.one().function_arn == FUNCTION_ARN
    line = logged.line("check failed")
    assert line["target"] == OTHER.arn
    assert line["cloudtrail_event_ids"] == ["check-request/m0"]


def test_a_check_that_cannot_be_started_fails_its_messages(logged: Logged) -> None:
    """The table does not respond: nothing is read, and the message is delivered again."""
    account = Account(logged)

    def start_check(target: FunctionTarget, direction: Direction) -> CheckRun:
        raise ConnectionError("the table did not answer")

    account.store.start_check = start_check  # type: ignore[method-assign]
    assert account.handle(message(0, check_request_body([TARGET]))) == ["m0"]
    assert account.state.reads == 0
    assert logged.line("check could not start")["exception_name"] == "ConnectionError"


def test_a_denied_read_is_logged_counted_and_retried(logged: Logged) -> None:
    """The bot lacks a permission; the log has the permission and the event id."""
    account = Account(logged, state=InMemoryState(polling(DENIED)))
    assert account.handle(message(0, record("create_event_source_mapping", 3))) == ["m0"]
    line = logged.line("state could not be read")
    assert line["level"] == "ERROR"
    assert (line["action"], line["code"]) == ("iam:GetRole", "AccessDenied")
    assert line["cloudtrail_event_ids"] == ["trail-3"]
    unknown = [line for line in logged.lines if line["message"] == "verdict is unknown"]
    rules = list(RULE_IDS)
    assert [(line["rule_id"], line["reason"]) for line in unknown] == [(rule, str(DENIED)) for rule in rules]
    counts = {"MessagesReceived": 1, "ReadsDenied": 1, "VerdictsUnknown": len(rules), "FunctionsChecked": 1}
    assert logged.counts == counts
    assert account.store.history == []


def test_sources_that_cannot_be_read_are_one_line_and_one_unknown_for_each_inventory(logged: Logged) -> None:
    """Thousands of log groups for each of thousands of functions would fill the log."""
    groups = {f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{number}": THROTTLED for number in range(3_000)}
    inventory = Inventory("logs", "logs.amazonaws.com", frozenset(groups), (), groups)
    snapshot = Snapshot(TARGET, a_function(), inventories=(inventory,))
    account = Account(logged, state=InMemoryState(snapshot))
    assert account.handle(message(0, check_request_body([TARGET])), direction=Direction.INVOKE_POLICY) == ["m0"]
    assert logged.line("state could not be read")["reads"] == 3_000
    assert logged.line("verdict is unknown")["subject"] == "trigger/logs.amazonaws.com/*"
    assert logged.counts["ReadsFailed"] == 3_000
    assert len(logged.lines) < 5


def test_many_unknown_verdicts_are_counted_after_the_first(logged: Logged) -> None:
    """The last line names their rules."""
    condition = {"NewOperator": {"aws:SourceAccount": ACCOUNT}}
    statements = [
        statement("lambda:InvokeFunction", Sid=f"s{n}", Principal="*", Condition=condition) for n in range(30)
    ]
    policy = a_policy({"Version": "2012-10-17", "Statement": statements})
    snapshot = Snapshot(TARGET, a_function(), resource_policies=(ResourcePolicy(FUNCTION_ARN, None, policy),))
    account = Account(logged, state=InMemoryState(snapshot))
    account.handle(message(0, check_request_body([TARGET])), direction=Direction.INVOKE_POLICY)
    assert len([line for line in logged.lines if line["message"] == "verdict is unknown"]) == MAX_UNKNOWN_LINES
    others = logged.line("more verdicts are unknown")
    assert others["verdicts"] == logged.counts["VerdictsUnknown"] - MAX_UNKNOWN_LINES > 0
    assert others["rule_ids"]


def test_a_throttled_read_has_its_own_metric_and_is_retried(logged: Logged) -> None:
    """The alarm on missing permissions must not go off."""
    account = Account(logged, state=InMemoryState(polling(THROTTLED)))
    assert account.handle(message(0, check_request_body([TARGET]))) == ["m0"]
    assert logged.counts["ReadsFailed"] == 1
    assert "ReadsDenied" not in logged.counts


def test_a_denied_read_of_a_source_s_policy_is_unknown_and_not_retried(logged: Logged) -> None:
    """The queue's owner must allow the read first. Until then there is no finding."""
    denied = replace(DENIED, action="sqs:GetQueueAttributes")
    account = Account(logged, state=InMemoryState(polling(a_role(), source_policies={QUEUE_ARN: denied})))
    assert account.handle(message(0, check_request_body([TARGET]))) == []
    assert "sqs:GetQueueAttributes failed with AccessDenied" in logged.line("verdict is unknown")["reason"]
    assert account.store.history == []


def test_an_unknown_verdict_without_a_failed_read_is_not_retried(logged: Logged) -> None:
    """It depends on an unknown condition key, so the retry would have the same result."""
    condition = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    statement = {**SQS_POLICY["Statement"][0], "Condition": condition}
    role = a_role({**SQS_POLICY, "Statement": [statement]})
    account = Account(logged, state=InMemoryState(polling(role)))
    assert account.handle(message(0, check_request_body([TARGET]))) == []
    assert logged.line("verdict is unknown")["subject"].startswith("event-source-mapping/")
    assert logged.counts["VerdictsUnknown"] == 1


def test_malformed_messages_fail_with_the_reason(logged: Logged) -> None:
    """They move to the dead-letter queue, where an engineer finds them."""
    account = Account(logged)
    failed = account.handle(
        message(0, "not JSON"),
        message(1, record("unknown_api", 1)),
        message(2, {"source": "permission-guard", "detail-type": "Check Requested", "detail": {"functions": "orders"}}),
        message(3, check_request_body([TARGET])),
    )
    assert failed == ["m0", "m1", "m2"]
    assert account.store.one().status is Status.OPEN
    lines = [line for line in logged.lines if line["message"] == "message cannot be read"]
    assert [(line["message_id"], line["error"]) for line in lines] == [
        ("m0", "MalformedEventError"),
        ("m1", "UnknownEventError"),
        ("m2", "MalformedEventError"),
    ]
    assert lines[1]["cloudtrail_event_id"] == "trail-1"
    assert logged.counts["MessagesUnreadable"] == 3


def test_an_event_without_a_change_is_ignored_with_the_reason(logged: Logged) -> None:
    """A failed call is no change."""
    account = Account(logged)
    assert account.handle(message(0, record("update_event_source_mapping_failed", 4))) == []
    line = logged.line("nothing to check")
    assert line["cloudtrail_event_id"] == "trail-4"
    assert line["reason"].startswith("the call did not succeed")
    assert logged.counts == {"MessagesReceived": 1, "EventsIgnored": 1}


def test_the_findings_of_a_deleted_function_are_resolved(logged: Logged) -> None:
    """The deletion is logged and counted."""
    account = Account(logged)
    account.handle(message(0, check_request_body([TARGET])))
    account.state.state = Snapshot(TARGET, None)
    assert account.handle(message(1, record("delete_function", 5, functionName="orders"))) == []
    assert account.store.one().resolution == "The function was deleted."
    assert logged.line("function deleted: its findings are resolved")["cloudtrail_event_ids"] == ["trail-5"]
    assert logged.counts["FunctionsDeleted"] == 1
    assert logged.counts["FindingsResolved"] == 1


def overtake(account: Account) -> None:
    """Record a newer check whenever the state is read."""
    read = account.state.snapshot

    def snapshot(target: FunctionTarget, direction: Direction, **more: Any) -> Snapshot:
        newer = account.store.start_check(target, direction)
        account.store.commit_check(target, direction, newer, newer.checkpoint, changes=(), unknowns=(), now="")
        return read(target, direction, **more)

    account.state.snapshot = snapshot  # type: ignore[method-assign]


def test_an_overtaken_check_is_made_again_and_then_requested_again(logged: Logged) -> None:
    """The other check may have read an older state."""
    account = Account(logged)
    overtake(account)
    assert account.handle(message(0, check_request_body([TARGET]))) == []
    assert account.state.reads == 3
    assert logged.line("another check was recorded meanwhile")["function_arn"] == FUNCTION_ARN
    assert logged.counts["ChecksOvertaken"] == 1
    assert account.store.history == []
    assert [request.after_grace_period for request in account.requests.sent] == [True]


def test_an_overtaken_check_of_a_role_s_change_is_requested_again_with_it(logged: Logged) -> None:
    """A redelivery of the message would take minutes."""
    account = Account(logged)
    overtake(account)
    assert account.handle(message(0, record("detach_role_policy", roleName="orders-role"))) == []
    (request,) = account.requests.sent
    assert [change.api for change in request.role_changes] == ["DetachRolePolicy"]


def test_a_finding_whose_details_change_is_not_published(logged: Logged) -> None:
    """Only transitions are logged and counted."""
    account = Account(logged)
    account.handle(message(0, check_request_body([TARGET])))
    role = a_role({**SQS_POLICY, "Statement": [{**SQS_POLICY["Statement"][0], "Action": "sqs:ReceiveMessage"}]})
    account.state.state = replace(account.state.state, roles={ROLE_ARN: role})
    account.handle(message(1, check_request_body([TARGET])))
    assert [need["action"] for need in account.store.one().evidence["missing"]] == [
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    ]
    assert logged.counts["FindingsOpened"] == 1
    assert len([line for line in logged.lines if line["message"].startswith("Finding")]) == 1


ENOUGH = MIN_MILLIS_FOR_A_CHECK + RESERVED_MILLIS
"""The remaining time with which a check still begins."""


def reads_take(account: Account, millis: dict[FunctionTarget, int], remaining: int = 180_000) -> None:
    """Make the checks of functions take so long, without findings; record the functions in `account.checked`."""
    account.state.state = polling(a_role(SQS_POLICY))
    left = [remaining]
    account.remaining_time = lambda: left[0]
    read = account.state.snapshot

    def snapshot(target: FunctionTarget, direction: Direction, **more: Any) -> Snapshot:
        account.checked.append(target)
        left[0] -= millis.get(target, 1_000)
        return read(target, direction, **more)

    account.state.snapshot = snapshot  # type: ignore[method-assign]


def test_checks_without_enough_time_are_requested_again(logged: Logged) -> None:
    """Their messages are acknowledged: each delivery by SQS brings a message nearer to the dead-letter queue."""
    third = FunctionTarget("aws", "us-east-1", ACCOUNT, "returns")
    account = Account(logged)
    reads_take(account, {TARGET: 133_000})
    targets = [TARGET, OTHER, third]
    assert account.handle(*(message(n, check_request_body([target])) for n, target in enumerate(targets))) == []
    assert account.checked == [TARGET]
    assert account.requests.checks_again == [OTHER, third]
    line = logged.line("checks postponed: too little time left")
    assert line["function_arns"] == [OTHER.arn, third.arn]
    assert line["cloudtrail_event_ids"] == ["check-request/m1", "check-request/m2"]
    assert (logged.counts["ChecksPostponed"], logged.counts["FunctionsChecked"]) == (2, 1)


def test_a_check_that_is_requested_again_keeps_its_causes(logged: Logged) -> None:
    """The events, the tool, the time of the request, and whether it is full and after the grace period."""
    account = Account(logged)
    reads_take(account, {TARGET: 133_000})
    changed = record("create_event_source_mapping", 7, functionName="orders")
    changed["detail"]["userAgent"] = "APN/1.0 HashiCorp/1.0 Terraform/1.11.0 (+https://www.terraform.io)"
    other = record("update_function_configuration", 8, functionName=OTHER.name)
    other["detail"]["userAgent"] = changed["detail"]["userAgent"]
    since = "2026-11-20T09:30:00.123+00:00"
    third = FunctionTarget("aws", "us-east-1", ACCOUNT, "returns")
    account.handle(message(0, changed), message(1, other), message(2, check_request_body([third], since)))
    change, sweep = account.requests.sent
    caller = other["detail"]["userIdentity"]["arn"]
    assert change == CheckRequest(
        event_ids=("trail-8",),
        tool="terraform",
        changed_by=caller,
        changed_from=other["detail"]["sourceIPAddress"],
        changed_with=changed["detail"]["userAgent"],
        changed_in=other["detail"]["awsRegion"],
        changed_event="trail-8",
    )
    assert sweep == CheckRequest(
        event_ids=("check-request/m2",), requested_at=1795167000.123, after_grace_period=True, full=True
    )


def test_a_message_with_several_functions_is_acknowledged_once_all_are_checked_or_requested(logged: Logged) -> None:
    """The functions of one role are requested with as few calls as possible."""
    account = Account(logged, directory=Directory({"orders-role": many(40)}))
    reads_take(account, dict.fromkeys(many(40), 10_000))
    assert account.handle(message(0, record("put_role_policy", roleName="orders-role"))) == []
    assert account.checked == list(many(40)[:14])
    assert account.requests.checks_again == list(many(40)[14:])
    assert len(account.requests.sent) == 1


def test_a_check_that_cannot_be_requested_again_fails_its_message(logged: Logged) -> None:
    """SQS does not respond: nothing is lost."""
    account = Account(logged, requests=Requests(is_down=True))
    reads_take(account, {TARGET: 133_000})
    failed = account.handle(message(0, check_request_body([TARGET])), message(1, check_request_body([OTHER])))
    assert failed == ["m1"]
    assert logged.line("checks could not be requested")["functions"] == 1


def test_a_denied_call_without_time_for_its_check_keeps_its_message(logged: Logged) -> None:
    """A check request has no denied call. Another message about the function is requested again all the same."""
    account = Account(logged)
    reads_take(account, {OTHER: 133_000})
    failed = account.handle(
        message(0, check_request_body([OTHER])),
        message(1, record("create_event_source_mapping_denied_queue")),
        message(2, check_request_body([TARGET])),
    )
    assert failed == ["m1"]
    assert account.requests.checks_again == [TARGET]
    assert [request.denied_calls for request in account.requests.sent] == [()]


def test_messages_that_were_received_most_often_come_first(logged: Logged) -> None:
    """Their checks have all the time; otherwise the batch keeps its order."""
    account = Account(logged)
    reads_take(account, {})
    targets = many(5)
    counts = [1, 2, 1, 4, 2]
    account.handle(
        *(message(n, check_request_body([targets[n]]), received) for n, received in enumerate(counts)),
    )
    assert account.checked == [targets[n] for n in (3, 1, 4, 0, 2)]


@pytest.mark.parametrize("attributes", [None, {}, {"ApproximateReceiveCount": "often"}, "none", []])
def test_a_message_without_a_receive_count_is_handled_like_a_first_delivery(logged: Logged, attributes: object) -> None:
    """For example a test event that an engineer wrote."""
    account = Account(logged)
    reads_take(account, {})
    bare = {**message(0, check_request_body([OTHER])), "attributes": attributes}
    assert account.handle(bare, message(1, check_request_body([TARGET]), 2)) == []
    assert account.checked == [TARGET, OTHER]


@pytest.mark.parametrize(("remaining", "checked"), [(ENOUGH, [TARGET]), (ENOUGH - 1, [])])
def test_a_check_begins_with_the_minimum_time(logged: Logged, remaining: int, checked: list[FunctionTarget]) -> None:
    """With less it is requested again."""
    account = Account(logged)
    reads_take(account, {}, remaining)
    assert account.handle(message(0, check_request_body([TARGET]))) == []
    assert account.checked == checked
    assert account.requests.checks_again == ([] if checked else [TARGET])


def test_no_check_begins_with_less_time_than_the_longest_of_the_batch_took(logged: Logged) -> None:
    """Throttling makes all checks slow. The third would have twenty seconds less."""
    account = Account(logged)
    targets = many(3)
    reads_take(account, dict.fromkeys(targets, 60_000))
    account.handle(*(message(n, check_request_body([target])) for n, target in enumerate(targets)))
    assert account.checked == list(targets[:2])
    assert account.requests.checks_again == [targets[2]]


def test_starting_checks_takes_at_most_half_of_the_time(logged: Logged) -> None:
    """A slow table must not use up the time of all checks; the others are requested again."""
    allowed = InMemoryState(polling(a_role(SQS_POLICY)))
    account = Account(logged, allowed, directory=Directory({"orders-role": many(50)}))
    left = [180_000]
    account.remaining_time = lambda: left[0]
    start = account.store.start_check

    def start_check(target: FunctionTarget, direction: Direction) -> CheckRun:
        left[0] -= 5_000
        return start(target, direction)

    account.store.start_check = start_check  # type: ignore[method-assign]
    assert account.handle(message(0, record("put_role_policy", roleName="orders-role"))) == []
    assert account.state.reads == 19
    assert account.requests.checks_again == list(many(50)[19:])


def test_an_empty_batch_has_no_failures(logged: Logged) -> None:
    """Lambda sends none, but an engineer may invoke the function by hand."""
    assert Account(logged).handle() == []


def test_no_secret_of_an_event_reaches_the_log(logged: Logged) -> None:
    """Request parameters and access keys are not logged."""
    account = Account(logged, state=InMemoryState(polling(DENIED)))
    event = record("update_function_configuration", environment={"variables": {"PASSWORD": "hunter2"}})
    event["detail"]["userIdentity"]["accessKeyId"] = "ASIASECRETKEYID"
    account.handle(message(0, event), message(1, {**event, "detail": {**event["detail"], "eventName": "Surprise"}}))
    assert "hunter2" not in logged.text
    assert "ASIASECRETKEYID" not in logged.text
    assert "trail-0" in logged.text


def test_a_requested_check_uses_no_state_that_was_cached_before_the_request(logged: Logged) -> None:
    """A sweep must read everything that was set up before it; a check of an event may use cached state."""
    account = Account(logged)
    account.handle(
        message(0, check_request_body([TARGET], "2026-11-20T09:30:00.000+00:00")),
        message(1, check_request_body([TARGET], "2026-11-20T09:30:05.000+00:00")),
    )
    assert account.state.not_before == 1795167005.0
    account.handle(message(0, check_request_body([TARGET])))
    assert account.state.not_before == 0.0


def test_a_finding_keeps_the_tool_that_made_the_change(logged: Logged) -> None:
    """Only the event shows that Terraform made the change; a later check without an event keeps it."""
    account = Account(logged)
    created = record("create_event_source_mapping")
    created["detail"]["userAgent"] = "APN/1.0 HashiCorp/1.0 Terraform/1.11.0 (+https://www.terraform.io)"
    account.handle(message(0, created))
    assert account.store.one().managed_by == ManagedBy("terraform")
    account.handle(message(0, check_request_body([TARGET])))
    assert account.store.one().managed_by == ManagedBy("terraform")
    account.state.owner = ManagedBy("cloudformation", "shop")
    account.handle(message(0, check_request_body([TARGET])))
    assert account.store.one().managed_by == ManagedBy("cloudformation", "shop")
    account.state.owner = THROTTLED
    assert account.handle(message(0, check_request_body([TARGET]))) == ["m0"]
    assert account.store.one().managed_by == ManagedBy("cloudformation", "shop")


def test_a_recheck_after_the_grace_period_has_the_tool_and_the_event_ids(logged: Logged) -> None:
    """It has no event of its own, and the tool decides whether the role may be fixed."""
    account = Account(logged, grace_period=True)
    created = record("create_event_source_mapping", 7)
    created["detail"]["userAgent"] = "APN/1.0 HashiCorp/1.0 Terraform/1.11.0 (+https://www.terraform.io)"
    account.handle(message(0, created))
    (request,) = account.requests.sent
    assert (request.event_ids, request.tool) == (("trail-7",), "terraform")
    account.handle(message(1, check_request_body([TARGET], causes=request.event_ids, tool=request.tool)))
    assert account.store.one().managed_by == ManagedBy("terraform")
    assert account.store.one().event_ids == ("trail-7",)


BUCKET = "arn:aws:s3:::uploads"
TRIGGERED = Snapshot(
    TARGET,
    a_function(),
    inventories=(
        Inventory(
            "s3",
            "s3.amazonaws.com",
            frozenset({BUCKET}),
            (Trigger("s3.amazonaws.com", BUCKET, (BUCKET,), ACCOUNT, FUNCTION_ARN, "the bucket uploads"),),
        ),
    ),
)


def test_a_missing_permission_is_reported_only_after_a_recheck(logged: Logged) -> None:
    """A deployment may remove the permission first and the trigger a moment later."""
    account = Account(logged, InMemoryState(TRIGGERED), grace_period=True)
    assert account.handle(message(0, record("remove_permission")), direction=Direction.INVOKE_POLICY) == []
    assert account.store.documents == {}
    assert "checked again after the grace period" in account.store.unknowns[0]
    assert account.requests.rechecks == [TARGET]


def test_a_violation_after_the_grace_period_is_reported_and_stays_open(logged: Logged) -> None:
    """A later event neither hides it nor causes another recheck."""
    account = Account(logged, InMemoryState(TRIGGERED), grace_period=True)
    account.handle(message(0, check_request_body([TARGET])), direction=Direction.INVOKE_POLICY)
    assert account.store.one().rule_id == "PG112"
    account.handle(message(0, record("add_permission")), direction=Direction.INVOKE_POLICY)
    assert account.store.one().status is Status.OPEN
    assert account.requests.rechecks == []


def test_a_changed_role_s_missing_permission_is_reported_after_the_grace_period(logged: Logged) -> None:
    """IAM changes take time to propagate. The resolution is reported without a delay."""
    account = Account(logged, grace_period=True)
    changed = message(0, record("put_role_policy", roleName="orders-role"))
    account.handle(changed)
    assert account.store.documents == {}
    assert account.requests.rechecks == [TARGET]
    account.handle(message(0, check_request_body([TARGET], after_grace_period=True, full=False)))
    assert account.store.one().status is Status.OPEN
    account.state.state = polling(a_role(SQS_POLICY))
    account.handle(changed)
    assert account.store.one().status is Status.RESOLVED


def test_the_grace_period_applies_to_a_change_in_one_batch_with_a_check_request(logged: Logged) -> None:
    """The request was made before the change."""
    account = Account(logged, grace_period=True)
    account.handle(
        message(0, check_request_body([TARGET])), message(1, record("put_role_policy", roleName="orders-role"))
    )
    assert account.store.documents == {}
    assert account.requests.rechecks == [TARGET]


IAM_CHANGES: dict[str, dict[str, Any]] = {
    "attach_role_policy": {"roleName": "orders-role"},
    "detach_role_policy": {"roleName": "orders-role"},
    "put_role_policy": {"roleName": "orders-role"},
    "delete_role_policy": {"roleName": "orders-role"},
    "put_role_permissions_boundary": {"roleName": "orders-role"},
    "delete_role_permissions_boundary": {"roleName": "orders-role"},
    "update_assume_role_policy": {"roleName": "orders-role"},
    "tag_role": {"roleName": "orders-role"},
    "untag_role": {"roleName": "orders-role"},
    "create_role": {"roleName": "orders-role"},
    "delete_role": {"roleName": "orders-role"},
    "create_policy_version": {},
    "set_default_policy_version": {},
}


@pytest.mark.parametrize("name", IAM_CHANGES)
def test_a_change_of_iam_is_checked_again_although_its_first_check_finds_nothing(logged: Logged, name: str) -> None:
    """The first read may have been of the old state. There is one such check, and it finds what was removed.

    What it finds can also be of a later change. So it waits for a grace period of its own.
    """
    account = Account(logged, InMemoryState(polling(a_role(SQS_POLICY))), grace_period=True)
    account.directory.roles = {"read-incoming-orders": ("orders-role",)}
    account.handle(message(0, record(name, **IAM_CHANGES[name])))
    assert account.store.documents == {}
    assert account.requests.rechecks == [TARGET]
    account.state.state = polling(a_role())
    for number in (1, 2):
        assert account.store.documents == {}
        assert account.requests.rechecks == [TARGET] * number
        account.handle(message(number, requested(account.requests.sent[-1])))
    assert account.store.one().status is Status.OPEN
    assert account.store.one().event_ids == ("trail-0",)
    assert account.requests.rechecks == [TARGET, TARGET]


def test_a_change_of_iam_is_checked_again_once_if_nothing_is_found(logged: Logged) -> None:
    """The second check requests no third one."""
    account = Account(logged, InMemoryState(polling(a_role(SQS_POLICY))), grace_period=True)
    account.handle(message(0, record("put_role_policy", roleName="orders-role")))
    (request,) = account.requests.sent
    account.handle(message(1, requested(request)))
    assert account.requests.sent == [request]
    assert account.store.documents == {}


def requested(request: CheckRequest) -> str:
    """Return the message of a check that was requested again."""
    return check_request_body(
        [TARGET],
        after_grace_period=request.after_grace_period,
        full=request.full,
        causes=request.event_ids,
        iam_change=request.iam_change,
    )


def test_a_change_of_iam_that_another_batch_checks_is_checked_again_too(logged: Logged) -> None:
    """It was handed on, because the role has more functions than one batch checks."""
    account = Account(logged, InMemoryState(polling(a_role(SQS_POLICY))), grace_period=True)
    account.handle(message(0, check_request_body([TARGET], after_grace_period=False, iam_change=True)))
    assert account.requests.rechecks == [TARGET]


@pytest.mark.parametrize("name", ["create_event_source_mapping", "update_function_configuration"])
def test_other_changes_are_checked_once_if_nothing_is_missing(logged: Logged, name: str) -> None:
    """Lambda returns its own state as it is."""
    account = Account(logged, InMemoryState(polling(a_role(SQS_POLICY))), grace_period=True)
    account.handle(message(0, check_request_body([TARGET])))
    account.handle(message(1, record(name)))
    assert account.requests.rechecks == []


def test_the_first_check_with_a_role_is_made_again(logged: Logged) -> None:
    """A change of the role just before named no function, and IAM may still show what was before it."""
    account = Account(logged, InMemoryState(polling(a_role(SQS_POLICY))), grace_period=True)
    account.handle(message(0, record("create_event_source_mapping")))
    (request,) = account.requests.sent
    assert not request.after_grace_period


def test_the_second_check_with_a_role_reads_which_functions_share_it(logged: Logged) -> None:
    """Another function may have begun to use it at the same time: their first checks did not see each other."""
    account = Account(logged, InMemoryState(polling(a_role(SQS_POLICY))), grace_period=True)
    account.handle(message(0, record("create_event_source_mapping")))
    account.handle(message(1, requested(account.requests.sent[0])))
    account.handle(message(2, record("put_role_policy", roleName="orders-role")))
    assert [request.full for request in account.requests.sent] == [True, False]


def test_a_redelivered_message_is_checked_again_too(logged: Logged) -> None:
    """An earlier try may have recorded the role, and have ended before it requested that."""
    account = Account(logged, InMemoryState(polling(a_role(SQS_POLICY))), grace_period=True)
    account.handle(message(0, check_request_body([TARGET])))
    account.handle(message(1, record("create_event_source_mapping"), received=2))
    assert account.requests.rechecks == [TARGET]


@pytest.mark.parametrize(("changed", "rechecks"), [(timedelta(minutes=14), 1), (timedelta(minutes=16), 0)])
def test_a_sweep_checks_a_function_again_that_was_changed_just_now(
    logged: Logged, changed: timedelta, rechecks: int
) -> None:
    """Its first check may have read what IAM showed before."""
    at = datetime.fromisoformat(Clock()()) - changed
    modified = {"LastModified": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
    function = replace(a_function(), configuration=modified)
    snapshot = replace(polling(a_role(SQS_POLICY)), function=function, versions={FUNCTION_ARN: function})
    account = Account(logged, InMemoryState(snapshot), grace_period=True)
    account.handle(message(0, check_request_body([TARGET])))
    assert len(account.requests.rechecks) == rechecks


@pytest.mark.parametrize("modified", [{}, {"LastModified": "yesterday"}, {"LastModified": "2026-11-20T09:30:00"}])
def test_a_sweep_does_not_check_again_if_nobody_knows_when_the_function_was_changed(
    logged: Logged, modified: dict[str, str]
) -> None:
    """The next sweep does."""
    function = replace(a_function(), configuration=modified)
    snapshot = replace(polling(a_role(SQS_POLICY)), function=function, versions={FUNCTION_ARN: function})
    account = Account(logged, InMemoryState(snapshot), grace_period=True)
    account.handle(message(0, check_request_body([TARGET])))
    assert account.requests.rechecks == []


def test_a_change_of_iam_is_not_checked_again_without_a_grace_period(logged: Logged) -> None:
    """The parameter is also how long IAM may take to propagate."""
    account = Account(logged, InMemoryState(polling(a_role(SQS_POLICY))), grace_period=False)
    account.handle(message(0, record("delete_role_policy", roleName="orders-role")))
    assert account.requests.rechecks == []


def test_a_change_of_iam_is_not_checked_again_for_a_deleted_function(logged: Logged) -> None:
    """It has no role any more."""
    account = Account(logged, InMemoryState(Snapshot(TARGET, None)), grace_period=True)
    account.handle(message(0, record("delete_role_policy", roleName="orders-role")))
    assert account.requests.rechecks == []


@pytest.mark.parametrize("state", [{"State": "Pending"}, {"State": "Active", "LastUpdateStatus": "InProgress"}])
def test_a_function_that_aws_still_creates_or_updates_is_checked_again(
    logged: Logged, monkeypatch: pytest.MonkeyPatch, state: dict[str, str]
) -> None:
    """AWS reports the result later, and no event comes then."""
    function = replace(a_function(), configuration=state)
    snapshot = replace(polling(a_role(SQS_POLICY)), function=function, versions={FUNCTION_ARN: function})
    account = Account(logged, InMemoryState(snapshot), grace_period=True)
    monkeypatch.setattr(f"{__name__}.RULE_IDS", {*RULE_IDS, "PG214"})
    account.handle(message(0, record("update_function_configuration")))
    assert account.requests.rechecks == [TARGET]
    assert account.store.unknowns == []
    failed = replace(function, configuration={"State": "Failed", "StateReasonCode": "DisabledKMSKey"})
    account.state.state = replace(snapshot, function=failed, versions={FUNCTION_ARN: failed})
    account.handle(message(1, check_request_body([TARGET])))
    assert account.store.one().rule_id == "PG214"
    # A finding stays open while the function is updated again.
    account.state.state = snapshot
    account.handle(message(2, record("update_function_configuration")))
    assert account.store.one().status is Status.OPEN
    account.handle(message(3, check_request_body([TARGET])))
    assert account.store.one().status is Status.OPEN
    assert "and the result later" in account.store.unknowns[0]
    assert account.requests.rechecks == [TARGET, TARGET]


def test_a_recheck_that_cannot_be_requested_fails_the_message(logged: Logged) -> None:
    """The message is delivered again instead."""
    account = Account(logged, InMemoryState(TRIGGERED), requests=Requests(is_down=True), grace_period=True)
    assert account.handle(message(0, record("remove_permission")), direction=Direction.INVOKE_POLICY) == ["m0"]


def many(count: int) -> tuple[FunctionTarget, ...]:
    """Return a number of functions."""
    return tuple(replace(TARGET, name=f"function-{number:03}") for number in range(count))


def test_a_batch_checks_some_functions_of_a_large_role_and_requests_checks_of_the_others(logged: Logged) -> None:
    """The requests have the event ids, and the message is acknowledged."""
    functions = many(MAX_FUNCTIONS_OF_ROLES + 30)
    account = Account(
        logged, InMemoryState(polling(a_role(SQS_POLICY))), directory=Directory({"orders-role": functions})
    )
    assert account.handle(message(0, record("put_role_policy", roleName="orders-role"))) == []
    assert account.state.reads == MAX_FUNCTIONS_OF_ROLES
    assert account.requests.checks_again == list(functions[MAX_FUNCTIONS_OF_ROLES:])
    assert [request.event_ids for request in account.requests.sent] == [("trail-0",)]
    assert logged.counts["ChecksRequested"] == 30


def test_the_message_fails_if_checks_of_the_other_functions_cannot_be_requested(logged: Logged) -> None:
    """No function is lost."""
    account = Account(
        logged,
        InMemoryState(polling(a_role(SQS_POLICY))),
        directory=Directory({"orders-role": many(MAX_FUNCTIONS_OF_ROLES + 1)}),
        requests=Requests(is_down=True),
    )
    assert account.handle(message(0, record("put_role_policy", roleName="orders-role"))) == ["m0"]
    assert account.state.reads == MAX_FUNCTIONS_OF_ROLES
    assert logged.line("checks could not be requested")["functions"] == 1


def test_a_function_that_starts_or_stops_sharing_a_role_causes_a_check_of_the_role_s_first_user(logged: Logged) -> None:
    """That function has the finding about the shared role."""
    account = Account(logged)
    account.handle(message(0, check_request_body([OTHER])))
    assert account.requests.full_checks == []
    account.handle(message(0, record("create_event_source_mapping")))
    assert account.requests.full_checks == [OTHER]
    account.handle(message(0, record("create_event_source_mapping")))
    assert account.requests.full_checks == [OTHER]
    account.state.state = Snapshot(TARGET, None)
    account.handle(message(0, record("delete_function")))
    assert account.requests.full_checks == [OTHER, OTHER]


def test_a_denied_call_is_kept_for_a_day(logged: Logged) -> None:
    """The check of its event reads it, and so does every later check."""
    account = Account(logged)
    account.handle(message(0, record("create_event_source_mapping_denied_queue")))
    first = list(account.state.denied_calls)
    assert ["does not have permissions to call" in denied_call.message for denied_call in first] == [True]
    account.handle(message(0, check_request_body([TARGET])))
    assert list(account.state.denied_calls) == first
    old = Checkpoint(denied_calls=tuple(replace(denied_call, at="2026-11-01T00:00:00+00:00") for denied_call in first))
    account.store.checkpoints[TARGET.arn, SCOPE] = old.to_json()
    account.handle(message(0, check_request_body([TARGET])))
    assert list(account.state.denied_calls) == []


def test_an_overtaken_check_of_a_denied_call_is_repeated_at_once(logged: Logged) -> None:
    """For example if the function was created just before. A redelivery of the message would take minutes."""
    account = Account(logged)
    read, newer = account.state.snapshot, [True]

    def snapshot(target: FunctionTarget, direction: Direction, **more: Any) -> Snapshot:
        if newer:
            newer.clear()
            other = account.store.start_check(target, direction)
            account.store.commit_check(target, direction, other, other.checkpoint, changes=(), unknowns=(), now="")
        return read(target, direction, **more)

    account.state.snapshot = snapshot  # type: ignore[method-assign]
    assert account.handle(message(0, record("create_event_source_mapping_denied_queue"))) == []
    # Once at the start of each batch, and once before the second read.
    assert (account.state.reads, account.state.forgotten) == (2, 2)
    (denied_call,) = account.state.denied_calls
    assert denied_call.message in account.store.checkpoints[TARGET.arn, SCOPE]


def test_a_denied_call_fails_its_message_if_all_its_checks_are_overtaken(logged: Logged) -> None:
    """The newer checks did not have the call."""
    account = Account(logged)
    overtake(account)
    assert account.handle(message(0, record("create_event_source_mapping_denied_queue"))) == ["m0"]
