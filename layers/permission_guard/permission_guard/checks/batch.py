"""Process one batch of a checker's queue: check each target once, and report each message that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.checks.batch_log import BatchLog
from permission_guard.checks.requests import CheckRequest
from permission_guard.findings.callers import Caller
from permission_guard.intake.messages import merge, read_batch
from permission_guard.model.targets import FunctionTarget, PolicyTarget, RoleTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.checks.checker import Checker
    from permission_guard.findings.checkpoint import CheckRun
    from permission_guard.intake.messages import QueueMessage
    from permission_guard.model.targets import JSON, Direction, Target


class FunctionDirectory(Protocol):
    """Lists functions."""

    def forget(self) -> None:
        """Forget what was read: the next call reads it again."""

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> Mapping[RoleTarget, tuple[FunctionTarget, ...]]:
        """List the functions that use each of the roles."""


class RoleDirectory(Protocol):
    """Lists roles."""

    def roles_of_policy(self, policy: PolicyTarget) -> tuple[RoleTarget, ...]:
        """List the roles to which a managed policy is attached, or whose permissions boundary it is."""


class CheckRequests(Protocol):
    """Requests checks that another batch makes."""

    def recheck(self, target: FunctionTarget, request: CheckRequest) -> None:
        """Request another check of a function after the grace period."""

    def request_full(self, targets: Iterable[FunctionTarget], *, baseline: bool = False) -> object:
        """Request full checks of functions that did not change just now."""

    def request_again(self, targets: Iterable[FunctionTarget], request: CheckRequest) -> object:
        """Request the checks that a batch was asked for and leaves to another one. Denied calls cannot be passed on."""


MAX_FUNCTIONS_OF_ROLES = 50
"""How many functions of changed roles one batch checks; checks of the others are requested."""

MIN_MILLIS_FOR_A_CHECK = 20_000
"""The time that every check has at least: most take a second, throttled ones several."""

MAX_TRIES = 3
"""How often a check is made while others of the same function are recorded meanwhile."""

RESERVED_MILLIS = 25_000
"""The time at the end of an invocation in which no AWS call starts but the requests for what was not checked.

