"""Who decided: the command line signs, and AWS STS proves it to the function that takes decisions."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from permission_guard.aws.readers.caller import MAX_AGE, SIGNED_HEADER, CallerIdentity, sts_url
from permission_guard.aws.senders import signed_requests
from permission_guard.aws.senders.signed_requests import send_decision, send_finding_request
from permission_guard.errors import CallerUnprovenError, ConfigurationError, RequestRefusedError, RetryableError
from permission_guard.findings.requests import FindingRequest, FindingRequestKind
from permission_guard.fixes.decisions import DecisionKind, DecisionRequest
from tests import sts
from tests.fakes import FINDING_ID, FUNCTION_ARN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DECIDE_FIX = "arn:aws:lambda:us-east-1:123456789012:function:decide-fix"
REQUEST = DecisionRequest(
    kind=DecisionKind.APPROVE,
    finding_id=FINDING_ID,
    function_arn=FUNCTION_ARN,
    revision=2,
    plan_hash="0" * 64,
    nonce="f" * 32,
)
DIGEST = REQUEST.digest(DECIDE_FIX)
SEND = partial(send_decision, REQUEST, DECIDE_FIX)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[sts.Sts]:
    """Run AWS STS on loopback, with credentials that it knows in the environment."""
    with sts.running() as running:
        for name, value in {
            "AWS_ENDPOINT_URL_STS": running.url,
            "AWS_ACCESS_KEY_ID": sts.KEY_ID,
            "AWS_SECRET_ACCESS_KEY": sts.SECRET,
            "AWS_SESSION_TOKEN": "a/session+token==",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield running


def signature(digest: str = DIGEST) -> dict[str, str]:
    """Return the signature of the caller's command line."""
    return signed_requests._signature(boto3.Session(region_name="us-east-1"), "us-east-1", digest)


def arn_of(signed: Any, digest: str = DIGEST, *, later: timedelta = timedelta()) -> str:
    """Return who signed, as the function that takes decisions finds out."""
    return CallerIdentity(boto3.Session().client("sts")).arn_of(signed, digest, datetime.now(UTC) + later)


def test_the_signer_is_proven(server: sts.Sts) -> None:
    """The request that STS gets has the header with the hash of the decision."""
    assert arn_of(signature()) == sts.CALLER
    (headers,) = server.requests
    assert headers[SIGNED_HEADER] == DIGEST
    assert headers["x-amz-security-token"] == "a/session+token=="


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("us-east-1", "https://sts.us-east-1.amazonaws.com/"),
        ("eu-central-1", "https://sts.eu-central-1.amazonaws.com/"),
        ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"),
        ("us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com/"),
    ],
)
def test_both_sides_use_the_same_endpoint_whatever_their_settings(
    monkeypatch: pytest.MonkeyPatch, region: str, url: str
) -> None:
    """The signature covers the host. A person's settings for FIPS, dual stack or the global endpoint do not count."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    assert sts_url(region) == url


def test_a_signature_proves_one_decision_only(server: sts.Sts) -> None:
    """It is of no use for another one: STS computes the signature over the header."""
    with pytest.raises(CallerUnprovenError, match="SignatureDoesNotMatch"):
        arn_of(signature(), digest=REQUEST.digest(f"{DECIDE_FIX}-other"))


def test_a_signature_that_does_not_cover_the_decision_proves_nothing(server: sts.Sts) -> None:
    """Any signed GetCallerIdentity request of someone else would do: other tools ask for such requests too."""
    signed = signature()
    signed["authorization"] = signed["authorization"].replace(f";{SIGNED_HEADER}", "")
    with pytest.raises(CallerUnprovenError, match=f"does not cover {SIGNED_HEADER}"):
        arn_of(signed)
    assert server.requests == []


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_signature_proves_nothing(server: sts.Sts, minutes: int) -> None:
    """It may have been read in a log."""
    assert timedelta(minutes=5) == MAX_AGE
    with pytest.raises(CallerUnprovenError, match="older than five minutes"):
        arn_of(signature(), later=timedelta(minutes=minutes))
    assert server.requests == []


@pytest.mark.parametrize(
    "change",
    [
        {"authorization": None},
        {"authorization": ""},
        {"authorization": "Basic eDp5"},
        {"authorization": "AWS4-HMAC-SHA256 Credential=x\r\nHost: evil"},
        {"x-amz-date": "yesterday"},
        {"x-amz-date": 7},
        {"x-amz-date": "20261340T000000Z"},
        {"x-amz-date": "00000101T000000Z"},
        {"x-amz-date": "20261120T250000Z"},
        {"x-amz-security-token": "a\r\nX-Other: b"},
        {"x-amz-security-token": ["a"]},
        {"x-amz-security-token": "x" * 9_000},
    ],
    ids=str,
)
def test_a_malformed_signature_is_sent_to_nobody(server: sts.Sts, change: dict[str, Any]) -> None:
    """It comes from whoever may invoke the function, and would become headers of a request."""
    with pytest.raises(CallerUnprovenError):
        arn_of({**signature(), **change})
    assert server.requests == []


@pytest.mark.parametrize("signed", [None, [], "AWS4", {}, 7])
def test_a_request_without_a_signature_proves_nothing(server: sts.Sts, signed: Any) -> None:
    """Whoever may invoke the function could claim to be anyone."""
    with pytest.raises(CallerUnprovenError):
        arn_of(signed)


def test_credentials_that_sts_does_not_know_prove_nothing(server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret is another one."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed")
    with pytest.raises(CallerUnprovenError, match="SignatureDoesNotMatch"):
        arn_of(signature())


@pytest.mark.parametrize("status", [500, 503])
def test_a_fault_of_sts_is_temporary(server: sts.Sts, status: int) -> None:
    """The decision is neither recorded nor refused for good."""
    server.failure = (status, "busy")
    with pytest.raises(RetryableError, match=f"HTTP {status}"):
        arn_of(signature())


@pytest.mark.parametrize(
    "reply",
    [
        (200, ""),
        (200, "<html><body>proxy</body></html>"),
        (200, sts.ANSWER[:100]),
        (200, sts.ANSWER.replace("<Arn>{arn}</Arn>", "")),
        (200, sts.ANSWER.format(arn="")),
        (200, sts.ANSWER.format(arn="jane")),
        (200, sts.ERROR.format(code="InternalFailure")),
        (302, ""),
        (403, ""),
        (403, "<html><body>proxy</body></html>"),
        (403, sts.ERROR.replace("<Code>{code}</Code>", "")),
        (400, sts.ERROR.format(code="Throttling")),
        (429, ""),
        (503, sts.ERROR.format(code="ServiceUnavailable")),
    ],
    ids=str,
)
def test_a_reply_that_is_not_about_the_signature_is_temporary(server: sts.Sts, reply: tuple[int, str]) -> None:
    """It comes from something between, or STS is too busy to check the signature."""
    server.failure = reply
    with pytest.raises(RetryableError, match="could not be asked"):
        arn_of(signature())


def test_sts_that_cannot_be_reached_is_temporary(server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens on the port."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    with pytest.raises(RetryableError, match="could not be asked"):
        arn_of(signature())


class Invoked:
    """Stands for the client of Lambda, and returns one answer."""

    def __init__(self, answer: Any, **more: Any) -> None:
        self.answer, self.more = answer, more
        self.payloads: list[Any] = []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if isinstance(self.answer, Exception):
            raise self.answer
        self.payloads.append(json.loads(Payload))
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode()), **self.more}


def sent(
    monkeypatch: pytest.MonkeyPatch,
    invoked: Invoked,
    send: Callable[[], Any] = SEND,
) -> Any:
    """Send a decision, or another request, to a function that is not AWS's."""
    make = boto3.Session.client
    monkeypatch.setattr(
        boto3.Session,
        "client",
        lambda self, name, **more: invoked if name == "lambda" else make(self, name, **more),
    )
    return send()


