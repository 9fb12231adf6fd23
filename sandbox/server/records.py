"""Build the CloudTrail record of an API call and its outcome.

The format is that of published records: event names contain Lambda's API date, only the first letter of a member is
in lower case (`uUID`, `kMSKeyArn`), code and environment values are left out, and a call without output has null
`responseElements`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, cast

import botocore.parsers
from botocore.model import ListShape, MapShape, Shape, StructureShape

from sandbox.server.api import Call, operation_model, service_model

Record = dict[str, Any]

_2015 = "CreateFunction DeleteFunction PublishVersion CreateAlias UpdateAlias DeleteAlias CreateEventSourceMapping "
_2015_V2 = "UpdateFunctionCode UpdateFunctionConfiguration AddPermission RemovePermission"
_SUFFIXES: Mapping[str, str] = {
    **dict.fromkeys([*_2015.split(), "UpdateEventSourceMapping", "DeleteEventSourceMapping"], "20150331"),
    **dict.fromkeys(_2015_V2.split(), "20150331v2"),
    **dict.fromkeys(["TagResource", "UntagResource"], "20170331v2"),
    **dict.fromkeys(["PutFunctionConcurrency", "DeleteFunctionConcurrency"], "20171031"),
    "PublishLayerVersion": "20181031",
}

# Data events, which a trail of management events does not contain.
_DATA_EVENTS = re.compile(r"Invoke|.*Durable")
_READS = re.compile(r"Get|List|Simulate|Generate")

# Errors before the caller is known, or of the syntax of the request: AWS logs neither.
_UNLOGGED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAction",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "ValidationError",
        "ValidationException",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})

_EMPTIED = frozenset({"Environment", "EnvironmentResponse", "FilterCriteria"})
# IAM returns these members to the caller and leaves them out of the trail.
_UNRECORDED_OUTPUT: Mapping[str, frozenset[str]] = {
    "Role": frozenset({"Description", "MaxSessionDuration"}),
    "Policy": frozenset({"Description"}),
}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "CreateFunction": {"publish": False, "environment": {}},
    "UpdateFunctionConfiguration": {"environment": {}},
    "UpdateFunctionCode": {"publish": False, "dryRun": False},
}


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller with its IP address and user agent. `identity` is the record's `userIdentity`."""

    identity: Mapping[str, Any]
    source_ip: str
    user_agent: str
    over_tls: bool = True


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The outcome of a call: its output, with the names of the API reference, or its error."""

    output: Mapping[str, Any] | None = None
    error_code: str = ""
    error_message: str = ""
    request_id: str = ""


def is_recorded(call: Call) -> bool:
    """Return whether a trail of management write events contains this operation."""
    if call.service == "lambda":
        return operation_model(call).http["method"] != "GET" and not _DATA_EVENTS.match(call.operation)
    return call.service == "iam" and not _READS.match(call.operation)


def is_logged_outcome(outcome: CallOutcome) -> bool:
    """Return whether AWS logs this outcome. Invalid request syntax and unknown callers are not logged."""
    return outcome.error_code not in _UNLOGGED


def read_outcome(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> CallOutcome:
    """Parse a response. `headers` have lower-case names."""
    model = service_model(call.service)
    parser = botocore.parsers.create_parser(model.metadata["protocol"])
    response = {"status_code": status, "headers": dict(headers), "body": body}
    parsed: dict[str, Any] = parser.parse(response, cast("Shape", operation_model(call).output_shape))
    request_id = headers.get("x-amzn-requestid") or parsed.get("ResponseMetadata", {}).get("RequestId", "")
    if "Error" in parsed or status >= HTTPStatus.MULTIPLE_CHOICES:
        error = parsed.get("Error", {})
        return CallOutcome(
            error_code=_exception_name(call, error.get("Code", str(status))),
            error_message=error.get("Message", ""),
            request_id=request_id,
        )
    output = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
    return CallOutcome(output=output if status != HTTPStatus.NO_CONTENT and output else None, request_id=request_id)


def _exception_name(call: Call, code: str) -> str:
    """Return the name of an error in CloudTrail: for IAM that of the exception (`NoSuchEntityException`)."""
    shape = service_model(call.service).shape_for_error_code(cast("Any", code))
    return shape.name if shape is not None else code


def event_name(call: Call) -> str:
    """Return the `eventName`, which for Lambda can end in the date of its API."""
    return call.operation + (_SUFFIXES.get(call.operation, "") if call.service == "lambda" else "")


def record(call: Call, outcome: CallOutcome, caller: Caller, *, account: str, region: str, at: datetime) -> Record:
    """Return the CloudTrail record of one call."""
    home = "us-east-1" if call.service == "iam" else region
    denied = outcome.error_code in _DENIED
    entry: Record = {
        "eventVersion": "1.11",
        "userIdentity": dict(caller.identity),
        "eventTime": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": event_name(call),
        "awsRegion": home,
        "sourceIPAddress": caller.source_ip,
        "userAgent": caller.user_agent,
    }
    if outcome.error_code:
        entry["errorCode"] = "AccessDenied" if denied else outcome.error_code
        entry["errorMessage"] = outcome.error_message
    entry |= {
        "requestParameters": None if denied else _request_parameters(call, account, home),
        "responseElements": None if outcome.error_code else _response_elements(call, outcome),
        "requestID": outcome.request_id or str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    if caller.over_tls:
        host = "iam.amazonaws.com" if call.service == "iam" else f"{call.service}.{home}.amazonaws.com"
        entry["tlsDetails"] = {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": host,
        }
    return entry


def to_bus_entry(entry: Record) -> dict[str, Any]:
    """Return the EventBridge entry of a record."""
    return {
        "Source": f"aws.{entry['eventSource'].partition('.')[0]}",
        "DetailType": "AWS API Call via CloudTrail",
        "Detail": json.dumps(entry),
        "EventBusName": "default",
    }


def _request_parameters(call: Call, account: str, region: str) -> dict[str, Any] | None:
    shape = operation_model(call).input_shape
    written = _written(shape, call.params, call.service) if shape is not None else {}
    params: dict[str, Any] = {**_DEFAULTS.get(call.operation, {}), **written}
    if call.service == "lambda" and call.operation == "UpdateFunctionCode":
        params = {**_fully_qualified(str(call.params.get("FunctionName", "")), account, region), **params}
        name = params["fullyQualifiedArn"]["relativeId"]["functionName"]
        params["functionName"] = f"arn:aws:lambda:{region}:{account}:function:{name}"
    return params or None


def _fully_qualified(function: str, account: str, region: str) -> dict[str, Any]:
    """Return the parts of a function's ARN, which CloudTrail records for UpdateFunctionCode only."""
    name, _, qualifier = function.rpartition("function:")[2].partition(":")
    return {
        "fullyQualifiedArn": {
            "arnPrefix": {"partition": "aws", "region": region, "account": account},
            "relativeId": {"functionName": name},
            "functionQualifier": {"qualifier": qualifier} if qualifier else {},
        }
    }


