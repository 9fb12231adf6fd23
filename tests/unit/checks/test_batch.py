"""A batch of a checker's queue: every target is looked at once, and every message is answered for."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from permission_guard.checks.batch import MAX_FUNCTIONS_OF_ROLES, MIN_MILLIS_FOR_A_CHECK, CheckBatch
from permission_guard.checks.checker import Checker, CheckRequest
from permission_guard.findings.checkpoint import Checkpoint, CheckRun
from permission_guard.iam import TrustSet
from permission_guard.intake.check_requests import check_request_body
from permission_guard.model.findings import Status
from permission_guard.model.state import Inventory, ManagedBy, Snapshot, Trigger
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
    a_role,
    polling,
)
from tests.paths import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.unit.conftest import Logged

SCOPE = Direction.EXECUTION_ROLE
ASKED = ("PG201", "PG207", "PG209")
"""The rules on the role that are asked here, so that the states can be small: one of each kind."""


@dataclass
class Directory:
    """Which functions run with which role, and which roles have which policy."""

    functions: dict[str, tuple[FunctionTarget, ...]] = field(default_factory=dict)
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)
    asked_of_policies: list[str] = field(default_factory=list)
    is_down: bool = False
    forgot: int = 0

    def forget(self) -> None:
        self.forgot += 1

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> dict[RoleTarget, tuple[FunctionTarget, ...]]:
        self.asked.append([role.name for role in roles])
        if self.is_down:
            raise ConnectionError("Lambda did not answer")
        return {role: self.functions.get(role.name, ()) for role in roles}

    def roles_of_policy(self, policy: PolicyTarget) -> tuple[RoleTarget, ...]:
        name = policy.arn.rsplit("/", 1)[-1]
        self.asked_of_policies.append(name)
        if name not in self.roles:
            raise PermissionError("iam:ListEntitiesForPolicy is not allowed")
        return tuple(RoleTarget(policy.account, role) for role in self.roles[name])


@dataclass
class Requests:
    """Looks that were requested. `is_down` says that nothing can be."""

    looked_at_again: list[FunctionTarget] = field(default_factory=list)
    wanted_now: list[FunctionTarget] = field(default_factory=list)
    handed_on: list[FunctionTarget] = field(default_factory=list)
    occasions: list[CheckRequest] = field(default_factory=list)
    is_down: bool = False

    def recheck(self, target: FunctionTarget, request: CheckRequest) -> None:
        self.occasions.append(request)
        self._send(self.looked_at_again, [target])

    def request_full(self, targets: Iterable[FunctionTarget]) -> None:
        self._send(self.wanted_now, targets)

    def request_changed(self, targets: Iterable[FunctionTarget], request: CheckRequest) -> None:
        self.occasions.append(request)
        self._send(self.handed_on, targets)

    def _send(self, where: list[FunctionTarget], targets: Iterable[FunctionTarget]) -> None:
        if self.is_down:
            raise ConnectionError("SQS did not answer")
        where.extend(targets)


@dataclass
class Account:
    """A function that may not read its queue, one with a role for both, and the batch that looks at them."""

    logged: Logged
    state: InMemoryState = field(default_factory=lambda: InMemoryState(polling(a_role())))
    store: InMemoryFindings = field(default_factory=InMemoryFindings)
    directory: Directory = field(default_factory=lambda: Directory({"orders-role": (TARGET,)}))
    remaining: list[int] = field(default_factory=list)
    requests: Requests = field(default_factory=Requests)
    grace_period: bool = False

    def handle(self, *messages: dict[str, Any], direction: Direction = SCOPE) -> list[str]:
        """Work off a batch; return the messages that have to come again."""
        rules = [
            rule for rule in rules_for(direction, TrustSet(frozenset())) if direction is not SCOPE or rule.id in ASKED
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
            logger=self.logged.logger,
            metrics=self.logged.metrics,
        )
        answer = batch.handle({"Records": list(messages)}, lambda: self.remaining.pop(0) if self.remaining else 180_000)
        assert set(answer) == {"batchItemFailures"}
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def message(number: int, event: object) -> dict[str, Any]:
    """Return a message of the queue."""
    return {"messageId": f"m{number}", "body": event if isinstance(event, str) else json.dumps(event)}


def record(name: str, number: int = 0, **request: Any) -> dict[str, Any]:
    """Return a CloudTrail event of the corpus, with an event id of its own and other parameters."""
    event: dict[str, Any] = deepcopy(json.loads((EVENTS / "cloudtrail" / f"{name}.json").read_text()))
    event["detail"]["eventID"] = f"trail-{number}"
    event["detail"]["requestParameters"] = {**(event["detail"]["requestParameters"] or {}), **request}
    return event


def test_a_change_of_a_mapping_opens_a_finding_that_names_the_event(logged: Logged) -> None:
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


def test_ten_changes_of_one_role_are_one_look(logged: Logged) -> None:
    """The role is resolved once, the function read once, and the finding names the events."""
    account = Account(logged)
    messages = [message(n, record("put_role_policy", n, roleName="orders-role")) for n in range(10)]
    assert account.handle(*messages) == []
    assert account.directory.asked == [["orders-role"]]
    assert account.state.reads == 1
    assert account.store.one().event_ids == ("trail-0", "trail-1", "trail-2", "trail-3", "trail-4")
    assert logged.counts["FunctionsChecked"] == 1


def test_a_function_that_is_reached_in_two_ways_is_looked_at_once(logged: Logged) -> None:
    """By its own name and by its role's."""
    account = Account(logged)
    account.handle(
        message(0, record("update_function_configuration", 0, functionName="orders")),
        message(1, record("attach_role_policy", 1, roleName="orders-role")),
    )
    assert account.state.reads == 1
    assert account.store.one().event_ids == ("trail-0", "trail-1")


