"""Send the requests of people to the functions that take them, signed by who makes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.aws.readers.caller import BODY, CONTENT_TYPE, SIGNED_HEADER, sts_url
from permission_guard.errors import ConfigurationError, RequestRefusedError, RetryableError, error_code
from permission_guard.findings.requests import FindingRequestKind
from permission_guard.iam.arn import require_arn

if TYPE_CHECKING:
    from permission_guard.findings.requests import FindingRequest
    from permission_guard.fixes.decisions import DecisionRequest
    from permission_guard.fixes.stop_requests import StopRequest
    from permission_guard.model.signed_requests import SignedRequest
    from permission_guard.model.targets import JSON

# A request has its effect once, however often it is sent; but a person waits for the answer.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=35)

# A test waits for every destination. Sent again, it would be answered while the first one still runs.
_TEST_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=5, read_timeout=85)


def send_decision(request: DecisionRequest, decide_fix_arn: str, profile: str | None = None) -> JSON:
    """Sign a decision with the credentials of the caller, send it, and return the answer of `decide_fix`.

    ConfigurationError without valid credentials or permissions; RequestRefusedError with the reason if the decision is
    not recorded; RetryableError if the function failed.
    """
    return _sent(request, decide_fix_arn, profile, function="decide_fix", done="recorded")


def send_stop_request(request: StopRequest, decide_fix_arn: str, profile: str | None = None) -> JSON:
    """Sign a request to stop or resume all fixing, send it, and return the answer of `decide_fix`.

    The same errors as `send_decision`.
    """
    return _sent(request, decide_fix_arn, profile, function="decide_fix", done="done")


def send_finding_request(request: FindingRequest, manage_findings_arn: str, profile: str | None = None) -> JSON:
    """Sign a request about findings, send it, and return the answer of `manage_findings`.

    The same errors as `send_decision`.
    """
    config = _TEST_CONFIG if request.kind is FindingRequestKind.TEST_MESSAGE else _CONFIG
    return _sent(request, manage_findings_arn, profile, function="manage_findings", done="done", config=config)


def _sent(
    request: SignedRequest, arn: str, profile: str | None, *, function: str, done: str, config: Config = _CONFIG
) -> JSON:
    """Return the answer of a function to a request. `done` is the key that says whether the request had its effect."""
    region = require_arn(arn).region
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        signature = _signature(session, region, request.digest(arn))
        payload = json.dumps({**request.to_document(), "signature": signature})
        invoked = session.client("lambda", config=config).invoke(FunctionName=arn, Payload=payload.encode())
    except ClientError as error:
        message = error.response.get("Error", {}).get("Message", "")
        raise ConfigurationError(f"{arn} could not be invoked: {error_code(error)}: {message}") from error
    except BotoCoreError as error:
        raise ConfigurationError(f"AWS could not be called: {error}") from error
    answer = json.loads(invoked["Payload"].read() or b"null")
    if invoked.get("FunctionError") or not isinstance(answer, dict):
        raise RetryableError(f"{function} failed: see its log; it may be {done}, and sending it again is safe")
    if answer.get(done) is not True:
        raise RequestRefusedError(str(answer.get("reason")))
    return answer


def _signature(session: boto3.Session, region: str, digest: str) -> dict[str, str]:
    """Return the headers of a signed GetCallerIdentity request. It was sent to nobody."""
    credentials = session.get_credentials()
    if credentials is None:
        raise ConfigurationError("there are no AWS credentials: run `aws configure`, or name a profile with --profile")
    headers = {"Content-Type": CONTENT_TYPE, SIGNED_HEADER: digest}
    request: Any = AWSRequest(method="POST", url=sts_url(region), data=BODY, headers=headers)
    SigV4Auth(credentials.get_frozen_credentials(), "sts", region).add_auth(request)
    named = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
    return {name.lower(): request.headers[name] for name in named if name in request.headers}