def test_a_decision_is_sent_with_a_signature_that_the_function_accepts(
    server: sts.Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both build the same request."""
    invoked = Invoked({"recorded": True, "decided_by": sts.CALLER})
    assert sent(monkeypatch, invoked)["decided_by"] == sts.CALLER
    (payload,) = invoked.payloads
    signed = payload.pop("signature")
    assert payload == REQUEST.to_document()
    assert arn_of(signed) == sts.CALLER


def test_the_credentials_are_not_sent(server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the signature, its time and the token."""
    invoked = Invoked({"recorded": True})
    sent(monkeypatch, invoked)
    assert sts.SECRET not in json.dumps(invoked.payloads)


@pytest.mark.parametrize(
    ("invoked", "error", "message"),
    [
        (
            Invoked({"recorded": False, "reason": "the finding is resolved"}),
            RequestRefusedError,
            "the finding is resolved",
        ),
        (Invoked({"errorMessage": "x"}, FunctionError="Unhandled"), RetryableError, "decide_fix failed"),
        (Invoked(None), RetryableError, "decide_fix failed"),
        (
            Invoked(ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "Invoke")),
            ConfigurationError,
            "AccessDeniedException: not authorized",
        ),
    ],
)
def test_a_decision_that_is_not_recorded_is_an_error_with_the_reason(
    server: sts.Sts, monkeypatch: pytest.MonkeyPatch, invoked: Invoked, error: type[Exception], message: str
) -> None:
    """The person must know."""
    with pytest.raises(error, match=message):
        sent(monkeypatch, invoked)


def test_without_credentials_nothing_is_sent(server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to get some."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3.Session, "get_credentials", lambda self: None)
    invoked = Invoked({"recorded": True})
    with pytest.raises(ConfigurationError, match="aws configure"):
        sent(monkeypatch, invoked)
    assert invoked.payloads == []


def test_a_request_about_findings_is_sent_in_the_same_way(server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer says `done`. A signature of one function's request proves nothing to the other."""
    request = FindingRequest(kind=FindingRequestKind.RECHECK, nonce="f" * 32, target_arn=FUNCTION_ARN)
    function = DECIDE_FIX.replace("decide-fix", "manage-findings")
    invoked = Invoked({"done": True, "by": sts.CALLER})
    assert sent(monkeypatch, invoked, partial(send_finding_request, request, function))["by"] == sts.CALLER
    (payload,) = invoked.payloads
    signed = payload.pop("signature")
    assert payload == request.to_document()
    assert arn_of(signed, request.digest(function)) == sts.CALLER
    with pytest.raises(CallerUnprovenError, match="SignatureDoesNotMatch"):
        arn_of(signed, request.digest(DECIDE_FIX))
    refused = Invoked({"done": False, "reason": "the finding is resolved"})
    with pytest.raises(RequestRefusedError, match="the finding is resolved"):
        sent(monkeypatch, refused, partial(send_finding_request, request, function))
    with pytest.raises(RetryableError, match="manage_findings failed"):
        sent(monkeypatch, Invoked(None), partial(send_finding_request, request, function))