It is longer than a call can run on: 13 seconds without a reply, and 8 until the next attempt (`aws/clients.py`).
"""


class CheckBatch:
    """Handles the SQS events of one direction. A message fails, and is retried, when a check of its targets failed.

    SQS counts how often it delivers a message, and moves it to the dead-letter queue after five times. So only the
    message whose own check failed is delivered again, never one that waited for others (decision 19):

    - Checks for which no time is left are requested again, and their messages are acknowledged.
    - A check that takes too long is ended before Lambda ends the invocation, which would fail all messages.
    - A message that was delivered before comes first, so that its check has all the time.

    `requests` receives these checks, and those of other functions and at a later time that a check requires. A message
    that cannot be read fails too, so that it reaches the dead-letter queue. `time_limit` lets AWS calls raise
    OutOfTimeError while its argument returns true, except those that request checks.
    """

    def __init__(
        self,
        direction: Direction,
        checker: Checker,
        functions: FunctionDirectory,
        roles: RoleDirectory,
        requests: CheckRequests,
        *,
        time_limit: Callable[[Callable[[], bool]], AbstractContextManager[None]],
        logger: Logger,
        metrics: Metrics,
    ) -> None:
        self._direction = direction
        self._checker = checker
        self._function_directory = functions
        self._role_directory = roles
        self._requests = requests
        self._time_limit = time_limit
        self._logger = logger
        self._log = BatchLog(logger, metrics)

    def handle(self, event: Mapping[str, JSON], remaining_time_in_millis: Callable[[], int]) -> dict[str, JSON]:
        """Return Lambda's partial batch response. `remaining_time_in_millis` is the Lambda context's."""
        self._checker.forget()
        self._function_directory.forget()
        received = read_batch(event, self._direction)
        self._log.count("MessagesReceived", len(received))
        failed = {message.message_id for message in received if self._log.is_unreadable(message)}
        with self._time_limit(lambda: remaining_time_in_millis() < RESERVED_MILLIS):
            functions = self._functions(merge(received), failed)
            times = {target: max(one.times_received for one in asked) for target, asked in functions.items()}
            waiting = {target: functions[target] for target in sorted(times, key=times.__getitem__, reverse=True)}
            runs = self._start_all(waiting, remaining_time_in_millis)
            self._check_all(runs, waiting, failed, remaining_time_in_millis)
            self._postpone(waiting, failed)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in sorted(failed)]}

    def _functions(
        self,
        merged: Mapping[Target, tuple[QueueMessage, ...]],
        failed: set[str],
    ) -> dict[FunctionTarget, tuple[QueueMessage, ...]]:
        """Resolve policies and roles to functions; the messages of those that cannot be resolved fail."""
        named = self._without_policies(merged, failed)
        of_roles = self._functions_of_roles({t: a for t, a in named.items() if isinstance(t, RoleTarget)}, failed)
        functions: dict[FunctionTarget, tuple[QueueMessage, ...]] = {}
        for target, messages in named.items():
            if isinstance(target, FunctionTarget):
                functions[target] = _together(functions.get(target, ()), messages)
        by_role = [(function, named[role]) for role, users in of_roles.items() for function in users]
        for function, messages in by_role[:MAX_FUNCTIONS_OF_ROLES]:
            functions[function] = _together(functions.get(function, ()), messages)
        self._hand_on(by_role[MAX_FUNCTIONS_OF_ROLES:], failed)
        return functions

    def _hand_on(self, rest: Sequence[tuple[FunctionTarget, tuple[QueueMessage, ...]]], failed: set[str]) -> None:
        """Request checks of what exceeds one batch."""
        if not rest:
            return
        messages = tuple(dict.fromkeys(message for _, requesting in rest for message in requesting))
        targets = tuple(dict.fromkeys(function for function, _ in rest))
        if not self._request_again(targets, messages, failed):
            return
        self._logger.info(
            "checks requested: the roles have more functions than one batch checks",
            extra={"cloudtrail_event_ids": [message.event_id for message in messages], "functions": len(targets)},
        )
        self._log.count("ChecksRequested", len(targets))

    def _request_again(
        self, targets: Sequence[FunctionTarget], messages: Sequence[QueueMessage], failed: set[str]
    ) -> bool:
        """Request checks for these messages from another batch; when that fails, the messages fail."""
        try:
            self._requests.request_again(targets, _check_request(messages))
        except Exception:
            self._logger.exception("checks could not be requested", extra={"functions": len(targets)})
            failed |= _ids(messages)
            return False
        return True

    def _without_policies(
        self,
        merged: Mapping[Target, tuple[QueueMessage, ...]],
        failed: set[str],
    ) -> dict[FunctionTarget | RoleTarget, tuple[QueueMessage, ...]]:
        """Replace each policy by the roles that have it; when they cannot be listed, the policy's messages fail."""
        named: dict[FunctionTarget | RoleTarget, tuple[QueueMessage, ...]] = {}
        for target, messages in merged.items():
            stands_for = self._roles(target, messages, failed) if isinstance(target, PolicyTarget) else (target,)
            for one in stands_for:
                named[one] = _together(named.get(one, ()), messages)
        return named

    def _roles(
        self, policy: PolicyTarget, messages: Sequence[QueueMessage], failed: set[str]
    ) -> tuple[RoleTarget, ...]:
        try:
            return self._role_directory.roles_of_policy(policy)
        except Exception:  # noqa: BLE001 - logged, and the messages fail; the other targets are still checked
            self._log.failed("policy could not be resolved to roles", policy, messages)
            failed |= _ids(messages)
            return ()

    def _functions_of_roles(
        self,
        roles: Mapping[RoleTarget, tuple[QueueMessage, ...]],
        failed: set[str],
    ) -> Mapping[RoleTarget, tuple[FunctionTarget, ...]]:
        if not roles:
            return {}
        try:
            return self._function_directory.functions_of_roles(roles)
        except Exception:  # noqa: BLE001 - as above
            for role, messages in roles.items():
                self._log.failed("role could not be resolved to functions", role, messages)
                failed |= _ids(messages)
            return {}

    def _start_all(
        self, targets: Mapping[FunctionTarget, Sequence[QueueMessage]], remaining_time_in_millis: Callable[[], int]
    ) -> dict[FunctionTarget, CheckRun | None]:
        """Start checks, in at most half of the time: none of them can start once state was read (decision 2)."""
        half = remaining_time_in_millis() // 2
        runs: dict[FunctionTarget, CheckRun | None] = {}
        for target, messages in targets.items():
            if remaining_time_in_millis() < half:
                break
            runs[target] = self._start(target, messages)
        return runs

    def _start(self, target: FunctionTarget, messages: Sequence[QueueMessage]) -> CheckRun | None:
        try:
            return self._checker.start(target)
        except Exception:  # noqa: BLE001 - as above
            self._log.failed("check could not start", target, messages)
            return None

    def _check_all(
        self,
        runs: Mapping[FunctionTarget, CheckRun | None],
        waiting: dict[FunctionTarget, tuple[QueueMessage, ...]],
        failed: set[str],
        remaining_time_in_millis: Callable[[], int],
    ) -> None:
        """Check functions while enough time is left for a check like the longest so far; take them from `waiting`.

        When one check is slow, the others most often are too: all calls of the account share one rate limit.
        """
        longest, left = MIN_MILLIS_FOR_A_CHECK, remaining_time_in_millis()
        for target, run in runs.items():
            if left < longest + RESERVED_MILLIS:
                break
            messages = waiting.pop(target)
            if run is None or not self._check(target, run, messages):
                failed |= _ids(messages)
            before, left = left, remaining_time_in_millis()
            longest = max(longest, before - left)

    def _check(self, target: FunctionTarget, run: CheckRun, messages: Sequence[QueueMessage]) -> bool:
        """Check one function; return whether everything was read and recorded."""
        request = _check_request(messages)
        try:
            result = self._checker.check(target, run, request)
            for _ in range(MAX_TRIES - 1):
                if not result.stale:
                    break
                # Most often two events came at the same time, and the other check may have read an older state.
                result = self._checker.check(target, self._checker.start_again(target), request)
            if result.related:  # first, because nothing else requests them
                self._requests.request_full(result.related, baseline=request.baseline)
            if result.recheck:
                self._requests.recheck(target, result.recheck)
            result = self._checker.resolve_unused_roles(result, request)
        except Exception:  # noqa: BLE001 - as above
            self._log.failed("check failed", target, messages)
            return False
        self._log.report(result, request.event_ids)
        # A check that was not written is requested again, with everything but the denied calls.
        return not result.unread and not (result.stale and request.denied_calls)

    def _postpone(self, waiting: Mapping[FunctionTarget, Sequence[QueueMessage]], failed: set[str]) -> None:
        """Request again the checks for which no time was left.

        A check request has no denied call, so a message that has one fails instead: it is delivered again, and first.
        """
        if not waiting:
            return
        messages = tuple(dict.fromkeys(message for requesting in waiting.values() for message in requesting))
        self._logger.warning(
            "checks postponed: too little time left",
            extra={
                "cloudtrail_event_ids": [message.event_id for message in messages],
                "function_arns": [target.arn for target in waiting],
            },
        )
        self._log.count("ChecksPostponed", len(waiting))
        failed |= _ids(message for message in messages if message.denied_call)
        by_messages: dict[tuple[QueueMessage, ...], list[FunctionTarget]] = {}
        for target, requesting in waiting.items():
            again = tuple(message for message in requesting if not message.denied_call)
            if again:
                by_messages.setdefault(again, []).append(target)
        for again, targets in by_messages.items():
            self._request_again(targets, again, failed)


