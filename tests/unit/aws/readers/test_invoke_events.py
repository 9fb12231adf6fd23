"""Who invoked a function, from CloudTrail's data events: only if every event of 30 days was recorded."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.readers.invoke_events import InvokeEvents
from permission_guard.model.invoke_events import InvokeCaller, NotRecorded
from tests.fakes import ACCOUNT, FUNCTION_ARN, REGION, TARGET
from tests.unit.aws.conftest import Answers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOW = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
LONG_AGO = SINCE - timedelta(days=1)
NAME = "aws-cloudtrail-logs"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{NAME}"
TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"

RECORDED: dict[str, Any] = {
    "eventVersion": "1.08",
    "userIdentity": {"type": "AWSService", "invokedBy": "events.amazonaws.com"},
    "eventTime": "2026-11-21T05:32:03Z",
    "eventSource": "lambda.amazonaws.com",
    "eventName": "Invoke",
    "awsRegion": REGION,
    "sourceIPAddress": "events.amazonaws.com",
    "userAgent": "events.amazonaws.com",
    "requestParameters": {
        "functionName": f"{FUNCTION_ARN}:live",
        "invocationType": "Event",
        "sourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/nightly",
        "sourceAccount": ACCOUNT,
    },
    "responseElements": None,
    "additionalEventData": {"functionVersion": f"{FUNCTION_ARN}:14"},
    "requestID": "6baa1b22-d95f-4550-8528-2d0e0ea5b845",
    "eventID": "32321ee4-ffd9-4fae-9207-a9bb12efc18c",
    "readOnly": False,
    "resources": [{"accountId": ACCOUNT, "type": "AWS::Lambda::Function", "ARN": FUNCTION_ARN}],
    "eventType": "AwsApiCall",
    "managementEvent": False,
    "recipientAccountId": ACCOUNT,
    "sharedEventID": "675fc334-334b-47a2-b2e0-f831cc51196c",
    "eventCategory": "Data",
}
"""A data event as CloudTrail recorded it, with other names."""

GROUP_REPLY = {"logGroupName": NAME, "creationTime": int(LONG_AGO.timestamp() * 1000), "logGroupClass": "STANDARD"}
TRAIL_REPLY = {
    "Name": "main",
    "TrailARN": TRAIL,
    "HomeRegion": REGION,
    "IsMultiRegionTrail": False,
    "IsOrganizationTrail": False,
    "CloudWatchLogsLogGroupArn": f"{GROUP}:*",
}
STATUS = {"IsLogging": True, "StartLoggingTime": LONG_AGO}
FUNCTION_TYPE = "AWS::Lambda::Function"
HOURS_QUERY = (
    'filter eventSource = "lambda.amazonaws.com" and eventName = "Invoke" and awsRegion = "us-east-1" '
    'and recipientAccountId = "123456789012" | stats count(*) as events by bin(1h)'
)
CALLERS_QUERY = (
    f'filter eventName = "Invoke" and @message like "{FUNCTION_ARN}" | stats count(*) as events by '
    "userIdentity.type, userIdentity.invokedBy, requestParameters.sourceArn, requestParameters.sourceAccount, "
    "requestParameters.functionName, resources.0.ARN"
)


def basic(values: list[str], *, kind: str = FUNCTION_TYPE, reads: str = "All") -> dict[str, Any]:
    """Return a basic event selector."""
    return {"EventSelectors": [{"ReadWriteType": reads, "DataResources": [{"Type": kind, "Values": values}]}]}


def advanced(*fields: dict[str, Any], kind: str = FUNCTION_TYPE) -> dict[str, Any]:
    """Return an advanced event selector of data events."""
    common = [{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": [kind]}]
    return {"AdvancedEventSelectors": [{"Name": "functions", "FieldSelectors": [*common, *fields]}]}


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of an event as CloudWatch Logs Insights names them."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(each, f"{path}.{key}".lstrip("."))
    elif value is not None:
        yield path, str(value)


def grouped(events: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the rows of the query for events: the fields that it groups by, as far as each event has them."""
    fields = CALLERS_QUERY.split(" by ")[1].split(", ")
    rows = [{name: text for name, text in flat(event) if name in fields} for event in events]
    return [{**row, "events": str(rows.count(row))} for number, row in enumerate(rows) if row not in rows[:number]]