def test_all_looks_of_a_batch_are_begun_before_anything_is_read(logged: Logged) -> None:
    """What is read for the first function, such as a role, serves the others: it must not be older than their looks."""
    account = Account(logged, directory=Directory({"shared": (TARGET, OTHER)}))
    begun_at_first_read: list[int] = []
    read = account.state.snapshot

    def snapshot(target: FunctionTarget, direction: Direction, **more: Any) -> Snapshot:
        begun_at_first_read.append(len(account.store.run))
        return read(target, direction, **more)

    account.state.snapshot = snapshot  # type: ignore[method-assign]
    account.handle(message(0, record("put_role_policy", roleName="shared")))
    assert begun_at_first_read == [2, 2]


def test_all_roles_of_a_batch_are_resolved_with_one_list(logged: Logged) -> None:
    """An account's functions are listed once, however many roles have changed."""
    directory = Directory({"orders-role": (TARGET,), "invoices-role": (OTHER,)})
    account = Account(logged, state=InMemoryState(polling(a_role(SQS_POLICY))), directory=directory)
    names = ["orders-role", "invoices-role", "somebody"]
    account.handle(*(message(n, record("put_role_policy", n, roleName=name)) for n, name in enumerate(names)))
    assert account.directory.asked == [names]
    assert logged.counts["FunctionsChecked"] == 2


def test_no_functions_are_listed_where_no_role_has_changed(logged: Logged) -> None:
    """The sweep's requests name functions."""
    account = Account(logged)
    account.handle(message(0, check_request_body([TARGET])))
    assert account.directory.asked == []


def test_a_role_that_no_function_uses_is_done_with(logged: Logged) -> None:
    """Most roles of an account have nothing to do with Lambda."""
    account = Account(logged, directory=Directory({"somebody": ()}))
    assert account.handle(message(0, record("delete_role_policy", roleName="somebody"))) == []
    assert account.state.reads == 0


def test_roles_that_cannot_be_resolved_fail_their_messages_and_no_other(logged: Logged) -> None:
    """The other targets are looked at; the failed messages come again."""
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
    """Return the event of a managed policy that says something else now."""
    return record(name, number, policyArn=f"arn:aws:iam::{ACCOUNT}:policy/{policy}")


def test_a_policy_that_says_something_else_has_the_functions_of_its_roles_looked_at(logged: Logged) -> None:
    """From the policy to the roles, from the roles to the functions; the finding names the event."""
    directory = Directory({"orders-role": (TARGET,)}, roles={"shared": ("orders-role", "somebody")})
    account = Account(logged, directory=directory)
    assert account.handle(message(0, policy_version("shared", 7, "create_policy_version"))) == []
    assert directory.asked_of_policies == ["shared"]
    assert directory.asked == [["orders-role", "somebody"]]
    assert account.store.one().event_ids == ("trail-7",)
    assert account.store.one().function_arn == FUNCTION_ARN


