"""Without a configuration no message is handled; with one, each part is made once for each configuration."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Metrics

from permission_guard.aws.readers.configuration import ConfigurationRead
from permission_guard.bootstrap import configuration
from permission_guard.bootstrap.configuration import latest, with_configuration
from permission_guard.config.document import GuardConfig
from permission_guard.errors import ConfigurationError, ConfigurationUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVENT = {"Records": [{"messageId": "m0", "body": "{}"}, {"messageId": "m1", "body": "{}"}]}
ENVIRONMENT = {
    "CONFIGURATION_APPLICATION": "abc1234",
    "CONFIGURATION_ENVIRONMENT": "ghi9012",
    "CONFIGURATION_PROFILE": "def5678",
}


@pytest.fixture(autouse=True)
def no_metrics_are_left() -> Iterator[None]:
    """All objects share what was counted: another test must not find it."""
    yield
    Metrics(namespace="PermissionGuard", service="probe").clear_metrics()


class Log:
    """A logger that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, Any]] = []

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda message, extra: self.lines.append((level, message, extra))


class Run:
    """A batch that is handled with what a read gives."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, read: Callable[[], ConfigurationRead]) -> None:
        monkeypatch.setattr(configuration, "_deployed", lambda _settings: SimpleNamespace(read=read))
        self.log, self.metrics = Log(), Metrics(namespace="PermissionGuard", service="probe")
        self.metrics.clear_metrics()
        self.handled: list[GuardConfig] = []

    def __call__(self, handle: Callable[[GuardConfig], dict[str, Any]] | None = None) -> dict[str, Any]:
        """Return the answer."""
        log: Any = self.log
        return with_configuration(EVENT, ENVIRONMENT, log, self.metrics, handle or self._handle)

    def _handle(self, config: GuardConfig) -> dict[str, Any]:
        self.handled.append(config)
        return {"batchItemFailures": []}

    @property
    def counts(self) -> dict[str, float]:
        """The metrics."""
        counted: dict[str, Any] = self.metrics.metric_set
        return {name: sum(metric["Value"]) for name, metric in counted.items()}


def _raise(error: Exception) -> Any:
    raise error


def test_a_batch_is_handled_with_the_deployed_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is logged or counted."""
    config = GuardConfig(grace_period_seconds=5)
    run = Run(monkeypatch, lambda: ConfigurationRead(config))
    assert run() == {"batchItemFailures": []}
    assert (run.handled, run.log.lines, run.counts) == ([config], [], {})


def test_without_a_configuration_every_message_stays_in_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says why, and a metric counts it."""
    run = Run(monkeypatch, lambda: _raise(ConfigurationUnavailableError("AppConfig could not be read: denied")))
    assert run() == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]}
    assert run.handled == []
    ((level, message, extra),) = run.log.lines
    assert (level, message) == ("error", "configuration not read: the messages stay in the queue")
    assert extra == {"reason": "AppConfig could not be read: denied", "message_ids": ["m0", "m1"]}
    assert run.counts == {"ConfigurationUnread": 1}


def test_an_old_configuration_is_used_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is handled."""
    run = Run(monkeypatch, lambda: ConfigurationRead(GuardConfig(), "AppConfig could not be read: throttled"))
    assert run() == {"batchItemFailures": []}
    assert [line[:2] for line in run.log.lines] == [
        ("warning", "configuration not read: the last good one is used"),
    ]
    assert run.counts == {"ConfigurationUnread": 1}


def test_a_crash_is_counted_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarm on it rolls back the configuration that may be its cause."""
    run = Run(monkeypatch, lambda: ConfigurationRead(GuardConfig()))
    with pytest.raises(KeyError):
        run(lambda _config: _raise(KeyError("missing")))
    assert run.counts == {"BatchesCrashed": 1}


def test_a_missing_setting_is_no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The template sets it."""
    run = Run(monkeypatch, lambda: ConfigurationRead(GuardConfig()))
    log: Any = run.log
    with pytest.raises(ConfigurationError, match="CONFIGURATION_APPLICATION"):
        with_configuration(EVENT, {}, log, run.metrics, lambda _config: {})


def test_parts_are_made_again_only_for_another_configuration() -> None:
    """Equal configurations share them, and the parts of an old one are dropped."""
    made: list[int] = []

    @latest
    def part(config: GuardConfig, *, name: str) -> list[str]:
        made.append(config.grace_period_seconds)
        return [name]

    first = part(GuardConfig(grace_period_seconds=1), name="a")
    assert part(GuardConfig(grace_period_seconds=1), name="a") is first
    part(GuardConfig(grace_period_seconds=2), name="a")
    part(GuardConfig(grace_period_seconds=2), name="b")
    assert part(GuardConfig(grace_period_seconds=1), name="a") is not first
    assert made == [1, 2, 2, 1]
    assert json.dumps(first) == '["a"]'
