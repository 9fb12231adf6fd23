"""The clients: created once on first use, with retries."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.hooks import HierarchicalEmitter

from permission_guard import __version__
from permission_guard.aws import clients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.config import Config


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Config]]]:
    """Record the clients that boto3 creates."""
    asked: list[tuple[str, Config]] = []

    def make(service: str, *, config: Config) -> Any:
        asked.append((service, config))
        return SimpleNamespace(meta=SimpleNamespace(events=HierarchicalEmitter()))

    monkeypatch.setattr(boto3, "client", make)
    clients._client.cache_clear()
    yield asked
    clients._client.cache_clear()


def test_a_client_is_created_once_for_each_service(made: list[tuple[str, Config]]) -> None:
    """The connections of an execution environment are reused."""
    assert clients.client("iam") is clients.client("iam")
    assert clients.client("lambda") is not clients.client("iam")  # type: ignore[comparison-overlap]
    assert [service for service, _ in made] == ["iam", "lambda"]


def test_a_client_slows_down_when_throttled_and_gives_up_before_the_function_does(
    made: list[tuple[str, Config]],
) -> None:
    """The rate limits of Lambda's API are shared by the whole account."""
    clients.client("lambda")
    ((_, config),) = made
    settings = vars(config)
    assert settings["retries"] == {"mode": "standard", "total_max_attempts": 5}
    assert (settings["connect_timeout"], settings["read_timeout"]) == (3, 10)
    assert settings["user_agent_extra"] == f"permission-guard/{__version__}"


def test_a_client_of_another_region_is_created_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of the own region is the one without a region."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    clients._client.cache_clear()
    clients._client_in.cache_clear()
    other = clients.client_in("cloudformation", "eu-west-1")
    assert other.meta.region_name == "eu-west-1"
    assert vars(other.meta.config)["user_agent_extra"] == vars(clients.CONFIG)["user_agent_extra"]
    assert clients.client_in("cloudformation", "eu-west-1") is other
    assert clients.client_in("cloudformation", "us-east-1") is clients.client("cloudformation")
    clients._client.cache_clear()
    clients._client_in.cache_clear()


def test_importing_the_wiring_creates_no_client() -> None:
    """A cold start must not spend time on unused clients."""
    program = (
        "import boto3\n"
        "def refuse(*_, **__): raise SystemExit('a client was made at import')\n"
        "boto3.client = refuse\n"
        "import permission_guard.bootstrap.checks, permission_guard.aws.clients\n"
        "assert permission_guard.aws.clients._client.cache_info().currsize == 0\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_prompt_client_takes_at_most_seventeen_seconds_for_a_call(made: list[tuple[str, Config]]) -> None:
    """Two attempts, each with its own limits for the connection and the answer, and a second between them."""
    clients._prompt_client.cache_clear()
    assert clients.prompt_client("ssm") is clients.prompt_client("ssm")
    ((service, config),) = made
    clients._prompt_client.cache_clear()
    settings = vars(config)
    attempts = settings["retries"]["total_max_attempts"]
    assert service == "ssm"
    assert attempts * (settings["connect_timeout"] + settings["read_timeout"]) + attempts - 1 <= 17
