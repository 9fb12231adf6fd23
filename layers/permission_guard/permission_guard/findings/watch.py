"""Watch a function after its resource-based policy was narrowed: do its sources still invoke it? Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import PARTS, split_arn
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.findings import FixResult
from permission_guard.model.metrics import Metric
from permission_guard.model.state import Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.model.findings import FixRecord
    from permission_guard.model.metrics import MetricReader, MetricSum

    Sums = Mapping[Metric, Sequence[MetricSum]]

NARROWING: Final = "narrow-statement"
"""The name of the fix that is watched."""

BOT: Final = "the bot itself"
"""Who requested an undo that no person requested. It is no ARN, so no person is recorded like that."""

BEFORE: Final = timedelta(days=7)
"""A function is active if it was invoked in this time before the fix."""

_LEAST_SILENCE: Final = timedelta(hours=1)
_INVOCATIONS_PERIOD: Final = 300
_FAILURES_PERIOD: Final = 60
_RULE: Final = "rule/"
_MOST_MINUTES: Final = 120


@record
class Watched:
    """An applied narrowing. `resource_arn` is the function, version or alias, and `sources` are the proven ones."""

    resource_arn: str
    sources: tuple[str, ...]
    applied_at: datetime

    @classmethod
    def of(cls, fix: FixRecord, applied_at: str) -> Watched:
        """Return what to watch after a narrowing: the function and the sources are those of its plan."""
        sources = fix.rests_on.get("sources")
        given = tuple(map(str, sources)) if isinstance(sources, (list, tuple)) else ()
        return cls(str(fix.change.get("resource_arn", "")), given, datetime.fromisoformat(applied_at))

    @property
    def invocations(self) -> Metric:
        """The invocations of the function; of a version or an alias only its own."""
        target, qualifier = parse_function_arn(self.resource_arn)
        own = (("Resource", f"{target.name}:{qualifier}"),) if qualifier else ()
        return Metric("AWS/Lambda", "Invocations", (("FunctionName", target.name), *own), _INVOCATIONS_PERIOD)

    @property
    def failures(self) -> dict[str, Metric]:
        """The failed deliveries of each source for which AWS counts them: EventBridge rules and SNS topics."""
        target, _ = parse_function_arn(self.resource_arn)
        found = {source: _failures_of(source, target.region, target.account) for source in self.sources}
        return {source: metric for source, metric in found.items() if metric is not None}

    def read(self, metrics: MetricReader, now: datetime) -> Observation | Unread:
        """Read what the metrics show; Unread if one of them is not complete.

        Failed deliveries are read only from the time that they are compared with: CloudWatch limits how many periods
        are read in a second, also of metrics without data.
        """
        start = self.applied_at - BEFORE
        start -= timedelta(seconds=start.timestamp() % _INVOCATIONS_PERIOD)
        found: dict[Metric, Sequence[MetricSum]] = {}
        since = self.applied_at - self._span(now)
        for asked, first in (((self.invocations,), start), (tuple(self.failures.values()), since)):
            sums = metrics.sums(asked, first, now) if asked else {}
            if isinstance(sums, Unread):
                return sums
            found |= sums
        return self._observed(found, now)

    def _span(self, now: datetime) -> timedelta:
        return min(now - self.applied_at, BEFORE)

    def _observed(self, sums: Sums, now: datetime) -> Observation:
        invoked = [one for one in sums.get(self.invocations, ()) if one.value > 0]
        before = [one.at for one in invoked if self._is_before(one, _INVOCATIONS_PERIOD)]
        span = self._span(now)
        rising = []
        for source, metric in self.failures.items():
            every = sums.get(metric, ())
            earlier = [one for one in every if self._is_before(one, _FAILURES_PERIOD)]
            failed_before = sum(one.value for one in earlier if one.at >= self.applied_at - span)
            failed_since = sum(one.value for one in every if one.at >= self.applied_at)
            if failed_since > failed_before:
                rising.append(Rise(source, metric.name, round(failed_before), round(failed_since)))
        return Observation(
            is_active=bool(before),
            is_invoked=any(one.at >= self.applied_at for one in invoked),
            longest_silence=max((b - a for a, b in pairwise([*before, self.applied_at])), default=timedelta()),
            rising=tuple(rising),
            span=span,
        )

    def _is_before(self, one: MetricSum, period: int) -> bool:
        """Return whether a period ended before the fix. The one in which it was applied is neither before nor after."""
        return one.at + timedelta(seconds=period) <= self.applied_at


@record
class Rise:
    """A source whose failed deliveries rose: their number after the fix, and in the same time span before it."""

    source: str
    metric: str
    before: int
    after: int


@record(kw_only=True)
class Observation:
    """What metrics show of a narrowing, `span` after it. `longest_silence` is the longest without invocation before.

    It is counted from the first invocation in the seven days before.
    """

    is_active: bool
    is_invoked: bool
    longest_silence: timedelta
    rising: tuple[Rise, ...]
    span: timedelta

    @property
    def why_undone(self) -> str:
        """Why the fix is undone, as a sentence; empty if it is not."""
        if not self.is_active or not self.rising:
            return ""
        of_each = (f"{one.metric} of {one.source} rose from {one.before} to {one.after}" for one in self.rising)
        return f"In the {in_words(self.span)} after the fix, {'; '.join(of_each)}."

    def is_silent(self, *, is_last: bool) -> bool:
        """Return whether an active function was not invoked since: for longer than ever before, or until the end."""
        is_long = self.span > max(self.longest_silence, _LEAST_SILENCE)
        return self.is_active and not self.is_invoked and (is_long or is_last)


def is_watched(fix: FixRecord | None) -> bool:
    """Return whether a fix is a narrowing that is in effect, and that nobody requested to undo."""
    return fix is not None and fix.name == NARROWING and fix.result is FixResult.APPLIED and not fix.is_undo_requested


def in_words(span: timedelta) -> str:
    """Return a time span in words, rounded: minutes up to two hours, then hours."""
    minutes = max(2, round(span.total_seconds() / 60))
    return f"{minutes} minutes" if minutes <= _MOST_MINUTES else f"{round(minutes / 60)} hours"


def _failures_of(source: str, region: str, account: str) -> Metric | None:
    """Return the metric with the failed deliveries of exactly one source, None if there is none here.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    """
    parts = split_arn(source)
    if len(parts) != PARTS or parts[3:5] != [region, account]:
        return None
    service, resource = parts[2], parts[5]
    if service == "sns":
        return Metric("AWS/SNS", "NumberOfNotificationsFailed", (("TopicName", resource),), _FAILURES_PERIOD)
    if service != "events" or not resource.startswith(_RULE):
        return None
    *bus, rule = resource.removeprefix(_RULE).rsplit("/", 1)
    dimensions = (*(("EventBusName", name) for name in bus), ("RuleName", rule))
    return Metric("AWS/Events", "FailedInvocations", dimensions, _FAILURES_PERIOD)
