"""Read Slack's webhook URL and bot token, Apprise URLs and credentials of ticket systems from Secrets Manager.

It uses boto3 and not Powertools Parameters: the client is injected like every other one, and dropping one value from
the cache takes one line. A rotated secret is read after `max_age`, or at once when the other side rejects the old one.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.delivery.alerts.slack.message import DEFAULT_WEBHOOK_PREFIX
from permission_guard.errors import ConfigurationError, DeliveryError, error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_AGE = 300.0
"""Seconds for which a value is used before it is read again."""

_PERMANENT = frozenset(
    {
        "AccessDeniedException",
        "DecryptionFailure",
        "InvalidParameterException",
        "InvalidRequestException",  # the secret is marked for deletion
        "ResourceNotFoundException",
    }
)


# Of other tokens, `xoxp-` is a user's, `xapp-` an app's, and `xoxe.xoxb-` ends after 12 hours.
# https://docs.slack.dev/authentication/tokens
_BOT_TOKEN = re.compile(r"xoxb-[A-Za-z0-9-]{10,250}", re.ASCII)

Value = TypeVar("Value")


class _Secret(Generic[Value]):
    """A secret that is kept for a few minutes. Its value is never in a log, a message or a `repr`.

    Errors name the secret, not its value. `clock` returns seconds. Unlike `time.monotonic`, it must continue while the
    execution environment is frozen.
    """

    def __init__(
        self,
        client: SecretsManagerClient,
        secret_arn: str,
        *,
        max_age: float = MAX_AGE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = client
        self._secret_arn = secret_arn
        self._max_age = max_age
        self._clock = clock
        self._cached: tuple[float, Value] | None = None

    def get(self) -> Value:
        """Return the value. ConfigurationError if the secret cannot be read or has no valid value."""
        if self._cached is not None:
            read_at, value = self._cached
            if 0 <= self._clock() - read_at < self._max_age:
                return value
        value = self._parse(self._read())
        self._cached = (self._clock(), value)
        return value

    def forget(self) -> None:
        """Read the secret again the next time."""
        self._cached = None

    def _parse(self, text: str) -> Value:
        raise NotImplementedError

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


class WebhookSecret(_Secret[str]):
    """A webhook URL in a secret: the URL itself, or JSON `{"webhook_url": "…"}`."""

    def __init__(
        self,
        client: SecretsManagerClient,
        secret_arn: str,
        prefix: str = DEFAULT_WEBHOOK_PREFIX,
        *,
        max_age: float = MAX_AGE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(client, secret_arn, max_age=max_age, clock=clock)
        self._prefix = prefix

    def _parse(self, text: str) -> str:
        url = _text_or_member(text, "webhook_url")
        if not _may_be_used(url, self._prefix):
            raise ConfigurationError(
                f"the secret {self._secret_arn} has no webhook URL that begins with {self._prefix}: store the URL "
                'itself, or JSON {"webhook_url": "<URL>"}'
            )
        return url


class BotTokenSecret(_Secret[str]):
    """The token of a Slack bot in a secret: the token itself, or JSON `{"bot_token": "xoxb-…"}`."""

    def _parse(self, text: str) -> str:
        token = _text_or_member(text, "bot_token")
        if not _BOT_TOKEN.fullmatch(token):
            raise ConfigurationError(
                f"the secret {self._secret_arn} has no bot token, which begins with xoxb-: store the token itself, or "
                'JSON {"bot_token": "<token>"}'
            )
        return token


class AppriseSecret(_Secret[tuple[str, ...]]):
    """Apprise URLs in a secret: one on each line, or JSON `{"urls": ["…"]}`."""

    def _parse(self, text: str) -> tuple[str, ...]:
        urls = _urls(text)
        if not urls or not all(url.isascii() and url.isprintable() and " " not in url for url in urls):
            raise ConfigurationError(
                f"the secret {self._secret_arn} has no Apprise URLs: store one on each line, or "
                'JSON {"urls": ["<URL>"]}'
            )
        return urls


class CredentialsSecret(_Secret[Mapping[str, str]]):
    """The credentials of a ticket system in a secret: JSON with the given names, such as `{"token": "…"}`."""

    def __init__(
        self,
        client: SecretsManagerClient,
        secret_arn: str,
        names: Sequence[str],
        *,
        max_age: float = MAX_AGE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(client, secret_arn, max_age=max_age, clock=clock)
        self._names = tuple(names)

    def _parse(self, text: str) -> Mapping[str, str]:
        values = _credentials(text, self._names)
        if values is None:
            form = json.dumps(dict.fromkeys(self._names, "..."))
            raise ConfigurationError(f"the secret {self._secret_arn} has no credentials: store JSON {form}")
        return values


def _credentials(secret: str, names: Sequence[str]) -> dict[str, str] | None:
    """Return the named values, None if one is missing or cannot be in a header. It does not raise, as below."""
    try:
        document = json.loads(secret)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    values = {name: value.strip() for name in names if isinstance(value := document.get(name), str)}
    is_valid = all(value and value.isascii() and value.isprintable() for value in values.values())
    return values if is_valid and len(values) == len(names) else None


def _text_or_member(secret: str, name: str) -> str:
    """Return a secret that is a text or a member of JSON, empty if it is neither.

    It does not raise: the error would contain the value.
    """
    text = secret.strip()
    if not text.startswith("{"):
        return text
    try:
        document = json.loads(text)
    except ValueError:
        return ""
    value = document.get(name)
    return value.strip() if isinstance(value, str) else ""


def _urls(secret: str) -> tuple[str, ...]:
    """Return the URLs in a secret, none if it is invalid. It does not raise, as above."""
    if not secret.strip().startswith("{"):
        return tuple(line.strip() for line in secret.splitlines() if line.strip())
    try:
        urls = json.loads(secret).get("urls")
    except ValueError:
        return ()
    is_valid = isinstance(urls, list) and all(isinstance(url, str) for url in urls)
    return tuple(url.strip() for url in urls) if is_valid else ()


def _may_be_used(url: str, prefix: str) -> bool:
    return url.startswith(prefix) and len(url) > len(prefix) and url.isascii() and url.isprintable() and " " not in url
