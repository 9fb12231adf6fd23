"""Work off one batch of a checker's queue: every target once, every message answered for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.intake import merge, read_batch
from permission_guard.model import FunctionTarget, PolicyTarget, RoleTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.checker import Checker, Look
    from permission_guard.intake import Message
    from permission_guard.model import JSON, Scope, Target


class FunctionDirectory(Protocol):
    """Which functions there are."""

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> Mapping[RoleTarget, tuple[FunctionTarget, ...]]:
        """List, for each of some roles, the functions that run with it."""


class RoleDirectory(Protocol):
    """Which roles there are."""

    def roles_of_policy(self, policy: PolicyTarget) -> tuple[RoleTarget, ...]:
        """List the roles that have a managed policy, attached or as their boundary."""


ENOUGH_FOR_A_LOOK_MILLIS = 20_000
"""A look is not begun with less time than this left: most take a second, one of many throttled calls some more."""


class CheckBatch:
    """Handles SQS events of one scope. A message fails, and comes again, when any of its targets was not looked at.

    `look_again` requests another look at a function, some minutes later.

    Messages that cannot be read fail as well, so that after some tries they lie in the dead-letter queue, where a
    person finds them.
    """

    def __init__(
        self,
        scope: Scope,
        checker: Checker,
        functions: FunctionDirectory,
        roles: RoleDirectory,
        look_again: Callable[[FunctionTarget], object],
        *,
        logger: Logger,
        metrics: Metrics,
    ) -> None:
        self._scope = scope
        self._checker = checker
        self._function_directory = functions
        self._role_directory = roles
        self._look_again = look_again
        self._logger = logger
        self._metrics = metrics

    def handle(self, event: Mapping[str, JSON], remaining_time_in_millis: Callable[[], int]) -> dict[str, JSON]:
        """Return Lambda's partial batch response.

        `remaining_time_in_millis` is that of the Lambda context. What there is no time for is left to another batch:
        an invocation that is cut off would answer for none of its messages, and all of them would come again.
        """
        messages = read_batch(event, self._scope)
        self._count("MessagesReceived", len(messages))
        failed = {message.message_id for message in messages if self._is_unreadable(message)}
        functions = self._functions(merge(messages), failed)
        numbers = {target: self._begin(target, askers) for target, askers in functions.items()}
        postponed = dict(functions)
        for target, askers in functions.items():
            if remaining_time_in_millis() < ENOUGH_FOR_A_LOOK_MILLIS:
                break
            del postponed[target]
            number = numbers[target]
            if number is None or not self._look(target, number, askers):
                failed |= _ids(askers)
        failed |= self._postpone(postponed)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in sorted(failed)]}

    def _is_unreadable(self, message: Message) -> bool:
        if message.error is None:
            if message.reason:
                self._logger.info(
                    "nothing to look at",
                    extra={"cloudtrail_event_id": message.event_id, "reason": message.reason},
                )
                self._count("EventsIgnored")
            return False
        self._logger.error(
            "message cannot be read",
            extra={
                "cloudtrail_event_id": message.event_id,
                "message_id": message.message_id,
                "error": type(message.error).__name__,
                "reason": str(message.error),
            },
        )
        self._count("MessagesUnreadable")
        return True

    def _functions(
        self,
        merged: Mapping[Target, tuple[Message, ...]],
        failed: set[str],
    ) -> dict[FunctionTarget, tuple[Message, ...]]:
        """Resolve policies and roles to the functions that run with them; the messages of those that cannot be fail."""
        named = self._without_policies(merged, failed)
        of_roles = self._functions_of_roles({t: a for t, a in named.items() if isinstance(t, RoleTarget)}, failed)
        functions: dict[FunctionTarget, tuple[Message, ...]] = {}
        for target, askers in named.items():
            for function in (target,) if isinstance(target, FunctionTarget) else of_roles.get(target, ()):
                functions[function] = _together(functions.get(function, ()), askers)
        return functions

    def _without_policies(
        self,
        merged: Mapping[Target, tuple[Message, ...]],
        failed: set[str],
    ) -> dict[FunctionTarget | RoleTarget, tuple[Message, ...]]:
        """Put in each policy's place the roles that have it; when they cannot be listed, the policy's messages fail."""
        named: dict[FunctionTarget | RoleTarget, tuple[Message, ...]] = {}
        for target, askers in merged.items():
            stands_for = self._roles(target, askers, failed) if isinstance(target, PolicyTarget) else (target,)
            for one in stands_for:
                named[one] = _together(named.get(one, ()), askers)
        return named

    def _roles(self, policy: PolicyTarget, askers: Sequence[Message], failed: set[str]) -> tuple[RoleTarget, ...]:
        try:
            return self._role_directory.roles_of_policy(policy)
        except Exception:  # noqa: BLE001 - logged, and the messages come again; the other targets go on
            self._failed("policy could not be resolved to roles", policy, askers)
            failed |= _ids(askers)
            return ()

    def _functions_of_roles(
        self,
        roles: Mapping[RoleTarget, tuple[Message, ...]],
        failed: set[str],
    ) -> Mapping[RoleTarget, tuple[FunctionTarget, ...]]:
        if not roles:
            return {}
        try:
            return self._function_directory.functions_of_roles(roles)
        except Exception:  # noqa: BLE001 - as above
            for role, askers in roles.items():
                self._failed("role could not be resolved to functions", role, askers)
                failed |= _ids(askers)
            return {}

    def _begin(self, target: FunctionTarget, askers: Sequence[Message]) -> int | None:
        try:
            return self._checker.begin(target)
        except Exception:  # noqa: BLE001 - as above
            self._failed("look could not be begun", target, askers)
            return None

    def _look(self, target: FunctionTarget, number: int, askers: Sequence[Message]) -> bool:
        """Look at one function; return whether everything could be read and recorded."""
        event_ids = [message.event_id for message in askers]
        tool = next((message.tool for message in askers if message.tool), "")
        requests = [message.requested_at for message in askers if message.requested_at is not None]
        try:
            look = self._checker.look(target, number, event_ids, tool=tool, requested_at=max(requests, default=None))
            if look.again:
                self._look_again(target)
        except Exception:  # noqa: BLE001 - as above
            self._failed("look failed", target, askers)
            return False
        self._report(look, event_ids)
        return not look.unread

    def _postpone(self, targets: Mapping[FunctionTarget, tuple[Message, ...]]) -> set[str]:
        """Say which looks there was no time for; return their messages."""
        askers = dict.fromkeys(message for asked in targets.values() for message in asked)
        if targets:
            self._logger.warning(
                "looks are postponed: the time is almost up",
                extra={
                    "cloudtrail_event_ids": [message.event_id for message in askers],
                    "function_arns": [target.arn for target in targets],
                },
            )
            self._count("LooksPostponed", len(targets))
        return _ids(askers)

    def _report(self, look: Look, event_ids: Sequence[str]) -> None:
        about = {"cloudtrail_event_ids": event_ids, "function_arn": look.target.arn}
        if look.report.gone:
            self._logger.info("function is gone: its findings are resolved", extra=about)
            self._count("FunctionsGone")
        if look.stale:
            self._logger.info("a newer look was recorded first", extra=about)
            self._count("LooksOvertaken")
        for unread in look.unread:
            self._logger.error(
                "state could not be read",
                extra=about | {"action": unread.action, "code": unread.code, "reason": unread.message},
            )
            self._count("ReadsDenied" if unread.denied else "ReadsFailed")
        for verdict in look.report.unknowns:
            self._logger.warning(
                "verdict is unknown",
                extra=about | {"rule_id": verdict.rule_id, "subject": verdict.subject, "reason": verdict.reason},
            )
            self._count("VerdictsUnknown")
        for change in look.changes:
            if change.is_transition:
                finding = change.finding
                self._logger.info(
                    str(finding.transition),
                    extra=about | {"finding_id": finding.id, "rule_id": finding.rule_id, "revision": finding.revision},
                )
                self._count(f"Findings{finding.transition.removeprefix('Finding ')}")
        self._count("FunctionsLookedAt")

    def _failed(self, what: str, target: Target, askers: Sequence[Message]) -> None:
        name = target.name if isinstance(target, RoleTarget) else target.arn
        event_ids = [message.event_id for message in askers]
        self._logger.exception(  # noqa: LOG004 - called from handlers only
            what, extra={"cloudtrail_event_ids": event_ids, "target": name}
        )
        self._count("LooksFailed")

    def _count(self, name: str, value: int = 1) -> None:
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def _together(some: tuple[Message, ...], more: tuple[Message, ...]) -> tuple[Message, ...]:
    return tuple(dict.fromkeys((*some, *more)))


def _ids(messages: Iterable[Message]) -> set[str]:
    return {message.message_id for message in messages}