def hours(*without: str) -> list[dict[str, str]]:
    """Return a row for each hour of the 30 days and the beginning one, as CloudWatch Logs Insights writes them."""
    texts = [f"{SINCE + timedelta(hours=number):%Y-%m-%d %H}:00:00.000" for number in range(721)]
    return [{"bin(1h)": text, "events": "6"} for text in texts if text not in without]


def result(rows: list[dict[str, str]], *, status: str = "Complete", matched: int | None = None) -> dict[str, Any]:
    """Return the reply of GetQueryResults."""
    count = sum(int(row["events"]) for row in rows) if matched is None else matched
    return {
        "status": status,
        "results": [[{"field": name, "value": value} for name, value in row.items()] for row in rows],
        "statistics": {"recordsMatched": float(count), "recordsScanned": 1e9, "bytesScanned": 1e12},
    }


STEPS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "group": ("logs", "describe_log_groups", {"logGroups": [GROUP_REPLY]}),
    "trails": ("cloudtrail", "describe_trails", {"trailList": [TRAIL_REPLY]}),
    "status": ("cloudtrail", "get_trail_status", STATUS),
    "selectors": ("cloudtrail", "get_event_selectors", basic(["arn:aws:lambda"])),
    "PutEventSelectors": ("cloudtrail", "lookup_events", {"Events": []}),
    "UpdateTrail": ("cloudtrail", "lookup_events", {"Events": []}),
    "DeleteLogStream": ("cloudtrail", "lookup_events", {"Events": []}),
    "start hours": ("logs", "start_query", {"queryId": "q1"}),
    "start callers": ("logs", "start_query", {"queryId": "q2"}),
    "hours": ("logs", "get_query_results", result(hours())),
    "callers": ("logs", "get_query_results", result(grouped([RECORDED]))),
}
"""Every call in its order, and its reply if everything was recorded."""


def parameters(step: str) -> dict[str, Any]:
    """Return the parameters that a call must have."""
    query = {"logGroupName": NAME, "startTime": int(SINCE.timestamp()), "endTime": int(NOW.timestamp()), "limit": 10000}
    known: dict[str, dict[str, Any]] = {
        "group": {"logGroupNamePrefix": NAME},
        "status": {"Name": TRAIL},
        "selectors": {"TrailName": TRAIL},
        "start hours": {**query, "queryString": HOURS_QUERY},
        "start callers": {**query, "queryString": CALLERS_QUERY},
        "hours": {"queryId": "q1"},
        "callers": {"queryId": "q2"},
    }
    lookup = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": step}], "StartTime": SINCE}
    return known.get(step, lookup if STEPS[step][1] == "lookup_events" else {})


class Account:
    """Two stubbed services. The calls are made in the order of `STEPS`, until the last one that is answered."""

    def __init__(self) -> None:
        self.answers = {"logs": Answers("logs"), "cloudtrail": Answers("cloudtrail")}
        self.regions: list[str] = []
        self.waits: list[float] = []

    def read(self, last: str = "callers", **replies: Any) -> Any:
        """Answer up to a call: `replies` are other replies, or the code of an error. Return what is read."""
        for step, (service, operation, reply) in STEPS.items():
            given = replies.get(step.replace(" ", "_"), reply)
            for each in given if isinstance(given, list) else [given]:
                if isinstance(each, str):
                    self.answers[service].fail(operation, each)
                else:
                    self.answers[service].say(operation, each, **parameters(step))
            if step == last:
                break
        read = self.reader().callers(TARGET)
        for answers in self.answers.values():
            answers.all_were_asked_for()
        return read

    def why(self, last: str, reply: Any) -> str:
        """Return why the events are not complete, if the last call that is made has a reply."""
        read = self.read(last, **{last.replace(" ", "_"): reply})
        assert isinstance(read, NotRecorded)
        return read.reason

    def reader(self, log_group: str = GROUP) -> InvokeEvents:
        """Return the reader."""
        return InvokeEvents(
            log_group, self._client("logs"), self._client("cloudtrail"), NOW.isoformat, self.waits.append
        )

    def _client(self, service: str) -> Any:
        def client(region: str) -> Any:
            self.regions.append(region)
            return self.answers[service].client

        return client


@pytest.fixture
def account() -> Account:
    """Return an account without answers."""
    return Account()


