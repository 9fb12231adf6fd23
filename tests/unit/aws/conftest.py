"""Clients that reach nothing: a Stubber answers them, or moto does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from moto import mock_aws

if TYPE_CHECKING:
    from collections.abc import Iterator


class Answers:
    """A client whose answers are given beforehand; each must be asked for, in order, with these parameters."""

    def __init__(self, service: str, endpoint_url: str | None = None) -> None:
        self.client: Any = boto3.client(
            service,  # type: ignore[call-overload]
            region_name="us-east-1",
            endpoint_url=endpoint_url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"max_attempts": 0}),
        )
        self._stubber = Stubber(self.client)
        self._stubber.activate()

    def say(self, operation: str, reply: dict[str, Any], **expected: Any) -> None:
        """Answer the next call."""
        self._stubber.add_response(operation, reply, expected or None)

    def fail(self, operation: str, code: str, message: str = "no", status: int = 400) -> None:
        """Refuse the next call."""
        self._stubber.add_client_error(operation, code, message, http_status_code=status)

    def all_were_asked_for(self) -> None:
        """Fail where an answer was not needed."""
        self._stubber.assert_no_pending_responses()


def _answers(service: str) -> Iterator[Answers]:
    answers = Answers(service)
    yield answers
    answers.all_were_asked_for()


@pytest.fixture
def lambda_answers() -> Iterator[Answers]:
    """Return a Lambda client."""
    yield from _answers("lambda")


@pytest.fixture
def iam_answers() -> Iterator[Answers]:
    """Return an IAM client."""
    yield from _answers("iam")


@pytest.fixture
def moto_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let all clients talk to an account in memory."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield
