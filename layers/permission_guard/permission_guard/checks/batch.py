"""Work off one batch of a checker's queue: every target once, every message answered for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.checks.checker import CheckRequest
from permission_guard.intake.messages import merge, read_batch
from permission_guard.model.targets import FunctionTarget, PolicyTarget, RoleTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.checks.checker import Checker, CheckResult
    from permission_guard.findings.checkpoint import CheckRun
    from permission_guard.intake.messages import QueueMessage
    from permission_guard.model.targets import JSON, Direction, Target


class FunctionDirectory(Protocol):
    """Which functions there are."""

    def forget(self) -> None:
        """Read everything anew from now on."""

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> Mapping[RoleTarget, tuple[FunctionTarget, ...]]:
        """List, for each of some roles, the functions that run with it."""


class RoleDirectory(Protocol):
    """Which roles there are."""

    def roles_of_policy(self, policy: PolicyTarget) -> tuple[RoleTarget, ...]:
        """List the roles that have a managed policy, attached or as their boundary."""


class CheckRequests(Protocol):
    """Where looks are requested, to be made by another batch."""

    def again(self, target: FunctionTarget, request: CheckRequest) -> None:
        """Request a look at a function, on an occasion, once what was changed has settled."""

    def now(self, targets: Iterable[FunctionTarget]) -> object:
        """Request thorough looks at functions about which nothing was changed just now."""

    def changed(self, targets: Iterable[FunctionTarget], request: CheckRequest) -> object:
        """Request looks at functions that a change concerns, as its event would."""


MAX_FUNCTIONS_OF_ROLES = 50
"""So many functions of roles that changed are looked at in one batch; looks at the others are requested."""

MIN_MILLIS_FOR_A_CHECK = 20_000
"""A look is not begun with less time than this left: most take a second, one of many throttled calls some more."""


class CheckBatch:
    """Handles SQS events of one scope. A message fails, and comes again, when any of its targets was not looked at.

    What a look asks for besides goes to `requests`.

    Messages that cannot be read fail as well, so that after some tries they lie in the dead-letter queue, where a
    person finds them.
    """

    def __init__(
        self,
        direction: Direction,
        checker: Checker,
        functions: FunctionDirectory,
        roles: RoleDirectory,
        requests: CheckRequests,
        *,
        logger: Logger,
        metrics: Metrics,
    ) -> None:
        self._scope = direction
        self._checker = checker
        self._function_directory = functions
        self._role_directory = roles
        self._requests = requests
        self._logger = logger
        self._metrics = metrics

    def handle(self, event: Mapping[str, JSON], remaining_time_in_millis: Callable[[], int]) -> dict[str, JSON]:
        """Return Lambda's partial batch response.

        `remaining_time_in_millis` is that of the Lambda context. What there is no time for is left to another batch:
        an invocation that is cut off would answer for none of its messages, and all of them would come again.
        """
        self._checker.forget()
        self._function_directory.forget()
        messages = read_batch(event, self._scope)
        self._count("MessagesReceived", len(messages))
        failed = {message.message_id for message in messages if self._is_unreadable(message)}
        functions = self._functions(merge(messages), failed)
        run = {target: self._begin(target, askers) for target, askers in functions.items()}
        postponed = dict(functions)
        for target, askers in functions.items():
            if remaining_time_in_millis() < MIN_MILLIS_FOR_A_CHECK:
                break
            del postponed[target]
            if (begin := run[target]) is None or not self._look(target, begin, askers):
                failed |= _ids(askers)
        failed |= self._postpone(postponed)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in sorted(failed)]}

    def _is_unreadable(self, message: QueueMessage) -> bool:
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
        merged: Mapping[Target, tuple[QueueMessage, ...]],
        failed: set[str],
    ) -> dict[FunctionTarget, tuple[QueueMessage, ...]]:
        """Resolve policies and roles to the functions that run with them; the messages of those that cannot be fail."""
        named = self._without_policies(merged, failed)
        of_roles = self._functions_of_roles({t: a for t, a in named.items() if isinstance(t, RoleTarget)}, failed)
        functions: dict[FunctionTarget, tuple[QueueMessage, ...]] = {}
        for target, askers in named.items():
            if isinstance(target, FunctionTarget):
                functions[target] = _together(functions.get(target, ()), askers)
        by_role = [(function, named[role]) for role, users in of_roles.items() for function in users]
        for function, askers in by_role[:MAX_FUNCTIONS_OF_ROLES]:
            functions[function] = _together(functions.get(function, ()), askers)
        self._hand_on(by_role[MAX_FUNCTIONS_OF_ROLES:], failed)
        return functions

    def _hand_on(self, rest: Sequence[tuple[FunctionTarget, tuple[QueueMessage, ...]]], failed: set[str]) -> None:
        """Request looks at what is more than one batch is for; if that fails, the messages come again."""
        if not rest:
            return
        askers = tuple(dict.fromkeys(message for _, asked in rest for message in asked))
        targets = dict.fromkeys(function for function, _ in rest)
        try:
            self._requests.changed(targets, _check_request(askers))
        except Exception:
            self._logger.exception("looks could not be requested", extra={"functions": len(targets)})
            failed |= _ids(askers)
            return
        self._logger.info(
            "looks are requested: the roles have more functions than one batch is for",
            extra={"cloudtrail_event_ids": [message.event_id for message in askers], "functions": len(targets)},
        )
        self._count("ChecksRequested", len(targets))

    def _without_policies(
        self,
        merged: Mapping[Target, tuple[QueueMessage, ...]],
        failed: set[str],
    ) -> dict[FunctionTarget | RoleTarget, tuple[QueueMessage, ...]]:
        """Put in each policy's place the roles that have it; when they cannot be listed, the policy's messages fail."""
        named: dict[FunctionTarget | RoleTarget, tuple[QueueMessage, ...]] = {}
        for target, askers in merged.items():
            stands_for = self._roles(target, askers, failed) if isinstance(target, PolicyTarget) else (target,)
            for one in stands_for:
                named[one] = _together(named.get(one, ()), askers)
        return named

    def _roles(self, policy: PolicyTarget, askers: Sequence[QueueMessage], failed: set[str]) -> tuple[RoleTarget, ...]:
        try:
            return self._role_directory.roles_of_policy(policy)
        except Exception:  # noqa: BLE001 - logged, and the messages come again; the other targets go on
            self._failed("policy could not be resolved to roles", policy, askers)
            failed |= _ids(askers)
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
            for role, askers in roles.items():
                self._failed("role could not be resolved to functions", role, askers)
                failed |= _ids(askers)
            return {}

    def _begin(self, target: FunctionTarget, askers: Sequence[QueueMessage]) -> CheckRun | None:
        try:
            return self._checker.begin(target)
        except Exception:  # noqa: BLE001 - as above
            self._failed("look could not be begun", target, askers)
            return None

    def _look(self, target: FunctionTarget, run: CheckRun, askers: Sequence[QueueMessage]) -> bool:
        """Look at one function; return whether everything could be read and recorded."""
        request = _check_request(askers)
        try:
            look = self._checker.look(target, run, request)
            if look.stale and request.denied_calls:
                # It would be minutes until the message comes again; most often the function was created just before.
                look = self._checker.look(target, self._checker.start_again(target), request)
            if look.again:
                self._requests.again(target, request)
            if look.others:
                self._requests.now(look.others)
        except Exception:  # noqa: BLE001 - as above
            self._failed("look failed", target, askers)
            return False
        self._report(look, request.event_ids)
        # What was refused is remembered with the look: if that was not written, the message has to tell it again.
        return not look.unread and not (look.stale and request.denied_calls)

    def _postpone(self, targets: Mapping[FunctionTarget, tuple[QueueMessage, ...]]) -> set[str]:
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
            self._count("ChecksPostponed", len(targets))
        return _ids(askers)

    def _report(self, look: CheckResult, event_ids: Sequence[str]) -> None:
        about = {"cloudtrail_event_ids": event_ids, "function_arn": look.target.arn}
        if look.report.gone:
            self._logger.info("function is gone: its findings are resolved", extra=about)
            self._count("FunctionsDeleted")
        if look.stale:
            self._logger.info("a newer look was recorded first", extra=about)
            self._count("ChecksOvertaken")
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
        self._count("FunctionsChecked")

    def _failed(self, what: str, target: Target, askers: Sequence[QueueMessage]) -> None:
        name = target.name if isinstance(target, RoleTarget) else target.arn
        event_ids = [message.event_id for message in askers]
        self._logger.exception(  # noqa: LOG004 - called from handlers only
            what, extra={"cloudtrail_event_ids": event_ids, "target": name}
        )
        self._count("ChecksFailed")

    def _count(self, name: str, value: int = 1) -> None:
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def _check_request(askers: Sequence[QueueMessage]) -> CheckRequest:
    return CheckRequest(
        event_ids=tuple(dict.fromkeys(event_id for message in askers for event_id in message.event_ids)),
        tool=next((message.tool for message in askers if message.tool), ""),
        requested_at=max((message.requested_at for message in askers), default=0.0),
        after_grace_period=all(message.after_grace_period for message in askers),
        full=any(message.full for message in askers),
        denied_calls=tuple(message.refusal for message in askers if message.refusal),
    )


def _together(some: tuple[QueueMessage, ...], more: tuple[QueueMessage, ...]) -> tuple[QueueMessage, ...]:
    return tuple(dict.fromkeys((*some, *more)))


def _ids(messages: Iterable[QueueMessage]) -> set[str]:
    return {message.message_id for message in messages}