# ── Everything was recorded ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_callers_are_those_of_the_recorded_events(account: Account) -> None:
    """Each once, however often it invoked the function, with what its events have."""
    by_role = {**RECORDED, "requestParameters": None, "userIdentity": {"type": "AssumedRole"}}
    read = account.read(callers=result(grouped([RECORDED, by_role, RECORDED])))
    source = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/nightly"
    assert read == (
        InvokeCaller("AWSService", "events.amazonaws.com", source, ACCOUNT, f"{FUNCTION_ARN}:live", FUNCTION_ARN),
        InvokeCaller("AssumedRole", "", "", "", "", FUNCTION_ARN),
    )
    assert (set(account.regions), account.waits) == ({REGION}, [])


def test_a_function_that_nobody_invoked_has_no_callers(account: Account) -> None:
    """That is known, because other functions were invoked in each hour."""
    assert account.read(callers=result([])) == ()


def test_a_query_is_read_until_it_is_complete(account: Account) -> None:
    """With waits in between, which both queries share."""
    running = result([], status="Running")
    read = account.read(
        hours=[{"status": "Scheduled", "results": []}, running, result(hours())], callers=[running, result([])]
    )
    assert (read, account.waits) == ((), [1.0, 1.0, 2.0])


@pytest.mark.parametrize(
    "selectors",
    [
        basic(["arn:aws:lambda"], reads="WriteOnly"),
        basic([f"{FUNCTION_ARN}-2", FUNCTION_ARN]),
        advanced(),
        advanced({"Field": "readOnly", "Equals": ["false"]}),
        advanced({"Field": "resources.ARN", "Equals": [FUNCTION_ARN]}),
        advanced({"Field": "resources.ARN", "StartsWith": [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"]}),
        advanced({"Field": "eventName", "Equals": ["Invoke"], "NotEquals": ["InvokeExecution"]}),
        {**basic([]), "AdvancedEventSelectors": advanced()["AdvancedEventSelectors"]},
    ],
)
def test_these_selectors_record_every_invoke_of_the_function(account: Account, selectors: dict[str, Any]) -> None:
    """Those for all functions, and those that name it."""
    assert account.read(selectors=selectors, callers=result([])) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"requestParameters": {"trailName": "another"}},
        {"requestParameters": {"trailName": "main"}, "errorCode": "AccessDenied"},
    ],
)
def test_a_call_that_changed_nothing_of_the_trail_does_not_matter(account: Account, change: dict[str, Any]) -> None:
    """It was about another trail, or it was denied."""
    event = {"EventTime": LONG_AGO, "CloudTrailEvent": json.dumps(change)}
    assert account.read(PutEventSelectors={"Events": [event]}, callers=result([])) == ()


# ── Something may be missing ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("step", STEPS)
def test_a_call_that_fails_proves_nothing(account: Account, step: str) -> None:
    """The reason names the action, or the permission that is missing."""
    service, operation, _ = STEPS[step]
    action = f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"
    last = {"start hours": "callers", "start callers": "hours", "hours": "callers"}.get(step, step)
    unread: dict[str, Any] = {"hours": []} if step == "start hours" else {}
    read = account.read(last, **{step.replace(" ", "_"): "AccessDeniedException", **unread})
    assert read == NotRecorded(f"{action} failed with AccessDeniedException: no")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ({"logGroups": []}, "the log group aws-cloudtrail-logs does not exist"),
        ({"logGroups": [{**GROUP_REPLY, "logGroupName": f"{NAME}-2"}]}, "does not exist"),
        (
            {"logGroups": [{**GROUP_REPLY, "creationTime": int((SINCE.timestamp() + 60) * 1000)}]},
            "was created on 2026-10-31",
        ),
        ({"logGroups": [{**GROUP_REPLY, "retentionInDays": 14}]}, "keeps events for 14 days"),
        ({"logGroups": [{**GROUP_REPLY, "logGroupClass": "INFREQUENT_ACCESS"}]}, "is of the class INFREQUENT_ACCESS"),
    ],
)
def test_a_log_group_that_cannot_have_all_events(account: Account, reply: dict[str, Any], reason: str) -> None:
    """It is too young, forgets too early, or its fields cannot be queried."""
    assert reason in account.why("group", reply)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"CloudWatchLogsLogGroupArn": f"{GROUP}-2:*"}, f"no trail of {REGION} delivers to the log group {NAME}"),
        ({"CloudWatchLogsLogGroupArn": ""}, "no trail of"),
        ({"IsOrganizationTrail": True}, "the trail main is one of an organization"),
        ({"HomeRegion": "eu-west-1"}, "of another region"),
    ],
)
def test_a_trail_of_others(account: Account, change: dict[str, Any], reason: str) -> None:
    """It delivers elsewhere, or its changes are recorded where the bot cannot read them."""
    assert reason in account.why("trails", {"trailList": [{**TRAIL_REPLY, **change}]})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"IsLogging": False}, f"the trail main does not record {REGION}"),
        ({"StartLoggingTime": SINCE + timedelta(minutes=1)}, f"records {REGION} only since 2026-10-31"),
        ({"LatestCloudWatchLogsDeliveryError": "AccessDenied"}, "could not deliver to CloudWatch Logs: 'AccessDenied'"),
    ],
)
def test_a_trail_that_did_not_record_or_deliver(account: Account, change: dict[str, Any], reason: str) -> None:
    """A trail that was stopped has started again since."""
    assert reason in account.why("status", {**STATUS, **change})


