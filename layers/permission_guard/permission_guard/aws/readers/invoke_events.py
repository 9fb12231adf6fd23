"""Who invoked a function within 30 days, from CloudTrail's data events in a log group of CloudWatch Logs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.calls import read
from permission_guard.aws.readers.trails import Trails, failed
from permission_guard.iam.arn import require_arn
from permission_guard.model.invoke_events import DAYS, InvokeCaller, NotRecorded
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_logs import CloudWatchLogsClient

    from permission_guard.model.targets import FunctionTarget

    Row = Mapping[str, str]

_PLAIN: Final = re.compile(r"[A-Za-z0-9:_-]+")
"""The characters of a function's ARN: none of them ends a text in a query."""

_CALLERS: Final = (
    'filter eventName = "Invoke" and @message like "{arn}" | stats count(*) as events by userIdentity.type, '
    "userIdentity.invokedBy, requestParameters.sourceArn, requestParameters.sourceAccount, "
    "requestParameters.functionName, resources.0.ARN"
)
_HOURS: Final = (
    'filter eventSource = "lambda.amazonaws.com" and eventName = "Invoke" and awsRegion = "{region}" '
    'and recipientAccountId = "{account}" | stats count(*) as events by bin(1h)'
)
_HOUR: Final = timedelta(hours=1)
_DELIVERY: Final = timedelta(minutes=15)
"""CloudTrail delivers an event within five minutes on average."""

_MOST_ROWS: Final = 10_000
_WAITS: Final = (1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0)
"""The seconds between the reads of a query: the function has 60 seconds for all that it does."""


