"""Clients without a network: a Stubber or moto answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from moto import mock_aws

from tests.moto_tables import speed_up_tables

if TYPE_CHECKING:
    from collections.abc import Iterator


class Answers:
    """A stubbed client: calls must come in the order of the answers and with their parameters."""

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
        """Fail the next call."""
        self._stubber.add_client_error(operation, code, message, http_status_code=status)

    def all_were_asked_for(self) -> None:
        """Fail if an answer was not used."""
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
    """Have all clients use an in-memory account."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    speed_up_tables(monkeypatch)
    with mock_aws():
        yield
