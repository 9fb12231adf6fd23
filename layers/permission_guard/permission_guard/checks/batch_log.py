"""What a batch of checks logs and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.model.targets import RoleTarget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.checks.requests import CheckResult
    from permission_guard.intake.messages import QueueMessage
    from permission_guard.model.state import Unread
    from permission_guard.model.targets import JSON, Target
    from permission_guard.model.verdicts import Verdict

MAX_UNKNOWN_LINES = 20
"""How many unknown verdicts of one check are logged each; the others are counted."""


class BatchLog:
    """Logs lines with the ids of the CloudTrail events that led to them, and counts in metrics."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        self._logger = logger
        self._metrics = metrics

    def is_unreadable(self, message: QueueMessage) -> bool:
        """Return whether a message cannot be read; log that, or why it requests no check."""
        if message.error is None:
            if message.reason:
                self._logger.info(
                    "nothing to check",
                    extra={"cloudtrail_event_id": message.event_id, "reason": message.reason},
                )
                self.count("EventsIgnored")
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
        self.count("MessagesUnreadable")
        return True

    def report(self, result: CheckResult, event_ids: Sequence[str]) -> None:
        """Log and count what a check of a function has read, found and recorded."""
        about = {"cloudtrail_event_ids": event_ids, "function_arn": result.target.arn}
        if result.report.deleted:
            self._logger.info("function deleted: its findings are resolved", extra=about)
            self.count("FunctionsDeleted")
        if result.stale:
            self._logger.info("another check was recorded meanwhile", extra=about)
            self.count("ChecksOvertaken")
        for finding_id in sorted(result.unreadable):
            self._logger.error(
                "recorded finding cannot be read: left as it is", extra=about | {"finding_id": finding_id}
            )
            self.count("FindingsUnreadable")
        self._report_unread(result.unread, about)
        self._report_unknowns(result.report.unknowns, about)
        for change in result.changes:
            if change.is_transition:
                finding = change.finding
                self._logger.info(
                    str(finding.transition),
                    extra=about | {"finding_id": finding.id, "rule_id": finding.rule_id, "revision": finding.revision},
                )
                self.count(f"Findings{finding.transition.removeprefix('Finding ')}")
        self.count("FunctionsChecked")

    def _report_unread(self, parts: Sequence[Unread], about: Mapping[str, JSON]) -> None:
        """Log one line for each action and error, however many sources it concerns."""
        groups: dict[tuple[str, str, bool], list[Unread]] = {}
        for unread in parts:
            groups.setdefault((unread.action, unread.code, unread.denied), []).append(unread)
        for (action, code, denied), group in groups.items():
            self._logger.error(
                "state could not be read",
                extra={**about, "action": action, "code": code, "reason": group[0].message, "reads": len(group)},
            )
            self.count("ReadsDenied" if denied else "ReadsFailed", len(group))

    def _report_unknowns(self, verdicts: Sequence[Verdict], about: Mapping[str, JSON]) -> None:
        for verdict in verdicts[:MAX_UNKNOWN_LINES]:
            self._logger.warning(
                "verdict is unknown",
                extra={**about, "rule_id": verdict.rule_id, "subject": verdict.subject, "reason": verdict.reason},
            )
        if len(verdicts) > MAX_UNKNOWN_LINES:
            rules = sorted({verdict.rule_id for verdict in verdicts[MAX_UNKNOWN_LINES:]})
            more = len(verdicts) - MAX_UNKNOWN_LINES
            self._logger.warning("more verdicts are unknown", extra={**about, "verdicts": more, "rule_ids": rules})
        if verdicts:
            self.count("VerdictsUnknown", len(verdicts))

    def failed(self, what: str, target: Target, messages: Sequence[QueueMessage]) -> None:
        """Log the error that is being handled, and count a check that failed."""
        name = target.name if isinstance(target, RoleTarget) else target.arn
        event_ids = [message.event_id for message in messages]
        self._logger.exception(  # noqa: LOG004 - called from handlers only
            what, extra={"cloudtrail_event_ids": event_ids, "target": name}
        )
        self.count("ChecksFailed")

    def count(self, name: str, value: int = 1) -> None:
        """Count something in a metric."""
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
