"""Read the Slack webhook's URL from Secrets Manager.

boto3 directly and not Powertools Parameters: the client is handed in like every other, forgetting one value is one
line, and the cache below is smaller than the import. A secret that was rotated is taken up after `max_age`, or at once
when Slack refuses the old one.
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

_NEEDS_A_PERSON = frozenset(
    {
        "AccessDeniedException",
        "DecryptionFailure",
        "InvalidParameterException",
        "InvalidRequestException",  # the secret is marked for deletion
        "ResourceNotFoundException",
    }
)


class WebhookSecret:
    """A webhook URL in a secret: the URL as it is, or JSON `{"webhook_url": "…"}`.

    Never in a log, a message or a `repr`; errors name the secret and not its value.
    """

    def __init__(
        self,
        client: SecretsManagerClient,
        secret_arn: str,
        prefix: str = DEFAULT_WEBHOOK_PREFIX,
        *,
        max_age: float = MAX_AGE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secrets = client
        self._secret_arn = secret_arn
        self._prefix = prefix
        self._max_age = max_age
        self._clock = clock
        self._cached: tuple[float, str] | None = None

    def get(self) -> str:
        """Return the URL; ConfigurationError when the secret cannot be had or holds none that may be used."""
        if self._cached is not None:
            read_at, url = self._cached
            if self._clock() - read_at < self._max_age:
                return url
        url = _webhook_url(self._read())
        if not _may_be_used(url, self._prefix):
            raise ConfigurationError(
                f"the secret {self._secret_arn} holds no webhook URL that begins with {self._prefix}: store the URL "
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
            if code in _NEEDS_A_PERSON:
                raise ConfigurationError(f"the secret {self._secret_arn} cannot be read: {code}") from error
            raise DeliveryError(f"the secret {self._secret_arn} could not be read this time: {code}") from error
        except BotoCoreError as error:
            raise DeliveryError(f"Secrets Manager could not be reached: {type(error).__name__}") from error


def _webhook_url(secret: str) -> str:
    """Return the URL in a secret, nothing when there is none: an error would carry the value along."""
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
