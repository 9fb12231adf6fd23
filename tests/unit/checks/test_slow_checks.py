"""Slow checks over many deliveries: a simulated queue and Lambda with the numbers of template.yaml.

Every message is delivered up to five times, then it is in the dead-letter queue. An invocation that runs out of time is
ended, and delivers none of its results.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.time_limit import TimeLimit
from permission_guard.checks.batch import CheckBatch
from permission_guard.checks.checker import Checker
from permission_guard.intake.check_requests import check_request_body
from permission_guard.model.state import Snapshot
from permission_guard.model.targets import Direction, FunctionTarget
from tests.fakes import TARGET, Clock, InMemoryFindings, a_function
from tests.paths import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from permission_guard.checks.requests import CheckRequest
    from permission_guard.model.state import DeniedCall, ManagedBy, Unread
    from permission_guard.model.targets import PolicyTarget, RoleTarget
    from tests.unit.conftest import Logged

SCOPE = Direction.EXECUTION_ROLE
TIMEOUT = 180.0
VISIBILITY_TIMEOUT = 1080.0
MAX_RECEIVE_COUNT = 5
BATCH_SIZE = 10
LIMIT = 24 * 3600.0
"""When the simulation ends: later than every message of a test needs."""

FUNCTIONS = tuple(replace(TARGET, name=f"function-{number}") for number in range(60))


class EndedByLambdaError(BaseException):
    """The invocation took longer than the timeout. No handler of the code catches it, as nothing survives on AWS."""


@dataclass
class Message:
    """A message of the queue: when it is visible, and how often it was received."""

    body: str
    visible_at: float = 0.0
    received: int = 0


@dataclass
class Account:
    """A queue, its dead-letter queue, and the checker that Lambda invokes with its messages.

    `seconds` is how long the check of a function takes, 1 second if it is not named. A check makes a call each second.
    """

    logged: Logged
    seconds: Mapping[FunctionTarget, int]
    functions_of_role: Mapping[str, Sequence[FunctionTarget]] = field(default_factory=dict)
    seconds_a_start: float = 0.0
    now: float = 0.0
    ends_at: float = 0.0
    queue: list[Message] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    checked: dict[FunctionTarget, int] = field(default_factory=dict)
    denied: list[FunctionTarget] = field(default_factory=list)
    ended: int = 0

    def __post_init__(self) -> None:
        self.time_limit = TimeLimit()
        self.store = InMemoryFindings()
        checker = Checker(SCOPE, (), self, self, Clock(), users=self.store)
        self.batch = CheckBatch(
            SCOPE,
            checker,
            self,
            self,
            self,
            time_limit=self.time_limit,
            logger=self.logged.logger,
            metrics=self.logged.metrics,
        )

    # ── AWS, as the checker sees it ─────────────────────────────────────────────────────────────────────────────────

    def forget(self) -> None:
        """Does nothing, because there is no cache."""

    def wait(self, seconds: float) -> None:
        self.now += seconds
        if self.now > self.ends_at:
            raise EndedByLambdaError

    def start_check(self, target: FunctionTarget, direction: Direction) -> Any:
        self.time_limit.refuse("before-send.dynamodb.UpdateItem")
        self.wait(self.seconds_a_start)
        return self.store.start_check(target, direction)

    def commit_check(self, target: FunctionTarget, *arguments: Any, **more: Any) -> bool:
        self.time_limit.refuse("before-send.dynamodb.TransactWriteItems")
        self.checked[target] = self.checked.get(target, 0) + 1
        return self.store.commit_check(target, *arguments, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def snapshot(
        self,
        target: FunctionTarget,
        direction: Direction,
        *,
        not_before: float = 0.0,
        denied_calls: Sequence[DeniedCall] = (),
    ) -> Snapshot:
        for _ in range(self.seconds.get(target, 1)):
            self.time_limit.refuse("before-send.lambda.GetPolicy")
            self.wait(1)
        self.denied += [target] * len(denied_calls)
        return Snapshot(target, a_function(target), denied_calls=tuple(denied_calls))

    def managed_by(self, target: FunctionTarget) -> ManagedBy | Unread | None:
        return None

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> dict[RoleTarget, tuple[FunctionTarget, ...]]:
        return {role: tuple(self.functions_of_role.get(role.name, ())) for role in roles}

    def roles_of_policy(self, policy: PolicyTarget) -> tuple[RoleTarget, ...]:
        return ()

    def recheck(self, target: FunctionTarget, request: CheckRequest) -> None:
        raise AssertionError

    def request_full(self, targets: Iterable[FunctionTarget], *, baseline: bool = False) -> None:
        assert not list(targets)

    def request_again(self, targets: Iterable[FunctionTarget], request: CheckRequest) -> None:
        self.time_limit.refuse("before-send.sqs.SendMessageBatch")
        self.send(*(check_request_body([target], causes=request.event_ids, full=request.full) for target in targets))

    # ── SQS and Lambda ──────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, *bodies: str) -> None:
        """Put messages into the queue."""
        self.queue += [Message(body, self.now) for body in bodies]

    def run(self) -> None:
        """Deliver messages until the queue is empty."""
        while self.queue:
            assert self.now < LIMIT, f"{len(self.queue)} messages are still in the queue"
            visible = [message for message in self.queue if message.visible_at <= self.now][:BATCH_SIZE]
            if visible:
                self._invoke([message for message in visible if not self._is_dead(message)])
            else:
                self.now = min(message.visible_at for message in self.queue)

    def _is_dead(self, message: Message) -> bool:
        if message.received < MAX_RECEIVE_COUNT:
            return False
        self.queue.remove(message)
        self.dead += json.loads(message.body)["detail"]["functions"]
        return True

    def _invoke(self, messages: list[Message]) -> None:
        self.ends_at = self.now + TIMEOUT
        for message in messages:
            message.received += 1
            message.visible_at = self.now + VISIBILITY_TIMEOUT
        records = [
            {
                "messageId": str(number),
                "body": message.body,
                "attributes": {"ApproximateReceiveCount": str(message.received)},
            }
            for number, message in enumerate(messages)
        ]
        try:
            answer = self.batch.handle({"Records": records}, lambda: round((self.ends_at - self.now) * 1000))
        except EndedByLambdaError:
            self.ended += 1
            return
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for number, message in enumerate(messages):
            if str(number) not in failed:
                self.queue.remove(message)


def changed(role: str) -> str:
    """Return the event of a changed role."""
    event = json.loads((EVENTS / "cloudtrail" / "put_role_policy.json").read_text())
    event["detail"]["requestParameters"]["roleName"] = role
    return json.dumps(event)


@pytest.mark.parametrize("place", range(BATCH_SIZE))
def test_a_slow_check_brings_no_other_message_to_the_dead_letter_queue(logged: Logged, place: int) -> None:
    """Wherever it stands in the batch, all ten are checked."""
    account = Account(logged, {FUNCTIONS[place]: 133})
    account.send(*(check_request_body([target]) for target in FUNCTIONS[:BATCH_SIZE]))
    account.run()
    assert account.checked == dict.fromkeys(FUNCTIONS[:BATCH_SIZE], 1)
    assert (account.dead, account.ended) == ([], 0)
    assert account.now < 2 * TIMEOUT


def test_ten_slow_checks_are_made_one_after_the_other(logged: Logged) -> None:
    """Each invocation has time for one, and leaves the others to the next."""
    account = Account(logged, dict.fromkeys(FUNCTIONS, 133))
    account.send(*(check_request_body([target]) for target in FUNCTIONS[:BATCH_SIZE]))
    account.run()
    assert account.checked == dict.fromkeys(FUNCTIONS[:BATCH_SIZE], 1)
    assert (account.dead, account.ended) == ([], 0)
    assert account.now == BATCH_SIZE * 133


@pytest.mark.parametrize("place", range(BATCH_SIZE))
def test_only_the_message_whose_check_never_ends_goes_to_the_dead_letter_queue(logged: Logged, place: int) -> None:
    """It is tried five times, at least four times with all the time. The others do not wait for it."""
    account = Account(logged, {FUNCTIONS[place]: 100_000})
    account.send(*(check_request_body([target]) for target in FUNCTIONS[:BATCH_SIZE]))
    account.run()
    innocent = [target for target in FUNCTIONS[:BATCH_SIZE] if target != FUNCTIONS[place]]
    assert account.checked == dict.fromkeys(innocent, 1)
    assert (account.dead, account.ended) == ([FUNCTIONS[place].arn], 0)


def test_new_messages_are_checked_while_slow_ones_are_retried(logged: Logged) -> None:
    """Two functions whose checks never end, two that need most of the time, and fast ones that arrive all the time."""
    hopeless, slow = FUNCTIONS[:2], FUNCTIONS[2:4]
    account = Account(logged, dict.fromkeys(hopeless, 100_000) | dict.fromkeys(slow, 140))
    account.send(*(check_request_body([target]) for target in (*hopeless, *slow)))
    account.queue += [
        Message(check_request_body([target]), number * 60.0) for number, target in enumerate(FUNCTIONS[4:])
    ]
    account.run()
    assert account.checked == dict.fromkeys(FUNCTIONS[2:], 1)
    assert (sorted(account.dead), account.ended) == ([target.arn for target in hopeless], 0)


def test_a_large_role_with_slow_checks_is_checked_function_by_function(logged: Logged) -> None:
    """The message of the role is acknowledged at once; no function is checked twice."""
    account = Account(logged, dict.fromkeys(FUNCTIONS, 30), {"shared": FUNCTIONS})
    account.send(changed("shared"))
    account.run()
    assert account.checked == dict.fromkeys(FUNCTIONS, 1)
    assert (account.dead, account.ended) == ([], 0)


def test_checks_that_start_slowly_bring_no_message_to_the_dead_letter_queue(logged: Logged) -> None:
    """The table is throttled: starting all checks of a role would take 250 seconds."""
    account = Account(logged, {}, {"shared": FUNCTIONS[:50]}, seconds_a_start=5.0)
    account.send(changed("shared"))
    account.run()
    assert account.checked == dict.fromkeys(FUNCTIONS[:50], 1)
    assert (account.dead, account.ended) == ([], 0)


def test_a_denied_call_is_recorded_though_its_check_is_slow(logged: Logged) -> None:
    """Its message is kept, and comes first when it is delivered again."""
    event = json.loads((EVENTS / "cloudtrail" / "create_event_source_mapping_denied_queue.json").read_text())
    account = Account(logged, {FUNCTIONS[0]: 133, TARGET: 133})
    account.send(check_request_body([FUNCTIONS[0]]), json.dumps(event))
    account.run()
    assert account.checked == {FUNCTIONS[0]: 1, TARGET: 1}
    assert account.denied == [TARGET]
    assert (account.dead, account.ended) == ([], 0)