class InvokeEvents:
    """Reads the events that a trail delivers to a log group. `logs` and `cloudtrail` return the client of a region.

    The result counts only if everything was recorded: the trail records all events of the function and was not changed,
    and the log group has an event of the region in every hour. `maintain_findings` is invoked six times an hour.
    """

    def __init__(
        self,
        log_group_arn: str,
        logs: Callable[[str], CloudWatchLogsClient],
        cloudtrail: Callable[[str], Any],
        clock: Callable[[], str],
        wait: Callable[[float], None],
    ) -> None:
        self._arn = require_arn(log_group_arn)
        self._name = self._arn.resource.removeprefix("log-group:")
        self._client = logs
        self._trails = Trails(log_group_arn, cloudtrail)
        self._clock = clock
        self._wait = wait

    def callers(self, target: FunctionTarget) -> tuple[InvokeCaller, ...] | NotRecorded:
        """Return who invoked a function within 30 days; NotRecorded if an event may be missing."""
        if not _PLAIN.fullmatch(target.arn):
            return NotRecorded("the ARN of the function has other characters than those of Lambda")
        now = datetime.fromisoformat(self._clock()).astimezone(UTC)
        since = now - timedelta(days=DAYS)
        if why := self._group_problem(target, since) or self._trails.why_incomplete(target, since):
            return NotRecorded(why)
        queries = (_HOURS.format(region=target.region, account=target.account), _CALLERS.format(arn=target.arn))
        ids = [self._started(query, since, now) for query in queries]
        waits = iter(_WAITS)
        hours, callers = (one if isinstance(one, NotRecorded) else self._rows(one, waits) for one in ids)
        if isinstance(hours, NotRecorded):
            return hours
        if missing := _missing_hours(hours, since, now):
            return NotRecorded(
                f"no Invoke of any function in {target.region} was recorded in {len(missing)} hours of the last {DAYS} "
                f"days, first in the one from {missing[0]} UTC"
            )
        return callers if isinstance(callers, NotRecorded) else tuple(sorted(map(_caller, callers), key=str))

    def _group_problem(self, target: FunctionTarget, since: datetime) -> str:
        """Return why the log group does not have all events since then, empty if it can have them."""
        name = f"the log group {self._name}"
        if self._arn.account != target.account:
            return f"{name} belongs to the account {self._arn.account}"
        client = self._client(self._arn.region)
        found = read("logs:DescribeLogGroups", lambda: client.describe_log_groups(logGroupNamePrefix=self._name))
        if found is None or isinstance(found, Unread):
            return failed("logs:DescribeLogGroups", found)
        group = next((one for one in found["logGroups"] if one["logGroupName"] == self._name), None)
        if group is None:
            return f"{name} does not exist"
        created = datetime.fromtimestamp(group["creationTime"] / 1000, UTC)
        kept, kind = group.get("retentionInDays", DAYS), group.get("logGroupClass", "STANDARD")
        problems = {
            f"was created on {created:%Y-%m-%d}": created > since,
            f"keeps events for {kept} days": kept < DAYS,
            f"is of the class {kind}, of which a query does not know the fields": kind != "STANDARD",
        }
        return next((f"{name} {problem}" for problem, is_so in problems.items() if is_so), "")

    def _started(self, query: str, start: datetime, end: datetime) -> str | NotRecorded:
        """Start a query; return its id.

        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
        """
        client = self._client(self._arn.region)
        reply = read(
            "logs:StartQuery",
            lambda: client.start_query(
                logGroupName=self._name,
                startTime=int(start.timestamp()),
                endTime=int(end.timestamp()),
                queryString=query,
                limit=_MOST_ROWS,
            ),
        )
        if reply is None or isinstance(reply, Unread):
            return NotRecorded(failed("logs:StartQuery", reply))
        return reply["queryId"]

    def _rows(self, query_id: str, waits: Iterator[float]) -> list[Row] | NotRecorded:
        """Return the rows of a query once it is complete; each counts some of the events that the query matched.

        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetQueryResults.html
        """
        client = self._client(self._arn.region)
        while True:
            reply = read("logs:GetQueryResults", lambda: client.get_query_results(queryId=query_id))
            if reply is None or isinstance(reply, Unread):
                return NotRecorded(failed("logs:GetQueryResults", reply))
            if reply["status"] == "Complete":
                return _complete_rows(reply)
            if reply["status"] not in ("Scheduled", "Running"):
                return NotRecorded(f"the query of CloudWatch Logs ended with the status {reply['status']}")
            pause = next(waits, None)
            if pause is None:
                return NotRecorded(f"the queries of CloudWatch Logs took longer than {sum(_WAITS):.0f} seconds")
            self._wait(pause)


def _complete_rows(reply: Mapping[str, Any]) -> list[Row] | NotRecorded:
    """Return the rows; NotRecorded if they do not count every event that matched."""
    rows: list[Row] = [{each["field"]: each.get("value", "") for each in result} for result in reply["results"]]
    counted = sum(int(row["events"]) for row in rows if row.get("events", "").isdecimal())
    if counted != reply.get("statistics", {}).get("recordsMatched"):
        return NotRecorded("the result of the query of CloudWatch Logs does not have all events")
    return rows


def _missing_hours(rows: list[Row], since: datetime, now: datetime) -> list[str]:
    """Return the complete hours without an event, the first one first, as the query writes them."""
    have = {value[:16] for row in rows for field, value in row.items() if field != "events"}
    hour = since.replace(minute=0, second=0, microsecond=0) + _HOUR
    missing = []
    while hour + _HOUR <= now - _DELIVERY:
        if (text := f"{hour:%Y-%m-%d %H:%M}") not in have:
            missing.append(text)
        hour += _HOUR
    return missing


def _caller(row: Row) -> InvokeCaller:
    return InvokeCaller(
        identity_type=row.get("userIdentity.type", ""),
        service=row.get("userIdentity.invokedBy", ""),
        source_arn=row.get("requestParameters.sourceArn", ""),
        source_account=row.get("requestParameters.sourceAccount", ""),
        invoked=row.get("requestParameters.functionName", ""),
        function_arn=row.get("resources.0.ARN", ""),
    )