def test_each_policy_of_a_batch_is_resolved_once_and_all_roles_with_one_list(logged: Logged) -> None:
    """Three changes of two policies, one of a role that has both: its function is read once, for all of them."""
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
    assert directory.asked_of_policies == ["shared", "limits"]
    assert directory.asked == [["orders-role", "invoices-role"]]
    assert account.state.reads == 1
    assert set(account.store.one().event_ids) == {"trail-0", "trail-1", "trail-2", "trail-3"}


def test_a_policy_that_no_role_has_is_done_with(logged: Logged) -> None:
    """Users and groups have policies as well."""
    account = Account(logged, directory=Directory(roles={"shared": ()}))
    assert account.handle(message(0, policy_version("shared"))) == []
    assert account.directory.asked == []
    assert account.state.reads == 0


def test_a_policy_that_cannot_be_resolved_fails_its_messages_and_no_other(logged: Logged) -> None:
    """The other policies and roles are resolved; the failed messages come again."""
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
    """Whichever of the two lists is refused."""
    account = Account(logged, directory=Directory(roles={"shared": ("orders-role",)}, is_down=True))
    assert account.handle(message(0, policy_version("shared"))) == ["m0"]
    assert logged.line("role could not be resolved to functions")["target"] == "orders-role"


def test_a_message_of_several_functions_fails_when_one_of_them_does(logged: Logged) -> None:
    """The next try finds the other as it left it."""
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


def test_a_look_that_cannot_be_begun_fails_its_messages(logged: Logged) -> None:
    """The table did not answer: nothing is read, and the message comes again."""
    account = Account(logged)

    def start_check(target: FunctionTarget, direction: Direction) -> CheckRun:
        raise ConnectionError("the table did not answer")

    account.store.start_check = start_check  # type: ignore[method-assign]
    assert account.handle(message(0, check_request_body([TARGET]))) == ["m0"]
    assert account.state.reads == 0
    assert logged.line("check could not start")["exception_name"] == "ConnectionError"


def test_a_read_that_is_denied_is_logged_counted_and_tried_again(logged: Logged) -> None:
    """The bot lacks a permission: a person reads which, and which event it was about."""
    account = Account(logged, state=InMemoryState(polling(DENIED)))
    assert account.handle(message(0, record("create_event_source_mapping", 3))) == ["m0"]
    line = logged.line("state could not be read")
    assert line["level"] == "ERROR"
    assert (line["action"], line["code"]) == ("iam:GetRole", "AccessDenied")
    assert line["cloudtrail_event_ids"] == ["trail-3"]
    unknown = [line for line in logged.lines if line["message"] == "verdict is unknown"]
    rules = list(ASKED)
    assert [(line["rule_id"], line["reason"]) for line in unknown] == [(rule, str(DENIED)) for rule in rules]
    counts = {"MessagesReceived": 1, "ReadsDenied": 1, "VerdictsUnknown": len(rules), "FunctionsChecked": 1}
    assert logged.counts == counts
    assert account.store.history == []


def test_a_read_that_was_throttled_is_counted_apart_and_tried_again(logged: Logged) -> None:
    """It is no missing permission, and no alarm need say so."""
    account = Account(logged, state=InMemoryState(polling(THROTTLED)))
    assert account.handle(message(0, check_request_body([TARGET]))) == ["m0"]
    assert logged.counts["ReadsFailed"] == 1
    assert "ReadsDenied" not in logged.counts


def test_a_source_s_policy_that_is_denied_is_unknown_and_not_tried_again(logged: Logged) -> None:
    """Whose queue it is has to let the bot in: until then nobody can tell, and no finding is made."""
    denied = replace(DENIED, action="sqs:GetQueueAttributes")
    account = Account(logged, state=InMemoryState(polling(a_role(), source_policies={QUEUE_ARN: denied})))
    assert account.handle(message(0, check_request_body([TARGET]))) == []
    assert "sqs:GetQueueAttributes failed with AccessDenied" in logged.line("verdict is unknown")["reason"]
    assert account.store.history == []


