"""Sums of metrics, as CloudWatch's replies have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pytest

from permission_guard.aws.readers.metrics import Metrics
from permission_guard.model.metrics import Metric, MetricSum
from permission_guard.model.state import Unread
from tests.unit.aws.conftest import Answers

if TYPE_CHECKING:
    from collections.abc import Iterator

END = datetime(2026, 11, 20, 9, tzinfo=UTC)
START = END - timedelta(days=7)
INVOCATIONS = Metric("AWS/Lambda", "Invocations", (("FunctionName", "orders"), ("Resource", "orders:live")), 300)
FAILED = Metric("AWS/SNS", "NumberOfNotificationsFailed", (("TopicName", "orders"),), 60)


@pytest.fixture
def answers() -> Iterator[Answers]:
    """Return a CloudWatch client."""
    found = Answers("cloudwatch")
    yield found
    found.all_were_asked_for()


def result(name: str, status: str, *sums: MetricSum) -> dict[str, Any]:
    """Return a result of AWS."""
    return {
        "Id": name,
        "Label": "orders",
        "Timestamps": [one.at for one in sums],
        "Values": [one.value for one in sums],
        "StatusCode": status,
    }


def read(answers: Answers) -> Any:
    """Read both metrics."""
    return Metrics(answers.client).sums((INVOCATIONS, FAILED), START, END)


def test_one_call_asks_for_the_sums_of_all_metrics(answers: Answers) -> None:
    """With their own periods and dimensions, the oldest first. A metric without data has no sums."""
    first, second = MetricSum(START, 4.0), MetricSum(START + timedelta(minutes=5), 1.0)
    stat: dict[str, Any] = {
        "Metric": {
            "Namespace": "AWS/Lambda",
            "MetricName": "Invocations",
            "Dimensions": [
                {"Name": "FunctionName", "Value": "orders"},
                {"Name": "Resource", "Value": "orders:live"},
            ],
        },
        "Period": 300,
        "Stat": "Sum",
    }
    other: dict[str, Any] = {
        "Metric": {
            "Namespace": "AWS/SNS",
            "MetricName": "NumberOfNotificationsFailed",
            "Dimensions": [{"Name": "TopicName", "Value": "orders"}],
        },
        "Period": 60,
        "Stat": "Sum",
    }
    answers.say(
        "get_metric_data",
        {"MetricDataResults": [result("m0", "Complete", first, second), result("m1", "Complete")], "Messages": []},
        MetricDataQueries=[{"Id": "m0", "MetricStat": stat}, {"Id": "m1", "MetricStat": other}],
        StartTime=START,
        EndTime=END,
        ScanBy="TimestampAscending",
    )
    assert read(answers) == {INVOCATIONS: (first, second), FAILED: ()}


def test_a_metric_of_two_pages_is_put_together(answers: Answers) -> None:
    """On the first page CloudWatch calls it partial."""
    first, second = MetricSum(START, 4.0), MetricSum(START + timedelta(minutes=5), 1.0)
    answers.say("get_metric_data", {"MetricDataResults": [result("m0", "PartialData", first)], "NextToken": "more"})
    answers.say(
        "get_metric_data",
        {"MetricDataResults": [result("m0", "Complete", second), result("m1", "Complete")]},
    )
    assert read(answers) == {INVOCATIONS: (first, second), FAILED: ()}


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
def test_a_metric_that_is_not_complete_is_unread(answers: Answers, status: str) -> None:
    """What is missing could be what failed before the fix."""
    answers.say("get_metric_data", {"MetricDataResults": [result("m0", "Complete"), result("m1", status)]})
    message = "AWS/SNS NumberOfNotificationsFailed is not complete"
    assert read(answers) == Unread("cloudwatch:GetMetricData", status, message, denied=False)


def test_a_metric_without_a_result_is_unread(answers: Answers) -> None:
    """It is not one without data."""
    answers.say("get_metric_data", {"MetricDataResults": [result("m1", "Complete")]})
    assert read(answers).code == "no result"


@pytest.mark.parametrize(
    ("code", "is_denied"), [("AccessDenied", True), ("Throttling", False), ("ResourceNotFoundException", False)]
)
def test_a_call_that_fails_is_unread(answers: Answers, code: str, is_denied: bool) -> None:
    """With the missing permission, if that is why."""
    answers.fail("get_metric_data", code)
    found = read(answers)
    assert (found.action, found.denied) == ("cloudwatch:GetMetricData", is_denied)


def test_many_metrics_are_read_in_calls_that_cloudwatch_can_answer(answers: Answers) -> None:
    """It answers for 90,000 periods in a second, so one call never could: seven days have 10,080 minutes."""
    metrics = [Metric("AWS/SNS", "NumberOfNotificationsFailed", (("TopicName", f"t{n}"),), 60) for n in range(10)]
    for size in (4, 4, 2):
        queries = [{"Id": f"m{number}", "MetricStat": ANY} for number in range(size)]
        results = [result(f"m{number}", "Complete", MetricSum(START, size)) for number in range(size)]
        answers.say(
            "get_metric_data",
            {"MetricDataResults": results},
            MetricDataQueries=queries,
            StartTime=START,
            EndTime=END,
            ScanBy="TimestampAscending",
        )
    found = Metrics(answers.client).sums(metrics, START, END)
    assert found == {one: (MetricSum(START, 4 if number < 8 else 2),) for number, one in enumerate(metrics)}


def test_one_call_of_several_that_fails_is_unread(answers: Answers) -> None:
    """Half of what failed before the fix is no number to compare with."""
    metrics = [Metric("AWS/SNS", "NumberOfNotificationsFailed", (("TopicName", f"t{n}"),), 60) for n in range(5)]
    answers.say("get_metric_data", {"MetricDataResults": [result(f"m{number}", "Complete") for number in range(4)]})
    answers.fail("get_metric_data", "Throttling")
    assert isinstance(Metrics(answers.client).sums(metrics, START, END), Unread)
