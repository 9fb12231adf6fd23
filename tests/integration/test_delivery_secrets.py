"""The webhook's URL comes from Secrets Manager, is cached for a few minutes, and is never exposed."""

from __future__ import annotations

import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from permission_guard.aws.readers.secrets import AppriseSecret, BotTokenSecret, CredentialsSecret, WebhookSecret
from permission_guard.errors import ConfigurationError, DeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_secretsmanager import SecretsManagerClient

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:slack-AbCdEf"
URL = "https://hooks.slack.com/services/T0000/B0000/Zx9Qsecret"
TOKEN = "xoxb-1234567890-1234567890123-Zx9Qsecret"
OTHER_URL = "https://hooks.slack.com/services/T0000/B0000/Other"


@pytest.fixture
def client() -> SecretsManagerClient:
    """Return a client without a network."""
    return boto3.client(
        "secretsmanager", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


@pytest.fixture
def stubber(client: SecretsManagerClient) -> Iterator[Stubber]:
    """Stub the client's responses, and check its requests against the service model."""
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def holds(stubber: Stubber, **secret: Any) -> None:
    """Stub one read of the secret."""
    stubber.add_response("get_secret_value", {"ARN": ARN, **secret}, {"SecretId": ARN})


def error_of(secret: WebhookSecret | BotTokenSecret | AppriseSecret, stated: str) -> str:
    """Return the error of an invalid secret with its traceback: neither shows the value."""
    with pytest.raises(ConfigurationError, match=stated) as raised:
        secret.get()
    assert raised.value.__context__ is None
    return "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "secret", [URL, f"  {URL}\n", json.dumps({"webhook_url": URL}), f'\n{{"webhook_url": "{URL} "}}']
)
def test_the_secret_is_the_url_or_json_that_contains_it(
    client: SecretsManagerClient, stubber: Stubber, secret: str
) -> None:
    """The console writes JSON, people write the URL."""
    holds(stubber, SecretString=secret)
    assert WebhookSecret(client, ARN).get() == URL


def test_the_url_is_cached_for_max_age(client: SecretsManagerClient, stubber: Stubber) -> None:
    """One read serves many alerts; a rotated secret is used after that time."""
    now = [1_000.0]
    secret = WebhookSecret(client, ARN, max_age=60, clock=lambda: now[0])
    holds(stubber, SecretString=URL)
    assert secret.get() == URL
    now[0] += 59
    assert secret.get() == URL
    now[0] += 1
    holds(stubber, SecretString=OTHER_URL)
    assert secret.get() == OTHER_URL


def test_a_url_that_no_longer_works_is_read_again(client: SecretsManagerClient, stubber: Stubber) -> None:
    """Immediately, not only after `max_age`."""
    secret = WebhookSecret(client, ARN)
    holds(stubber, SecretString=URL)
    secret.get()
    secret.forget()
    holds(stubber, SecretString=OTHER_URL)
    assert secret.get() == OTHER_URL


@pytest.mark.parametrize(
    "secret",
    [
        {"SecretString": "http://hooks.slack.com/services/Zx9Qsecret"},
        {"SecretString": "https://hooks.slack.com.evil.example/services/Zx9Qsecret"},
        {"SecretString": "https://hooks.slack.com/"},
        {"SecretString": "https://hooks.slack.com/services/Zx9Qsecret and more"},
        {"SecretString": "https://hooks.slack.com/services/Zx9Qsecret\x00"},
        {"SecretString": "https://hooks.slack.com/services/Zx9Qsecret\nHost: x"},
        {"SecretString": "https://hooks.slack.com/services/Zx9Qsecret\u0430"},
        {"SecretString": json.dumps({"url": URL})},
        {"SecretString": json.dumps({"webhook_url": [URL]})},
        {"SecretString": '{"webhook_url": "https://hooks.slack.com/services/Zx9Qsecret'},
        {"SecretString": "xoxb-Zx9Qsecret"},
        {"SecretString": " "},
        {"SecretBinary": b"Zx9Qsecret"},
    ],
)
def test_an_invalid_value_is_a_configuration_error_that_names_the_secret_and_not_the_value(
    client: SecretsManagerClient, stubber: Stubber, caplog: pytest.LogCaptureFixture, secret: dict[str, Any]
) -> None:
    """A finding is posted only to a valid URL, and the value stays secret."""
    holds(stubber, **secret)
    with caplog.at_level(logging.INFO):
        error = error_of(WebhookSecret(client, ARN), ARN)
    assert "Zx9Qsecret" not in error + caplog.text


def test_another_prefix_must_be_configured(client: SecretsManagerClient, stubber: Stubber) -> None:
    """For GovSlack, a proxy or a test."""
    holds(stubber, SecretString="http://127.0.0.1:8080/hook")
    assert WebhookSecret(client, ARN, "http://127.0.0.1:8080/").get() == "http://127.0.0.1:8080/hook"


def test_the_secret_does_not_show_its_value(client: SecretsManagerClient, stubber: Stubber) -> None:
    """Its `repr`, as debuggers and loggers show it, has no URL."""
    holds(stubber, SecretString=URL)
    secret = WebhookSecret(client, ARN)
    secret.get()
    assert "Zx9Q" not in repr(secret)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "InvalidRequestException"])
def test_a_secret_that_only_a_person_can_fix_is_a_configuration_error(
    client: SecretsManagerClient, stubber: Stubber, code: str
) -> None:
    """The message has the secret and AWS's error code."""
    stubber.add_client_error("get_secret_value", code)
    with pytest.raises(ConfigurationError, match=f"{ARN} cannot be read: {code}"):
        WebhookSecret(client, ARN).get()


