"""Calls that may fail: missing resources, denied calls and transient errors are distinguished."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from permission_guard.aws.calls import is_temporary, read
from permission_guard.errors import error_code
from permission_guard.model.state import Unread


def failure(code: str, status: int = 400, message: str = "no") -> ClientError:
    """Return an error as botocore raises it."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "GetRole",
    )


def reading(error: Exception) -> str | Unread | None:
    """Make a read that fails."""

    def call() -> str:
        raise error

    return read("iam:GetRole", call)


def test_a_reply_is_returned_unchanged() -> None:
    """The reader gets what botocore returns."""
    assert read("iam:GetRole", lambda: "reply") == "reply"


@pytest.mark.parametrize(
    "code",
    [
        "ResourceNotFoundException",
        "NoSuchEntity",
        "NoSuchEntityException",
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    ],
)
def test_a_missing_resource_is_none(code: str) -> None:
    """Lambda, IAM and SQS have different error codes for it."""
    assert reading(failure(code, 404)) is None


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"])
def test_a_denied_call_is_unread_and_denied(code: str) -> None:
    """The bot lacks a permission."""
    assert reading(failure(code, 403)) == Unread("iam:GetRole", code, "no", denied=True)


@pytest.mark.parametrize(
    ("code", "status"), [("Throttling", 400), ("TooManyRequestsException", 429), ("ServiceException", 500)]
)
def test_a_transient_error_is_unread_and_not_denied(code: str, status: int) -> None:
    """The message is retried."""
    assert reading(failure(code, status)) == Unread("iam:GetRole", code, "no", denied=False)


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://iam.amazonaws.com"),
        ConnectTimeoutError(endpoint_url="https://iam.amazonaws.com"),
    ],
)
def test_a_connection_that_fails_is_unread(error: Exception) -> None:
    """AWS was not reached at all."""
    unread = reading(error)
    assert isinstance(unread, Unread)
    assert unread.code == type(error).__name__
    assert not unread.denied
    assert "iam.amazonaws.com" in unread.message


def test_a_bug_in_the_bot_is_raised() -> None:
    """Only errors of AWS become values."""
    with pytest.raises(KeyError):
        reading(KeyError("Role"))


def test_an_error_without_a_code_is_called_unknown() -> None:
    """A proxy may return any reply."""
    assert error_code(ClientError({}, "GetRole")) == "Unknown"
    assert reading(ClientError({}, "GetRole")) == Unread("iam:GetRole", "Unknown", "", denied=False)


@pytest.mark.parametrize(
    ("code", "status", "temporary"),
    [
        ("Throttling", 400, True),
        ("TooManyRequestsException", 429, True),
        ("ConcurrentModification", 409, True),
        ("ServiceFailure", 500, True),
        ("ServiceUnavailable", 503, True),
        ("AccessDenied", 403, False),
        ("LimitExceeded", 409, False),
        ("NoSuchEntity", 404, False),
        ("UnmodifiableEntity", 400, False),
    ],
)
def test_only_transient_errors_are_retried(code: str, status: int, temporary: bool) -> None:
    """Permanent failures are recorded at once."""
    assert is_temporary(failure(code, status)) is temporary