def _response_elements(call: Call, outcome: CallOutcome) -> dict[str, Any] | None:
    shape = operation_model(call).output_shape
    if shape is None or not outcome.output:
        return None
    elements: dict[str, Any] = _written(shape, outcome.output, call.service)
    if call.operation in {"CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion"}:
        elements.setdefault("environment", {})
    return elements or None


def _written(shape: Shape, value: Any, service: str) -> Any:
    if isinstance(shape, StructureShape):
        if shape.name in _EMPTIED or not isinstance(value, Mapping):
            return {}
        hidden = _UNRECORDED_OUTPUT.get(shape.name, frozenset()) if service == "iam" else frozenset()
        return {
            name[0].lower() + name[1:]: _written(member, value[name], service)
            for name, member in shape.members.items()
            if value.get(name) is not None and name not in hidden and member.type_name != "blob"
            if shape.name != "FunctionConfiguration" or name == "Description" or not _is_empty(value[name])
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_written(shape.member, item, service) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: _written(shape.value, item, service) for key, item in value.items()}
    return _timestamp(value, service) if shape.type_name == "timestamp" else value


def _is_empty(value: Any) -> bool:
    """Return whether a value is empty. MiniStack returns empty members, AWS leaves them out."""
    if isinstance(value, Mapping):
        return all(_is_empty(item) for item in value.values())
    return value in ("", [])


def _timestamp(value: Any, service: str) -> str:
    """Return a time as the trail has it: `May 9, 2024, 9:05:41 PM` for Lambda, without the second comma for IAM."""
    at = value if isinstance(value, datetime) else _parsed_time(value)
    comma = "" if service == "iam" else ","
    return f"{at:%b} {at.day}, {at.year}{comma} {at.hour % 12 or 12}:{at:%M:%S %p}"


def _parsed_time(value: Any) -> datetime:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return datetime.fromisoformat(str(value).replace("Z", "+00:00"))