def test_a_temporary_error_is_a_failed_delivery(client: SecretsManagerClient, stubber: Stubber) -> None:
    """The message stays in its queue."""
    stubber.add_client_error("get_secret_value", "InternalServiceError")
    with pytest.raises(DeliveryError, match="InternalServiceError"):
        WebhookSecret(client, ARN).get()


def test_an_unreachable_endpoint_is_a_failed_delivery(
    client: SecretsManagerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message stays in its queue."""

    def fail(**_request: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://secretsmanager.us-east-1.amazonaws.com/")

    monkeypatch.setattr(client, "get_secret_value", fail)
    with pytest.raises(DeliveryError, match="EndpointConnectionError"):
        WebhookSecret(client, ARN).get()


@pytest.mark.parametrize(
    "secret", ['{"token": "t0ken", "user": "bot"}', '\n{"user": " bot ", "token": "t0ken\\n", "more": 1}']
)
def test_the_credentials_are_the_named_values(client: SecretsManagerClient, stubber: Stubber, secret: str) -> None:
    """Nothing else in the secret is used."""
    holds(stubber, SecretString=secret)
    assert CredentialsSecret(client, ARN, ["user", "token"]).get() == {"user": "bot", "token": "t0ken"}


@pytest.mark.parametrize(
    "secret",
    [
        "t0ken",
        "[]",
        "null",
        '{"token": ""}',
        '{"token": 1}',
        '{"other": "t0ken"}',
        '{"token": "t0\\r\\nken: x"}',
        '{"token": "ü"}',
    ],
)
def test_a_secret_without_valid_credentials_is_a_configuration_error(
    client: SecretsManagerClient, stubber: Stubber, secret: str
) -> None:
    """The error says what to store, and not what is stored."""
    holds(stubber, SecretString=secret)
    with pytest.raises(
        ConfigurationError, match=f'the secret {ARN} has no credentials: store JSON {{"token": "...'
    ) as failure:
        CredentialsSecret(client, ARN, ["token"]).get()
    assert "ken" not in str(failure.value).replace("token", "")
    assert failure.value.__context__ is None


@pytest.mark.parametrize("secret", [TOKEN, f"  {TOKEN}\n", json.dumps({"bot_token": TOKEN})])
def test_the_secret_is_the_bot_token_or_json_that_contains_it(
    client: SecretsManagerClient, stubber: Stubber, secret: str
) -> None:
    """The console writes JSON, people write the token."""
    holds(stubber, SecretString=secret)
    assert BotTokenSecret(client, ARN).get() == TOKEN


@pytest.mark.parametrize(
    "secret",
    [
        "xoxp-1234567890-1234567890123-Zx9Qsecret",
        "xapp-1-A0000-1234567890123-Zx9Qsecret",
        "xoxe.xoxb-1-Zx9QsecretZx9Qsecret",
        "xoxb-",
        "xoxb-Zx9Qsecret Zx9Qsecret",
        "xoxb-Zx9QsecretZx9Qsecret\r\nHost: x",
        "xoxb-Zx9QsecretZx9Qsecret\u0430",
        f"xoxb-{'Zx9Qsecret' * 100}",
        "https://hooks.slack.com/services/T0000/B0000/Zx9Qsecret",
        json.dumps({"token": TOKEN}),
        json.dumps({"bot_token": [TOKEN]}),
        '{"bot_token": "xoxb-Zx9Qsecret',
        " ",
    ],
)
def test_another_token_is_a_configuration_error_that_names_the_secret_and_not_the_value(
    client: SecretsManagerClient, stubber: Stubber, secret: str
) -> None:
    """A user's token would post as that user, and one that is rotated ends after hours."""
    holds(stubber, SecretString=secret)
    error = error_of(BotTokenSecret(client, ARN), f"{ARN} has no bot token, which begins with xoxb-")
    assert "Zx9Qsecret" not in error


APPRISE = ("discord://1/Zx9Qsecret", "jsons://user:Zx9Qsecret@hooks.example.com")


@pytest.mark.parametrize(
    "secret", ["\n".join(APPRISE), f"\n {APPRISE[0]} \r\n\n{APPRISE[1]}\n", json.dumps({"urls": APPRISE})]
)
def test_the_secret_has_the_urls_of_apprise(client: SecretsManagerClient, stubber: Stubber, secret: str) -> None:
    """One on each line, or as JSON."""
    holds(stubber, SecretString=secret)
    assert AppriseSecret(client, ARN).get() == APPRISE


@pytest.mark.parametrize(
    "secret",
    [
        " \n",
        "discord://1/Zx9Qsecret x",
        "discord://1/Zx9Qsecret\u0430",
        '{"urls": []}',
        '{"urls": "discord://1/Zx9Qsecret"}',
        '{"urls": [["discord://1/Zx9Qsecret"]]}',
        '{"url": "discord://1/Zx9Qsecret"}',
        '{"urls": ["discord://1/Zx9Qsecret"',
    ],
)
def test_a_secret_without_urls_of_apprise_is_a_configuration_error(
    client: SecretsManagerClient, stubber: Stubber, secret: str
) -> None:
    """It names the secret and not the value."""
    holds(stubber, SecretString=secret)
    assert "Zx9Qsecret" not in error_of(AppriseSecret(client, ARN), f"{ARN} has no Apprise URLs")