@pytest.mark.parametrize(
    "selectors",
    [
        basic(["arn:aws:lambda"], reads="ReadOnly"),
        basic(["arn:aws:lambda"], kind="AWS::S3::Object"),
        basic([f"{FUNCTION_ARN}-2"]),
        basic([]),
        advanced(kind="AWS::S3::Object"),
        advanced({"Field": "readOnly", "Equals": ["true"]}),
        advanced({"Field": "resources.ARN", "NotEquals": [FUNCTION_ARN]}),
        advanced({"Field": "resources.ARN", "StartsWith": [f"{FUNCTION_ARN}-"]}),
        advanced({"Field": "resources.ARN", "NotStartsWith": ["arn:aws:lambda"]}),
        advanced({"Field": "resources.ARN", "EndsWith": [":payments"]}),
        advanced({"Field": "resources.ARN", "NotEndsWith": [":orders"]}),
        advanced({"Field": "eventName", "Equals": ["InvokeExecution"]}),
        advanced({"Field": "userIdentity.arn", "NotEquals": ["arn:aws:iam::123456789012:role/noise"]}),
        {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]},
        {},
    ],
)
def test_these_selectors_may_leave_out_an_invoke_of_the_function(account: Account, selectors: dict[str, Any]) -> None:
    """Also by a field that says nothing about functions."""
    assert account.why("selectors", selectors) == "no event selector of the trail main records every Invoke of orders"


@pytest.mark.parametrize(
    ("name", "request_parameters"),
    [
        ("PutEventSelectors", {"trailName": "main"}),
        ("PutEventSelectors", {"trailName": TRAIL}),
        ("UpdateTrail", {"name": "main"}),
        ("UpdateTrail", None),
        ("DeleteLogStream", {"logGroupName": NAME, "logStreamName": "123456789012_CloudTrail_us-east-1"}),
    ],
)
def test_what_was_changed_within_30_days_proves_nothing(
    account: Account, name: str, request_parameters: dict[str, Any] | None
) -> None:
    """Some events were perhaps not recorded, or deleted."""
    event = {"EventTime": NOW, "CloudTrailEvent": json.dumps({"requestParameters": request_parameters})}
    assert account.why(name, {"Events": [event]}) == f"{name} was called for it at 2026-11-30 12:30 UTC"


def test_an_event_that_cannot_be_read_counts_as_a_change(account: Account) -> None:
    """In doubt it is about this trail."""
    assert "was called for it" in account.why("UpdateTrail", {"Events": [{"EventTime": NOW}]})


def test_changes_of_others_are_not_read_without_end(account: Account) -> None:
    """200 events of a name are read."""
    other = {"EventTime": NOW, "CloudTrailEvent": json.dumps({"requestParameters": {"logGroupName": "another"}})}
    trail = account.answers["cloudtrail"]
    pages = [{"Events": [other], "NextToken": str(number)} for number in range(4)]
    for step in list(STEPS)[:6]:
        service, operation, reply = STEPS[step]
        account.answers[service].say(operation, reply, **parameters(step))
    for number, page in enumerate(pages):
        token = {"NextToken": str(number - 1)} if number else {}
        trail.say("lookup_events", page, **parameters("DeleteLogStream"), **token)
    read = account.reader().callers(TARGET)
    assert read == NotRecorded("there are too many events of DeleteLogStream to read")