def test_an_unknown_that_no_unread_part_explains_is_not_tried_again(logged: Logged) -> None:
    """A condition whose key nobody knows will not be known the next time either."""
    condition = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    statement = {**SQS_POLICY["Statement"][0], "Condition": condition}
    role = a_role({**SQS_POLICY, "Statement": [statement]})
    account = Account(logged, state=InMemoryState(polling(role)))
    assert account.handle(message(0, check_request_body([TARGET]))) == []
    assert logged.line("verdict is unknown")["subject"].startswith("event-source-mapping/")
    assert logged.counts["VerdictsUnknown"] == 1


def test_messages_that_cannot_be_read_fail_and_say_why(logged: Logged) -> None:
    """They come again until they lie in the dead-letter queue, where a person finds them."""
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


def test_an_event_that_changes_nothing_is_done_with_and_says_why(logged: Logged) -> None:
    """A refused call is not a change."""
    account = Account(logged)
    assert account.handle(message(0, record("update_event_source_mapping_failed", 4))) == []
    line = logged.line("nothing to check")
    assert line["cloudtrail_event_id"] == "trail-4"
    assert line["reason"].startswith("the call did not succeed")
    assert logged.counts == {"MessagesReceived": 1, "EventsIgnored": 1}


def test_a_function_that_is_gone_is_said_and_its_findings_are_resolved(logged: Logged) -> None:
    """Deleting is a cure as well."""
    account = Account(logged)
    account.handle(message(0, check_request_body([TARGET])))
    account.state.state = Snapshot(TARGET, None)
    assert account.handle(message(1, record("delete_function", 5, functionName="orders"))) == []
    assert account.store.one().resolution == "The function was deleted."
    assert logged.line("function deleted: its findings are resolved")["cloudtrail_event_ids"] == ["trail-5"]
    assert logged.counts["FunctionsDeleted"] == 1
    assert logged.counts["FindingsResolved"] == 1


def overtake(account: Account) -> None:
    """Have a newer look recorded whenever one reads the state."""
    read = account.state.snapshot

    def snapshot(target: FunctionTarget, direction: Direction, **more: Any) -> Snapshot:
        newer = account.store.start_check(target, direction)
        account.store.commit_check(target, direction, newer, newer.checkpoint, changes=(), unknowns=(), now="")
        return read(target, direction, **more)

    account.state.snapshot = snapshot  # type: ignore[method-assign]


def test_a_look_that_was_overtaken_is_done_with(logged: Logged) -> None:
    """The newer look has seen what this one would have."""
    account = Account(logged)
    overtake(account)
    assert account.handle(message(0, check_request_body([TARGET]))) == []
    assert logged.line("a newer check was recorded first")["function_arn"] == FUNCTION_ARN
    assert logged.counts["ChecksOvertaken"] == 1
    assert account.store.history == []


def test_other_words_for_the_same_finding_are_not_announced(logged: Logged) -> None:
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


def test_looks_that_there_is_no_time_for_are_left_to_another_batch(logged: Logged) -> None:
    """An invocation that is cut off would bring back what is done as well."""
    third = FunctionTarget("aws", "us-east-1", ACCOUNT, "returns")
    account = Account(logged, remaining=[60_000, MIN_MILLIS_FOR_A_CHECK - 1])
    failed = account.handle(
        *(message(n, check_request_body([target])) for n, target in enumerate([TARGET, OTHER, third]))
    )
    assert failed == ["m1", "m2"]
    assert account.state.reads == 1
    assert account.store.one().function_arn == FUNCTION_ARN
    line = logged.line("checks postponed: too little time left")
    assert line["function_arns"] == [OTHER.arn, third.arn]
    assert line["cloudtrail_event_ids"] == ["check-request/m1", "check-request/m2"]
    assert (logged.counts["ChecksPostponed"], logged.counts["FunctionsChecked"]) == (2, 1)


def test_a_look_is_begun_with_just_enough_time(logged: Logged) -> None:
    """And nothing is said of the time."""
    account = Account(logged, remaining=[MIN_MILLIS_FOR_A_CHECK])
    assert account.handle(message(0, check_request_body([TARGET]))) == []
    assert account.state.reads == 1
    assert "ChecksPostponed" not in logged.counts
    assert "postponed" not in logged.text


