"""The watch after a narrowing: which metrics it reads, and what they say about the function and its sources."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from permission_guard.findings.watch import NARROWING, Observation, Watched, in_words
from permission_guard.fixes.narrow_statement import NarrowStatement
from permission_guard.model.findings import FixRecord, FixResult
from permission_guard.model.metrics import Metric
from permission_guard.model.state import Unread
from tests.fake_metrics import InMemoryMetrics
from tests.fakes import FUNCTION_ARN

FIXED = datetime(2026, 11, 20, 9, 0, 30, tzinfo=UTC)
PLACE = "us-east-1:123456789012"
TOPIC, RULE = f"arn:aws:sns:{PLACE}:orders", f"arn:aws:events:{PLACE}:rule/nightly"
OWN = (("FunctionName", "orders"),)
OF_TOPIC, OF_RULE = (("TopicName", "orders"),), (("RuleName", "nightly"),)
SNS, EVENTS = "NumberOfNotificationsFailed", "FailedInvocations"


def later(**more: float) -> datetime:
    """Return a time after the fix."""
    return FIXED + timedelta(**more)


def watched(*sources: str, arn: str = FUNCTION_ARN) -> Watched:
    """Return an applied narrowing."""
    return Watched(arn, sources or (TOPIC, RULE), FIXED)


def active() -> InMemoryMetrics:
    """Return metrics of a function that was invoked a day before the fix."""
    metrics = InMemoryMetrics()
    metrics.put("Invocations", OWN, later(days=-1))
    return metrics


def seen(metrics: InMemoryMetrics, now: datetime, *sources: str) -> Observation:
    """Return what the metrics show."""
    found = watched(*sources).read(metrics, now)
    assert isinstance(found, Observation)
    return found


def test_the_watched_fix_is_the_one_that_narrows() -> None:
    """Its name is recorded in findings, so it must not change."""
    assert NarrowStatement.name == NARROWING == "narrow-statement"


def test_function_and_sources_are_those_of_the_plan() -> None:
    """A plan without sources has none to watch."""
    record = FixRecord(name=NARROWING, result=FixResult.APPLIED, summary="", at=FIXED.isoformat(), attempts=1)
    fix = replace(record, change={"resource_arn": FUNCTION_ARN}, rests_on={"sources": [TOPIC]})
    assert Watched.of(fix, fix.at) == watched(TOPIC)
    assert Watched.of(replace(fix, rests_on={"sources": "topic"}), fix.at).sources == ()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (TOPIC, Metric("AWS/SNS", SNS, OF_TOPIC, 60)),
        (RULE, Metric("AWS/Events", EVENTS, OF_RULE, 60)),
        (
            f"arn:aws:events:{PLACE}:rule/shop/placed",
            Metric("AWS/Events", EVENTS, (("EventBusName", "shop"), ("RuleName", "placed")), 60),
        ),
        (
            f"arn:aws:events:{PLACE}:rule/aws.partner/acme.com/1/placed",
            Metric("AWS/Events", EVENTS, (("EventBusName", "aws.partner/acme.com/1"), ("RuleName", "placed")), 60),
        ),
    ],
)
def test_a_source_with_a_metric_of_its_own_is_watched(source: str, expected: Metric) -> None:
    """AWS counts a rule of the default bus under its name alone, and one of another bus under both names."""
    assert watched(source).failures == {source: expected}


@pytest.mark.parametrize(
    "source",
    [
        "arn:aws:s3:::uploads",
        "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4/*/GET/a",
        "arn:aws:sns:eu-west-1:123456789012:orders",  # its metrics are in the other region
        "arn:aws:sns:us-east-1:999999999999:orders",  # and in the other account
        "arn:aws:events:us-east-1:123456789012:event-bus/shop",
        "arn:aws:sns:us-east-1:123456789012",
        "orders",
    ],
)
def test_no_other_source_has_a_metric(source: str) -> None:
    """What happens there is only alerted."""
    assert watched(source).failures == {}


@pytest.mark.parametrize(
    ("arn", "dimensions"),
    [(FUNCTION_ARN, OWN), (f"{FUNCTION_ARN}:live", (*OWN, ("Resource", "orders:live")))],
)
def test_the_invocations_are_those_of_the_policys_own_function_or_alias(arn: str, dimensions: Any) -> None:
    """AWS counts an alias under its name besides."""
    assert watched(arn=arn).invocations == Metric("AWS/Lambda", "Invocations", dimensions, 300)


# ── Failed deliveries ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "dimensions", "source"), [(SNS, OF_TOPIC, TOPIC), (EVENTS, OF_RULE, RULE)])
def test_deliveries_that_fail_since_the_fix_undo_it(name: str, dimensions: Any, source: str) -> None:
    """The reason names the source and both numbers."""
    metrics = active()
    metrics.put(name, dimensions, later(minutes=5), 3)
    found = seen(metrics, later(minutes=30))
    assert found.why_undone == f"In the 30 minutes after the fix, {name} of {source} rose from 0 to 3."


@pytest.mark.parametrize(
    ("before", "after", "rises"), [(0, 1, True), (2, 3, True), (3, 3, False), (4, 3, False), (0, 0, False)]
)
def test_only_a_rise_counts(before: int, after: int, rises: bool) -> None:
    """A source that failed as often before the fix has another problem."""
    metrics = active()
    metrics.put(SNS, OF_TOPIC, later(minutes=-20), before)
    metrics.put(SNS, OF_TOPIC, later(minutes=20), after)
    assert bool(seen(metrics, later(minutes=30)).why_undone) is rises


def test_the_time_before_is_as_long_as_the_time_after() -> None:
    """What failed earlier is not compared."""
    metrics = active()
    metrics.put(SNS, OF_TOPIC, later(minutes=-40), 9)
    metrics.put(SNS, OF_TOPIC, later(minutes=20), 1)
    assert seen(metrics, later(minutes=30)).why_undone
    assert not seen(metrics, later(minutes=50)).why_undone


def test_the_minute_of_the_fix_counts_neither_before_nor_after() -> None:
    """CloudWatch does not say which part of it is which."""
    metrics = active()
    metrics.put(SNS, OF_TOPIC, FIXED, 5)
    assert not seen(metrics, later(minutes=30)).why_undone
    metrics.put(SNS, OF_TOPIC, later(minutes=1), 1)
    assert seen(metrics, later(minutes=30)).why_undone


def test_another_topic_or_rule_undoes_nothing() -> None:
    """Only the proven sources of the plan are read."""
    metrics = active()
    metrics.put(SNS, (("TopicName", "other"),), later(minutes=5), 3)
    metrics.put(EVENTS, (("RuleName", "orders"),), later(minutes=5), 3)
    assert not seen(metrics, later(minutes=30)).why_undone
    assert {metric.dimensions for asked in metrics.asked for metric in asked} == {OWN, OF_TOPIC, OF_RULE}


@pytest.mark.parametrize(
    ("since", "first"),
    [(timedelta(minutes=30), timedelta(minutes=-30)), (timedelta(days=9), timedelta(days=-7))],
)
def test_failures_are_read_only_from_when_they_are_compared(since: timedelta, first: timedelta) -> None:
    """Each period that is read counts for a limit of CloudWatch; the invocations are those of seven days."""
    metrics = active()
    watched().read(metrics, FIXED + since)
    start = later(days=-7, seconds=-30)
    assert metrics.starts == [start, FIXED + first]


def test_without_a_source_that_has_a_metric_only_the_invocations_are_read() -> None:
    """A call without a query would be refused."""
    metrics = active()
    assert not seen(metrics, later(minutes=30), "arn:aws:s3:::uploads").why_undone
    assert metrics.asked == [(watched().invocations,)]


@pytest.mark.parametrize("invoked", [None, timedelta(days=-7, minutes=-10), timedelta(minutes=1)])
def test_a_function_that_was_not_active_is_not_undone(invoked: timedelta | None) -> None:
    """Not invoked in the seven days before: what fails now has failed then."""
    metrics = InMemoryMetrics()
    if invoked is not None:
        metrics.put("Invocations", OWN, FIXED + invoked)
    metrics.put(SNS, OF_TOPIC, later(minutes=5), 3)
    found = seen(metrics, later(minutes=30))
    assert (found.is_active, found.why_undone) == (False, "")


def test_what_cannot_be_read_is_unknown() -> None:
    """It is no reason to undo."""
    unread = Unread("cloudwatch:GetMetricData", "AccessDenied", "no", denied=True)
    assert watched().read(InMemoryMetrics(unread=unread), later(minutes=30)) is unread


# ── Silence ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def every(minutes: int) -> InMemoryMetrics:
    """Return metrics of a function that was invoked every so many minutes in the day before the fix."""
    metrics = InMemoryMetrics()
    for number in range(1, 24 * 60 // minutes):
        metrics.put("Invocations", OWN, later(minutes=-number * minutes))
    return metrics


def test_a_function_is_silent_when_it_is_not_invoked_for_longer_than_ever_before() -> None:
    """But not within the first hour."""
    assert not seen(every(5), later(minutes=59)).is_silent(is_last=False)
    assert seen(every(5), later(minutes=61)).is_silent(is_last=False)
    assert not seen(every(240), later(hours=4)).is_silent(is_last=False)
    assert seen(every(240), later(hours=5)).is_silent(is_last=False)


def test_at_the_end_of_the_watch_an_active_function_without_invocations_is_silent() -> None:
    """However seldom it was invoked; one that was invoked since, or was not active, is not."""
    metrics = every(240)
    assert seen(metrics, later(hours=3)).is_silent(is_last=True)
    metrics.put("Invocations", OWN, later(minutes=30))
    assert not seen(metrics, later(hours=3)).is_silent(is_last=True)
    assert not seen(InMemoryMetrics(), later(hours=3)).is_silent(is_last=True)


@pytest.mark.parametrize(
    ("span", "words"),
    [(timedelta(seconds=5), "2 minutes"), (timedelta(hours=2), "120 minutes"), (timedelta(hours=25), "25 hours")],
)
def test_a_time_span_in_words(span: timedelta, words: str) -> None:
    """As a person says it."""
    assert in_words(span) == words
