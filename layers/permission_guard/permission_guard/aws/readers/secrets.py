"""Read the Slack webhook's URL from Secrets Manager.

It uses boto3 and not Powertools Parameters: the client is injected like every other one, and dropping one value from
the cache takes one line. A rotated secret is read after `max_age`, or at once when Slack rejects the old URL.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.delivery.alerts.slack.message import DEFAULT_WEBHOOK_PREFIX
from permission_guard.errors import ConfigurationError, DeliveryError, error_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_AGE = 300.0
"""Seconds for which a URL is used before it is read again."""

_PERMANENT = frozenset(
    {
        "AccessDeniedException",
        "DecryptionFailure",
        "InvalidParameterException",
        "InvalidRequestException",  # the secret is marked for deletion
        "ResourceNotFoundException",
    }
)


class WebhookSecret:
    """A webhook URL in a secret: the URL itself, or JSON `{"webhook_url": "…"}`.

    The URL is never in a log, a message or a `repr`. Errors name the secret, not its value. `clock` returns seconds.
    Unlike `time.monotonic`, it must continue while the execution environment is frozen.
    """

    def __init__(
        self,
        client: SecretsManagerClient,
        secret_arn: str,
        prefix: str = DEFAULT_WEBHOOK_PREFIX,
        *,
        max_age: float = MAX_AGE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = client
        self._secret_arn = secret_arn
        self._prefix = prefix
        self._max_age = max_age
        self._clock = clock
        self._cached: tuple[float, str] | None = None

    def get(self) -> str:
        """Return the URL. ConfigurationError if the secret cannot be read or has no valid URL."""
        if self._cached is not None:
            read_at, url = self._cached
            if 0 <= self._clock() - read_at < self._max_age:
                return url
        url = _webhook_url(self._read())
        if not _may_be_used(url, self._prefix):
            raise ConfigurationError(
                f"the secret {self._secret_arn} has no webhook URL that begins with {self._prefix}: store the URL "
                'itself, or JSON {"webhook_url": "<URL>"}'
            )
        self._cached = (self._clock(), url)
        return url

    def forget(self) -> None:
        """Read the secret again the next time."""
        self._cached = None

    def _read(self) -> str:
        try:
            return self._secrets.get_secret_value(SecretId=self._secret_arn).get("SecretString", "")
        except ClientError as error:
            code = error_code(error)
            if code in _PERMANENT:
                raise ConfigurationError(f"the secret {self._secret_arn} cannot be read: {code}") from error
            raise DeliveryError(
                f"the secret {self._secret_arn} could not be read: {code}. It will be retried"
            ) from error
        except BotoCoreError as error:
            raise DeliveryError(f"Secrets Manager could not be reached: {type(error).__name__}") from error


def _webhook_url(secret: str) -> str:
    """Return the URL in a secret, empty if there is none. It does not raise: the error would contain the value."""
    text = secret.strip()
    if not text.startswith("{"):
        return text
    try:
        document = json.loads(text)
    except ValueError:
        return ""
    url = document.get("webhook_url")
    return url.strip() if isinstance(url, str) else ""


def _may_be_used(url: str, prefix: str) -> bool:
    return url.startswith(prefix) and len(url) > len(prefix) and url.isascii() and url.isprintable() and " " not in url