def test_an_empty_batch_is_answered(logged: Logged) -> None:
    """Lambda sends none; a person who invokes the function by hand may."""
    assert Account(logged).handle() == []


def test_no_secret_of_an_event_reaches_the_log(logged: Logged) -> None:
    """What callers sent, and their keys, are no business of the log."""
    account = Account(logged, state=InMemoryState(polling(DENIED)))
    event = record("update_function_configuration", environment={"variables": {"PASSWORD": "hunter2"}})
    event["detail"]["userIdentity"]["accessKeyId"] = "ASIASECRETKEYID"
    account.handle(message(0, event), message(1, {**event, "detail": {**event["detail"], "eventName": "Surprise"}}))
    assert "hunter2" not in logged.text
    assert "ASIASECRETKEYID" not in logged.text
    assert "trail-0" in logged.text


def test_a_look_that_was_requested_reads_what_is_shared_after_the_request(logged: Logged) -> None:
    """A sweep sees what was set up before it; an event takes what is remembered."""
    account = Account(logged)
    account.handle(
        message(0, check_request_body([TARGET], "2026-11-20T09:30:00.000+00:00")),
        message(1, check_request_body([TARGET], "2026-11-20T09:30:05.000+00:00")),
    )
    assert account.state.not_before == 1795167005.0
    account.handle(message(0, check_request_body([TARGET])))
    assert account.state.not_before == 0.0


def test_who_made_the_change_is_remembered_in_the_finding(logged: Logged) -> None:
    """Terraform leaves no tag: only the event tells, and a later look without one does not forget it."""
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


def test_who_made_the_change_and_when_is_known_once_it_has_settled(logged: Logged) -> None:
    """The look after the delay tells it, and no event comes with that: whose role it is decides what may be fixed."""
    account = Account(logged, grace_period=True)
    created = record("create_event_source_mapping", 7)
    created["detail"]["userAgent"] = "APN/1.0 HashiCorp/1.0 Terraform/1.11.0 (+https://www.terraform.io)"
    account.handle(message(0, created))
    (request,) = account.requests.occasions
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


def test_what_may_be_a_moment_of_a_deployment_is_looked_at_again_before_anyone_is_told(logged: Logged) -> None:
    """A deployment takes the permission away first, and the trigger a moment later."""
    account = Account(logged, InMemoryState(TRIGGERED), grace_period=True)
    assert account.handle(message(0, record("remove_permission")), direction=Direction.INVOKE_POLICY) == []
    assert account.store.documents == {}
    assert "checked again after the grace period" in account.store.unknowns[0]
    assert account.requests.looked_at_again == [TARGET]


def test_what_is_still_so_when_it_is_looked_at_again_is_told_and_stays(logged: Logged) -> None:
    """A later event neither hides it nor asks for one more look."""
    account = Account(logged, InMemoryState(TRIGGERED), grace_period=True)
    account.handle(message(0, check_request_body([TARGET])), direction=Direction.INVOKE_POLICY)
    assert account.store.one().rule_id == "PG112"
    account.handle(message(0, record("add_permission")), direction=Direction.INVOKE_POLICY)
    assert account.store.one().status is Status.OPEN
    assert account.requests.looked_at_again == []


def test_what_a_role_lacks_right_after_a_change_of_it_is_told_once_iam_agrees_with_itself(logged: Logged) -> None:
    """The look after the event does not know, the one after the delay does; that it is over is told at once."""
    account = Account(logged, grace_period=True)
    changed = message(0, record("put_role_policy", roleName="orders-role"))
    account.handle(changed)
    assert account.store.documents == {}
    assert account.requests.looked_at_again == [TARGET]
    account.handle(message(0, check_request_body([TARGET], after_grace_period=True, full=False)))
    assert account.store.one().status is Status.OPEN
    account.state.state = polling(a_role(SQS_POLICY))
    account.handle(changed)
    assert account.store.one().status is Status.RESOLVED


def test_a_change_that_comes_in_one_batch_with_a_request_has_to_settle_all_the_same(logged: Logged) -> None:
    """The request was made before the change was."""
    account = Account(logged, grace_period=True)
    account.handle(
        message(0, check_request_body([TARGET])), message(1, record("put_role_policy", roleName="orders-role"))
    )
    assert account.store.documents == {}
    assert account.requests.looked_at_again == [TARGET]


