"""The configuration that a function works with, and what becomes of its messages without one."""

from __future__ import annotations

from functools import cache, wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.aws.clients import client
from permission_guard.aws.readers.configuration import DeployedConfiguration
from permission_guard.config.settings import ConfigurationSettings
from permission_guard.errors import ConfigurationUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.aws.readers.configuration import ConfigurationRead
    from permission_guard.config.document import GuardConfig
    from permission_guard.model.targets import JSON

Given = ParamSpec("Given")
Made = TypeVar("Made")


def with_configuration(
    event: Mapping[str, JSON],
    environment: Mapping[str, str],
    logger: Logger,
    metrics: Metrics,
    handle: Callable[[GuardConfig], dict[str, JSON]],
) -> dict[str, JSON]:
    """Handle a batch of messages with the deployed configuration; return Lambda's partial batch response.

    If it cannot be read, no message is handled, and all of them stay in the queue. ConfigurationError if a setting is
    missing.
    """
    try:
        return handle(_logged(ConfigurationSettings.from_environment(environment), logger, metrics))
    except ConfigurationUnavailableError as error:
        messages = [record["messageId"] for record in event["Records"]]
        logger.error(  # noqa: TRY400 - the reason says it all
            "configuration not read: the messages stay in the queue",
            extra={"reason": str(error), "message_ids": messages},
        )
        _count(metrics, "ConfigurationUnread")
        return {"batchItemFailures": [{"itemIdentifier": message} for message in messages]}
    except Exception:
        _count(metrics, "BatchesCrashed")
        raise


def deployed_configuration(settings: ConfigurationSettings) -> ConfigurationRead:
    """Return the configuration. ConfigurationUnavailableError if it cannot be read and none was read before."""
    return _deployed(settings).read()


def logged_configuration(settings: ConfigurationSettings, logger: Logger, metrics: Metrics) -> GuardConfig:
    """Return the configuration, and log and count if it cannot be read.

    ConfigurationUnavailableError if none was read before: the caller does nothing, and Lambda invokes it again.
    """
    try:
        return _logged(settings, logger, metrics)
    except ConfigurationUnavailableError:
        _count(metrics, "ConfigurationUnread")
        raise


def configuration_or_reason(
    environment: Mapping[str, str], logger: Logger, metrics: Metrics
) -> tuple[GuardConfig | None, str]:
    """Return the configuration, or None and why it cannot be read. ConfigurationError if a setting is missing."""
    try:
        return logged_configuration(ConfigurationSettings.from_environment(environment), logger, metrics), ""
    except ConfigurationUnavailableError as error:
        return None, str(error)


def latest(make: Callable[Given, Made]) -> Callable[Given, Made]:
    """Keep what was made last, as long as it is asked for with equal arguments.

    A configuration is an argument: a new one takes effect at once, and the parts of an old one are dropped.
    """
    kept: list[tuple[tuple[object, object], Made]] = []

    @wraps(make)
    def made(*args: Given.args, **options: Given.kwargs) -> Made:
        if not kept or kept[0][0] != (args, options):
            kept[:] = [((args, options), make(*args, **options))]
        return kept[0][1]

    made.cache_clear = kept.clear  # type: ignore[attr-defined] # as of `functools.cache`
    return made


@cache
def _deployed(settings: ConfigurationSettings) -> DeployedConfiguration:
    """Return what reads the document; an execution environment keeps the last one."""
    return DeployedConfiguration(lambda: client("appconfigdata"), settings)


def _logged(settings: ConfigurationSettings, logger: Logger, metrics: Metrics) -> GuardConfig:
    read = deployed_configuration(settings)
    if read.problem:
        logger.warning("configuration not read: the last good one is used", extra={"reason": read.problem})
        _count(metrics, "ConfigurationUnread")
    return read.config


def _count(metrics: Metrics, name: str) -> None:
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
