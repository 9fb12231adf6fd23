"""Prove who made a request: AWS STS checks the signature of a GetCallerIdentity request that the caller signed.

The caller signs the request over a header with a hash of what is requested. This code builds the same request itself,
to its own endpoint of STS: only the signature, its time and the session token come from the caller.
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserError, create_parser
from botocore.session import get_session

from permission_guard.aws.calls import TEMPORARY
from permission_guard.errors import UNREADABLE, CallerUnprovenError, RetryableError
from permission_guard.iam.arn import require_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.awsrequest import AWSResponse
    from mypy_boto3_sts import STSClient

    from permission_guard.model.targets import JSON

SIGNED_HEADER: Final = "x-permission-guard-request"
BODY: Final = "Action=GetCallerIdentity&Version=2011-06-15"
CONTENT_TYPE: Final = "application/x-www-form-urlencoded; charset=utf-8"
MAX_AGE: Final = timedelta(minutes=5)

_TIMEOUT_SECONDS: Final = 5
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[A-Z0-9]{16,128}/\d{8}/[a-z0-9-]{1,30}/sts/aws4_request,"
    r" ?SignedHeaders=(?P<headers>[a-z0-9;-]{1,300}), ?Signature=[0-9a-f]{64}",
    re.ASCII,
)
_DATE: Final = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/=_-]{0,8000}", re.ASCII)
_MUST_BE_SIGNED: Final = frozenset({"host", "x-amz-date", SIGNED_HEADER})


def sts_url(region: str) -> str:
    """Return the URL of AWS STS in a region, the same for who signs and for who asks.

    Settings for FIPS, dual-stack or the global endpoint do not count, because the signature covers the host. A variable
    AWS_ENDPOINT_URL does, as in every SDK.
    """
    return _url(region, *map(os.environ.get, ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL")))


@cache
def _url(region: str, *_variables: str | None) -> str:
    """Return the URL, for these values of the variables: creating a client takes a tenth of a second."""
    session = get_session()
    session.set_config_variable("sts_regional_endpoints", "regional")
    config = Config(use_fips_endpoint=False, use_dualstack_endpoint=False, signature_version=UNSIGNED)
    client: Any = session.create_client("sts", region_name=region, config=config)
    return f"{client.meta.endpoint_url.rstrip('/')}/"


class CallerIdentity:
    """Asks AWS STS who signed a request."""

    def __init__(self, client: STSClient) -> None:
        self._sts = client

    def arn_of(self, signature: JSON, digest: str, now: datetime) -> str:
        """Return the ARN of who signed `digest`.

        `signature` has the headers `authorization` and `x-amz-date` of the signed request, and `x-amz-security-token`
        for temporary credentials. CallerUnprovenError if they prove nothing; RetryableError if STS cannot be asked, or
        its reply cannot be read.
        """
        headers = _headers(signature, digest, now)
        url = sts_url(self._sts.meta.region_name)
        request: Any = AWSRequest(method="POST", url=url, data=BODY, headers=headers)
        try:
            reply = URLLib3Session(timeout=_TIMEOUT_SECONDS).send(request.prepare())
        except (BotoCoreError, HTTPClientError) as error:
            raise RetryableError(f"AWS STS could not be asked who signed: {type(error).__name__}") from error
        try:
            return self._arn(reply)
        except (ResponseParserError, *UNREADABLE) as error:
            raise RetryableError(f"AWS STS could not be asked who signed: HTTP {reply.status_code}") from error

    def _arn(self, reply: AWSResponse) -> str:
        """Return the ARN in a reply. ResponseParserError or one of UNREADABLE if it is not a reply of STS."""
        model = self._sts.meta.service_model
        shape: Any = model.operation_model("GetCallerIdentity").output_shape
        parsed = create_parser(model.metadata["protocol"]).parse(
            {"status_code": reply.status_code, "headers": reply.headers, "body": reply.content}, shape
        )
        if reply.status_code == 200:  # noqa: PLR2004 - HTTP
            require_arn(parsed["Arn"])
            return str(parsed["Arn"])
        code = parsed["Error"]["Code"]
        if reply.status_code >= 500 or code in TEMPORARY:  # noqa: PLR2004 - HTTP
            raise RetryableError(f"AWS STS could not be asked who signed: {code}")
        raise CallerUnprovenError(f"AWS STS does not accept the signature: {code}")


def _headers(signature: JSON, digest: str, now: datetime) -> Mapping[str, str]:
    """Return the headers of the request, as the caller must have signed them."""
    given = signature if isinstance(signature, dict) else {}
    texts = {name: given.get(name, "") for name in ("authorization", "x-amz-date", "x-amz-security-token")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise CallerUnprovenError("the request has no valid `signature`")
    signed = _AUTHORIZATION.fullmatch(texts["authorization"])
    if not signed or not _DATE.fullmatch(texts["x-amz-date"]) or not _TOKEN.fullmatch(texts["x-amz-security-token"]):
        raise CallerUnprovenError("the request has no valid `signature`")
    unsigned = _MUST_BE_SIGNED - set(signed["headers"].split(";"))
    if unsigned:
        raise CallerUnprovenError(f"the signature does not cover {', '.join(sorted(unsigned))}")
    try:
        at = datetime.strptime(texts["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise CallerUnprovenError("the request has no valid `signature`") from error
    if abs(now - at) > MAX_AGE:
        raise CallerUnprovenError("the signature is older than five minutes, or the caller's clock is wrong")
    return {
        "Content-Type": CONTENT_TYPE,
        SIGNED_HEADER: digest,
        "Authorization": texts["authorization"],
        "X-Amz-Date": texts["x-amz-date"],
        **({"X-Amz-Security-Token": texts["x-amz-security-token"]} if texts["x-amz-security-token"] else {}),
    }