def test_a_look_that_cannot_be_asked_for_again_fails_the_message(logged: Logged) -> None:
    """It comes again by itself, then."""
    account = Account(logged, InMemoryState(TRIGGERED), requests=Requests(is_down=True), grace_period=True)
    assert account.handle(message(0, record("remove_permission")), direction=Direction.INVOKE_POLICY) == ["m0"]


def many(count: int) -> tuple[FunctionTarget, ...]:
    """Return so many functions."""
    return tuple(replace(TARGET, name=f"function-{number:03}") for number in range(count))


def test_of_a_role_with_very_many_functions_a_batch_looks_at_some_and_has_the_others_looked_at(logged: Logged) -> None:
    """As their events would: the rest of the messages is done with."""
    functions = many(MAX_FUNCTIONS_OF_ROLES + 30)
    account = Account(
        logged, InMemoryState(polling(a_role(SQS_POLICY))), directory=Directory({"orders-role": functions})
    )
    assert account.handle(message(0, record("put_role_policy", roleName="orders-role"))) == []
    assert account.state.reads == MAX_FUNCTIONS_OF_ROLES
    assert account.requests.handed_on == list(functions[MAX_FUNCTIONS_OF_ROLES:])
    assert [request.event_ids for request in account.requests.occasions] == [("trail-0",)]
    assert logged.counts["ChecksRequested"] == 30


def test_when_the_others_cannot_be_requested_the_message_comes_again(logged: Logged) -> None:
    """None of them is lost."""
    account = Account(
        logged,
        InMemoryState(polling(a_role(SQS_POLICY))),
        directory=Directory({"orders-role": many(MAX_FUNCTIONS_OF_ROLES + 1)}),
        requests=Requests(is_down=True),
    )
    assert account.handle(message(0, record("put_role_policy", roleName="orders-role"))) == ["m0"]
    assert account.state.reads == MAX_FUNCTIONS_OF_ROLES
    assert logged.line("checks could not be requested")["functions"] == 1


def test_a_function_that_comes_to_share_a_role_has_the_first_of_its_users_looked_at(logged: Logged) -> None:
    """There it is told who shares the role; so it is when the function is gone."""
    account = Account(logged)
    account.handle(message(0, check_request_body([OTHER])))
    assert account.requests.wanted_now == []
    account.handle(message(0, record("create_event_source_mapping")))
    assert account.requests.wanted_now == [OTHER]
    account.handle(message(0, record("create_event_source_mapping")))
    assert account.requests.wanted_now == [OTHER]
    account.state.state = Snapshot(TARGET, None)
    account.handle(message(0, record("delete_function")))
    assert account.requests.wanted_now == [OTHER, OTHER]


def test_a_refused_call_is_remembered_until_a_day_has_passed(logged: Logged) -> None:
    """The look that its event asks for knows of it, and so does every look after it."""
    account = Account(logged)
    account.handle(message(0, record("create_event_source_mapping_denied_queue")))
    told_first = list(account.state.denied_calls)
    assert ["does not have permissions to call" in denied_call.message for denied_call in told_first] == [True]
    account.handle(message(0, check_request_body([TARGET])))
    assert list(account.state.denied_calls) == told_first
    old = Checkpoint(
        denied_calls=tuple(replace(denied_call, at="2026-11-01T00:00:00+00:00") for denied_call in told_first)
    )
    account.store.checkpoint[TARGET.arn, SCOPE] = old.to_json()
    account.handle(message(0, check_request_body([TARGET])))
    assert list(account.state.denied_calls) == []


def test_a_refused_call_whose_look_was_overtaken_once_is_looked_at_again_at_once(logged: Logged) -> None:
    """As when the function was created just before: nobody waits until the message comes again."""
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
    # Once as every batch begins, and once more before the second read.
    assert (account.state.reads, account.state.forgotten) == (2, 2)
    (denied_call,) = account.state.denied_calls
    assert denied_call.message in account.store.checkpoint[TARGET.arn, SCOPE]


def test_a_refused_call_whose_looks_are_overtaken_comes_again(logged: Logged) -> None:
    """The newer looks did not know of it."""
    account = Account(logged)
    overtake(account)
    assert account.handle(message(0, record("create_event_source_mapping_denied_queue"))) == ["m0"]