def _check_request(messages: Sequence[QueueMessage]) -> CheckRequest:
    changed = next((message for message in reversed(messages) if message.changed_by or message.changed_from), None)
    return CheckRequest(
        event_ids=tuple(dict.fromkeys(event_id for message in messages for event_id in message.event_ids)),
        tool=next((message.tool for message in messages if message.tool), ""),
        requested_at=max((message.requested_at for message in messages), default=0.0),
        after_grace_period=all(message.after_grace_period for message in messages),
        full=any(message.full for message in messages),
        denied_calls=tuple(message.denied_call for message in messages if message.denied_call),
        changed_by=changed.changed_by if changed else "",
        changed_from=changed.changed_from if changed else "",
        changed_with=changed.changed_with if changed else "",
        changed_in=changed.changed_in if changed else "",
        changed_event=changed.changed_event if changed else "",
        role_changes=tuple(dict.fromkeys(change for message in messages for change in message.role_changes)),
        iam_change=any(message.is_of_iam for message in messages),
        # An event names the function: its findings are alerted by themselves.
        baseline=all(message.baseline for message in messages),
        redelivered=any(message.times_received > 1 for message in messages),
        callers=tuple(Caller(one.changed_by, one.tool) for one in messages if one.is_change),
    )


def _together(some: tuple[QueueMessage, ...], more: tuple[QueueMessage, ...]) -> tuple[QueueMessage, ...]:
    return tuple(dict.fromkeys((*some, *more)))


def _ids(messages: Iterable[QueueMessage]) -> set[str]:
    return {message.message_id for message in messages}