def test_an_hour_without_any_event_is_a_gap(account: Account) -> None:
    """The trail did not deliver, or the events were deleted: the bot itself is invoked six times an hour."""
    reply = result(hours("2026-11-02 03:00:00.000", "2026-11-02 04:00:00.000"))
    read = account.read(hours=reply, callers=result([]))
    assert read == NotRecorded(
        "no Invoke of any function in us-east-1 was recorded in 2 hours of the last 30 days, first in the one from "
        "2026-11-02 03:00 UTC"
    )


def test_the_hours_that_are_not_over_or_not_whole_may_be_empty(account: Account) -> None:
    """CloudTrail needs some minutes to deliver, and 30 days begin within an hour."""
    edges = ("2026-10-31 12:00:00.000", "2026-11-30 12:00:00.000")
    assert account.read(hours=result(hours(*edges)), callers=result([])) == ()


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Timeout", "Unknown"])
def test_a_query_that_does_not_complete_proves_nothing(account: Account, status: str) -> None:
    """Whatever it has found."""
    read = account.read(callers=result([], status=status))
    assert read == NotRecorded(f"the query of CloudWatch Logs ended with the status {status}")


def test_a_query_that_takes_too_long_proves_nothing(account: Account) -> None:
    """The function has 60 seconds."""
    running = result([], status="Running")
    read = account.read(callers=[running] * 9)
    assert read == NotRecorded("the queries of CloudWatch Logs took longer than 20 seconds")
    assert sum(account.waits) == 20


def test_a_result_that_does_not_count_every_event_proves_nothing(account: Account) -> None:
    """Too many rows for one result, or a row that a query leaves out because a field is missing."""
    read = account.read(callers=result(grouped([RECORDED]), matched=2))
    assert read == NotRecorded("the result of the query of CloudWatch Logs does not have all events")


# ── Regions, accounts and names ─────────────────────────────────────────────────────────────────────────────────────


def test_a_log_group_of_another_account_is_not_read(account: Account) -> None:
    """CloudWatch Logs has a group of the same name in this account, perhaps."""
    read = account.reader(GROUP.replace(ACCOUNT, "999999999999")).callers(TARGET)
    assert read == NotRecorded(f"the log group {NAME} belongs to the account 999999999999")


@pytest.mark.parametrize("is_multi_region", [False, True])
def test_a_trail_of_one_region_has_no_events_of_another_one(account: Account, is_multi_region: bool) -> None:
    """One of all regions has its status in each of them."""
    target = replace(TARGET, region="eu-west-1")
    account.answers["logs"].say("describe_log_groups", STEPS["group"][2])
    trail = {**TRAIL_REPLY, "IsMultiRegionTrail": is_multi_region}
    account.answers["cloudtrail"].say("describe_trails", {"trailList": [trail]})
    if is_multi_region:
        account.answers["cloudtrail"].say("get_trail_status", {"IsLogging": False}, Name=TRAIL)
    read = account.reader().callers(target)
    assert read == NotRecorded(
        "the trail main does not record eu-west-1" if is_multi_region else f"the trail main records only {REGION}"
    )
    assert (account.regions[-1] == "eu-west-1") is is_multi_region


@pytest.mark.parametrize("name", ['x" | delete', "x\ny", "x'", "a*", "é"])
def test_a_name_that_could_change_the_query_is_refused(account: Account, name: str) -> None:
    """Lambda has no such names, so AWS is not asked."""
    read = account.reader().callers(replace(TARGET, name=name))
    assert isinstance(read, NotRecorded)
    assert "other characters" in read.reason
    assert account.regions == []


def test_the_fields_of_the_query_are_those_of_a_recorded_event() -> None:
    """A field that is misspelled would be empty in every row."""
    (row,) = grouped([RECORDED])
    assert row.keys() == {"events", *CALLERS_QUERY.split(" by ")[1].split(", ")}
    recorded = dict(flat(RECORDED))
    for name, value in re.findall(r'(\w+) = "([^"]+)"', HOURS_QUERY):
        assert recorded[name] == value
