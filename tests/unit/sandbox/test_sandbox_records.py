"""Writing calls down as CloudTrail does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.server import records
from sandbox.server.api import Call
from sandbox.server.records import Caller, CallOutcome

NOW = datetime(2026, 11, 20, 21, 5, 41, tzinfo=UTC)
ROOT = Caller({"type": "Root"}, "127.0.0.1", "aws-cli/2")


def written(call: Call, outcome: CallOutcome | None = None, region: str = "eu-west-1") -> dict[str, Any]:
    """Return the record of a call."""
    return records.record(call, outcome or CallOutcome(), ROOT, account="123456789012", region=region, at=NOW)


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("CreateFunction", "CreateFunction20150331"),
        ("UpdateFunctionCode", "UpdateFunctionCode20150331v2"),
        ("AddPermission", "AddPermission20150331v2"),
        ("TagResource", "TagResource20170331v2"),
        ("PutFunctionConcurrency", "PutFunctionConcurrency20171031"),
        ("PutResourcePolicy", "PutResourcePolicy"),
        ("CreateFunctionUrlConfig", "CreateFunctionUrlConfig"),
        ("UpdateFunctionUrlConfig", "UpdateFunctionUrlConfig"),
        ("DeleteFunctionUrlConfig", "DeleteFunctionUrlConfig"),
        ("PublishVersion", "PublishVersion20150331"),
        ("CreateAlias", "CreateAlias20150331"),
        ("UpdateAlias", "UpdateAlias20150331"),
        ("DeleteAlias", "DeleteAlias20150331"),
        ("PutFunctionEventInvokeConfig", "PutFunctionEventInvokeConfig"),
    ],
)
def test_lambda_events_carry_the_date_of_their_api(operation: str, name: str) -> None:
    """Lambda events carry the date of their api."""
    assert records.event_name(Call("lambda", operation)) == name


def test_iam_events_are_named_plainly_and_happen_in_virginia() -> None:
    """IAM events are named plainly and happen in Virginia."""
    record = written(Call("iam", "TagRole", {"RoleName": "r", "Tags": [{"Key": "k", "Value": "v"}]}))

    assert (record["eventName"], record["awsRegion"]) == ("TagRole", "us-east-1")
    assert record["requestParameters"] == {"roleName": "r", "tags": [{"key": "k", "value": "v"}]}
    assert record["tlsDetails"]["clientProvidedHostHeader"] == "iam.amazonaws.com"


@pytest.mark.parametrize(
    ("call", "is_recorded"),
    [
        (Call("lambda", "AddPermission"), True),
        (Call("lambda", "DeleteEventSourceMapping"), True),
        (Call("lambda", "GetPolicy"), False),
        (Call("lambda", "Invoke"), False),
        (Call("lambda", "CheckpointDurableExecution"), False),
        (Call("iam", "AttachRolePolicy"), True),
        (Call("iam", "GetAccountAuthorizationDetails"), False),
        (Call("iam", "SimulatePrincipalPolicy"), False),
        (Call("ssm", "CreateOpsItem"), False),
    ],
)
def test_management_writes_are_recorded(call: Call, is_recorded: bool) -> None:
    """Management writes are recorded."""
    assert records.is_recorded(call) is is_recorded


def test_only_the_first_letter_is_lowered_and_map_keys_are_not() -> None:
    """Only the first letter is lowered and map keys are not."""
    params = {"UUID": "1", "KMSKeyArn": "arn:k", "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}, "Enabled": True}
    function = {"FunctionName": "f", "Tags": {"Team": "X"}, "Code": {"ZipFile": "UEs="}}

    mapping = written(Call("lambda", "UpdateEventSourceMapping", params))
    created = written(Call("lambda", "CreateFunction", function))

    assert mapping["requestParameters"] == {"uUID": "1", "kMSKeyArn": "arn:k", "filterCriteria": {}, "enabled": True}
    assert created["requestParameters"] == {
        "functionName": "f",
        "tags": {"Team": "X"},
        "code": {},
        "publish": False,
        "environment": {},
    }


def test_environment_values_never_reach_the_trail() -> None:
    """Environment values never reach the trail."""
    secret = {"Variables": {"TOKEN": "s3cret"}}
    call = Call("lambda", "UpdateFunctionConfiguration", {"FunctionName": "f", "Environment": secret})

    record = written(call, CallOutcome(output={"FunctionName": "f", "Environment": secret}))

    assert "s3cret" not in json.dumps(record)
    assert record["requestParameters"]["environment"] == {}
    assert record["responseElements"] == {"functionName": "f", "environment": {}}


def test_a_code_update_takes_the_function_apart() -> None:
    """A code update takes the function apart."""
    record = written(Call("lambda", "UpdateFunctionCode", {"FunctionName": "f", "Publish": True, "ZipFile": "UEs="}))

    assert record["requestParameters"] == {
        "fullyQualifiedArn": {
            "arnPrefix": {"partition": "aws", "region": "eu-west-1", "account": "123456789012"},
            "relativeId": {"functionName": "f"},
            "functionQualifier": {},
        },
        "functionName": "arn:aws:lambda:eu-west-1:123456789012:function:f",
        "publish": True,
        "dryRun": False,
    }


def test_times_in_answers_are_written_for_people() -> None:
    """Times in answers are written for people."""
    mapping = written(Call("lambda", "CreateEventSourceMapping"), CallOutcome(output={"LastModified": NOW.timestamp()}))
    role = written(Call("iam", "CreateRole"), CallOutcome(output={"Role": {"CreateDate": NOW}}))

    assert mapping["responseElements"] == {"lastModified": "Nov 20, 2026, 9:05:41 PM"}
    assert role["responseElements"] == {"role": {"createDate": "Nov 20, 2026 9:05:41 PM"}}


def test_a_denied_call_has_no_parameters() -> None:
    """A denied call has no parameters."""
    call = Call("lambda", "AddPermission", {"FunctionName": "f"})

    record = written(call, CallOutcome(error_code="AccessDeniedException", error_message="User: u is not authorized"))

    assert record["errorCode"] == "AccessDenied"
    assert (record["requestParameters"], record["responseElements"]) == (None, None)
    assert record["eventName"] == "AddPermission20150331v2"


def test_other_errors_keep_their_parameters() -> None:
    """Other errors keep their parameters."""
    error = b'{"__type": "ResourceNotFoundException", "message": "Function not found: f"}'
    headers = {"x-amzn-errortype": "ResourceNotFoundException", "x-amzn-requestid": "r1"}
    call = Call("lambda", "DeleteFunction", {"FunctionName": "f"})

    outcome = records.read_outcome(call, 404, headers, error)
    record = written(call, outcome)

    assert (record["errorCode"], record["errorMessage"]) == ("ResourceNotFoundException", "Function not found: f")
    assert (record["requestParameters"], record["responseElements"]) == ({"functionName": "f"}, None)
    assert record["requestID"] == "r1"


def test_iam_errors_carry_the_name_of_their_exception() -> None:
    """IAM errors carry the name of their exception."""
    body = (
        b"<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no r</Message></Error>"
        b"<RequestId>r1</RequestId></ErrorResponse>"
    )

    outcome = records.read_outcome(Call("iam", "DeleteRole"), 404, {}, body)

    assert (outcome.error_code, outcome.error_message) == ("NoSuchEntityException", "no r")


@pytest.mark.parametrize("code", ["ValidationException", "UnrecognizedClientException", "InvalidClientTokenId"])
def test_rejected_syntax_and_unknown_callers_leave_no_record(code: str) -> None:
    """Rejected syntax and unknown callers leave no record."""
    assert not records.is_logged_outcome(CallOutcome(error_code=code))


def test_an_empty_answer_is_null() -> None:
    """An empty answer is null."""
    outcome = records.read_outcome(Call("lambda", "DeleteFunction"), 204, {}, b"")

    assert written(Call("lambda", "DeleteFunction", {"FunctionName": "f"}), outcome)["responseElements"] is None


def test_the_bus_entry_carries_the_record_as_aws_sends_it() -> None:
    """The bus entry carries the record as AWS sends it."""
    record = written(Call("lambda", "DeleteFunction", {"FunctionName": "f"}))

    entry = records.to_bus_entry(record)

    assert (entry["Source"], entry["DetailType"]) == ("aws.lambda", "AWS API Call via CloudTrail")
    assert json.loads(entry["Detail"]) == record
