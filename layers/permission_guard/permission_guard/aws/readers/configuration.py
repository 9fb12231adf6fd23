"""The configuration document that AppConfig serves.

Whatever was read well once is used until something newer was: an outage of AppConfig, a lost permission or a document
that cannot be read must not change what the bot does. Only AppConfig's answer that nothing is deployed stands for the
defaults. Without either, nobody knows which accounts are trusted: ConfigurationUnavailableError.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.exceptions import ClientError

from permission_guard.config.document import GuardConfig
from permission_guard.errors import ConfigurationDocumentError, ConfigurationUnavailableError, error_code
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.config.settings import ConfigurationSettings

MAX_AGE_SECONDS: Final = 45
"""How long a read is used, also one that failed: an outage must not delay every batch by the retries of a call."""

_NOT_FOUND: Final = "ResourceNotFoundException"
_REFUSED: Final = "BadRequestException"
# If one of these is missing, the function asks for something that is not there: that is not "nothing is deployed".
_MUST_EXIST: Final = frozenset({"Application", "ConfigurationProfile", "Environment"})


class _Provider(Protocol):
    """What is used of the provider of Powertools. It keeps the session's token, and what the session served last."""

    def get(self, name: str, *, force_fetch: bool) -> str | bytes | dict[str, object] | None: ...


@record
class ConfigurationRead:
    """The configuration to use. `problem` says why it is older than what is deployed, empty if it is not."""

    config: GuardConfig
    problem: str = ""


class DeployedConfiguration:
    """Reads the deployed document, and keeps the last one that could be read.

    `clock` returns seconds. Unlike `time.monotonic`, it must continue while the execution environment is frozen.
    """

    def __init__(
        self,
        client: Callable[[], Any],
        settings: ConfigurationSettings,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._settings = settings
        self._now = now
        self._clock = clock
        self._provider: _Provider | None = None
        self._last: ConfigurationRead | None = None
        self._content: bytes | None = None
        self._read_at = 0.0

    def read(self) -> ConfigurationRead:
        """Return the configuration, at most 45 seconds old. ConfigurationUnavailableError if none was ever read."""
        if self._last is None or not 0 <= self._clock() - self._read_at < MAX_AGE_SECONDS:
            self._last = self._newest(self._last)
            self._read_at = self._clock()
        return self._last

    def _newest(self, last: ConfigurationRead | None) -> ConfigurationRead:
        try:
            content = self._served()
            if last is not None and content == self._content:
                return ConfigurationRead(last.config)
            config = GuardConfig() if content is None else self._parsed(content)
        except ConfigurationUnavailableError as error:
            if last is None:
                raise
            return ConfigurationRead(last.config, str(error))
        self._content = content
        return ConfigurationRead(config)

    def _parsed(self, content: bytes) -> GuardConfig:
        from permission_guard.config.read import read_config  # noqa: PLC0415 - many stacks have no document

        try:
            return read_config(content.decode(), now=self._now())
        except (UnicodeDecodeError, ConfigurationDocumentError) as error:
            raise ConfigurationUnavailableError(f"the deployed configuration is not valid: {error}") from error

    def _served(self) -> bytes | None:
        """Return what AppConfig serves, None if nothing is deployed."""
        try:
            return self._fetched()
        except ConfigurationUnavailableError as error:
            # A token is valid for one call and for a day: a lost reply or a long pause needs a new session.
            if _code(error.__cause__) != _REFUSED:
                raise
        return self._fetched()

    def _fetched(self) -> bytes | None:
        from aws_lambda_powertools.utilities.parameters import AppConfigProvider  # noqa: PLC0415 - not every process reads it
        from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError  # noqa: PLC0415 - as above

        if self._provider is None:
            self._provider = AppConfigProvider(
                self._settings.environment, self._settings.application, boto3_client=self._client()
            )
        try:
            content = self._provider.get(self._settings.profile, force_fetch=True)
        except GetParameterError as error:
            # Powertools raises its error while it handles that of the call.
            cause = error.__context__
            if isinstance(cause, KeyError) or _is_nothing_deployed(cause):
                return None  # a new session was served no content
            self._provider = None
            raise ConfigurationUnavailableError(f"AppConfig could not be read: {error}") from cause
        return content if isinstance(content, bytes) else None


def _is_nothing_deployed(error: BaseException | None) -> bool:
    is_missing = isinstance(error, ClientError) and error_code(error) == _NOT_FOUND
    return is_missing and getattr(error, "response", {}).get("ResourceType") not in _MUST_EXIST


def _code(error: BaseException | None) -> str:
    return error_code(error) if isinstance(error, ClientError) else ""
