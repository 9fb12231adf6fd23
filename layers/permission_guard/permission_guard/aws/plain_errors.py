"""Errors of AWS in plain words, for the command line: what was not done, why, and what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from permission_guard.aws.calls import is_denied, is_temporary
from permission_guard.errors import ConfigurationError, RetryableError, error_code

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_UNKNOWN_KEY = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"})


@contextmanager
def plain_errors(action: str, resource: str) -> Iterator[None]:
    """Raise errors of a call in plain words. `action` is its IAM action, and `resource` what it is called on.

    RetryableError if the same command may succeed later, else ConfigurationError.
    """
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise ConfigurationError(
            "there are no AWS credentials: run `aws configure` or `aws sso login`, or name a profile with --profile"
        ) from error
    except ClientError as error:
        raise _plain(error, action, resource) from error
    except BotoCoreError as error:
        raise ConfigurationError(f"{action} on {resource} failed: {error}") from error


def _plain(error: ClientError, action: str, resource: str) -> ConfigurationError | RetryableError:
    code, message = error_code(error), error.response.get("Error", {}).get("Message", "")
    if is_denied(error):
        return ConfigurationError(f"AWS denied {action} on {resource}: allow it to whoever runs this. {message}")
    if code in _EXPIRED:
        return ConfigurationError("the AWS credentials have expired: get new ones, for example with `aws sso login`")
    if code in _UNKNOWN_KEY:
        return ConfigurationError(f"AWS does not know the credentials ({code}): check the profile or the environment")
    if is_temporary(error):
        return RetryableError(f"AWS could not answer {action} on {resource} now ({code}): run the command again")
    return ConfigurationError(f"{action} on {resource} failed: {code}: {message}")
