"""The deployed configuration: the last good document is kept, and only nothing deployed means the defaults."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from permission_guard.aws.readers.configuration import MAX_AGE_SECONDS, DeployedConfiguration
from permission_guard.config.document import GuardConfig
from permission_guard.config.settings import ConfigurationSettings
from permission_guard.errors import ConfigurationUnavailableError, RetryableError

SETTINGS = ConfigurationSettings("abc1234", "ghi9012", "def5678")
NOW = datetime(2026, 11, 20, 10, 15, 30, tzinfo=UTC)
UNREACHABLE = EndpointConnectionError(endpoint_url="https://appconfigdata.us-east-1.amazonaws.com/")


def error(code: str, operation: str = "GetLatestConfiguration", **members: str) -> ClientError:
    """Return an error of AWS."""
    return ClientError({"Error": {"Code": code, "Message": "as AWS says"}, **members}, operation)  # type: ignore[typeddict-item]


def document(seconds: int) -> bytes:
    """Return a document that differs in its grace period."""
    return json.dumps({"version": 1, "grace_period_seconds": seconds}).encode()


class AppConfig:
    """Stands for AppConfig's data plane: each answer is served once, and then nothing new."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.sessions: list[dict[str, str]] = []
        self.tokens: list[str] = []
        self.refuses_sessions: Exception | None = None

    def start_configuration_session(self, **names: str) -> dict[str, str]:
        """Start a session."""
        if self.refuses_sessions:
            raise self.refuses_sessions
        self.sessions.append(names)
        return {"InitialConfigurationToken": f"first-{len(self.sessions)}"}

    def get_latest_configuration(self, *, ConfigurationToken: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """Return the next answer."""
        self.tokens.append(ConfigurationToken)
        answer = self.answers.pop(0) if self.answers else b""
        if isinstance(answer, Exception):
            raise answer
        return {"Configuration": io.BytesIO(answer), "NextPollConfigurationToken": f"next-{len(self.tokens)}"}


class Reads:
    """Reads with a clock that a test moves."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.aws = AppConfig(*answers)
        self.seconds = 0.0
        self._deployed = DeployedConfiguration(lambda: self.aws, SETTINGS, now=lambda: NOW, clock=lambda: self.seconds)

    def __call__(self, after: float = 0.0) -> tuple[int, str]:
        """Return the grace period, which tells documents apart, and the problem."""
        self.seconds += after
        read = self._deployed.read()
        return read.config.grace_period_seconds, read.problem

    def config(self) -> GuardConfig:
        """Return the configuration."""
        return self._deployed.read().config


def test_the_document_of_this_stack_is_read() -> None:
    """By the ids of the application, the environment and the profile."""
    reads = Reads(document(60))
    assert reads() == (60, "")
    assert reads.aws.sessions == [
        {
            "ApplicationIdentifier": "abc1234",
            "EnvironmentIdentifier": "ghi9012",
            "ConfigurationProfileIdentifier": "def5678",
        }
    ]


def test_a_document_is_asked_for_again_after_its_age_in_the_same_session() -> None:
    """AppConfig serves nothing if it has nothing new; the configuration is the same object then."""
    reads = Reads(document(60), b"", document(30))
    first = reads.config()
    assert reads(MAX_AGE_SECONDS - 1) == (60, "")
    assert reads.aws.tokens == ["first-1"]
    assert reads(1) == (60, "")
    assert reads.config() is first
    assert reads(MAX_AGE_SECONDS) == (30, "")
    assert reads.aws.tokens == ["first-1", "next-1", "next-2"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        error("ResourceNotFoundException", ResourceType="Deployment"),
        error("ResourceNotFoundException", ResourceType="Configuration"),
        error("ResourceNotFoundException"),
    ],
)
def test_nothing_deployed_means_the_defaults(answer: bytes | Exception) -> None:
    """Either AppConfig serves an empty document, or it says that there is no deployment."""
    reads = Reads(answer)
    assert reads.config() == GuardConfig()
    assert reads()[1] == ""


def test_the_first_document_takes_effect_after_nothing_was_deployed() -> None:
    """The session goes on."""
    reads = Reads(b"", document(60))
    assert reads() == (120, "")
    assert reads(MAX_AGE_SECONDS) == (60, "")


FAILURES = {
    "denied": error("AccessDeniedException"),
    "throttled": error("ThrottlingException"),
    "failing": error("InternalServerException"),
    "unreachable": UNREACHABLE,
    "no application": error("ResourceNotFoundException", ResourceType="Application"),
    "no environment": error("ResourceNotFoundException", ResourceType="Environment"),
    "no profile": error("ResourceNotFoundException", ResourceType="ConfigurationProfile"),
    "not JSON": b"trust: {}",
    "not UTF-8": b"\xff\xfe",
    "unknown key": b'{"version": 1, "trusted": []}',
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_without_an_earlier_document_no_configuration_is_invented(failure: bytes | Exception) -> None:
    """The message is retried: the defaults trust nobody, and would resolve, alert and fix what they must not."""
    reads = Reads(failure, document(60))
    with pytest.raises(ConfigurationUnavailableError) as raised:
        reads()
    assert isinstance(raised.value, RetryableError)
    assert str(raised.value)
    assert reads() == (60, "")  # no waiting: nothing was read yet


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_the_last_good_document_is_kept_until_a_newer_one_can_be_read(failure: bytes | Exception) -> None:
    """Each read says why the document may be old."""
    reads = Reads(document(60), failure, document(30))
    assert reads() == (60, "")
    kept, problem = reads(MAX_AGE_SECONDS)
    assert kept == 60
    assert problem
    assert reads(MAX_AGE_SECONDS - 1) == (60, problem)  # an outage does not delay every batch
    assert reads(1) == (30, "")


def test_the_defaults_are_kept_as_well() -> None:
    """Nothing was deployed, and then AppConfig cannot be reached."""
    reads = Reads(b"", UNREACHABLE)
    assert reads() == (120, "")
    kept, problem = reads(MAX_AGE_SECONDS)
    assert (kept, "Could not connect" in problem) == (120, True)


def test_an_expired_token_starts_a_new_session_at_once() -> None:
    """A token is valid for a day, and an execution environment may pause longer than that."""
    reads = Reads(document(60), error("BadRequestException"), document(30))
    assert reads() == (60, "")
    assert reads(MAX_AGE_SECONDS) == (30, "")
    assert reads.aws.tokens == ["first-1", "next-1", "first-2"]


def test_a_request_that_is_refused_twice_is_a_failure() -> None:
    """It does not try for ever."""
    reads = Reads(document(60), error("BadRequestException"), error("BadRequestException"), document(30))
    assert reads() == (60, "")
    assert reads(MAX_AGE_SECONDS)[0] == 60
    assert len(reads.aws.tokens) == 3


def test_a_denied_session_is_no_default() -> None:
    """The first call is refused already."""
    reads = Reads(document(60))
    reads.aws.refuses_sessions = error("AccessDeniedException", "StartConfigurationSession")
    with pytest.raises(ConfigurationUnavailableError, match="AccessDeniedException"):
        reads()


def test_a_new_session_in_which_nothing_is_deployed_any_more_ends_the_old_document() -> None:
    """AppConfig says so itself: the only deployment was rolled back."""
    reads = Reads(document(60), UNREACHABLE, b"")
    assert reads() == (60, "")
    assert reads(MAX_AGE_SECONDS)[0] == 60
    assert reads(MAX_AGE_SECONDS) == (120, "")
